"""Telling people: a sensor that sees what is due, and a job that sends it.

No sensor and no rollback ever waits for a service that is slow or down: only the job sends, each
address has its time, and the job's runs come last in Dagster's queue. What was told is on
``<guard>/notices``; whatever is killed, it is sent at least once.
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

import dagster as dg

from aiguard_dagster.adapters.dagster.connection import one_connection
from aiguard_dagster.adapters.dagster.history import newest_event, news_since
from aiguard_dagster.adapters.dagster.notices import ledger_event
from aiguard_dagster.core.errors import Problem
from aiguard_dagster.core.outbox import EVERYBODY, STALE, Parcel, due, is_final
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.orchestration.agenda import Agenda
from aiguard_dagster.orchestration.clock import Clock
from aiguard_dagster.orchestration.keys import guard_key, notices_key
from aiguard_dagster.orchestration.lost_runs import LIVE
from aiguard_dagster.orchestration.outbox import read_box
from aiguard_dagster.orchestration.resources import NotifierResource
from aiguard_dagster.orchestration.sending import send_due
from aiguard_dagster.orchestration.ticks import for_each_guard

LAST_IN_QUEUE = {"dagster/priority": "-1"}


class NotifyConfig(dg.Config):
    """Whose decisions are sent."""

    guards: list[str] = []  # noqa: RUF012 - pydantic copies it
    """Names of guards; all of them when left out."""


def build_notice_sensor(
    *,
    name: str,
    guards: Sequence[Guard],
    names: Sequence[str],
    job: dg.JobDefinition,
    clock: Clock,
    minimum_interval_seconds: int,
) -> dg.SensorDefinition:
    """One sensor for all guards; it sends nothing itself."""

    @dg.sensor(
        name=name,
        minimum_interval_seconds=minimum_interval_seconds,
        job=job,
        description="Sees which decisions their owners have not been told of yet.",
    )
    def notice_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = clock()
        agenda = Agenda.from_cursor(context.cursor, now=now)
        begun: list[dg.AssetObservation] = []
        parcels: list[Parcel] = []

        def work(guard: Guard) -> None:
            box = read_box(context.instance, guard, now=now)
            if box.is_new:
                begun.append(ledger_event(notices_key(guard), box.ledger))
            parcels.extend(due(box.notices, box.attempts, names, now=now))
            agenda.looked_at(guard)
            if not all(is_final(n, box.attempts, names, now=now) for n in box.notices):
                agenda.put_off(guard)

        requests = []
        with one_connection(context.instance):
            wanted = with_decisions(context.instance, agenda, guards)
            for_each_guard(context, agenda, wanted, work)
            if parcels and not is_under_way(context.instance, job.name, now=now):
                requests.append(_request(parcels, job.name, now))
        agenda.keep(guards)
        return dg.SensorResult(asset_events=begun, run_requests=requests, cursor=agenda.to_cursor())

    return notice_sensor


def with_decisions(
    instance: dg.DagsterInstance, agenda: Agenda, guards: Sequence[Guard]
) -> list[Guard]:
    """The guards with new decisions, with some that wait to be told, or whose time it is."""
    if agenda.read is None:
        agenda.read = newest_event(instance)
        return list(guards)
    news = news_since(instance, agenda.read)
    agenda.read = news.read
    return [each for each in guards if guard_key(each) in news.assets or agenda.is_due(each)]


def is_under_way(instance: dg.DagsterInstance, job: str, *, now: datetime) -> bool:
    """Whether a run is at it; one that was killed may seem so for ever, and does not count."""
    wanted = dg.RunsFilter(job_name=job, statuses=LIVE)
    records = instance.get_run_records(wanted, limit=20)
    return any(now - record.create_timestamp < STALE for record in records)


def _request(parcels: Sequence[Parcel], job: str, now: datetime) -> dg.RunRequest:
    """The run that sends them."""
    config = NotifyConfig(guards=sorted({parcel.notice.guard for parcel in parcels}))
    return dg.RunRequest(
        run_key=_run_key(parcels, now),
        job_name=job,
        run_config={"ops": {op_name(job): {"config": config.model_dump()}}},
        tags=LAST_IN_QUEUE,
    )


def op_name(job: str) -> str:
    """The name of the job's only step."""
    return f"{job}_send"


def _run_key(parcels: Sequence[Parcel], now: datetime) -> str:
    """The same for the same work, so that a tick delivered twice starts one run; renewed in time.

    A run that is killed before it has recorded anything is asked for again in the next quarter.
    """
    work = sorted(f"{p.notice.id} {p.target} {p.number}" for p in parcels)
    quarter = int(now.timestamp() // STALE.total_seconds())
    return f"{sha256(' '.join(work).encode()).hexdigest()[:16]}@{quarter}"


def build_notify_job(
    *, name: str, guards: Sequence[Guard], notifier: str, clock: Clock
) -> dg.JobDefinition:
    """The job that sends what is due, for all guards."""

    @dg.op(
        name=op_name(name),
        required_resource_keys={notifier},
        description="Sends what owners have not been told of yet, one message an event.",
    )
    def send(context: dg.OpExecutionContext, config: NotifyConfig) -> None:
        chosen = [guard for guard in guards if not config.guards or guard.name in config.guards]
        resource: NotifierResource = getattr(context.resources, notifier)
        lost = send_due(
            context.instance,
            chosen,
            resource.variables,
            run=context.run_id,
            clock=clock,
            log=context.log,
        )
        if lost:
            raise dg.Failure("; ".join(lost), allow_retries=False)

    @dg.job(
        name=name,
        executor_def=dg.in_process_executor,
        tags=LAST_IN_QUEUE,
        description="Asked for by the notice sensor.",
    )
    def job() -> None:
        send()

    return job


def find_untold(guards: Sequence[Guard], notifier: NotifierResource) -> list[Problem]:
    """Owners whom no target reaches, and targets that hold an address where its name belongs."""
    file, problems = "notifier", []
    for owner, variable in notifier.variables.items():
        if not variable.isidentifier():  # It may be an address: it is not quoted.
            what = "this is not the name of an environment variable"
            hint = "put the Apprise URL into the environment, and give the variable's name here."
            problems.append(Problem(file=file, path=f"variables[{owner!r}]", what=what, hint=hint))
    if EVERYBODY in notifier.variables:
        return problems
    owners = {guard.owner_of(rule) for guard in guards for rule in guard.rules}
    for owner in sorted({*owners, *(guard.owner for guard in guards)} - set(notifier.variables)):
        what = f"nothing reaches {owner}"
        hint = f"add {owner!r}, or {EVERYBODY!r} for every owner without one of their own."
        problems.append(Problem(file=file, path="variables", what=what, hint=hint))
    return problems
