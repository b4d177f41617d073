"""Who is champion of many models at once, for ticks over many guards.

A page of the registry tells of a thousand models in the time in which fifty are asked for by name.
So it is read page by page while that is worth it: a few guards do not read through the registry
of a whole company.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from aiguard_dagster.adapters.mlflow.client import asking, is_missing
from aiguard_dagster.core.spec import Model

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import RegisteredModel

PAGE = 1_000
"""Models of a page at most; MLflow gives no more."""
WORTH = 20
"""Models of a page that are told in the time in which one is asked for by name."""


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
    size, read, token = min(PAGE, WORTH * max(1, len(wanted))), 0, None
    while read < WORTH * len(wanted.keys() - found.keys()):
        with asking("read the champions of all models"):
            page = client.search_registered_models(max_results=size, page_token=token)
        for entity in page:
            if entity.name in wanted:
                found[entity.name] = _champion(entity, wanted[entity.name])
        read, token = read + size, page.token
        if not token:
            return found
    for name in wanted.keys() - found.keys():
        entity = _by_name(client, name)
        if entity is not None:
            found[name] = _champion(entity, wanted[name])
    return found


def _by_name(client: "MlflowClient", name: str) -> "RegisteredModel | None":
    """One model; None where the registry has none of that name."""
    from mlflow.exceptions import MlflowException

    with asking(f"{name}: read the champion"):
        try:
            entity = client.get_registered_model(name)
        except MlflowException as error:
            if is_missing(error):
                return None
            raise
        if entity.name != name:
            msg = "the answer is not MLflow's: it is about another model, or none"
            raise ValueError(msg)
        return entity


def _champion(entity: "RegisteredModel", model: Model) -> str | None:
    if model.stage is None:
        version = entity.aliases.get(model.alias or "champion")
        return None if version is None else str(version)
    staged = [v.version for v in entity.latest_versions if v.current_stage == model.stage]
    return str(max(map(int, staged))) if staged else None
