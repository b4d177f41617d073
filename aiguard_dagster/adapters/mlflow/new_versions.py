"""The versions of a model as something that was trained: when, and how good its run says it is."""

from datetime import UTC, datetime

from aiguard_dagster.adapters.mlflow.client import asking
from aiguard_dagster.adapters.mlflow.registry import PAGE, ModelRegistry
from aiguard_dagster.signals.retraining import NewVersion

MOST_KEPT = 5_000
GOING_ON = frozenset({"RUNNING", "SCHEDULED"})
_kept: dict[tuple[str, str, str], float] = {}
"""Metrics of runs that are over."""


def new_versions(registry: ModelRegistry, metric: str | None) -> tuple[NewVersion, ...]:
    """All versions of a model, in the order of their numbers.

    Args:
        registry: Where they are.
        metric: The metric of their runs that is asked for.

    Raises:
        ActionError: MLflow does not answer.
    """
    quotes = '"' if "'" in registry.name else "'"
    found, token = [], None
    with asking(f"{registry.name}: read when its versions were made"):
        while True:
            page = registry.client.search_model_versions(
                f"name={quotes}{registry.name}{quotes}", max_results=PAGE, page_token=token
            )
            found += list(page)
            token = page.token
            if not token:
                break
        return tuple(
            NewVersion(
                version=str(each.version),
                made=datetime.fromtimestamp(each.creation_timestamp / 1_000, tz=UTC),
                metric=_metric(registry, each.run_id, metric),
            )
            for each in sorted(found, key=lambda each: int(each.version))
        )


def _metric(registry: ModelRegistry, run_id: str | None, metric: str | None) -> float | None:
    """A metric of a run; None where the run is unknown, gone, or does not tell it."""
    from mlflow.exceptions import MlflowException

    if not run_id or metric is None:
        return None
    key = (registry.client.tracking_uri, run_id, metric)
    if key not in _kept:
        try:
            run = registry.client.get_run(run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        value: float | None = run.data.metrics.get(metric)
        if value is None or run.info.status in GOING_ON:  # It may be told, or told anew.
            return value
        while len(_kept) >= MOST_KEPT:
            del _kept[next(iter(_kept))]
        _kept[key] = float(value)
    return _kept[key]
