"""The stop-rule sensor: from the event-time history of verdicts to decisions and rollbacks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import dagster as dg

from aiguard_dagster.adapters.dagster.connection import one_connection
from aiguard_dagster.adapters.dagster.history import (
    decision_event,
    newest_event,
    news_since,
    read_decisions,
    read_evaluations,
)
from aiguard_dagster.adapters.mlflow.client import in_a_tick
from aiguard_dagster.core.decide import Situation, patience_of, situation
from aiguard_dagster.core.decide import decided as news_of
from aiguard_dagster.core.decide.answers import forbidden
from aiguard_dagster.core.decide.attention import (
    horizon,
    is_calm,
    next_look,
    reaches_back,
    waits_for_others,
)
from aiguard_dagster.core.decisions import (
    Decision,
    DecisionKind,
    following,
    open_requests,
    proposal_id,
)
from aiguard_dagster.core.lifecycle import Point, episodes, in_order
from aiguard_dagster.core.spec import Action, Guard, Mode
from aiguard_dagster.core.verdicts import Window
from aiguard_dagster.orchestration.after_rollback import Reach, follow_up
from aiguard_dagster.orchestration.agenda import Agenda
from aiguard_dagster.orchestration.answer_tags import AnswerTags
from aiguard_dagster.orchestration.clock import Clock
from aiguard_dagster.orchestration.hold_gate import can_hold, hold_events
from aiguard_dagster.orchestration.keys import check_key, guard_key, hold_key, table_key
from aiguard_dagster.orchestration.lost_runs import LOST_AFTER
from aiguard_dagster.orchestration.partitions import Partitions
from aiguard_dagster.orchestration.resources import ResourceKeys
from aiguard_dagster.orchestration.rollback import (
    INCIDENT_TAG,
    RollbackConfig,
    rollback_config,
    rollback_job_name,
)
from aiguard_dagster.orchestration.ticks import for_each_guard
from aiguard_dagster.orchestration.upstream import UpstreamAsset, find_troubles

MOST_ATTEMPTS = 3
"""Runs of one rollback request before a person is asked."""
ENDED_BADLY = {dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}


def build_stop_rule_sensor(
    *,
    name: str,
    guards: Sequence[Guard],
    jobs: Sequence[Any],
    partitions: Mapping[str, Mapping[str, Partitions]],
    keys: ResourceKeys,
    gated: Mapping[str, Sequence[str]],
    upstreams: Mapping[str, Sequence[UpstreamAsset]],
    clock: Clock,
    minimum_interval_seconds: int,
) -> dg.SensorDefinition:
    """One sensor for all guards; everything is read from the event log, the cursor is a cache."""

    @dg.sensor(
        name=name,
        minimum_interval_seconds=minimum_interval_seconds,
        jobs=jobs or None,
        required_resource_keys={keys.mlflow, keys.profiles},
        description="Turns verdicts into decisions: notify, hold, release, roll back.",
    )
    def stop_rule_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        events: list[dg.AssetObservation | dg.AssetCheckEvaluation] = []
        requests: list[dg.RunRequest] = []
        agenda = Agenda.from_cursor(context.cursor, now=clock())
        tags = AnswerTags(
            registry_of=lambda guard: getattr(context.resources, keys.mlflow).registry(guard),
            warn=context.log.warning,
        )

        def work(guard: Guard) -> None:
            looked = look(
                context.instance,
                guard,
                now=agenda.now,
                tags=tags,
                upstream=upstreams[guard.name],
                reach=Reach(
                    partitions=partitions[guard.name],
                    gated=gated[guard.name],
                    keys=keys,
                    resources=context.resources,
                    warn=context.log.warning,
                ),
            )
            events.extend(decision_event(guard_key(guard), each) for each in looked.decided)
            events.extend(looked.checks)
            requests.extend(looked.requests)
            agenda.looked_at(guard, due=looked.due, calm=looked.calm)
            if looked.decided:
                agenda.put_off(guard)  # The next tick sees whether it was written down.

        with one_connection(context.instance):
            wanted = with_news(context.instance, agenda, guards, gated)
            with in_a_tick():
                for_each_guard(context, agenda, wanted, work)
        agenda.keep(guards)
        return dg.SensorResult(
            asset_events=events, run_requests=requests, cursor=agenda.to_cursor()
        )

    return stop_rule_sensor


def with_news(
    instance: dg.DagsterInstance,
    agenda: Agenda,
    guards: Sequence[Guard],
    gated: Mapping[str, Sequence[str]],
) -> list[Guard]:
    """The guards that must be looked at: whose rules or decisions have news, or whose time it is.

    A guard on which nothing is going on need not be looked at for rules that passed once more, but
    for an asset that was materialised without the check that tells of a hold.
    """
    if agenda.read is None:
        agenda.read = newest_event(instance)
        return list(guards)
    news = news_since(instance, agenda.read)
    agenda.read = news.read
    wanted = []
    for guard in guards:
        checks = {check_key(guard, rule) for rule in guard.rules}
        told = guard_key(guard) in news.assets or bool(checks & news.failed)
        heard = bool(checks & news.passed) and not agenda.is_calm(guard)
        untold = can_hold(guard) and any(
            table_key(guard, table) in news.assets
            and hold_key(guard, table) not in news.passed | news.failed
            for table in gated.get(guard.name, ())
        )
        if told or heard or untold or agenda.is_due(guard):
            wanted.append(guard)
    return wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look at one guard has come to.

    Attributes:
        decided: Decisions that are new.
        requests: Runs that are wanted: rollbacks, and what follows them.
        checks: What the checks that tell of a hold must say and do not say yet.
        due: When to look again, news or not.
        calm: Whether nothing is going on.
    """

    decided: list[Decision]
    requests: list[dg.RunRequest]
    checks: list[dg.AssetCheckEvaluation]
    due: datetime | None
    calm: bool


