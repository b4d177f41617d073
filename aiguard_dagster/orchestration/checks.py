"""Checks for one asset, without a guard: the same rules, and no model behind them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from aiguard_dagster.core.errors import Problem, SpecError
from aiguard_dagster.core.spec import Action, DataSignal, Guard, Mode, Rule, Table
from aiguard_dagster.core.spec.semantics import find_problems
from aiguard_dagster.orchestration.assets import KnownAsset, as_defined, know, tell_unreachable
from aiguard_dagster.orchestration.clock import Clock, wall_clock
from aiguard_dagster.orchestration.fitting import Taken, find_misfits
from aiguard_dagster.orchestration.quality import NOBODY, build_quality_check
from aiguard_dagster.orchestration.resources import ResourceKeys

Definable = dg.AssetsDefinition | dg.AssetSpec | dg.SourceAsset
OWN = "rows"
"""The name of the asset's own table among the others."""


def build_quality_checks(
    *,
    asset: Definable,
    rules: Sequence[Rule | DataSignal],
    table: Table | None = None,
    others: Mapping[str, Definable | Table] | None = None,
    owner: str = NOBODY,
    clock: Clock = wall_clock,
) -> Sequence[dg.AssetChecksDefinition]:
    """Checks for one asset, to put beside it in any ``Definitions``.

    >>> import dagster as dg
    >>> from aiguard_dagster import Unique, build_quality_checks
    >>> @dg.asset
    ... def orders(): ...
    >>> checks = build_quality_checks(asset=orders, rules=[Unique(columns=("order_id",))])
    >>> [key.name for key in checks[0].check_keys]
    ['unique']

    Args:
        asset: The asset; of one that makes several, name which in ``table``.
        rules: Rules, or bare signals: such a check has the name of its kind and blocks nothing. A
            rule with ``action: hold`` blocks what comes after it in the same run.
        table: What the asset's columns mean, and where its rows are.
        others: Further tables, by the names that ``reconcile`` and ``skew`` give them.
        owner: Who is named in the checks' descriptions.
        clock: Tells the time; only replays and tests need another one.

    Returns:
        One definition that holds all the checks; they are made from one read of the data.

    Raises:
        SpecError: A rule is wrong, or cannot be measured without a model. All problems at once.
    """
    tables = {OWN: _table_of(asset, table, "asset")}
    definitions = {OWN: asset}
    for name, other in (others or {}).items():
        if not isinstance(other, Table):
            definitions[name] = other
        tables[name] = other if isinstance(other, Table) else _table_of(other, None, name)
    guard = Guard(
        name="quality",
        owner=owner,
        mode=Mode.ENFORCE,
        tables=tables,
        rules=tuple(as_rule(rule) for rule in rules),
    )
    # Of an asset alone its spec can be resolved: that needs nothing upstream, and no resource.
    specs = [spec for definition in definitions.values() for spec in _specs(definition)]
    graph = dg.Definitions(assets=specs).resolve_asset_graph()
    known = {name: know(graph, spec) for name, spec in tables.items()}
    for name, definition in definitions.items():
        if isinstance(definition, dg.AssetsDefinition):
            known[name] = as_defined(known[name], definition)
    taken = asset.check_keys if isinstance(asset, dg.AssetsDefinition) else ()
    check = checks_of(
        guard,
        known,
        graph,
        taken=dict.fromkeys(taken, ""),
        place=f"checks of {tables[OWN].asset}",
        own="table",
        clock=clock,
    )
    return [check]


