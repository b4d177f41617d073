"""Who is champion of every model of a registry, in a page or two: for ticks over many guards."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from aiguard_dagster.adapters.mlflow.client import asking
from aiguard_dagster.core.spec import Model

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import RegisteredModel

PAGE = 1_000


def champions(client: "MlflowClient", models: Iterable[Model]) -> dict[str, str | None]:
    """The champion of each model by the model's name; None where nothing marks one.

    Args:
        client: The MLflow whose registry is asked.
        models: The models under guard; one that the registry does not have is left out.

    Raises:
        ActionError: MLflow does not answer.
    """
    wanted = {model.name: model for model in models}
    found: dict[str, str | None] = {}
    token = None
    while True:
        with asking("read the champions of all models"):
            page = client.search_registered_models(max_results=PAGE, page_token=token)
        for entity in page:
            if entity.name in wanted:
                found[entity.name] = _champion(entity, wanted[entity.name])
        token = page.token
        if not token:
            return found


def _champion(entity: "RegisteredModel", model: Model) -> str | None:
    if model.stage is None:
        version = entity.aliases.get(model.alias or "champion")
        return None if version is None else str(version)
    staged = [v.version for v in entity.latest_versions if v.current_stage == model.stage]
    return str(max(map(int, staged))) if staged else None