def look(
    instance: dg.DagsterInstance,
    guard: Guard,
    *,
    now: datetime,
    tags: AnswerTags | None = None,
    upstream: Sequence[UpstreamAsset] = (),
    reach: Reach | None = None,
) -> Look:
    """Decide for one guard, and find out when it needs a look again."""
    seen = with_troubles(instance, read_situation(instance, guard, now=now), upstream)
    decided, requests = step(instance, seen, tags=tags)
    checks = []
    if reach is not None:
        followed, runs = what_follows(instance, seen.with_decisions(decided), reach)
        decided, requests = [*decided, *followed], [*requests, *runs]
        checks = hold_events(instance, guard, reach.gated, [*seen.decisions, *decided])
    after = seen.with_decisions(decided)
    return Look(
        decided=decided,
        requests=requests,
        checks=checks,
        due=now if waits_for_others(after) else next_look(after),
        calm=not decided and is_calm(after),
    )


def what_follows(
    instance: dg.DagsterInstance, seen: Situation, reach: Reach
) -> tuple[list[Decision], list[dg.RunRequest]]:
    """What is new about the newest rollback; the next one, or a hold, must never wait for it."""
    try:
        return follow_up(instance, seen, reach=reach)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
        reach.warn(f"{seen.guard.name}: what follows a rollback must wait: {error}")
        return [], []


def read_situation(instance: dg.DagsterInstance, guard: Guard, *, now: datetime) -> Situation:
    """What the event log tells of a guard, as far back as it matters."""
    enough = partial(reaches_back, span=horizon(guard))
    history = {
        rule.name: [
            stored.point
            for stored in read_evaluations(instance, check_key(guard, rule), enough=enough)
        ]
        for rule in guard.rules
    }
    return situation(guard, history, read_decisions(instance, guard_key(guard)), now=now)


def with_troubles(
    instance: dg.DagsterInstance, seen: Situation, upstream: Sequence[UpstreamAsset]
) -> Situation:
    """The same, with what is wrong upstream where a rule on the model fires."""
    firing = seen.firing
    if not firing or not upstream:
        return seen
    window = Window(start=min(p.start for p in firing), end=max(p.as_of for p in firing))
    return replace(seen, troubles=find_troubles(instance, upstream, window))