def checks_of(
    guard: Guard,
    known: Mapping[str, KnownAsset],
    graph: Any,  # noqa: ANN401 - Dagster's asset graph
    *,
    taken: Taken,
    place: str,
    own: str,
    clock: Clock,
) -> dg.AssetChecksDefinition:
    """The checks of a guard that has but rules on one table, under the rules' own names.

    Args:
        guard: The guard.
        known: What is known of its tables.
        graph: How the assets are made from each other.
        taken: Checks that are there already.
        place: Under which problems are reported.
        own: What the user calls the place where the asset's own table is described.
        clock: Tells the time.

    Raises:
        SpecError: With all problems.
    """
    problems = find_problems(guard, file=place)
    problems += _beyond_rows(guard, place)
    problems += find_misfits(
        guard, known, graph, taken=taken, file=place, name_of=lambda _, rule: rule.name
    )
    if problems:
        raise SpecError(in_own_words(problems, own))
    tell_unreachable(known.values())
    check = build_quality_check(
        guard=guard,
        table=OWN,
        assets=known,
        keys=ResourceKeys(),
        clock=clock,
        # An asset may have checks from several places, but each name once.
        op_name="__".join((*known[OWN].key.path, f"{guard.rules[0].name}_quality")),
        name_of=lambda _, rule: rule.name,
    )
    assert check is not None, "a guard has at least one rule"  # noqa: S101
    return check


def in_own_words(problems: Iterable[Problem], own: str) -> list[Problem]:
    """Problems in the words of somebody who has written no guard, and named no table."""
    return [
        Problem(
            file=problem.file,
            path=f"{own}{problem.path.removeprefix(f'tables.{OWN}')}"
            if problem.path.startswith(f"tables.{OWN}.")
            else problem.path,
            what=problem.what.replace(f" of {OWN!r}, which names none", ", and none is named")
            .replace("and the guard has no model", "and only a guard names a model")
            .replace(f"from {OWN}, which", "from the asset, which"),
            hint=problem.hint.replace(f"tables.{OWN}", own)
            .replace("add model: {name: ...} to the guard", "put the rule into a guard")
            .replace(f"with {OWN} as", "with this asset as"),
        )
        for problem in problems
    ]


def as_rule(rule: Rule | DataSignal) -> Rule:
    """A rule on the asset's own table; a bare signal is a rule that tells."""
    if isinstance(rule, DataSignal):
        rule = Rule.model_validate({"name": rule.kind, "signal": rule, "action": Action.NOTIFY})
    return rule if rule.signal.table else rule.on(OWN)


def _beyond_rows(guard: Guard, place: str) -> Iterator[Problem]:
    """Rules that need more than the rows of one batch."""
    for position, rule in enumerate(guard.rules):
        if not rule.signal.judges_data:
            what = f"{rule.signal.kind} is not measured on the rows of one batch"
            path, hint = f"rules[{position}].signal.kind", "put it into a guard."
            yield Problem(file=place, path=path, what=what, hint=hint)


def _specs(asset: Definable) -> Sequence[dg.AssetSpec | dg.SourceAsset]:
    return list(asset.specs) if isinstance(asset, dg.AssetsDefinition) else [asset]


def _table_of(asset: Definable, table: Table | None, path: str) -> Table:
    """The table that an asset is.

    Raises:
        SpecError: It is no asset, several, or not the one that the table says.
    """
    if not isinstance(asset, Definable):
        what = f"{type(asset).__name__} is no definition of an asset"  # type: ignore[unreachable]
        hint = "give the asset itself, or dg.AssetSpec(…)."
        raise _wrong(path, what, hint=hint)
    specs = asset.specs if isinstance(asset, dg.AssetsDefinition) else [asset]
    keys = sorted(spec.key.to_user_string() for spec in specs)
    if table is not None and table.asset not in keys:
        what = f"the asset is {', '.join(keys)}, and its table says {table.asset!r}"
        hint = f"write Table(asset={keys[0]!r})."
        path = "table.asset"
        raise _wrong(path, what, hint=hint)
    if table is None and len(keys) > 1:
        hint = f"say which: table=Table(asset=…), one of {', '.join(keys)}."
        what = f"it makes {len(keys)} assets"
        raise _wrong(path, what, hint=hint)
    return table or Table(asset=keys[0])


def _wrong(path: str, what: str, *, hint: str) -> SpecError:
    return SpecError([Problem(file="build_quality_checks", path=path, what=what, hint=hint)])
