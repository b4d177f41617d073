"""The hold across runs: a blocking check on each asset under guard, and a line for other jobs.

A rule that holds blocks what follows in the run that measured it. The hold that it leads to lasts
longer: until the cause is gone, or a person lets go. ``<guard>__hold`` tells of it on the assets.
It runs with them, so that what is made from them in the same run stops, and the stop-rule sensor
reports it when a hold begins and ends and after each materialisation without it, so that automation
conditions in other runs see it too.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import dagster as dg

from aiguard_dagster.adapters.dagster.executions import newest_execution
from aiguard_dagster.adapters.dagster.history import (
    newest_target,
    read_decisions,
    read_evaluations,
)
from aiguard_dagster.core.decide import situation
from aiguard_dagster.core.decide.holds import Span, hold_marks, is_held, lasting_holds
from aiguard_dagster.core.decisions import Decision
from aiguard_dagster.core.spec import Action, Guard, Mode
from aiguard_dagster.orchestration.assets import KnownAsset
from aiguard_dagster.orchestration.clock import Clock, wall_clock
from aiguard_dagster.orchestration.keys import check_key, guard_key, hold_key
from aiguard_dagster.orchestration.quality import is_blocking

FREE = "nothing is held back"


def can_hold(guard: Guard) -> bool:
    """Whether anything that a guard does may end in a hold."""
    acts = {rule.action for rule in guard.rules} & {Action.HOLD, Action.ROLLBACK}
    return guard.mode is not Mode.OBSERVE and bool(acts)


def gated_tables(known: Mapping[str, KnownAsset]) -> list[str]:
    """The tables whose assets bear the check: each asset of the project once, and no traces."""
    found = {a.key: table for table, a in known.items() if a.exists and not a.table.traces}
    return list(found.values())


def build_hold_gates(
    *, guard: Guard, tables: Iterable[str], clock: Clock
) -> list[dg.AssetChecksDefinition]:
    """The check on the asset of each of these tables; none where nothing could ever be held."""
    return [_gate(guard, table, clock) for table in tables] if can_hold(guard) else []


def _gate(guard: Guard, table: str, clock: Clock) -> dg.AssetChecksDefinition:
    key = hold_key(guard, table)

    @dg.multi_asset_check(
        name=f"{guard.name}__{table}_hold",
        specs=[
            dg.AssetCheckSpec(
                name=key.name,
                asset=key.asset_key,
                blocking=True,
                description=(
                    f"Whether the guard {guard.name} holds predictions back."
                    f" {guard.owner} may release them."
                ),
            )
        ],
    )
    def gate(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        spans = standing(context.instance, guard, now=clock())
        run_id = context.op_execution_context.run_id
        left = [span for span in spans if not _is_judged(context.instance, guard, span, run_id)]
        yield dg.AssetCheckResult(
            passed=not left,
            asset_key=key.asset_key,
            check_name=key.name,
            severity=dg.AssetCheckSeverity.ERROR,
            description=_told(left) if left else FREE,
            metadata={"aiguard/held": bool(left)},
        )

    return gate


def standing(instance: dg.DagsterInstance, guard: Guard, *, now: datetime) -> list[Span]:
    """What asks for a hold by all that was measured up to now, before the sensor has told of it."""
    history = {
        rule.name: [s.point for s in read_evaluations(instance, check_key(guard, rule))]
        for rule in guard.rules
    }
    decisions = read_decisions(instance, guard_key(guard))
    found = lasting_holds(situation(guard, history, decisions, now=now))
    last = hold_marks(decisions)[-1:] if is_held(decisions) and not found else []
    by_rollback = {rule.name for rule in guard.rules if rule.action is Action.ROLLBACK}
    if last and last[0].rule in by_rollback:
        # What is wrong upstream explains it, which the sensor alone looks for.
        hold = last[0]
        causes, reasons = (hold.rule,), (hold.reason,)
        return [Span(start=hold.at, end=None, reasons=reasons, rule=hold.rule, causes=causes)]
    return found


def _is_judged(instance: dg.DagsterInstance, guard: Guard, span: Span, run_id: str) -> bool:
    """Whether this very run measures the cause again: then that check alone says what follows."""
    (cause,) = span.causes
    rule = next((rule for rule in guard.rules if rule.name == cause), None)
    if rule is None or rule.resolve_after or not is_blocking(guard, rule):
        return False
    newest = newest_execution(instance, check_key(guard, rule)) if rule.signal.judges_data else None
    return newest is not None and newest.run_id == run_id


def hold_events(
    instance: dg.DagsterInstance, guard: Guard, tables: Iterable[str], decisions: Sequence[Decision]
) -> list[dg.AssetCheckEvaluation]:
    """What the checks must say and do not say yet, of the newest materialisations.

    Args:
        instance: The Dagster instance.
        guard: The guard.
        tables: The tables whose assets bear the check.
        decisions: All decisions, those of this tick too.
    """
    if not can_hold(guard):
        return []
    held = is_held(tuple(decisions))
    found = []
    for table in tables:
        key = hold_key(guard, table)
        said, target = newest_execution(instance, key), newest_target(instance, key.asset_key)
        if said is not None and said.live:
            continue  # It will be said by the run.
        if not held and (said is None or said.passed) and target is None:
            continue
        current = said is not None and (
            target is None or said.target == target.storage_id or said.run_id == target.run_id != ""
        )
        if said is not None and said.passed is not held and said.passed is not None and current:
            continue
        last = hold_marks(tuple(decisions))[-1:] if held else []
        found.append(
            dg.AssetCheckEvaluation(
                asset_key=key.asset_key,
                check_name=key.name,
                passed=not held,
                severity=dg.AssetCheckSeverity.ERROR,
                blocking=True,
                description=_held_by(last[0]) if last else FREE,
                metadata={
                    "aiguard/held": held,
                    **({"aiguard/incident": last[0].incident} if last else {}),
                },
                target_materialization_data=target,
            )
        )
    return found


def raise_if_held(
    context: dg.AssetExecutionContext | dg.OpExecutionContext,
    guard: Guard | str,
    *,
    clock: Clock = wall_clock,
) -> None:
    """Fail here while predictions are held back: the first line of an asset that must stop.

    No check stops a job that leaves out the assets that the check is on; this line does.

    Args:
        context: The asset's context.
        guard: The guard; it is judged by all that was measured up to now, in this run too. Or its
            name: then by what the stop-rule sensor has recorded.
        clock: Tells the time; only replays and tests need another one.

    Raises:
        dagster.Failure: Predictions are held back; the run fails and is not retried.
    """
    if isinstance(guard, str):
        decisions = read_decisions(context.instance, dg.AssetKey([guard, "guard"]))
        last = hold_marks(decisions)[-1:] if is_held(decisions) else []
        told = _held_by(last[0]) if last else ""
    else:
        spans = standing(context.instance, guard, now=clock())
        told = _told(spans) if spans else ""
    if told:
        raise dg.Failure(told, allow_retries=False)


def not_held() -> dg.AutomationCondition[dg.AssetKey | dg.AssetCheckKey]:
    """A condition: no blocking check has failed on what the asset is made from.

    >>> import dagster as dg
    >>> from aiguard_dagster import not_held
    >>> condition = dg.AutomationCondition.eager() & not_held()

    Dagster's own ``all_deps_blocking_checks_passed()`` asks for more: that each has been evaluated
    and passed.
    """
    failed = dg.AutomationCondition.any_checks_match(
        dg.AutomationCondition.check_failed(), blocking_only=True
    )
    return ~dg.AutomationCondition.any_deps_match(failed)


def _told(spans: Sequence[Span]) -> str:
    since = min(span.start for span in spans)
    why = "; ".join(dict.fromkeys(reason for span in spans for reason in span.reasons))
    return f"predictions are held back since {since:%Y-%m-%d %H:%M} UTC: {why}"


def _held_by(hold: Decision) -> str:
    return f"predictions are held back since {hold.at:%Y-%m-%d %H:%M} UTC: {hold.reason}"
