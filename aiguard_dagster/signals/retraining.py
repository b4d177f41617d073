"""New versions of a model: how often, what they took, and whether they helped."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite

import narwhals as nw

from aiguard_dagster.core.champions import Reign, champion_at
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Retraining
from aiguard_dagster.core.verdicts import Part
from aiguard_dagster.signals.batch import Batch
from aiguard_dagster.signals.pipeline_cost import Step
from aiguard_dagster.signals.tallied import Counted, Kind, Reading
from aiguard_dagster.stats.tally import Tally, tally_of

KEYS = ("outcome", "version", "against")
SUMS = ("versions", "metric", "was", "days", "steps", "seconds", "untimed", "failed")
HELPED, WORSE, UNKNOWN, FIRST, STEPS = "helped", "did not help", "unknown", "first", "steps"
MONTH_DAYS = 30
MOST = 8
"""Versions that are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """One registered version.

    Attributes:
        version: Its number, as text.
        made: When it was registered.
        metric: How good its run says it is; None where it says nothing.
    """

    version: str
    made: datetime
    metric: float | None


def compared(
    signal: Retraining, versions: Sequence[NewVersion], reigns: Sequence[Reign]
) -> Mapping[str, tuple[str, NewVersion | None]]:
    """What became of each version, and which one it is compared with.

    That is the version in production when it was registered, or else the one before it.

    Args:
        signal: Which values are better, and by how much.
        versions: In the order of their numbers.
        reigns: Which version was in production when.
    """
    by_name = {each.version: each for each in versions}
    found: dict[str, tuple[str, NewVersion | None]] = {}
    before: NewVersion | None = None
    for each in versions:
        champion = champion_at(reigns, each.made) or ""
        against = by_name.get(champion) if champion != each.version else None
        against = against or before
        found[each.version] = (_outcome(signal, each, against), against)
        before = each
    return found


def _outcome(signal: Retraining, version: NewVersion, against: NewVersion | None) -> str:
    if against is None:
        return FIRST
    now, was = version.metric, against.metric
    if now is None or was is None or not isfinite(now) or not isfinite(was):
        return UNKNOWN
    gain = was - now if signal.better == "lower" else now - was
    return HELPED if gain > signal.min_gain * abs(was) else WORSE


def tally_of_versions(
    versions: Iterable[NewVersion],
    outcomes: Mapping[str, tuple[str, NewVersion | None]],
    steps: Iterable[Step],
    *,
    days: float,
    unread: int = 0,
) -> Tally:
    """Sums of a span of time: a row for each version, and one of the span and its steps.

    Args:
        versions: Those registered in the span.
        outcomes: What became of each.
        steps: Of the training asset, that ended in it.
        days: How long the span is.
        unread: Runs that nobody has looked at yet.
    """
    rows: list[tuple[object, ...]] = []
    for each in versions:
        outcome, against = outcomes[each.version]
        was = against.metric if against else None
        name = against.version if against else ""
        values = [value if value and isfinite(value) else 0.0 for value in (each.metric, was)]
        rows.append((outcome, each.version, name, 1, *values, *(0.0,) * 5))
    mine = list(steps)
    known = [s for step in mine for s in step.attempts if s is not None]
    untimed = sum(None in step.attempts for step in mine) + unread
    failed = sum(step.failed for step in mine)
    rows.append((STEPS, "", "", *(0,) * 3, days, len(mine) + unread, sum(known), untimed, failed))
    return tally_of(KEYS, SUMS, rows)


def count_retraining(signal: Retraining, batch: Batch, part: nw.Expr) -> Counted:
    """Rows tell nothing of how a model was made.

    Raises:
        MeasurementError: Always.
    """
    del batch, part
    msg = f"{signal.kind} is counted from runs, and not from rows"
    raise MeasurementError(msg)


def read_retraining(signal: Retraining, now: Tally, before: Tally | None) -> Reading:
    """The share that did not help, how many there were, or what each took; parts tell each version.

    Versions whose runs do not tell the metric lower the coverage of whether they helped, and steps
    of unknown time that of what they took. The first version of all is compared with nothing.
    """
    del before
    versions = now.total("versions")
    helped, worse = (now.total("versions", outcome=each) for each in (HELPED, WORSE))
    unknown = now.total("versions", outcome=UNKNOWN)
    days, seconds = now.total("days"), now.total("seconds")
    steps, untimed = now.total("steps"), now.total("untimed")
    parts = _parts(signal, now)
    match signal.of:
        case "unhelpful":
            judged = helped + worse
            return Reading(
                value=worse / judged if judged else None,
                n=int(judged),
                coverage=judged / (judged + unknown) if judged + unknown else 0.0,
                parts=parts,
                note=_told(signal, unknown) or ("" if judged else "no new version to compare"),
                unit="share",
            )
        case "often":
            value = versions * MONTH_DAYS / days if days else None
            return Reading(value=value, n=int(days), parts=parts)
        case "compute":
            note = "" if versions else f"{seconds:,.3g} s of training, and no new version"
            return Reading(
                value=seconds / versions if versions else None,
                n=int(steps - untimed),
                coverage=1 - untimed / steps if steps else 0.0,
                parts=parts,
                note=note,
                unit="seconds",
            )


def _told(signal: Retraining, unknown: float) -> str:
    return f"{unknown:,.0f} versions have no {signal.metric}" if unknown else ""


def _parts(signal: Retraining, now: Tally) -> tuple[Part, ...]:
    """The versions, those that did not help first, and what training took."""
    order = (WORSE, UNKNOWN, HELPED, FIRST)
    found = []
    for (outcome, version, against), sums in now.by(*KEYS).items():
        if outcome == STEPS:
            continue
        text = outcome
        if outcome in {HELPED, WORSE}:
            told = f"{signal.metric} {sums['metric']:.4g}, v{against} has {sums['was']:.4g}"
            text = f"{outcome}: {told}"
        elif outcome == UNKNOWN:
            text = f"no {signal.metric or 'metric'} to compare with v{against}"
        part = Part(name=f"v{version}", value=sums["metric"], text=text)
        found.append((order.index(outcome), -int(version), part))
    parts = [part for _, _, part in sorted(found, key=lambda each: each[:2])][:MOST]
    if now.total("steps"):
        failed = f", {now.total('failed'):,.0f} failed" if now.total("failed") else ""
        seconds = now.total("seconds")
        text = f"{seconds:,.3g} s in {now.total('steps'):,.0f} steps{failed}"
        parts.append(Part(name="training", value=seconds, text=text))
    return tuple(parts)


RETRAINING = Kind(count_retraining, read_retraining)
