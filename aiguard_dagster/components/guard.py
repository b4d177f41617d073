"""Guards through ``defs.yaml``: the same as :func:`build_guard_definitions`, as a component."""

from pathlib import Path
from typing import Annotated

import dagster as dg
from pydantic import BaseModel, Field

from aiguard_dagster.adapters.guard_files import load_guards
from aiguard_dagster.components.project import component_name, component_place, rest_of_project
from aiguard_dagster.orchestration.build import guard_additions
from aiguard_dagster.orchestration.resources import (
    MLflowResource,
    NotifierResource,
    ProfileStore,
)

STARTER = """\
version: 1
name: my_model
owner: team:my_team
mode: observe          # then propose, then enforce
model: {name: my_model, alias: champion}
tables:
  features: {asset: my_features, time: timestamp}
rules:
  - name: features_fresh
    signal: {kind: freshness, table: features, max_age: 26h}
    action: notify
"""


class GuardScaffoldParams(BaseModel):
    """Nothing needs to be said."""


class GuardScaffolder(dg.Scaffolder[GuardScaffoldParams]):
    """Writes ``defs.yaml`` and a first guard beside it."""

    @classmethod
    def get_scaffold_params(cls) -> type[GuardScaffoldParams]:
        """The parameters that ``dg scaffold defs`` takes."""
        return GuardScaffoldParams

    def scaffold(self, request: dg.ScaffoldRequest[GuardScaffoldParams]) -> None:
        """Write the files."""
        dg.scaffold_component(request, {"guards": "guards"})
        folder = Path(request.target_path) / "guards"
        folder.mkdir(exist_ok=True)
        (folder / "my_model.yaml").write_text(STARTER)


@dg.scaffold_with(GuardScaffolder)
class GuardComponent(dg.Component, dg.Model, dg.Resolvable):
    """Guards for models in production, put on the assets of this project.

    From each guard file come asset checks on the project's own assets, profile assets, sensors and
    a rollback job.
    """

    guards: Annotated[
        str,
        Field(
            description="A guard file, or a folder of them, beside this defs.yaml.",
            examples=["guards", "guards/bike_demand.yaml"],
        ),
    ] = "guards"
    mlflow_tracking_uri: Annotated[
        str | None,
        Field(
            description="Where MLflow is; the environment's MLFLOW_TRACKING_URI when left out.",
            examples=["http://mlflow:5000", "{{ env.MLFLOW_TRACKING_URI }}"],
        ),
    ] = None
    profiles: Annotated[
        str | None,
        Field(
            description="Folder or URL where profiles are kept.",
            examples=["/var/lib/aiguard", "s3://bucket/aiguard"],
        ),
    ] = None
    notify: Annotated[
        dict[str, str] | None,
        Field(
            description="Whom decisions are told: for each owner, or * for all others, the name of"
            " the environment variable that holds an Apprise URL.",
            examples=[{"team:forecasting": "FORECASTING_ALERTS", "*": "ML_ALERTS"}],
        ),
    ] = None

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """What the guards add to the definitions of the rest of the project."""
        rest, place = rest_of_project(context), component_place(context)
        added = guard_additions(
            guards=load_guards(context.path / self.guards),
            definitions=rest.definitions,
            mlflow=MLflowResource(tracking_uri=self.mlflow_tracking_uri),
            profiles=ProfileStore(path=self.profiles) if self.profiles else None,
            notifier=NotifierResource(variables=self.notify) if self.notify else None,
            name=component_name(context),
            claimed=rest.taken(place),
        )
        rest.claim([key for check in added.asset_checks or () for key in check.check_keys], place)
        return added
