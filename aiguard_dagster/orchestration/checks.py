"""Checks for one asset, without a guard: the same rules, and no model behind them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from aiguard_dagster.core.errors import Problem, SpecError
from aiguard_dagster.core.spec import Action, DataSignal, Guard, Mode, Rule, Table
from aiguard_dagster.core.spec.semantics import find_problems
from aiguard_dagster.orchestration.assets import (
    KnownAsset,
    know,
    order_problems,
    table_problems,
    tell_unreachable,
)
from aiguard_dagster.orchestration.clock import Clock, wall_clock
from aiguard_dagster.orchestration.quality import build_quality_check
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
    owner: str = "its owners",
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
    others = others or {}
    named = {name: other for name, other in others.items() if isinstance(other, Table)}
    assets = {name: other for name, other in others.items() if not isinstance(other, Table)}
    tables = {
        OWN: table or Table(asset=_only_key(asset)),
        **named,
        **{name: Table(asset=_only_key(other)) for name, other in assets.items()},
    }
    guard = Guard(
        name="quality",
        owner=owner,
        mode=Mode.ENFORCE,
        tables=tables,
        rules=tuple(as_rule(rule) for rule in rules),
    )
    graph = dg.Definitions(assets=[asset, *assets.values()]).resolve_asset_graph()
    check, _ = checks_of(guard, graph, place=f"checks of {tables[OWN].asset}", clock=clock)
    return [check]


def checks_of(
    guard: Guard,
    graph: Any,  # noqa: ANN401 - Dagster's asset graph
    *,
    place: str,
    clock: Clock,
) -> tuple[dg.AssetChecksDefinition, KnownAsset]:
    """The checks of a guard that has but rules on one table, under the rules' own names.

    Raises:
        SpecError: With all problems, reported under ``place``.
    """
    known = {name: know(graph, spec) for name, spec in guard.tables.items()}
    own = known[OWN]
    problems = [*find_problems(guard, file=place), *_problems(guard, known, graph, place)]
    if problems:
        raise SpecError(problems)
    tell_unreachable(known.values())
    check = build_quality_check(
        guard=guard,
        table=OWN,
        assets=known,
        keys=ResourceKeys(),
        clock=clock,
        # An asset may have checks from several places, but each name once.
        op_name="__".join((*own.key.path, f"{guard.rules[0].name}_quality")),
        name_of=lambda _, rule: rule.name,
    )
    assert check is not None, "a guard has at least one rule"  # noqa: S101
    return check, own


def as_rule(rule: Rule | DataSignal) -> Rule:
    """A rule on the asset's own table; a bare signal is a rule that tells."""
    if isinstance(rule, DataSignal):
        rule = Rule.model_validate({"name": rule.kind, "signal": rule, "action": Action.NOTIFY})
    return rule if rule.signal.table else rule.on(OWN)


def _problems(
    guard: Guard,
    known: Mapping[str, KnownAsset],
    graph: Any,  # noqa: ANN401 - Dagster's asset graph
    place: str,
) -> Iterator[Problem]:
    """What does not fit the project."""
    for name, asset in known.items():
        for below, what, hint in table_problems(asset, is_profiled=False):
            path = f"tables.{name}.{below}"
            yield Problem(file=place, path=path, what=what, hint=hint)
    for path, what, hint in order_problems(guard, graph):
        yield Problem(file=place, path=path, what=what, hint=hint)
    for position, rule in enumerate(guard.rules):
        if not rule.signal.judges_data:
            what = f"{rule.signal.kind} is not measured on the rows of one batch"
            path, hint = f"rules[{position}].signal.kind", "put it into a guard."
            yield Problem(file=place, path=path, what=what, hint=hint)
        elif dg.AssetCheckKey(known[OWN].key, rule.name) in graph.asset_check_keys:
            what = f"{guard.tables[OWN].asset} has a check {rule.name!r} already"
            path, hint = f"rules[{position}].name", "give the rule another name."
            yield Problem(file=place, path=path, what=what, hint=hint)


def _only_key(asset: Definable) -> str:
    """The key of an asset that is but one.

    Raises:
        SpecError: It is several.
    """
    if isinstance(asset, dg.AssetsDefinition):
        keys = sorted(key.to_user_string() for key in asset.keys)
        if len(keys) == 1:
            return keys[0]
        problem = Problem(
            file="build_quality_checks",
            path="asset",
            what=f"it makes {len(keys)} assets",
            hint=f"say which: table=Table(asset=…), one of {', '.join(keys)}.",
        )
        raise SpecError([problem])
    return asset.key.to_user_string()
