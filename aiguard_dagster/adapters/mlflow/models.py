"""A registered model made ready to predict."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiguard_dagster.adapters.mlflow.client import short_patience
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.errors import ActionError, MeasurementError


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model version in memory.

    Attributes:
        version: Its version.
        inputs: The columns that its signature names; empty where it has none.
        floats: Those of them that are doubles.
        call: Takes a pandas frame of the inputs.
    """

    version: str
    inputs: tuple[str, ...]
    floats: tuple[str, ...]
    call: Callable[[Any], Any]

    def predict(self, rows: Any) -> NDArray[np.generic]:  # noqa: ANN401 - a pandas frame
        """Predictions for a pandas frame, shape ``(n,)``.

        Raises:
            MeasurementError: The model refuses these rows, or gives more than a value a row.
        """
        try:
            said = np.asarray(self.call(self._widened(rows))).reshape(-1)
        except Exception as error:  # noqa: BLE001 - a model may raise anything
            # Its message is left out: MLflow quotes the rows in it, and they are the user's.
            msg = f"v{self.version} cannot predict these rows ({type(error).__name__})"
            raise MeasurementError(msg) from None
        if said.shape != (len(rows),):
            msg = f"v{self.version} gave predictions of shape {said.shape} for {len(rows)} rows"
            raise MeasurementError(msg)
        return said

    def _widened(self, rows: Any) -> Any:  # noqa: ANN401 - a pandas frame
        """Whole numbers as floats where the signature asks for floats; nothing is lost by it."""
        narrow = [n for n in self.floats if n in rows and rows[n].dtype.kind in "iub"]
        return rows.astype(dict.fromkeys(narrow, float)) if narrow else rows


def load_model(registry: ModelRegistry, version: str, *, folder: str) -> LoadedModel:
    """Fetch a version's artifacts into a folder and load it as a pyfunc.

    Raises:
        ActionError: The artifacts cannot be had, or are no loadable model.
    """
    import mlflow
    from mlflow.pyfunc import load_model as load_pyfunc

    uri = registry.model_uri(version)
    try:
        with short_patience():
            path = mlflow.artifacts.download_artifacts(
                artifact_uri=registry.artifact_uri(version),
                dst_path=folder,
                tracking_uri=registry.client.tracking_uri,
            )
        model = load_pyfunc(path)
    except Exception as error:
        msg = f"{uri} cannot be loaded: {type(error).__name__}: {error}"
        raise ActionError(msg) from error
    schema = model.metadata.get_input_schema()
    if schema is None or not schema.has_input_names():
        return LoadedModel(version, (), (), model.predict)
    types = schema.input_dict()
    floats = tuple(name for name in types if str(types[name].type) == "DataType.double")
    return LoadedModel(version, tuple(types), floats, model.predict)
