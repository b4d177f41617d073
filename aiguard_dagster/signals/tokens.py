"""Tokens a request, the growth of context, and who made them more."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from aiguard_dagster.core.spec import Tokens
from aiguard_dagster.core.spoken import percent
from aiguard_dagster.core.verdicts import Part
from aiguard_dagster.core.words import figure
from aiguard_dagster.signals.calls import DUPLICATES, UNNAMED
from aiguard_dagster.signals.tallied import Kind, Reading
from aiguard_dagster.signals.token_counts import (
    OF_CALLS,
    OF_CONTEXTS,
    OF_REQUESTS,
    WHO,
    count_tokens,
)
from aiguard_dagster.stats.bennet import Group, mean_of, split_mean
from aiguard_dagster.stats.tally import Tally

MOST = 5
"""Groups that are named, of each of template, caller and model."""
SPOKEN = {"served_by": "model"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ratio:
    """A value as a ratio of two sums: what it is a mean over, and what it is the mean of."""

    counts: str
    over: str
    of: str
    unit: str


RATIOS = {
    "total": _Ratio(counts=OF_CALLS, over="has_total", of="total", unit="tokens a call"),
    "input": _Ratio(counts=OF_CALLS, over="has_input", of="input", unit="tokens a call"),
    "output": _Ratio(counts=OF_CALLS, over="has_output", of="output", unit="tokens a call"),
    "cached": _Ratio(counts=OF_CALLS, over="cacheable", of="cached", unit="of the input"),
    "growth": _Ratio(
        counts=OF_CONTEXTS, over="further", of="grown", unit="tokens from call to call"
    ),
    "over": _Ratio(counts=OF_CALLS, over="has_input", of="over", unit="of the prompts"),
}
PER_REQUEST = frozenset({"total", "input", "output"})
KNOWN = {"cached": "has_cached", "growth": "placed"}
"""The sum that says how many calls could be measured, where the ratio's own does not."""


def read_tokens(signal: Tokens, now: Tally, before: Tally | None) -> Reading:
    """The mean over all requests, calls or prompts; parts tell who it comes from.

    Coverage is the share of calls whose tokens are known, and can be so.
    """
    ratio = RATIOS[signal.of]
    calls = now.total("rows", counts=OF_CALLS)
    known = now.total(KNOWN.get(signal.of, ratio.over), counts=OF_CALLS)
    mean = mean_of(_groups(now, ratio))
    value = None if mean is None else mean * _calls_per_request(signal, now)
    share = signal.of in {"cached", "over"}
    n = now.total("further", counts=OF_CONTEXTS) if signal.of == "growth" else known
    return Reading(
        value=value,
        n=int(n),
        coverage=known / calls if calls else 0.0,
        parts=tuple(_parts(signal, now, before)) if value is not None else (),
        note="; ".join(_notes(signal, now, value)),
        unit="share" if share else "number",
        variance=value * (1 - value) / n if signal.of == "over" and value is not None else None,
    )


def _calls_per_request(signal: Tokens, tally: Tally) -> float:
    """What means over calls are multiplied by: 1 where rows are requests, and for shares."""
    requests = tally.total("rows", counts=OF_REQUESTS)
    if signal.of not in PER_REQUEST or not requests:
        return 1.0
    return tally.total("rows", counts=OF_CALLS) / requests


def _groups(tally: Tally, ratio: _Ratio, *names: str) -> dict[tuple[str, ...], Group]:
    """The groups of a mean, by template, caller or model."""
    return {
        key[1:]: Group(sums[ratio.over], sums[ratio.of] / sums[ratio.over])
        for key, sums in tally.by("counts", *names).items()
        if key[0] == ratio.counts and sums[ratio.over]
    }


def _notes(signal: Tokens, now: Tally, value: float | None) -> Iterator[str]:
    if value is None and signal.of == "growth":
        yield "no task or request has two calls"
    elif value is None:
        yield "no call has tokens"
    if signal.of == "growth":
        placed, known = (now.total(name, counts=OF_CALLS) for name in ("placed", "has_input"))
        if alone := known - placed:
            yield f"{alone:,.0f} calls name no task or request"
    if odd := now.total("odd", counts=OF_CALLS):
        what = "below zero, or more from the cache than were read"
        yield f"{odd:,.0f} calls have tokens that cannot be: {what}"
    if twice := now.total(DUPLICATES, counts=OF_CALLS):
        yield f"{twice:,.0f} rows repeat a call and do not count"


def _parts(signal: Tokens, now: Tally, before: Tally | None) -> Iterator[Part]:
    """Who the change comes from, the worst first; who tokens come from, without a baseline."""
    ratio, found = RATIOS[signal.of], []
    was = before if before is not None and mean_of(_groups(before, ratio)) is not None else None
    factor = _calls_per_request(signal, now)
    if was is not None:
        usual = _calls_per_request(signal, was)
        means = [mean_of(_groups(tally, ratio)) or 0.0 for tally in (was, now)]
        if change := (means[0] + means[1]) / 2 * (factor - usual):
            more = f"{figure(change, sign='+')} tokens a request"
            text = f"{more}: {factor:.3g} calls each, was {usual:.3g}"
            found.append(Part(name="calls per request", value=change, text=text))
        factor = (factor + usual) / 2
    sorts = {}
    for name in WHO:
        groups = _groups(now, ratio, name)
        then = _groups(was, ratio, name) if was is not None else None
        if set(groups) != {(UNNAMED,)}:
            sorts[name] = (groups, then)
    telling = [name for name, (groups, then) in sorts.items() if len({*groups, *(then or ())}) > 1]
    for name in telling or sorts:
        found += _of_one(signal, name, *sorts[name], factor)
    low = signal.direction == "low"
    yield from sorted(found, key=lambda part: (part.value if low else -part.value, part.name))


def _of_one(
    signal: Tokens,
    name: str,
    now: Mapping[tuple[str, ...], Group],
    before: Mapping[tuple[str, ...], Group] | None,
    factor: float,
) -> list[Part]:
    """Templates, callers or models, those that explain most."""
    total = sum(group.weight for group in now.values())
    if before is None:
        found = {key: group.weight * group.mean / total for key, group in now.items()}
    else:
        found = split_mean(before, now)
    ranked = sorted(found, key=lambda key: (-abs(found[key]), key))[:MOST]
    return [
        Part(
            name=f"{SPOKEN.get(name, name)} {key[0] or 'missing'}",
            value=found[key] * factor,
            text=_text(signal, found[key] * factor, key, now, before),
        )
        for key in ranked
        if found[key]
    ]


def _text(
    signal: Tokens,
    part: float,
    key: tuple[str, ...],
    now: Mapping[tuple[str, ...], Group],
    before: Mapping[tuple[str, ...], Group] | None,
) -> str:
    is_ = _state(signal, key, now)
    if before is None:
        return is_
    was = f"was {_state(signal, key, before)}"
    share = signal.of in {"cached", "over"}
    change = f"{part * 100:+.3g} points" if share else f"{figure(part, sign='+')} tokens"
    return f"{change}: {is_}, {was}"


def _state(signal: Tokens, key: tuple[str, ...], groups: Mapping[tuple[str, ...], Group]) -> str:
    if key not in groups:
        return "not there"
    total = sum(group.weight for group in groups.values())
    group = groups[key]
    share = signal.of in {"cached", "over"}
    value = percent(group.mean) if share else figure(group.mean)
    what = "input" if signal.of == "cached" else "calls"
    return f"{value} {RATIOS[signal.of].unit} in {percent(group.weight / total)} of the {what}"


TOKENS = Kind(count_tokens, read_tokens)
