"""A registered model made ready to predict."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.errors import ActionError, MeasurementError


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model version in memory.

    Attributes:
        version: Its version.
        inputs: The columns that its signature names; empty where it has none.
        call: Takes a pandas frame of the inputs.
    """

    version: str
    inputs: tuple[str, ...]
    call: Callable[[Any], Any]

    def predict(self, rows: Any) -> NDArray[np.generic]:  # noqa: ANN401 - a pandas frame
        """Predictions for a pandas frame, shape ``(n,)``.

        Raises:
            MeasurementError: The model refuses these rows, or gives more than a value a row.
        """
        try:
            said = np.asarray(self.call(rows)).squeeze()
        except Exception as error:
            msg = f"v{self.version} cannot predict these rows: {type(error).__name__}: {error}"
            raise MeasurementError(msg) from error
        if said.shape != (len(rows),):
            msg = f"v{self.version} gave predictions of shape {said.shape} for {len(rows)} rows"
            raise MeasurementError(msg)
        return said


def load_model(registry: ModelRegistry, version: str, *, folder: str) -> LoadedModel:
    """Fetch a version's artifacts into a folder and load it as a pyfunc.

    Raises:
        ActionError: The artifacts cannot be had, or are no loadable model.
    """
    import mlflow
    from mlflow.pyfunc import load_model as load_pyfunc

    uri = registry.model_uri(version)
    try:
        path = mlflow.artifacts.download_artifacts(
            artifact_uri=uri,
            dst_path=folder,
            tracking_uri=registry.client.tracking_uri,
            registry_uri=registry.client._registry_uri,  # noqa: SLF001 - it has no public name
        )
        model = load_pyfunc(path)
    except Exception as error:
        msg = f"{uri} cannot be loaded: {type(error).__name__}: {error}"
        raise ActionError(msg) from error
    schema = model.metadata.get_input_schema()
    inputs = tuple(schema.input_names()) if schema is not None and schema.has_input_names() else ()
    return LoadedModel(version, inputs, model.predict)
