"""From guards to Dagster definitions: the one function that the other doors call."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from aiguard_dagster.core.errors import Problem, SpecError
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.core.spec.semantics import find_problems, find_problems_between
from aiguard_dagster.orchestration.clock import Clock, wall_clock
from aiguard_dagster.orchestration.delta_sensor import build_delta_checks, build_delta_sensor
from aiguard_dagster.orchestration.keys import check_key, delta_rules, guard_key, table_key
from aiguard_dagster.orchestration.loading import build_row_manager, row_manager_key
from aiguard_dagster.orchestration.partitions import Partitions
from aiguard_dagster.orchestration.profiles import build_profile_asset
from aiguard_dagster.orchestration.quality import build_quality_check
from aiguard_dagster.orchestration.resources import MLFLOW, PROFILES, MLflowResource, ProfileStore
from aiguard_dagster.orchestration.rollback import build_rollback_job
from aiguard_dagster.orchestration.stop_rules import build_stop_rule_sensor


def build_guard_definitions(
    *,
    guards: Sequence[Guard],
    definitions: dg.Definitions | None = None,
    mlflow: MLflowResource | None = None,
    profiles: ProfileStore | None = None,
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
            ``aiguard_profiles`` in the working directory, when left out.
        name: Prefix of the two sensors, for projects that call this more than once.
        clock: Tells the time; only replays and tests need another one.
        minimum_interval_seconds: How often the two sensors may tick.

    Returns:
        The user's definitions with the guards' checks, profile assets, sensors and rollback jobs.

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
    name: str = "aiguard",
    clock: Clock = wall_clock,
    minimum_interval_seconds: int = 30,
) -> dg.Definitions:
    """What guards add, without the definitions they were put on."""
    # Jobs and schedules may name assets that guards are about to add: the assets alone are enough.
    tables = dg.Definitions(
        assets=definitions.assets,
        asset_checks=definitions.asset_checks,
        resources=definitions.resources,
    )
    graph = tables.resolve_asset_graph()
    problems = [p for guard in guards for p in find_problems(guard, file=f"guard {guard.name}")]
    problems += find_problems_between([(guard, f"guard {guard.name}") for guard in guards])
    problems += [p for guard in guards for p in _find_load_problems(guard, graph)]
    if problems:
        raise SpecError(problems)
    partitions = {
        guard.name: {
            table: graph.get(table_key(guard, table)).partitions_def for table in guard.tables
        }
        for guard in guards
    }
    checks: list[dg.AssetChecksDefinition] = []
    assets: list[dg.AssetsDefinition | dg.AssetSpec] = []
    jobs: list[dg.JobDefinition] = []
    for guard in guards:
        mine = partitions[guard.name]
        loaders = {
            table: row_manager_key(_io_manager_key(graph, table_key(guard, table)))
            for table in guard.tables
        }
        checks += _quality_checks(guard, mine, loaders, clock)
        profiled = sorted({signal.table for _, signal in delta_rules(guard)})
        for table in profiled:
            assets.append(
                build_profile_asset(
                    guard=guard,
                    table=table,
                    partitions_def=mine[table],
                    input_manager_key=loaders[table],
                )
            )
            checks.append(build_delta_checks(guard=guard, table=table, partitions=mine))
        assets.append(_guard_asset(guard))
        if guard.model is not None:
            jobs.append(
                build_rollback_job(guard=guard, tables=tables, partitions=mine, clock=clock)
            )
    modelled = [guard for guard in guards if delta_rules(guard)]
    profiled_partitions = {
        guard.name: {
            signal.table: partitions[guard.name][signal.table] for _, signal in delta_rules(guard)
        }
        for guard in modelled
    }
    sensors = [
        build_stop_rule_sensor(
            name=f"{name}_stop_rules",
            guards=guards,
            jobs=jobs,
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
                clock=clock,
                minimum_interval_seconds=minimum_interval_seconds,
            )
        )
    return dg.Definitions(
        assets=assets,
        asset_checks=checks,
        jobs=jobs,
        sensors=sensors,
        resources={**_resources(definitions, mlflow, profiles), **_row_managers(guards, graph)},
    )


def _quality_checks(
    guard: Guard, partitions: Mapping[str, Partitions], loaders: Mapping[str, str], clock: Clock
) -> list[dg.AssetChecksDefinition]:
    found = []
    for table in guard.tables:
        rules = [r for r in guard.rules if r.signal.judges_data and r.signal.table == table]
        if rules:
            found.append(
                build_quality_check(
                    guard=guard,
                    table=table,
                    rules=rules,
                    partitions_def=partitions[table],
                    input_manager_key=loaders[table],
                    clock=clock,
                )
            )
    return found


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
    definitions: dg.Definitions, mlflow: MLflowResource | None, profiles: ProfileStore | None
) -> dict[str, Any]:
    own = definitions.resources or {}
    found: dict[str, Any] = {}
    if MLFLOW not in own:
        found[MLFLOW] = mlflow or MLflowResource()
    if PROFILES not in own:
        found[PROFILES] = profiles or ProfileStore(path=str(Path.cwd() / "aiguard_profiles"))
    return found


def _io_manager_key(graph: Any, key: dg.AssetKey) -> str:  # noqa: ANN401 - Dagster's graph
    """The IO manager of one of the user's assets."""
    return str(graph.get(key).assets_def.get_io_manager_key_for_asset_key(key))


def _row_managers(guards: Sequence[Guard], graph: Any) -> dict[str, Any]:  # noqa: ANN401
    """One loader for each IO manager that guarded assets use."""
    used = {
        _io_manager_key(graph, table_key(guard, table))
        for guard in guards
        for table in guard.tables
    }
    return {row_manager_key(key): build_row_manager(key) for key in sorted(used)}


def _find_load_problems(guard: Guard, graph: Any) -> list[Problem]:  # noqa: ANN401 - Dagster's graph
    """Assets that do not exist, and checks that are there already."""
    known = sorted(key.to_user_string() for key in graph.get_all_asset_keys())
    problems = []
    for name, table in guard.tables.items():
        if table.asset not in known:
            problems.append(
                Problem(
                    file=f"guard {guard.name}",
                    path=f"tables.{name}.asset",
                    what=f"the project has no asset {table.asset!r}",
                    hint=f"the assets are: {', '.join(known) or 'none'}.",
                )
            )
    profiled = {signal.table for _, signal in delta_rules(guard)}
    watched = {rule.signal.table for rule in guard.rules}
    for name, table in guard.tables.items():
        if name not in watched or table.asset not in known:
            continue
        found = graph.get(table_key(guard, name)).partitions_def
        if isinstance(found, dg.TimeWindowPartitionsDefinition):
            continue
        if found is not None or name in profiled:
            kind = "no partitions" if found is None else type(found).__name__
            what = f"{table.asset} has {kind}, and verdicts are given for spans of time"
            hint = "partition it by time (daily, hourly, …)"
            hint += "." if name in profiled else ", or not at all."
            problems.append(
                Problem(
                    file=f"guard {guard.name}", path=f"tables.{name}.asset", what=what, hint=hint
                )
            )
    taken = set(graph.asset_check_keys)
    for position, rule in enumerate(guard.rules):
        if rule.signal.table in guard.tables and check_key(guard, rule) in taken:
            problems.append(
                Problem(
                    file=f"guard {guard.name}",
                    path=f"rules[{position}].name",
                    what=f"{guard.tables[rule.signal.table].asset} has a check"
                    f" {check_key(guard, rule).name!r} already",
                    hint="give the rule or the guard another name.",
                )
            )
    return problems
