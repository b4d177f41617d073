"""From guards to Dagster definitions: the one function that the other doors call."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg

from aiguard_dagster.core.errors import SpecError
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.core.spec.semantics import find_problems, find_problems_between
from aiguard_dagster.orchestration.answer_job import build_answer_job
from aiguard_dagster.orchestration.assets import KnownAsset, know, tell_unreachable
from aiguard_dagster.orchestration.clock import Clock, wall_clock
from aiguard_dagster.orchestration.delta_sensor import build_delta_checks, build_delta_sensor
from aiguard_dagster.orchestration.engines import ENGINE, ProfileEngine
from aiguard_dagster.orchestration.fitting import Taken, find_misfits
from aiguard_dagster.orchestration.keys import (
    check_name,
    delta_rules,
    guard_key,
    profiled_tables,
    table_key,
)
from aiguard_dagster.orchestration.lineage import lineage_of
from aiguard_dagster.orchestration.profiles import build_profile_asset
from aiguard_dagster.orchestration.quality import build_quality_check
from aiguard_dagster.orchestration.resources import (
    MLFLOW,
    PROFILES,
    MLflowResource,
    ProfileStore,
    ResourceKeys,
)
from aiguard_dagster.orchestration.review_queue import review_queues
from aiguard_dagster.orchestration.rollback import build_rollback_job
from aiguard_dagster.orchestration.schedules import build_check_schedules
from aiguard_dagster.orchestration.stop_rules import build_stop_rule_sensor


def build_guard_definitions(
    *,
    guards: Sequence[Guard],
    definitions: dg.Definitions | None = None,
    mlflow: MLflowResource | None = None,
    profiles: ProfileStore | None = None,
    engine: ProfileEngine | None = None,
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
        name: Prefix of the two sensors, for projects that call this more than once.
        clock: Tells the time; only replays and tests need another one.
        minimum_interval_seconds: How often the two sensors may tick.

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
    if problems:
        raise SpecError(problems)
    keys, resources = _resources(
        definitions, {MLFLOW: mlflow, PROFILES: profiles, ENGINE: engine}, name
    )
    tell_unreachable(asset for assets in known.values() for asset in assets.values())
    partitions = {
        guard: {table: asset.partitions_def for table, asset in assets.items()}
        for guard, assets in known.items()
    }
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
    jobs: list[dg.JobDefinition] = []
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
            keys=keys,
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


def _resources(
    definitions: dg.Definitions, given: Mapping[str, Any], name: str
) -> tuple[ResourceKeys, dict[str, Any]]:
    """The project's own resources, or ones under keys that no other call of ours takes."""
    own = definitions.resources or {}

    def key(usual: str) -> str:
        mine = usual in own and given[usual] is None
        return usual if mine else f"{name}_{usual.removeprefix('aiguard_')}"

    keys = ResourceKeys(mlflow=key(MLFLOW), profiles=key(PROFILES), engine=key(ENGINE))
    added = {
        keys.mlflow: given[MLFLOW] or MLflowResource(),
        keys.profiles: given[PROFILES] or ProfileStore(),
        keys.engine: given[ENGINE] or ProfileEngine(),
    }
    return keys, {key: resource for key, resource in added.items() if key not in own}
