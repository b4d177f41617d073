"""A stop as a tag on the champion's version."""

from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.stops import Stop, stop_of_text


def tagged_stop(registry: ModelRegistry, version: str, tag: str) -> Stop | None:
    """The stop in a tag of a version; None where the tag is not there, or empty.

    Raises:
        ActionError: MLflow does not answer.
    """
    text = registry.version(version).tags.get(tag, "")
    return stop_of_text(text, f"the tag {tag} of v{version}")
