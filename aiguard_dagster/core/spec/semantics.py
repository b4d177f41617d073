"""What the models alone cannot see: whether the parts of a guard fit each other."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import assert_never

from aiguard_dagster.core.durations import format_duration
from aiguard_dagster.core.errors import Problem
from aiguard_dagster.core.spec.guard import Action, Guard, Rule
from aiguard_dagster.core.spec.limits import AbsoluteLimit, BaselineLimit, FalseAlarmLimit
from aiguard_dagster.core.spec.signals import (
    Completeness,
    Cost,
    Drift,
    Freshness,
    Pandera,
    Performance,
    Schema,
)

Found = tuple[str, str, str]
"""Path, what, hint."""
ERROR_METRICS = frozenset({"mae", "rmse", "bias"})


def find_problems(guard: Guard, *, file: str) -> list[Problem]:
    """Everything about one guard that is well formed and yet wrong."""
    found = [*_names(guard), *_model(guard)]
    for position, rule in enumerate(guard.rules):
        path = f"rules[{position}]"
        found += [*_table(guard, rule, path), *_limit(rule, path), *_action(rule, path)]
    return [Problem(file=file, path=path, what=what, hint=hint) for path, what, hint in found]


def find_problems_between(guards: Sequence[tuple[Guard, str]]) -> list[Problem]:
    """What is wrong between guards: names and models that two of them claim.

    Args:
        guards: Each guard with the file it is from.
    """
    problems = []
    names: dict[str, str] = {}
    models: dict[tuple[str, str], str] = {}
    for guard, file in guards:
        if guard.name in names:
            what = f"there is a guard {guard.name!r} already, in {names[guard.name]}"
            hint = "give one of them another name."
            problems.append(Problem(file=file, path="name", what=what, hint=hint))
        names.setdefault(guard.name, file)
        if guard.model is None:
            continue
        mark = guard.model.alias or guard.model.stage or ""
        key = (guard.model.name, mark)
        if key in models:
            what = f"the model {guard.model.name!r} ({mark}) has a guard already, {models[key]}"
            hint = "one model has one guard; put the rules into one file."
            problems.append(Problem(file=file, path="model", what=what, hint=hint))
        models.setdefault(key, f"{guard.name} in {file}")
    return problems


def _names(guard: Guard) -> Iterator[Found]:
    for name, count in Counter(rule.name for rule in guard.rules).items():
        if count > 1:
            positions = [i for i, rule in enumerate(guard.rules) if rule.name == name]
            yield (
                f"rules[{positions[1]}].name",
                f"{name!r} names {count} rules",
                "a rule's name is the name of its check; choose another.",
            )


def _model(guard: Guard) -> Iterator[Found]:
    if guard.model is not None:
        return
    for position, rule in enumerate(guard.rules):
        if rule.action is Action.ROLLBACK:
            why = "a rollback needs a registered model to move"
        elif not rule.signal.judges_data:
            why = f"{rule.signal.kind} compares with a model's baseline"
        else:
            continue
        yield (f"rules[{position}]", f"{why}, and the guard has no model", "add model: {name: …}.")


def _table(guard: Guard, rule: Rule, path: str) -> Iterator[Found]:
    name = rule.signal.table
    where = f"{path}.signal.table"
    if name not in guard.tables:
        known = ", ".join(guard.tables)
        yield (where, f"{name!r} is not declared", f"declare it under tables, or choose {known}.")
        return
    for column in _needed(rule):
        if getattr(guard.tables[name], column) is None:
            yield (
                f"tables.{name}.{column}",
                f"{rule.name} ({rule.signal.kind}) needs it, and it is not declared",
                f"add {column}: and the name of the column.",
            )


def _needed(rule: Rule) -> tuple[str, ...]:
    """The columns of its table that a signal cannot do without, as fields of a table."""
    match rule.signal:
        case Freshness() | Drift():
            return ("time",)
        case Completeness(every=every):
            return ("time",) if every else ()
        case Performance():
            return ("time", "prediction", "label")
        case Cost():
            return ("time", "cost")
        case Schema() | Pandera():
            return ()
        case _:
            assert_never(rule.signal)


def _limit(rule: Rule, path: str) -> Iterator[Found]:
    signal, limit, where = rule.signal, rule.limit, f"{path}.limit"
    own = {
        "freshness": "max_age is its limit",
        "schema": "any difference is a breach",
        "pandera": "any failure is a breach",
    }
    if signal.kind in own:
        if limit is not None:
            yield (where, f"{signal.kind} takes no limit: {own[signal.kind]}", "take it out.")
        return
    match limit:
        case None:
            yield (where, f"{signal.kind} needs a limit", f"choose {_choices(rule)}.")
        case AbsoluteLimit(value=value):
            yield from _absolute(rule, value, where)
        case FalseAlarmLimit(false_alarm_every=every):
            if not isinstance(signal, Drift):
                yield (
                    f"{where}.false_alarm_every",
                    f"{signal.kind} cannot be calibrated to a false-alarm budget",
                    f"choose {_choices(rule)}.",
                )
            elif every <= signal.window:
                yield (
                    f"{where}.false_alarm_every",
                    f"{format_duration(every)} can never be met: one window alone lasts"
                    f" {format_duration(signal.window)}",
                    "make it several times the window, such as 90d.",
                )
        case BaselineLimit():
            yield from _relative(rule, limit, where)
        case _:
            assert_never(limit)


def _absolute(rule: Rule, value: float, where: str) -> Iterator[Found]:
    match rule.signal:
        case Completeness():
            fits, span = 0 < value <= 1, "a share above 0 and up to 1, such as 90%"
        case Drift():
            fits, span = 0 <= value < 1, "a Jensen-Shannon distance from 0 up to, not with, 1"
        case Performance(metric=metric) if metric not in ERROR_METRICS:
            fits, span = 0 < value <= 1, "a share above 0 and up to 1, such as 95%"
        case _:
            fits, span = value >= 0, "0 or more"
    if not fits:
        yield (where, f"{value:g} can never be reached, or is always crossed", f"give {span}.")


def _relative(rule: Rule, limit: BaselineLimit, where: str) -> Iterator[Found]:
    signal = rule.signal
    if not isinstance(signal, Performance | Cost):
        yield (where, f"{signal.kind} has no single baseline value", f"choose {_choices(rule)}.")
        return
    high = signal.direction == "high"
    subject = signal.metric if isinstance(signal, Performance) else signal.kind
    if high and limit.below_baseline is not None:
        what = f"{subject} is worse when higher, so below its baseline is no breach"
        yield (f"{where}.below_baseline", what, "use above_baseline.")
    elif not high and limit.above_baseline is not None:
        what = f"{subject} is worse when lower, so above its baseline is no breach"
        yield (f"{where}.above_baseline", what, "use below_baseline.")
    elif limit.below_baseline is not None and limit.below_baseline >= 1:
        what = f"{limit.below_baseline:.0%} below can never be reached: {subject} is never negative"
        yield (f"{where}.below_baseline", what, "give less than 100%.")


def _choices(rule: Rule) -> str:
    match rule.signal:
        case Drift():
            return "false_alarm_every, or a distance such as 0.2"
        case Performance() as signal if signal.direction == "low":
            return "below_baseline, or a value such as 95%"
        case Performance() | Cost():
            return "above_baseline, or a value"
        case _:
            return "a share such as 90%"


def _action(rule: Rule, path: str) -> Iterator[Found]:
    if rule.action is Action.ROLLBACK and rule.signal.judges_data:
        yield (
            f"{path}.action",
            f"{rule.signal.kind} judges the data, and no earlier version of the model mends data",
            "use hold, or notify.",
        )
