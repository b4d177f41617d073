"""A guard in sentences, for the people who own it."""

from typing import assert_never

from aiguard_dagster.core.spec import (
    Action,
    DeltaSignal,
    ErrorBudgetLimit,
    Guard,
    Mode,
    Rule,
    TalliedSignal,
)
from aiguard_dagster.core.spec.error_budget import steady
from aiguard_dagster.core.spoken import percent, span, spoken


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
    for table in guard.tables.values():
        if table.review is not None:
            lines += ["", f"{table.review.sentence(table.asset)}."]
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
    lines = [f"{signal.sentence(guard.tables[signal.table].asset, rule.limit)}."]
    if isinstance(signal, DeltaSignal):
        gaps = f", or when less than {percent(signal.min_coverage)} of the window is there"
        lines.append(
            f"It stays silent on fewer than {signal.min_samples:,} {signal.samples}"
            f"{gaps if signal.min_coverage else ''}."
        )
    if isinstance(signal, DeltaSignal) and isinstance(rule.limit, ErrorBudgetLimit):
        lines.append(_error_budget(signal, rule.limit))
    if isinstance(signal, TalliedSignal) and signal.baseline:
        lines.append(
            f"Its baseline is the first {spoken(signal.baseline)} of each version in production;"
            " until they are over, it cannot be judged."
        )
    when = f"If that fails for {spoken(rule.grace)}" if rule.grace else "As soon as that fails"
    return [*lines, f"{when}, {_then(guard, rule)}."]


def _error_budget(signal: DeltaSignal, limit: ErrorBudgetLimit) -> str:
    """When an error budget is spent too fast."""
    rate = limit.burn_rate_over(signal.window)
    bad = percent(steady(rate * limit.allowed))
    fast = "just" if rate == 1 else f"{rate:.4g} times"
    near = "its last twelfth" if limit.short is None else f"the last {span(limit.short)}"
    return (
        f"It fails while more than {bad} are bad, {fast} what {spoken(limit.period)} bear,"
        f" over the last {span(signal.window)} and over {near} alike."
    )


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
