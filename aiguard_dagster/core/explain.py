"""A guard in sentences, for the people who own it."""

from typing import assert_never

from aiguard_dagster.core.durations import format_duration
from aiguard_dagster.core.spec import (
    Action,
    Completeness,
    Cost,
    Drift,
    Freshness,
    Guard,
    Mode,
    Pandera,
    Performance,
    Rule,
    Schema,
    describe_limit,
)


def explain(guard: Guard) -> str:
    """The stop rules: what is watched, which limit, how long, who decides, what happens."""
    model = guard.model
    if model is None:
        head = f"{guard.name} guards data only."
    else:
        mark = f"stage {model.stage}" if model.stage else f"alias {model.alias}"
        head = f"{guard.name} guards the model {model.name}, in production by its {mark}."
    lines = [f"{head} Owner: {guard.owner}.", _mode(guard), ""]
    for number, rule in enumerate(guard.rules, start=1):
        lines += [f"{number}. {rule.name}: {_watched(guard, rule)}", f"   {_then(guard, rule)}"]
    lines += [
        "",
        f"After an action on the model, none follows for {format_duration(guard.cooldown)}."
        f" A rule that says nothing conclusive for {format_duration(guard.silence)} is escalated,"
        " and never acted on.",
    ]
    return "\n".join(lines)


def _mode(guard: Guard) -> str:
    match guard.mode:
        case Mode.OBSERVE:
            return "It observes: it measures and tells, and does nothing else."
        case Mode.PROPOSE:
            return "It proposes: it tells the owner what it would do, and waits."
        case Mode.ENFORCE:
            return "It enforces: it acts by these rules without asking."
        case _:
            assert_never(guard.mode)


def _watched(guard: Guard, rule: Rule) -> str:
    signal = rule.signal
    asset = guard.tables[signal.table].asset
    limit = describe_limit(rule.limit) if rule.limit else ""
    match signal:
        case Freshness():
            return f"the newest row of {asset} is at most {format_duration(signal.max_age)} old."
        case Completeness():
            slots = f", in slots of {format_duration(signal.every)}" if signal.every else ""
            return f"at least {limit} of {asset} is there: rows and values{slots}."
        case Schema():
            return f"{asset} has the {len(signal.columns)} declared columns, of the declared types."
        case Pandera():
            return f"every row of {asset} passes {signal.schema_}."
        case Drift():
            columns = ", ".join(signal.columns) if signal.columns else "every column"
            return (
                f"{columns} of {asset} over {format_duration(signal.window)} stays near the"
                f" baseline; the limit is {limit}."
            )
        case Performance():
            side = "at most" if signal.direction == "high" else "at least"
            return (
                f"{signal.metric} of {asset} over {format_duration(signal.window)}, from"
                f" {signal.min_samples:,} labels on, is {side} {limit}."
            )
        case Cost():
            return (
                f"1,000 predictions in {asset} over {format_duration(signal.window)} cost"
                f" at most {limit}."
            )
        case _:
            assert_never(signal)


def _then(guard: Guard, rule: Rule) -> str:
    owner = guard.owner_of(rule)
    lasting = f"for {format_duration(rule.grace)}" if rule.grace else "at once"
    when = f"If not, {lasting}:" if not rule.grace else f"If that is not so {lasting}:"
    match rule.action:
        case Action.NOTIFY:
            done = f"{owner} is told."
        case Action.HOLD:
            done = f"predictions are held until it is so again; {owner} can see why."
        case Action.ROLLBACK:
            done = (
                "the last known good version is put back, if it does better on the same rows and"
                f" the data is sound; if not, the refusal is recorded for {owner}."
            )
        case _:
            assert_never(rule.action)
    if guard.mode is not Mode.ENFORCE and rule.action is not Action.NOTIFY:
        done = f"{owner} is told that the guard would {rule.action.value}."
    return f"{when} {done}"
