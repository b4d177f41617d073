"""A guard in sentences, for the people who own it."""

from datetime import timedelta
from typing import assert_never

from aiguard_dagster.core.durations import format_duration
from aiguard_dagster.core.spec import (
    AbsoluteLimit,
    Action,
    BaselineLimit,
    Completeness,
    Cost,
    Drift,
    FalseAlarmLimit,
    Freshness,
    Guard,
    Limit,
    Mode,
    Pandera,
    Performance,
    Rule,
    Schema,
    describe_limit,
)

UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day"}
METRICS = {
    "mae": "the mean absolute error",
    "rmse": "the root mean squared error",
    "bias": "the mean error, whichever its sign,",
    "f1": "the F1 score",
}


def explain(guard: Guard) -> str:
    """The stop rules: what is watched, which limit, how long, who decides, what happens."""
    model = guard.model
    if model is None:
        head = f"{guard.name} guards data only."
    else:
        mark = f"stage {model.stage}" if model.stage else f"alias {model.alias}"
        head = f"{guard.name} guards the model {model.name}, in production by its {mark}."
    lines = [f"{head} Owner: {guard.owner}.", _mode(guard)]
    for number, rule in enumerate(guard.rules, start=1):
        lines += ["", f"{number}. {rule.name}", *(f"   {line}" for line in _rule(guard, rule))]
    lines += ["", *_silence(guard)]
    return "\n".join(lines)


def _mode(guard: Guard) -> str:
    match guard.mode:
        case Mode.OBSERVE:
            return "It observes: it measures and tells, and does nothing else."
        case Mode.PROPOSE:
            return "It proposes: it tells the owner what it would do, and the owner decides."
        case Mode.ENFORCE:
            return "It enforces: it acts by these rules without asking."
        case _:
            assert_never(guard.mode)


def _silence(guard: Guard) -> list[str]:
    after = f"After an action on the model, none follows for {spoken(guard.cooldown)}."
    if not guard.cooldown:
        after = "After an action on the model, the next one may follow at once."
    told = (
        f"A rule that says nothing conclusive for {spoken(guard.silence)} is escalated to its"
        " owner. Silence neither fires a rule nor clears one."
    )
    return [told] if guard.model is None else [after, told]


def _rule(guard: Guard, rule: Rule) -> list[str]:
    """What must hold, what it takes to say so, and what happens when it does not hold."""
    signal = rule.signal
    lines = [f"{_watched(guard, rule)}."]
    if isinstance(signal, Drift | Performance | Cost):
        rows = {"drift": "rows", "performance": "labelled rows", "cost": "predictions"}
        gaps = f", or when less than {_percent(signal.min_coverage)} of the window is there"
        lines.append(
            f"It stays silent on fewer than {signal.min_samples:,} {rows[signal.kind]}"
            f"{gaps if signal.min_coverage else ''}."
        )
    when = f"If that fails for {spoken(rule.grace)}" if rule.grace else "As soon as that fails"
    return [*lines, f"{when}, {_then(guard, rule)}."]


def _watched(guard: Guard, rule: Rule) -> str:
    signal = rule.signal
    asset = guard.tables[signal.table].asset
    match signal:
        case Freshness():
            return f"The newest row of {asset} must be at most {spoken(signal.max_age)} old"
        case Completeness():
            there = f"{_enough(rule.limit)} of {asset} must be there in each batch"
            return f"{there}: {_pieces(signal)}"
        case Schema():
            named = "the one declared column, of its declared type"
            if signal.columns is None:
                named = "the columns and types that the champion's baseline recorded"
            elif len(signal.columns) > 1:
                named = f"the {len(signal.columns)} declared columns, of their declared types"
            return f"{asset} must have {named}{'' if signal.allow_extra else ', and no other'}"
        case Pandera():
            return f"Every row of {asset} must pass {signal.schema_}"
        case Drift():
            what = _names(signal.columns) or "every column that the baseline profiled"
            near = _bound(rule.limit, "a Jensen-Shannon distance of at most")
            return (
                f"In the last {_span(signal.window)} of {asset}, {what} must stay near the"
                f" baseline: {near}"
            )
        case Performance():
            side = "at most" if signal.direction == "high" else "at least"
            metric, share = METRICS.get(signal.metric, f"the {signal.metric}"), side == "at least"
            return (
                f"Over the last {_span(signal.window)}, {metric} of {asset} must be"
                f" {_bound(rule.limit, side, share=share)}"
            )
        case Cost():
            return (
                f"Over the last {_span(signal.window)}, the cost of 1,000 predictions in {asset}"
                f" must be {_bound(rule.limit, 'at most')}"
            )
        case _:
            assert_never(signal)


def _pieces(signal: Completeness) -> str:
    pieces = []
    if signal.min_rows:
        pieces.append("1 row" if signal.min_rows == 1 else f"{signal.min_rows:,} rows")
    if signal.every:
        pieces.append(f"a row for every {_span(signal.every)}")
    pieces.append(f"values in {_names(signal.columns) or 'every column'}")
    return _joined(pieces)


def _names(columns: tuple[str, ...] | None) -> str:
    return _joined(list(columns or ()))


def _joined(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _bound(limit: Limit | None, side: str, *, share: bool = False) -> str:
    match limit:
        case None:
            return "within its limit"
        case AbsoluteLimit() if share:
            return f"{side} {_percent(limit.value)}"
        case AbsoluteLimit():
            return f"{side} {describe_limit(limit)}"
        case BaselineLimit():
            return f"at most {describe_limit(limit)}"
        case FalseAlarmLimit():
            every = spoken(limit.false_alarm_every)
            return f"within limits calibrated to one false alarm in {every}"
        case _:
            assert_never(limit)


def _enough(limit: Limit | None) -> str:
    if not isinstance(limit, AbsoluteLimit):
        return "Enough"
    return "All" if limit.value == 1 else f"At least {_percent(limit.value)}"


def _percent(share: float) -> str:
    return f"{share * 100:.4g}%"


def _span(duration: timedelta) -> str:
    return spoken(duration).removeprefix("1 ")


def _then(guard: Guard, rule: Rule) -> str:
    """Who decides, and what is done."""
    owner = guard.owner_of(rule)
    if rule.action is Action.NOTIFY:
        return f"{owner} is told and decides"
    if guard.mode is not Mode.ENFORCE:
        deed = "hold the predictions back" if rule.action is Action.HOLD else "roll the model back"
        return f"{owner} is told that the guard would {deed}, and decides"
    if rule.action is Action.HOLD:
        return f"the guard holds the predictions back until it is right again; {owner} can see why"
    return (
        "the guard puts the last known good version back, provided that it does better on the same"
        f" rows and that no broken data is to blame; if not, {owner} can see why"
    )


def spoken(duration: timedelta) -> str:
    """A duration as one says it.

    >>> spoken(timedelta(hours=2))
    '2 hours'
    """
    text = format_duration(duration)
    number, unit = text[:-1], UNITS[text[-1]]
    return f"{number} {unit}" if number == "1" else f"{number} {unit}s"
