"""What the models alone cannot see: whether the parts of a guard fit each other."""

from collections.abc import Iterable, Iterator, Sequence
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
from aiguard_dagster.core.words import did_you_mean

Found = tuple[str, str, str]
"""Path, what, hint."""


def find_problems(
    guard: Guard, *, file: str, positions: Sequence[int] | None = None
) -> list[Problem]:
    """Everything about one guard that is well formed and yet wrong.

    Args:
        guard: The guard.
        file: The name to report problems under.
        positions: Where its rules stand in the file, when the guard holds only some of them.
    """
    found: list[Found] = []
    first: dict[str, int] = {}
    numbers = range(len(guard.rules)) if positions is None else positions
    for number, rule in zip(numbers, guard.rules, strict=True):
        path = f"rules[{number}]"
        earlier = first.setdefault(rule.name, number)
        if earlier != number:
            what = f"rules[{earlier}] is named {rule.name!r} too"
            found.append((f"{path}.name", what, "a rule's name names its check; choose another."))
        found += [*_table(guard, rule, path), *_limit(rule, path), *_action(guard, rule, path)]
        if positions is None:
            found += _scored(guard, rule, path)
    return [Problem(file=file, path=path, what=what, hint=hint) for path, what, hint in found]


def find_problems_between(guards: Iterable[tuple[Guard, str]]) -> list[Problem]:
    """What is wrong between guards: names and models that two of them claim.

    Args:
        guards: Each guard with the file it is from.
    """
    problems = []
    names: dict[str, str] = {}
    models: dict[str, str] = {}
    for guard, file in guards:
        if guard.name in names:
            what = f"there is a guard {guard.name!r} already, in {names[guard.name]}"
            hint = "give one of them another name."
            problems.append(Problem(file=file, path="name", what=what, hint=hint))
        names.setdefault(guard.name, file)
        if guard.model is None:
            continue
        model = guard.model.name
        if model in models:
            what = f"the model {model!r} has a guard already, {models[model]}"
            hint = "one model has one guard; put the rules into one file."
            problems.append(Problem(file=file, path="model.name", what=what, hint=hint))
        models.setdefault(model, f"{guard.name} in {file}")
    return problems


def _table(guard: Guard, rule: Rule, path: str) -> Iterator[Found]:
    name = rule.signal.table
    if name not in guard.tables:
        declared = f"the declared tables are {', '.join(guard.tables)}."
        hint = did_you_mean(name, guard.tables, declared)
        yield (f"{path}.signal.table", f"no table {name!r} is declared", hint)
        return
    for column in _needed(rule):
        if getattr(guard.tables[name], column) is None:
            yield (
                f"{path}.signal.table",
                f"{rule.signal.kind} needs the {column} column of {name!r}, which names none",
                f"add {column}: and the column's name to tables.{name}.",
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
                window = format_duration(signal.window)
                what = f"{format_duration(every)} can never be met: one window alone is {window}"
                hint = "make it several times the window, such as 90d."
                yield (f"{where}.false_alarm_every", what, hint)
        case BaselineLimit():
            yield from _relative(rule, limit, where)
        case _:
            assert_never(limit)


def _absolute(rule: Rule, value: float, where: str) -> Iterator[Found]:
    """Values have ends: shares, scores and distances lie in 0 to 1, errors and costs above 0."""
    signal = rule.signal
    if signal.direction == "low":
        never, always, span = value <= 0, value > 1, "more than 0 and at most 100%, such as 95%"
        ends = ("below 0", "above 1")
    else:
        bounded = isinstance(signal, Drift)
        never, always = bounded and value >= 1, value < 0
        span = "from 0 to less than 1, such as 0.2" if bounded else "0 or more"
        ends = ("above 1", "below 0")
    if never:
        what = f"{value:g} can never be crossed: {_subject(rule)} is never {ends[0]}"
        yield (where, what, f"give {span}.")
    if always:
        what = f"{value:g} is always crossed: {_subject(rule)} is never {ends[1]}"
        yield (where, what, f"give {span}.")


def _subject(rule: Rule) -> str:
    match rule.signal:
        case Performance(metric=metric):
            return metric
        case Drift():
            return "a Jensen-Shannon distance"
        case signal:
            return signal.kind


def _relative(rule: Rule, limit: BaselineLimit, where: str) -> Iterator[Found]:
    signal = rule.signal
    if not isinstance(signal, Performance | Cost):
        yield (where, f"{signal.kind} has no single baseline value", f"choose {_choices(rule)}.")
        return
    high = signal.direction == "high"
    subject = _subject(rule)
    if high and limit.below_baseline is not None:
        what = f"{subject} is worse when higher, so below its baseline is no breach"
        yield (f"{where}.below_baseline", what, "use above_baseline.")
    elif not high and limit.above_baseline is not None:
        what = f"{subject} is worse when lower, so above its baseline is no breach"
        yield (f"{where}.above_baseline", what, "use below_baseline.")
    elif limit.below_baseline is not None and limit.below_baseline >= 1:
        share = f"{limit.below_baseline * 100:.4g}%"
        what = f"{share} below can never be crossed: {subject} is never below 0"
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


def _scored(guard: Guard, rule: Rule, path: str) -> Iterator[Found]:
    """A rollback is scored on a performance rule; without one it would always be refused."""
    for other in guard.rules:
        table = guard.tables.get(other.signal.table)
        if (
            rule.action is Action.ROLLBACK
            and isinstance(other.signal, Performance)
            and table is not None
            and table.model_version is None
        ):
            what = "a rollback must know which version made each prediction"
            hint = "add model_version: and the name of the column."
            yield (f"tables.{other.signal.table}.model_version", what, hint)
            return
    scored = any(isinstance(other.signal, Performance) for other in guard.rules)
    if rule.action is Action.ROLLBACK and not rule.signal.judges_data and not scored:
        what = "a rollback is only made if the candidate does better, and no rule measures that"
        yield (f"{path}.action", what, "add a rule of kind performance, or use notify.")


def _action(guard: Guard, rule: Rule, path: str) -> Iterator[Found]:
    hint = "add model: {name: ...} to the guard"
    if rule.signal.judges_data:
        if rule.action is Action.ROLLBACK:
            what = f"{rule.signal.kind} judges the data, which no other version of the model mends"
            yield (f"{path}.action", what, "use hold, or notify.")
        elif guard.model is None and isinstance(rule.signal, Schema) and not rule.signal.columns:
            what = "without columns it compares with a model's baseline, and the guard has no model"
            yield (f"{path}.signal", what, "declare columns, or add model: {name: ...}.")
    elif guard.model is None:
        what = f"{rule.signal.kind} compares with a model's baseline, and the guard has no model"
        yield (f"{path}.signal.kind", what, f"{hint}.")
        if rule.action is Action.ROLLBACK:
            what = "a rollback needs a model, and the guard has none"
            yield (f"{path}.action", what, f"{hint}, or use notify.")
