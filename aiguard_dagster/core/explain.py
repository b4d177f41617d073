"""A guard in sentences, for the people who own it."""

from typing import assert_never

from aiguard_dagster.core.spec import (
    Action,
    DeltaSignal,
    ErrorBudgetLimit,
    Guard,
    Mode,
    OnInconclusive,
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
    lines += ["", *_after_rollback(guard), *_silence(guard)]
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


def _after_rollback(guard: Guard) -> list[str]:
    """What follows a rollback."""
    if not any(rule.action is Action.ROLLBACK for rule in guard.rules):
        return []
    lines = []
    if guard.rollback.repredict is not None:
        assets = [guard.tables[table].asset for table in guard.tables_by_version]
        lines.append(
            f"After a rollback, the partitions of {' and '.join(assets)} that the bad version has"
            " made since the incident are made again."
        )
    lines.append(
        f"If {spoken(guard.rollback.confirm_within)} after a rollback new predictions do not carry"
        f" the restored version, {guard.owner} is told that the service has not followed."
    )
    return lines


def _silence(guard: Guard) -> list[str]:
    told = (
        f"A rule that says nothing conclusive for {spoken(guard.silence)} is escalated to its"
        " owner. Silence neither fires a rule nor clears one."
    )
    return [told] if guard.model is None else [*_model(guard), told]


def _model(guard: Guard) -> list[str]:
    """What limits the guard's actions on the model, and what follows one."""
    lines = []
    if guard.initial_delay:
        delay = spoken(guard.initial_delay)
        lines.append(f"After a promotion, breaches of the new champion do not count for {delay}.")
    after = f"After an action on the model, none follows for {spoken(guard.cooldown)}."
    if not guard.cooldown:
        after = "After an action on the model, the next one may follow at once."
    lines += [after, *_service(guard)]
    if any(rule.action is Action.ROLLBACK for rule in guard.rules):
        lines += _rollbacks(guard)
    window = "14 days, or twice its rule's window and grace if that is longer,"
    if guard.recovery_window is not None:
        window = spoken(guard.recovery_window)
    lines.append(
        f"A breach that a rollback, a retrain or a new version has not ended within {window} is"
        " structural: its owner is told, and the guard no longer acts on the model."
    )
    return lines


def _rollbacks(guard: Guard) -> list[str]:
    """How often the guard rolls back by itself, and what follows."""
    if guard.mode is Mode.OBSERVE:
        return []
    policy, lines = guard.rollback, []
    if guard.mode is Mode.ENFORCE or guard.decide.otherwise is Action.ROLLBACK:
        times = "once" if policy.at_most == 1 else f"{policy.at_most} times"
        lines.append(
            f"It rolls back at most {times} in {spoken(policy.per)} without being told to; then"
            " the owner decides."
        )
    return lines


def _service(guard: Guard) -> list[str]:
    """Who is told that the model has moved."""
    tell = guard.rollback.tell
    if tell is None:
        return []
    who = f"the service at {tell.webhook}" if tell.webhook else tell.call
    return [f"Once the model has been rolled back, {who} is told; if that fails, the owner is."]


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
    lines.append(f"{when}, {_then(guard, rule)}.")
    if rule.resolve_after:
        lines.append(f"It is over once it has been right for {spoken(rule.resolve_after)}.")
    return lines


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
    deed = "hold the predictions back"
    if rule.action is Action.ROLLBACK:
        deed = f"put {guard.rollback.place} back"
    match guard.mode:
        case Mode.OBSERVE:
            return f"{owner} is told that the guard would {deed}, and decides"
        case Mode.PROPOSE:
            unless = ", unless that would do worse" if rule.action is Action.ROLLBACK else ""
            return f"{owner} is asked whether to {deed}{unless}, {_deadline(guard, rule)}"
        case Mode.ENFORCE if rule.action is Action.HOLD:
            return (
                "the guard holds the predictions back until it is right again or a person releases"
                f" them; {owner} can see why"
            )
        case Mode.ENFORCE:
            return (
                f"the guard puts {guard.rollback.place} back, provided that it does better on the"
                f" same rows and that no broken data is to blame; if not, {owner} can see why."
                f" If nobody can tell which does better, {_unclear(guard, rule)}"
            )
        case _:
            assert_never(guard.mode)


def _unclear(guard: Guard, rule: Rule) -> str:
    """What is done when the evidence decides nothing."""
    match guard.rollback.on_inconclusive:
        case OnInconclusive.ASK:
            return f"{guard.owner_of(rule)} is asked, {_deadline(guard, rule)}"
        case OnInconclusive.GO:
            return "it goes ahead"
        case OnInconclusive.HOLD:
            return "the predictions are held back"
        case _:
            assert_never(guard.rollback.on_inconclusive)


def _deadline(guard: Guard, rule: Rule) -> str:
    """How long the owner has, and what happens without an answer."""
    policy = guard.decide
    match policy.otherwise:
        case Action.NOTIFY:
            then = "nothing is done"
        case Action.HOLD:
            then = "the predictions are held back"
        case Action.ROLLBACK:
            holds = rule.action is Action.HOLD
            then = "the predictions are held back" if holds else "it goes ahead"
        case _:
            assert_never(policy.otherwise)
    return f"and has {spoken(policy.within)} to answer; without an answer, {then}"
