"""From guards to Dagster definitions: the one function that the other doors call."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg

from aiguard_dagster.core.errors import SpecError
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.core.spec.semantics import find_problems, find_problems_between
from aiguard_dagster.orchestration.after_rollback import repredict_jobs
from aiguard_dagster.orchestration.answer_job import build_answer_job
from aiguard_dagster.orchestration.assets import KnownAsset, know, tell_unreachable
from aiguard_dagster.orchestration.clock import Clock, wall_clock
from aiguard_dagster.orchestration.delta_sensor import build_delta_checks, build_delta_sensor
from aiguard_dagster.orchestration.engines import ENGINE, ProfileEngine
from aiguard_dagster.orchestration.fitting import Taken, find_misfits
from aiguard_dagster.orchestration.hold_gate import build_hold_gates, gated_tables
from aiguard_dagster.orchestration.keys import (
    check_name,
    delta_rules,
    guard_key,
    notices_key,
    profiled_tables,
    table_key,
)
from aiguard_dagster.orchestration.lineage import lineage_of
from aiguard_dagster.orchestration.notices import (
    build_notice_sensor,
    build_notify_job,
    find_untold,
)
from aiguard_dagster.orchestration.profiles import build_profile_asset
from aiguard_dagster.orchestration.quality import build_quality_check
from aiguard_dagster.orchestration.resources import (
    MLFLOW,
    NOTIFIER,
    PROFILES,
    MLflowResource,
    NotifierResource,
    ProfileStore,
    ResourceKeys,
)
from aiguard_dagster.orchestration.review_queue import review_queues
from aiguard_dagster.orchestration.rollback import build_rollback_job
from aiguard_dagster.orchestration.schedules import build_check_schedules
from aiguard_dagster.orchestration.stop_rules import build_stop_rule_sensor
from aiguard_dagster.orchestration.upstream import upstream_of


def build_guard_definitions(
    *,
    guards: Sequence[Guard],
    definitions: dg.Definitions | None = None,
    mlflow: MLflowResource | None = None,
    profiles: ProfileStore | None = None,
    engine: ProfileEngine | None = None,
    notifier: NotifierResource | None = None,
    name: str = "aiguard",
    clock: Clock = wall_clock,
    minimum_interval_seconds: int = 30,
) -> dg.Definitions:
    """Put guards on the assets of a Dagster project.

    Args:
        guards: What :func:`load_guards` returned, or guards written in Python.
        definitions: The user's own definitions; they are part of the result, unchanged.
        mlflow: Where the registry is; the definitions' own resource ``aiguard_mlflow``, or the
            environment's ``MLFLOW_TRACKING_URI``, when left out.
        profiles: Where profiles are kept; the definitions' own resource ``aiguard_profiles``, or
            ``aiguard_profiles`` in Dagster's own storage, when left out.
        engine: What reads the rows that are profiled; the definitions' own resource
            ``aiguard_engine``, or polars, when left out.
        notifier: Where owners are told of decisions; the definitions' own resource
            ``aiguard_notifier`` when left out. Without either, nobody is told.
        name: Prefix of the sensors, for projects that call this more than once.
        clock: Tells the time; only replays and tests need another one.
        minimum_interval_seconds: How often the sensors may tick.

    Returns:
        The user's definitions with the guards' checks, profile assets, review queues, sensors and
        rollback jobs.

    Raises:
        SpecError: A guard is wrong, an asset does not exist, two guards claim one model or name, or
            a check of that name is there already. All problems at once.
    """
    own = definitions or dg.Definitions()
    return dg.Definitions.merge(
        own,
        guard_additions(
            guards=guards,
            definitions=own,
            mlflow=mlflow,
            profiles=profiles,
            engine=engine,
            notifier=notifier,
            name=name,
            clock=clock,
            minimum_interval_seconds=minimum_interval_seconds,
        ),
    )


def guard_additions(
    *,
    guards: Sequence[Guard],
    definitions: dg.Definitions,
    mlflow: MLflowResource | None = None,
    profiles: ProfileStore | None = None,
    engine: ProfileEngine | None = None,
    notifier: NotifierResource | None = None,
    name: str = "aiguard",
    clock: Clock = wall_clock,
    minimum_interval_seconds: int = 30,
    claimed: Taken | None = None,
) -> dg.Definitions:
    """What guards add, without the definitions they were put on, and checks claimed elsewhere."""
    # Jobs and schedules may name assets that guards are about to add: the assets alone are enough.
    tables = dg.Definitions(
        assets=definitions.assets,
        asset_checks=definitions.asset_checks,
        resources=definitions.resources,
    )
    graph = tables.resolve_asset_graph()
    problems = [p for guard in guards for p in find_problems(guard, file=f"guard {guard.name}")]
    problems += find_problems_between([(guard, f"guard {guard.name}") for guard in guards])
    known = {
        guard.name: {table: know(graph, spec) for table, spec in guard.tables.items()}
        for guard in guards
    }
    taken = {**dict.fromkeys(graph.asset_check_keys, ""), **(claimed or {})}
    for guard in guards:
        problems += find_misfits(
            guard,
            known[guard.name],
            graph,
            taken=taken,
            file=f"guard {guard.name}",
            name_of=check_name,
        )
    teller = notifier or (definitions.resources or {}).get(NOTIFIER)
    if isinstance(teller, NotifierResource):
        problems += find_untold(guards, teller)
    if problems:
        raise SpecError(problems)
    keys, resources = _resources(
        definitions, {MLFLOW: mlflow, PROFILES: profiles, ENGINE: engine, NOTIFIER: notifier}, name
    )
    tell_unreachable(asset for assets in known.values() for asset in assets.values())
    partitions = {
        guard: {table: asset.partitions_def for table, asset in assets.items()}
        for guard, assets in known.items()
    }
    gated = {guard: gated_tables(assets) for guard, assets in known.items()}
    lineages = {
        guard.name: {
            signal.table: lineage_of(graph, table_key(guard, signal.table))
            for _, signal in delta_rules(guard)
            if signal.of_runs
        }
        for guard in guards
    }
    checks: list[dg.AssetChecksDefinition] = []
    assets: list[dg.AssetsDefinition | dg.AssetSpec] = []
    jobs: list[Any] = []  # Dagster does not export what define_asset_job returns.
    schedules: list[dg.ScheduleDefinition] = []
    for guard in guards:
        mine = known[guard.name]
        for table, asset in mine.items():
            quality = build_quality_check(
                guard=guard, table=table, assets=mine, keys=keys, clock=clock
            )
            if quality is None:
                continue
            checks.append(quality)
            schedules += build_check_schedules(
                name=f"{guard.name}__{table}", checks=quality, asset=asset, clock=clock
            )
        assets += [
            build_profile_asset(guard=guard, table=table, asset=mine[table], keys=keys)
            for table in profiled_tables(guard)
        ]
        checks += [
            build_delta_checks(
                guard=guard,
                table=table,
                partitions=partitions[guard.name],
                keys=keys,
                clock=clock,
                lineages=lineages[guard.name],
            )
            for table in sorted({signal.table for _, signal in delta_rules(guard)})
        ]
        checks += build_hold_gates(guard=guard, tables=gated[guard.name], clock=clock)
        queues = review_queues(guard=guard, known=mine, clock=clock)
        assets += queues.assets
        checks += queues.checks
        schedules += queues.schedules
        assets.append(_guard_asset(guard))
        if guard.model is not None:
            jobs.append(
                build_rollback_job(
                    guard=guard,
                    tables=tables,
                    partitions=partitions[guard.name],
                    keys=keys,
                    clock=clock,
                )
            )
            jobs += repredict_jobs(guard)
    modelled = [guard for guard in guards if delta_rules(guard)]
    profiled_partitions = {
        guard.name: {table: partitions[guard.name][table] for table in profiled_tables(guard)}
        for guard in modelled
    }
    sensors = [
        build_stop_rule_sensor(
            name=f"{name}_stop_rules",
            guards=guards,
            jobs=jobs,
            partitions=partitions,
            keys=keys,
            gated=gated,
            upstreams={guard.name: upstream_of(graph, guard) for guard in guards},
            clock=clock,
            minimum_interval_seconds=minimum_interval_seconds,
        )
    ]
    if modelled:
        sensors.append(
            build_delta_sensor(
                name=f"{name}_deltas",
                guards=modelled,
                partitions=profiled_partitions,
                keys=keys,
                clock=clock,
                lineages=lineages,
                minimum_interval_seconds=minimum_interval_seconds,
            )
        )
    if guards and isinstance(teller, NotifierResource):
        job = build_notify_job(
            name=f"{name}_notify", guards=guards, notifier=keys.notifier, clock=clock
        )
        jobs.append(job)
        assets += [_notices_asset(guard) for guard in guards]
        sensors.append(
            build_notice_sensor(
                name=f"{name}_notices",
                guards=guards,
                names=list(teller.variables),
                job=job,
                clock=clock,
                minimum_interval_seconds=minimum_interval_seconds,
            )
        )
    return dg.Definitions(
        assets=[*_assets_of_traces(known.values()), *assets],
        asset_checks=checks,
        jobs=[*jobs, *(build_answer_job(guard=guard, clock=clock) for guard in guards)],
        schedules=schedules,
        sensors=sensors,
        resources=resources,
    )


def _assets_of_traces(known: Iterable[Mapping[str, KnownAsset]]) -> list[dg.AssetSpec]:
    """Assets that stand for traces, where the project has none."""
    missing = {
        asset.key: asset.table.traces.experiment
        for assets in known
        for asset in assets.values()
        if asset.table.traces and not asset.exists
    }
    return [
        dg.AssetSpec(
            key=key,
            kinds={"mlflow"},
            description=f"Traces of the MLflow experiment {experiment}.",
        )
        for key, experiment in missing.items()
    ]


def _guard_asset(guard: Guard) -> dg.AssetSpec:
    """The asset that carries the decisions, downstream of everything under guard."""
    return dg.AssetSpec(
        key=guard_key(guard),
        deps=[table_key(guard, table) for table in guard.tables],
        group_name=guard.name,
        kinds={"aiguard"},
        description=(
            f"Decisions of the guard {guard.name}: notify, hold, release, refuse, rollback."
            f" Mode {guard.mode.value}, owner {guard.owner}."
        ),
    )


def _notices_asset(guard: Guard) -> dg.AssetSpec:
    """The asset that tells what was told to whom."""
    return dg.AssetSpec(
        key=notices_key(guard),
        deps=[guard_key(guard)],
        group_name=guard.name,
        kinds={"aiguard"},
        description=f"What was told to whom of the decisions of the guard {guard.name}.",
    )


def _resources(
    definitions: dg.Definitions, given: Mapping[str, Any], name: str
) -> tuple[ResourceKeys, dict[str, Any]]:
    """The project's own resources, or ones under keys that no other call of ours takes."""
    own = definitions.resources or {}

    def key(usual: str) -> str:
        mine = usual in own and given[usual] is None
        return usual if mine else f"{name}_{usual.removeprefix('aiguard_')}"

    keys = ResourceKeys(
        mlflow=key(MLFLOW),
        profiles=key(PROFILES),
        engine=key(ENGINE),
        notifier=key(NOTIFIER),
    )
    added = {
        keys.mlflow: given[MLFLOW] or MLflowResource(),
        keys.profiles: given[PROFILES] or ProfileStore(),
        keys.engine: given[ENGINE] or ProfileEngine(),
        **({keys.notifier: given[NOTIFIER]} if given[NOTIFIER] else {}),
    }
    return keys, {key: resource for key, resource in added.items() if key not in own}
