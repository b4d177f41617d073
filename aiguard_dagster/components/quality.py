"""Checks for one asset through ``defs.yaml``: the same as :func:`build_quality_checks`."""

from typing import Annotated, Any

import dagster as dg
from pydantic import BaseModel, Field

from aiguard_dagster.components.project import component_name, component_place, rest_of_project
from aiguard_dagster.core.errors import Problem, SpecError
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.core.spec.parse import read_guard
from aiguard_dagster.orchestration.assets import know
from aiguard_dagster.orchestration.checks import OWN, checks_of, in_own_words
from aiguard_dagster.orchestration.clock import wall_clock
from aiguard_dagster.orchestration.quality import NOBODY
from aiguard_dagster.orchestration.schedules import build_check_schedules

STARTER = {
    "asset": "my_table",
    "time": "updated_at",
    "rules": [
        {"name": "fresh", "signal": {"kind": "freshness", "max_age": "26h"}},
        {"name": "complete", "signal": {"kind": "completeness"}, "limit": "99%"},
        {"name": "unique", "signal": {"kind": "unique", "columns": ["id"]}, "action": "hold"},
    ],
}


class QualityScaffoldParams(BaseModel):
    """Nothing needs to be said."""


class QualityScaffolder(dg.Scaffolder[QualityScaffoldParams]):
    """Writes ``defs.yaml`` with first rules."""

    @classmethod
    def get_scaffold_params(cls) -> type[QualityScaffoldParams]:
        """The parameters that ``dg scaffold defs`` takes."""
        return QualityScaffoldParams

    def scaffold(self, request: dg.ScaffoldRequest[QualityScaffoldParams]) -> None:
        """Write the file."""
        dg.scaffold_component(request, STARTER)


@dg.scaffold_with(QualityScaffolder)
class QualityComponent(dg.Component, dg.Model, dg.Resolvable):
    """Checks on one asset of this project: freshness, schema, completeness, pandera and more.

    All of them are made from one read of the data. A rule with `action: hold` blocks what comes
    after the asset in the same run.
    """

    asset: Annotated[
        str,
        Field(
            description="The asset's key, parts joined by /.", examples=["orders", "shop/orders"]
        ),
    ]
    rules: Annotated[
        list[dict[str, Any]],
        Field(
            description="The rules, as in a guard: name, signal, limit, action (notify or hold).",
            examples=[STARTER["rules"]],
        ),
    ]
    time: Annotated[
        str | None,
        Field(description="The event-time column.", examples=["updated_at"]),
    ] = None
    time_zone: Annotated[
        str,
        Field(
            description="Where naive times of that column are meant.",
            examples=["UTC", "America/New_York"],
        ),
    ] = "UTC"
    key: Annotated[
        list[str],
        Field(description="The columns that name a row.", examples=[["order_id"]]),
    ] = []  # noqa: RUF012 - pydantic copies it
    label: Annotated[
        str | None,
        Field(description="The column of the outcome, for signal kind labels.", examples=["paid"]),
    ] = None
    source: Annotated[
        dict[str, Any] | None,
        Field(
            description="Where the rows are; the asset's own IO manager loads them when left out.",
            examples=[{"kind": "parquet", "path": "s3://lake/orders/{partition}/*.parquet"}],
        ),
    ] = None
    schedule: Annotated[
        str | None,
        Field(
            description="Cron times at which the checks run by themselves; an asset that Dagster"
            " does not materialise is checked every hour when left out.",
            examples=["0 * * * *"],
        ),
    ] = None
    tables: Annotated[
        dict[str, dict[str, Any]],
        Field(
            description="Further tables, for signal kinds reconcile and skew.",
            examples=[{"ledger": {"asset": "ledger"}}],
        ),
    ] = {}  # noqa: RUF012 - pydantic copies it
    owner: Annotated[
        str,
        Field(description="Who decides on these checks.", examples=["team:shop"]),
    ] = NOBODY

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The checks, and a schedule where nothing else runs them."""
        rest, place = rest_of_project(context), component_place(context)
        try:
            guard = self._guard(place)
            known = {name: know(rest.graph, table) for name, table in guard.tables.items()}
            checks = checks_of(
                guard,
                known,
                rest.graph,
                taken=rest.taken(place),
                place=place,
                own="attributes",
                clock=wall_clock,
            )
        except SpecError as error:
            raise SpecError([_as_written(problem) for problem in error.problems]) from None
        rest.claim(checks.check_keys, place)
        schedules = build_check_schedules(
            name=component_name(context), checks=checks, asset=known[OWN], clock=wall_clock
        )
        return dg.Definitions(asset_checks=[checks], schedules=schedules)

    def _guard(self, place: str) -> Guard:
        """The checks as a guard that has but rules on one table."""
        own = {
            "asset": self.asset,
            "time": self.time,
            "time_zone": self.time_zone,
            "key": self.key,
            "label": self.label,
            "source": self.source,
            "schedule": self.schedule,
        }
        document = {
            "version": 1,
            "name": "quality",
            "owner": self.owner,
            "mode": "enforce",
            "tables": {OWN: {k: v for k, v in own.items() if v is not None}, **self.tables},
            "rules": [_on_own(rule) for rule in self.rules],
        }
        try:
            return read_guard(document, file=place)
        except SpecError as error:
            raise SpecError(in_own_words(error.problems, "attributes")) from None


def _on_own(rule: dict[str, Any]) -> dict[str, Any]:
    """A rule that names no table is about the component's own."""
    signal = rule.get("signal")
    if not isinstance(signal, dict):
        return rule
    return {**rule, "signal": {"table": OWN, **signal}}


def _as_written(problem: Problem) -> Problem:
    """A problem at its place in ``defs.yaml``."""
    path = f"attributes.{problem.path.removeprefix('attributes.')}"
    return Problem(file=problem.file, path=path, what=problem.what, hint=problem.hint)
