"""Guards through ``defs.yaml``: the same as :func:`build_guard_definitions`, as a component."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import dagster as dg
import yaml
from pydantic import BaseModel, Field

from aiguard_dagster.adapters.guard_files import load_guards
from aiguard_dagster.orchestration.build import guard_additions
from aiguard_dagster.orchestration.resources import MLflowResource, ProfileStore

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

    From each guard file come asset checks on the project's own assets, profile assets, two sensors
    and a rollback job.
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

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """What the guards add to the definitions of the rest of the project."""
        rest = [context.build_defs(path) for path in other_definitions(context)]
        return guard_additions(
            guards=load_guards(context.path / self.guards),
            definitions=dg.Definitions.merge(*rest),
            mlflow=MLflowResource(tracking_uri=self.mlflow_tracking_uri),
            profiles=ProfileStore(path=self.profiles) if self.profiles else None,
            name="_".join(context.path.relative_to(_root(context)).parts),
        )


def other_definitions(context: dg.ComponentLoadContext) -> Iterator[Path]:
    """The folders and modules of the project besides this component's, and no other guards."""
    folder = _root(context)
    for part in (*context.path.relative_to(folder).parts, None):
        for child in sorted(folder.iterdir()):
            if child.name == part or child.name.startswith(("_", ".")):
                continue
            is_module = child.suffix == ".py"
            if (child.is_dir() or is_module) and folder != context.path and not _is_guard(child):
                yield child
        if part is not None:
            folder /= part


def _root(context: dg.ComponentLoadContext) -> Path:
    return context.component_tree.defs_module_path


def _is_guard(path: Path) -> bool:
    """Whether a folder holds a guard component: two of them must not wait for each other."""
    file = path / "defs.yaml"
    if not file.is_file():
        return False
    kinds = [
        document.get("type", "") for document in yaml.safe_load_all(file.read_text()) if document
    ]
    return any(str(kind).endswith("GuardComponent") for kind in kinds)