def step(
    instance: dg.DagsterInstance, seen: Situation, *, tags: AnswerTags | None = None
) -> tuple[list[Decision], list[dg.RunRequest]]:
    """The decisions that are new for one guard, and the rollback runs that are wanted."""
    guard, history, decisions = seen.guard, seen.points, seen.decisions
    answered = tags.answers(guard, decisions, now=seen.now) if tags else []
    new = news_of(seen.with_decisions(answered))
    decided = [*answered, *(tags.stamped(guard, new) if tags else new)]
    requests = []
    known = [*decisions, *decided]
    for request in open_requests(known):
        reason = forbidden(request, known) if "answers" in request.evidence else None
        if reason is None and not still_wanted(guard, request, history):
            reason = "no longer wanted: the breach has ended, or the guard was changed"
        if reason is not None:
            decided.append(following(request, DecisionKind.SUPERSEDED, reason))
            continue
        run, given_up = next_run(instance, guard, request, now=seen.now)
        if run:
            requests.append(run)
        if given_up:
            decided.append(given_up)
    return decided, requests


def still_wanted(guard: Guard, request: Decision, history: Mapping[str, Sequence[Point]]) -> bool:
    """Whether a request that waits for its run still stands: mode, rule and breach as they were."""
    rule = next((rule for rule in guard.rules if rule.name == request.rule), None)
    if rule is None or rule.action is not Action.ROLLBACK or guard.mode is Mode.OBSERVE:
        return False
    points = in_order(history[rule.name])
    if not points:
        return True  # They were wiped, and a run that died may have moved the champion.
    if points[-1].subject != request.evidence["champion"]:
        return True  # Someone moved the champion, maybe a run that died: the job knows which.
    found = episodes(points, patience_of(guard, rule))
    return bool(found) and found[-1].ended is None and found[-1].covers(request.at)


def next_run(
    instance: dg.DagsterInstance, guard: Guard, request: Decision, *, now: datetime
) -> tuple[dg.RunRequest | None, Decision | None]:
    """The next run of a request: none while one is going on, and none after the last attempt."""
    answers = request.evidence.get("answers")
    tag = f"{proposal_id(request)}{'!' if answers else ''}"
    records = instance.get_run_records(dg.RunsFilter(tags={INCIDENT_TAG: tag}))
    if any(is_awaited(record, now=now) for record in records):
        return None, None
    runs = [record.dagster_run for record in records]
    # A run that was deleted has spent its key all the same, so the numbers go on from the highest.
    spent = [run.tags.get("dagster/run_key", "").rpartition("#")[2] for run in runs]
    attempt = max((int(number) for number in spent if number.isdigit()), default=len(runs)) + 1
    if attempt > MOST_ATTEMPTS:
        who = guard.owner
        reason = f"the rollback run failed {attempt - 1} times. {who} must look: {runs[0].run_id}"
        return None, following(request, DecisionKind.FAILED, reason)
    config = RollbackConfig(
        reason=request.reason,
        incident=request.incident,
        rule=request.rule,
        at=request.at.isoformat(),
        from_version=str(request.evidence["champion"]),
        to_version=str(request.evidence.get("candidate") or ""),
        actor=request.actor,
        approved=bool(answers),
        ask=bool(request.evidence.get("ask")),
    )
    run = dg.RunRequest(
        run_key=f"{tag}#{attempt}",
        job_name=rollback_job_name(guard),
        run_config=rollback_config(guard, config),
        tags={INCIDENT_TAG: tag},
    )
    return run, None


def is_awaited(record: dg.RunRecord, *, now: datetime) -> bool:
    """Whether a run will tell what came of its request, or has told after decisions were read.

    One that went well long ago has told and was wiped: the next finds the intent, and tells again.
    """
    status = record.dagster_run.status
    if status in ENDED_BADLY:
        return False
    queued = status is dg.DagsterRunStatus.QUEUED
    return queued or now - record.update_timestamp < LOST_AFTER
