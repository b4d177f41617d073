"""The review queue: an asset with the rows that wait for a person, and a check that they were seen.

A table's ``review:`` policy says which rows those are. The queue is filled and checked in every run
of its asset, and by a schedule until all its reviews are due, so a person who forgets is told of.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import dagster as dg

from aiguard_dagster.adapters.dagster.history import materialized
from aiguard_dagster.adapters.dagster.metadata import evaluation_metadata
from aiguard_dagster.core.errors import MeasurementError, Problem, SpecError
from aiguard_dagster.core.partition import Partition
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.core.spec.review import Review
from aiguard_dagster.core.spec.semantics import find_problems
from aiguard_dagster.core.verdicts import Evaluation, Verdict
from aiguard_dagster.orchestration.assets import KnownAsset, know, read_rows
from aiguard_dagster.orchestration.clock import Clock, wall_clock
from aiguard_dagster.orchestration.fitting import find_misfits
from aiguard_dagster.orchestration.keys import check_name, queue_key
from aiguard_dagster.orchestration.loading import Deferred, build_row_manager
from aiguard_dagster.orchestration.partitions import in_hand, partition_of, series_of, span_of
from aiguard_dagster.orchestration.quiet import quiet

if TYPE_CHECKING:
    from aiguard_dagster.adapters.tables.rows import Rows
    from aiguard_dagster.signals.batch import Batch, Frame

REVIEWED = "reviewed"
"""The name of the queue's check."""
HOURLY = "0 * * * *"
YEAR = timedelta(days=366)
MOST_RUNS = 100
"""Runs that one tick asks for."""


def build_review_queue(
    *,
    guard: Guard,
    definitions: dg.Definitions,
    clock: Clock = wall_clock,
) -> dg.Definitions:
    """Review queues for the tables of a guard that have a ``review:`` policy.

    :func:`build_guard_definitions` adds them by itself; this is for projects that want no more.

    Args:
        guard: The guard.
        definitions: The project that has its assets.
        clock: Tells the time; only replays and tests need another one.

    Returns:
        For each such table the asset ``<guard>/<table>_review_queue``, which holds the rows that a
        person must review and has not, with all their columns and ``review_why``; its check
        ``reviewed``, which fails while a row that is due was not reviewed; and a schedule that
        fills and checks it again every hour, until twice the time for reviews has passed.

    Raises:
        SpecError: The guard is wrong, an asset does not exist, or no table has a policy.
    """
    graph = definitions.resolve_asset_graph()
    place = f"guard {guard.name}"
    known = {name: know(graph, table) for name, table in guard.tables.items()}
    problems = find_problems(guard, file=place)
    problems += find_misfits(guard, known, graph, taken={}, file=place, name_of=check_name)
    if not any(table.review for table in guard.tables.values()):
        what, hint = "no table has a review policy", "add review: {score_below: 70%} to one."
        problems.append(Problem(file=place, path="tables", what=what, hint=hint))
    if problems:
        raise SpecError(problems)
    queues = review_queues(guard=guard, known=known, clock=clock)
    return dg.Definitions(
        assets=queues.assets, asset_checks=queues.checks, schedules=queues.schedules
    )


class Queues(NamedTuple):
    """What review policies add to a project."""

    assets: list[dg.AssetsDefinition]
    checks: list[dg.AssetChecksDefinition]
    schedules: list[dg.ScheduleDefinition]


def review_queues(*, guard: Guard, known: Mapping[str, KnownAsset], clock: Clock) -> Queues:
    """The queues of a guard whose assets are known; nothing where no table has a policy."""
    found = Queues([], [], [])
    for name, table in guard.tables.items():
        if table.review is not None:
            queue = _Queue(guard, name, table.review, known[name], clock)
            check = queue.check()
            found.assets.append(queue.asset())
            found.checks.append(check)
            found.schedules.append(queue.schedule(check))
    return found


