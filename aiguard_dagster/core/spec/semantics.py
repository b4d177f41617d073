"""What the models alone cannot see: whether the parts of a guard fit each other."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import assert_never

from aiguard_dagster.core.durations import Percentage, format_duration
from aiguard_dagster.core.errors import Problem
from aiguard_dagster.core.spec.error_budget import ErrorBudgetLimit
from aiguard_dagster.core.spec.guard import Guard, Rule
from aiguard_dagster.core.spec.limits import AbsoluteLimit, BaselineLimit, FalseAlarmLimit
from aiguard_dagster.core.spec.names import Action
from aiguard_dagster.core.spec.policy import Rollback, Target
from aiguard_dagster.core.spec.signals import (
    KINDS_OF_TRACES,
    Custom,
    DeltaSignal,
    Drift,
    Performance,
    TalliedSignal,
)
from aiguard_dagster.core.spec.signals.drift import SHORTEST
from aiguard_dagster.core.spec.sources import TRACE_COLUMNS, TraceSource
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
    if positions is None:
        found += [*_policies(guard), *_recovery(guard)]
    numbers = range(len(guard.rules)) if positions is None else positions
    for number, rule in zip(numbers, guard.rules, strict=True):
        path = f"rules[{number}]"
        earlier = first.setdefault(rule.name, number)
        if earlier != number:
            what = f"rules[{earlier}] is named {rule.name!r} too"
            found.append((f"{path}.name", what, "a rule's name names its check; choose another."))
        found += [*_table(guard, rule, path), *_options(rule, path), *_limit(rule, path)]
        found += _action(guard, rule, path)
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


def _policies(guard: Guard) -> Iterator[Found]:
    """Review policies that nobody could follow, or whose keeping nobody could see."""
    for name, table in guard.tables.items():
        if table.review is None:
            continue
        path = f"tables.{name}.review"
        for below, what, hint in table.review.problems():
            yield (f"{path}{'.' if below else ''}{below}", what, hint)
        needed = ("time", "reviewed", *(("score",) if table.review.uses_score else ()))
        for column in needed:
            if getattr(table, column) is None:
                what = f"it needs the {column} column of {name!r}, which names none"
                yield (path, what, f"add {column}: and the column's name to tables.{name}.")


def _recovery(guard: Guard) -> Iterator[Found]:
    """Policies on rollbacks that nothing could ever fulfil."""
    acting = [rule for rule in guard.rules if rule.action is Action.ROLLBACK]
    if not acting and guard.rollback != Rollback():
        yield ("rollback", "no rule asks for a rollback", "take it out, or give a rule the action.")
    if not acting and guard.decide.otherwise is Action.ROLLBACK:
        yield ("decide.otherwise", "no rule asks for a rollback", "choose notify or hold.")
    if guard.model is None:
        for key in ("initial_delay", "recovery_window"):
            if getattr(guard, key):
                what = "it counts from when a champion took over, and the guard has no model"
                yield (key, what, "take it out, or add model: {name: ...} to the guard.")
    yield from _rollback(guard)
    for rule in acting:
        if guard.recovery_window is not None and guard.recovery_window < rule.takes:
            what = (
                f"{format_duration(guard.recovery_window)} is over before {rule.name} could have"
                f" recovered: its window and grace take {format_duration(rule.takes)}"
            )
            hint = f"give at least {format_duration(rule.takes)}."
            yield ("recovery_window", what, hint)
            return


def _rollback(guard: Guard) -> Iterator[Found]:
    """Where a rollback could not go, and what could not follow it."""
    to = guard.rollback.to
    if isinstance(to, Target) and guard.model and to.alias and to.alias == guard.model.alias:
        what = f"{to.alias} marks the champion itself, which is what a rollback leaves"
        yield ("rollback.to.alias", what, "name an alias of another version, or leave it out.")
    if guard.rollback.repredict is not None and not guard.tables_by_version:
        what = "no table of rows tells which version made its predictions"
        hint = "add model_version: to the table of a rule that compares windows, or take it out."
        yield ("rollback.repredict", what, hint)
    tell = guard.rollback.tell
    if tell is not None and tell.webhook is not None and not tell.webhook.isidentifier():
        what = "this is not the name of an environment variable"  # It may be a secret address.
        hint = "put the address into the environment, and write the variable's name here."
        yield ("rollback.tell.webhook", what, hint)


def _table(guard: Guard, rule: Rule, path: str) -> Iterator[Found]:
    name = rule.signal.table
    if not name:
        hint = f"the guard has several: {', '.join(guard.tables)}."
        yield (f"{path}.signal.table", "no table is named", hint)
        return
    if name not in guard.tables:
        declared = f"the declared tables are {', '.join(guard.tables)}."
        hint = did_you_mean(name, guard.tables, declared)
        yield (f"{path}.signal.table", f"no table {name!r} is declared", hint)
        return
    yield from _others(guard, rule, path)
    source = guard.tables[name].traces
    if source is not None and not rule.signal.of_runs:
        yield from _traces(rule, source, f"{path}.signal")
        yield from find_short_windows(rule, source.every, path)
        if rule.signal.kind not in KINDS_OF_TRACES:
            return
    elif isinstance(rule.signal, TalliedSignal):
        for below, what, hint in rule.signal.off_rows():
            yield (f"{path}.signal.{below}", what, hint)
    yield from _columns(guard, rule, path)


def _others(guard: Guard, rule: Rule, path: str) -> Iterator[Found]:
    """Other tables that a rule reads."""
    for option, other in rule.signal.others.items():
        if other not in guard.tables:
            declared = f"the declared tables are {', '.join(guard.tables)}."
            hint = did_you_mean(other, guard.tables, declared)
            yield (f"{path}.signal.{option}", f"no table {other!r} is declared", hint)
        elif guard.tables[other].traces:
            hint = "give a table of rows."
            yield (f"{path}.signal.{option}", f"{other} is traces, which have no rows", hint)


def _columns(guard: Guard, rule: Rule, path: str) -> Iterator[Found]:
    """Columns that a rule names, and those that it needs."""
    name = rule.signal.table
    for option in ("by", "columns", "judge"):
        person, found = guard.tables[name].user, getattr(rule.signal, option, None) or ()
        columns = (found,) if isinstance(found, str) else tuple(found)
        if person in columns and not rule.signal.judges_data:
            what = f"{person!r} names people, of whom only hashes are kept"
            yield (f"{path}.signal.{option}", what, "choose another column.")
    needs = rule.signal.needs
    if guard.tables[name].traces and isinstance(rule.signal, TalliedSignal):
        needs = rule.signal.needs_of_traces
    for column in needs:
        if column == "review" and guard.tables[name].review is None:
            what = f"{rule.signal.kind} needs the review policy of {name!r}, which has none"
            hint = f"add review: {{score_below: 70%}} to tables.{name}."
            yield (f"{path}.signal.table", what, hint)
        elif not any(getattr(guard.tables[name], either) for either in column.split(" or ")):
            named = {"row_key": "key"}.get(column, column)
            what = f"{rule.signal.kind} needs the {named} column of {name!r}, which names none"
            hint = f"add {named.partition(' or ')[0]}: and the column's name to tables.{name}."
            if guard.tables[name].traces:
                what = f"{rule.signal.kind} needs the {named}, which traces do not tell"
                hint = "use a table of rows for it."
            yield (f"{path}.signal.table", what, hint)


def _traces(rule: Rule, source: TraceSource, path: str) -> Iterator[Found]:
    """What a tracking server cannot count."""
    signal = rule.signal
    if not isinstance(signal, TalliedSignal) or not signal.traced:
        what = f"{signal.kind} cannot be measured on traces"
        hint = f"on traces there are {', '.join(KINDS_OF_TRACES)}; use a table of rows for others."
        yield (f"{path}.table", what, hint)
        return
    for below, what, hint in signal.off_traces(by_version=source.by_version):
        yield (f"{path}.{below}", what, hint)
    name = TRACE_COLUMNS["template"]
    if others := [column for column in getattr(signal, "by", None) or () if column != name]:
        what = f"traces are not counted by {others[0]}"
        yield (f"{path}.by", what, f"the only segment of traces is {name}.")
    if signal.window % source.every:
        window, every = format_duration(signal.window), format_duration(source.every)
        what = f"{window} is no multiple of {every}, which traces are counted by"
        yield (f"{path}.window", what, "change it, or every: of the source.")


def _options(rule: Rule, path: str) -> Iterator[Found]:
    for below, what, hint in rule.signal.problems():
        yield (f"{path}.signal{'.' if below else ''}{below}", what, hint)


def _limit(rule: Rule, path: str) -> Iterator[Found]:
    signal, limit, where = rule.signal, rule.limit, f"{path}.limit"
    takes = signal.limits
    if takes.refused:
        if limit is not None:
            yield (where, f"{signal.kind} takes no limit: {takes.refused}", "take it out.")
        return
    first = isinstance(signal, TalliedSignal) and signal.baseline is not None
    if signal.of_runs and isinstance(limit, BaselineLimit | FalseAlarmLimit) and not first:
        what = "no baseline is recorded of runs"
        yield (where, what, "add baseline: first 14d to the signal, or give a value.")
        return
    match limit:
        case None:
            if takes.default is None:
                yield (where, f"{signal.kind} needs a limit", f"choose {takes.offered}.")
        case AbsoluteLimit(value=value):
            yield from _value(rule, value, where)
        case FalseAlarmLimit(false_alarm_every=every):
            yield from _budget(rule, every, f"{where}.false_alarm_every")
        case BaselineLimit():
            yield from _relative(rule, limit, where)
        case ErrorBudgetLimit():
            yield from _error_budget(rule, limit, path)
        case _:
            assert_never(limit)


def _value(rule: Rule, value: float, where: str) -> Iterator[Found]:
    takes = rule.signal.limits
    yield from _absolute(rule, value, where)
    if isinstance(value, Percentage) and not takes.share and not takes.percentage:
        what = f"{value * 100:g}% of what? {rule.signal.subject} is no share of anything"
        yield (where, what, f"choose {takes.offered}.")


def _budget(rule: Rule, every: timedelta, where: str) -> Iterator[Found]:
    signal = rule.signal
    if not signal.limits.budget or not isinstance(signal, DeltaSignal):
        subject = signal.subject if isinstance(signal, Drift) else signal.kind
        what = signal.limits.against or f"{subject} cannot be calibrated to a false-alarm budget"
        yield (where, what, f"choose {signal.limits.offered}.")
    elif signal.window < SHORTEST:
        what = f"a window of {format_duration(signal.window)} cannot be calibrated"
        yield (where, what, "baselines are kept by day: make the window 1d or more.")
    elif every <= signal.window:
        window = format_duration(signal.window)
        what = f"{format_duration(every)} can never be met: one window alone is {window}"
        yield (where, what, "make it several times the window, such as 90d.")


def _error_budget(rule: Rule, limit: ErrorBudgetLimit, path: str) -> Iterator[Found]:
    signal, where = rule.signal, f"{path}.limit"
    if not signal.limits.events or not isinstance(signal, TalliedSignal):
        what = f"{signal.subject} is no share of events that are bad"
        if signal.direction == "low" and signal.limits.share:
            what = (
                f"{signal.subject} is better when higher, and what is missing to 100% is no error"
            )
        yield (where, f"{what}, so it has no error budget", f"choose {signal.limits.choices}.")
        return
    if signal.baseline is not None:
        what = "an error budget is held against its objective, and against no first days"
        yield (f"{path}.signal.baseline", what, "take it out.")
    found = [*limit.problems(signal.window)]
    for below, what, hint in found:
        yield (f"{where}{'.' if below else ''}{below}", what, hint)
    if not found and limit.too_late(signal.window, rule.grace):
        what = f"after a window and {format_duration(rule.grace)} of grace the budget is spent"
        hint = "take it out: the short window sees to it that a breach goes on."
        yield (f"{path}.grace", what, hint)


def find_short_windows(rule: Rule, partition: timedelta, path: str) -> Iterator[Found]:
    """Short windows of error budgets that partitions so long cannot give."""
    if isinstance(rule.limit, ErrorBudgetLimit) and isinstance(rule.signal, DeltaSignal):
        for below, what, hint in rule.limit.misfits(rule.signal.window, partition):
            yield (f"{path}.limit{'.' if below else ''}{below}", what, hint)


def _absolute(rule: Rule, value: float, where: str) -> Iterator[Found]:
    """Values have ends: shares, scores and distances lie in 0 to 1, errors and costs above 0."""
    signal = rule.signal
    if isinstance(signal, Custom):
        return
    if signal.direction == "low":
        never, always, span = value <= 0, value > 1, "more than 0 and at most 100%, such as 95%"
        ends = ("below 0", "above 1")
    else:
        never, always = signal.limits.share and value >= 1, value < 0
        span = "from 0 to less than 1, such as 0.2" if signal.limits.share else "0 or more"
        ends = ("above 1", "below 0")
    if never:
        what = f"{value:g} can never be crossed: {signal.subject} is never {ends[0]}"
        yield (where, what, f"give {span}.")
    if always:
        what = f"{value:g} is always crossed: {signal.subject} is never {ends[1]}"
        yield (where, what, f"give {span}.")


def _relative(rule: Rule, limit: BaselineLimit, where: str) -> Iterator[Found]:
    signal = rule.signal
    if not signal.limits.relative:
        what = signal.limits.against or f"{signal.kind} has no single baseline value"
        yield (where, what, f"choose {signal.limits.offered}.")
        return
    high = signal.direction == "high"
    subject = signal.subject
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
    hint, signal = "add model: {name: ...} to the guard", rule.signal
    if signal.no_grace and rule.grace:
        yield (f"{path}.grace", f"{signal.no_grace}: {signal.kind} has no grace", "take it out.")
    if signal.judges_data and rule.action is Action.ROLLBACK:
        what = f"{signal.kind} judges the data, which no other version of the model mends"
        if signal.no_grace:
            what = f"{signal.kind} may speak of every version, so none is known to mend it"
        yield (f"{path}.action", what, "use hold, or notify.")
    if guard.model is not None:
        return
    if signal.needs_model:
        where = f"{path}.signal" if signal.judges_data else f"{path}.signal.kind"
        what = f"{signal.needs_model}, and the guard has no model"
        yield (where, what, f"{hint}.")
    if rule.action is Action.ROLLBACK and not signal.judges_data:
        what = "a rollback needs a model, and the guard has none"
        yield (f"{path}.action", what, f"{hint}, or use notify.")
