"""Who is champion of many models at once, for ticks over many guards.

The registry is read page by page while that takes no longer than to look the models up by name: a
few guards do not read through the registry of a whole company.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiguard_dagster.adapters.mlflow.client import asking
from aiguard_dagster.core.spec import Model

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import RegisteredModel

PAGE = 1_000
"""Models of a page at most; MLflow gives no more."""
WORTH = 20
"""To look one model up takes as long as to read so many of a page, over HTTP on SQLite: 10 ms."""
MOST_LOOKED_UP = 300
"""Models that are looked up in one tick, which for MLflow has twelve seconds."""


def champions(client: "MlflowClient", models: Iterable[Model]) -> dict[str, str | None]:
    """The champion of each model by the model's name; None where nothing marks one.

    Args:
        client: The MLflow whose registry is asked.
        models: The models under guard; those that it does not have, or does not show to this
            user, are left out.

    Raises:
        ActionError: MLflow does not answer.
    """
    wanted = {model.name: model for model in models}
    found: dict[str, str | None] = {}
    missing, read, token = set(wanted), 0, None
    while len(missing) > MOST_LOOKED_UP or read < WORTH * len(missing):
        with asking("read the champions of all models"):
            page = client.search_registered_models(
                max_results=min(PAGE, WORTH * len(wanted)), page_token=token
            )
        for entity in page:
            if entity.name in wanted:
                found[entity.name] = _champion(entity, wanted[entity.name])
        missing, read, token = wanted.keys() - found.keys(), read + max(1, len(page)), page.token
        if not token:
            return found
    for name in missing:
        entity = _by_name(client, name)
        if entity is not None:
            found[name] = _champion(entity, wanted[name])
    return found


def _by_name(client: "MlflowClient", name: str) -> "RegisteredModel | None":
    """One model; None where MLflow answers that it has none of that name for this user."""
    from mlflow.exceptions import MlflowException

    with asking(f"{name}: read the champion"):
        try:
            entity = client.get_registered_model(name)
        except MlflowException as error:
            if error.get_http_status_code() < HTTPStatus.INTERNAL_SERVER_ERROR:
                return None
            raise
        if not entity.name:
            msg = "the answer is not MLflow's: it is about no model"
            raise ValueError(msg)
    return entity if entity.name == name else None


def _champion(entity: "RegisteredModel", model: Model) -> str | None:
    if model.stage is None:
        version = entity.aliases.get(model.alias or "champion")
        return None if version is None else str(version)
    staged = [v.version for v in entity.latest_versions if v.current_stage == model.stage]
    return str(max(map(int, staged))) if staged else None