class _Queue:
    """The queue of one table."""

    def __init__(
        self, guard: Guard, table: str, review: Review, asset: KnownAsset, clock: Clock
    ) -> None:
        self._guard, self._table, self._review = guard, table, review
        self._asset, self._clock = asset, clock
        self._key = queue_key(guard, table)
        self._name = f"{guard.name}__{table}_review"
        self._own = asset.table.source is None
        self._cron = asset.table.schedule or HOURLY

    def asset(self) -> dg.AssetsDefinition:
        """The asset that holds the rows; stored as the table itself is."""

        def queue(context: dg.AssetExecutionContext, **rows: Deferred) -> Any:  # noqa: ANN401 - a table of the user's own kind
            from aiguard_dagster.signals.review_queue import reasons, waiting

            partitions = in_hand(context.op_execution_context, self._asset.partitions_def)
            opened = None
            try:
                opened = read_rows(self._asset, rows.get("rows"), partitions)
                waits = waiting(self._review, self._batch(opened, partitions))
                why, given = reasons(waits), as_given(waits, opened.native)
            except MeasurementError as error:
                # An empty queue would say that nobody need look.
                raise dg.Failure(str(error)) from None
            finally:
                if opened is not None:
                    opened.close()
            context.add_output_metadata(
                {
                    "aiguard/waiting": sum(why.values()),
                    "aiguard/why": dg.MetadataValue.json(dict(why)),
                }
            )
            return given

        with quiet():
            found: dg.AssetsDefinition = dg.asset(
                key=self._key,
                deps=None if self._own else [self._asset.key],
                partitions_def=self._asset.partitions_def,
                io_manager_key=self._asset.io_manager_key,
                group_name=self._guard.name,
                kinds={"aiguard"},
                description=f"{self._review.sentence(self._asset.table.asset)}.",
                **self._inputs(),
            )(queue)
        return found

    def check(self) -> dg.AssetChecksDefinition:
        """The check that rows were reviewed; it looks at the table, not at a stored queue."""

        def reviewed(
            context: dg.AssetCheckExecutionContext, **rows: Deferred
        ) -> Iterator[dg.AssetCheckResult]:
            partitions = in_hand(context.op_execution_context, self._asset.partitions_def)
            evaluation = self._evaluate(rows.get("rows"), partitions)
            failed = evaluation.verdict is Verdict.ERROR
            yield dg.AssetCheckResult(
                passed=evaluation.verdict is Verdict.OK,
                asset_key=self._key,
                check_name=REVIEWED,
                severity=dg.AssetCheckSeverity.ERROR if failed else dg.AssetCheckSeverity.WARN,
                description=evaluation.reason,
                metadata=evaluation_metadata(evaluation),
            )

        with quiet():
            return dg.multi_asset_check(
                name=self._name,
                specs=[
                    dg.AssetCheckSpec(
                        name=REVIEWED,
                        asset=self._key,
                        description=(
                            f"All rows that are due were reviewed. Owner: {self._guard.owner}."
                        ),
                        additional_deps=[self._asset.key],
                        partitions_def=self._asset.partitions_def,
                    )
                ],
                **self._inputs(),
            )(reviewed)

    def schedule(self, check: dg.AssetChecksDefinition) -> dg.ScheduleDefinition:
        """Fills and checks the queue again, for reviews come after the run that made their rows."""
        job = dg.define_asset_job(
            name=f"{self._name}_job",
            selection=dg.AssetSelection.assets(self._key)
            | dg.AssetSelection.checks(*check.check_keys),
            description=f"Fills and checks the review queue of {self._asset.table.asset}.",
        )

        @dg.schedule(
            name=f"{self._name}_schedule",
            job=job,
            cron_schedule=self._cron,
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description=f"Asks for reviews of {self._asset.table.asset} until they are due.",
        )
        def schedule(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
            if self._asset.partitions_def is None:
                yield dg.RunRequest()
                return
            at = f"{context.scheduled_execution_time:%Y-%m-%dT%H:%M}"
            for key in self.open_partitions(context.instance)[-MOST_RUNS:]:
                yield dg.RunRequest(run_key=f"{at}|{key}", partition_key=key)

        return schedule

    def open_partitions(self, instance: dg.DagsterInstance) -> Sequence[str]:
        """Partitions whose reviews may still come, or have just become due, in time order."""
        now, partitions_def = self._clock(), self._asset.partitions_def
        if partitions_def is None:
            return ()
        keys = partitions_def.get_partition_keys(
            current_time=now, dynamic_partitions_store=instance
        )
        within = self._review.within
        since = min(now - 2 * within, last_tick(self._cron, now) - within)
        windows = {key: partition_of(partitions_def, key).window for key in keys}
        still = [key for key, window in windows.items() if window is None or window.end >= since]
        if self._asset.is_external:
            return still
        made = materialized(instance, self._asset.key)
        return [key for key in still if key in made]

    def _inputs(self) -> dict[str, Any]:
        manager = self._asset.input_manager_key
        if not self._own:
            return {}
        return {
            "ins": {"rows": dg.AssetIn(self._asset.key, input_manager_key=manager)},
            "resource_defs": {manager: build_row_manager(self._asset.io_manager_key)},
        }

    def _batch(self, opened: "Rows", partitions: Sequence[Partition] | None) -> "Batch":
        from aiguard_dagster.signals.batch import Batch

        return Batch(
            frame=opened.frame,
            native=opened.native,
            table=self._asset.table,
            window=span_of(partitions),
            now=self._clock(),
        )

    def _evaluate(
        self, deferred: Deferred | None, partitions: Sequence[Partition] | None
    ) -> Evaluation:
        """The verdict; a failure to read or to measure is ``error``."""
        from aiguard_dagster.adapters.tables.rows import NO_ROWS
        from aiguard_dagster.signals.review_queue import evaluate_reviewed, unmeasured

        try:
            opened = read_rows(self._asset, deferred, partitions)
        except Exception as error:  # noqa: BLE001 - told by the check
            found = unmeasured(self._batch(NO_ROWS, partitions), error)
        else:
            try:
                found = evaluate_reviewed(self._review, self._batch(opened, partitions))
            finally:
                opened.close()
        return replace(found, series=series_of(partitions))


def last_tick(cron: str, now: datetime) -> datetime:
    """When a schedule ticked before its newest tick; now, where that is longer ago than a year.

    >>> from datetime import UTC
    >>> last_tick("0 * * * *", datetime(2026, 3, 1, 12, 10, tzinfo=UTC)).hour
    11
    """
    ticks = dg.TimeWindowPartitionsDefinition(
        cron_schedule=cron, start=now - YEAR, fmt="%Y-%m-%dT%H:%M"
    )
    window = ticks.get_prev_partition_window(now)
    return window.start if window else now


def as_given(found: "Frame", native: object) -> Any:  # noqa: ANN401 - a table of the user's own kind
    """The rows as a table of the kind that the user's IO manager gives, so that it can keep them.

    Spark's stay where they are; those of databases come as polars.
    """
    kind = type(native).__module__.partition(".")[0]
    if kind == "pyspark":
        return found.to_native()
    rows = found.collect("polars").to_native()
    match kind:
        case "pandas":
            return rows.to_pandas()
        case "pyarrow":
            return rows.to_arrow()
        case "builtins":
            return rows.to_dicts()
        case _:
            return rows
