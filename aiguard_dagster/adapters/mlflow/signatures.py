"""What a model version says that it takes: the input columns of its MLflow signature."""

import tempfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiguard_dagster.adapters.mlflow.client import first_line, short_patience
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.errors import ActionError, MeasurementError
from aiguard_dagster.core.model_inputs import OPTIONAL

if TYPE_CHECKING:
    from mlflow.types import ColSpec, Schema, TensorSpec

TYPES = {
    "boolean": "boolean",
    "integer": "int32",
    "long": "int64",
    "float": "float32",
    "double": "float64",
    "string": "string",
    "binary": "binary",
    "datetime": "timestamp",
}
COMPLEX = {"Array": "list", "Object": "struct", "Map": "map"}
TENSORS = {"b": "boolean", "i": "int", "u": "int", "f": "float", "U": "string", "S": "binary"}
SCALARS = frozenset({(-1,), (-1, 1)})


def input_types(registry: ModelRegistry, version: str) -> Mapping[str, str]:
    """The version's input columns and their types, in the signature's order.

    The types are short type names with a width, such as ``int32``; those of inputs that the model
    can do without end in ``?``. MLflow casts tensors of one value a row, so theirs have no width;
    larger ones are ``list``. Only the file MLmodel is fetched, never the model.

    Raises:
        MeasurementError: The version has no signature, or one that names no columns.
        ActionError: There is no such version, or MLflow does not answer.
    """
    schema = _input_schema(registry, version)
    if schema is None:
        msg = (
            f"{registry.model_uri(version)} has no signature, so nothing says what it takes"
            "\n\nHint: log the model with input_example= or signature=infer_signature(rows)."
        )
        raise MeasurementError(msg)
    if not schema.has_input_names():
        kind = f"a tensor of shape {schema.inputs[0].shape}" if schema.is_tensor_spec() else "rows"
        msg = (
            f"{registry.model_uri(version)} takes {kind} without column names, which no table's"
            " columns can be held against"
            "\n\nHint: log the model with a pandas frame as its example, or declare columns."
        )
        raise MeasurementError(msg)
    return {spec.name: _tensor(spec) if _is_tensor(spec) else _column(spec) for spec in schema}


def _input_schema(registry: ModelRegistry, version: str) -> "Schema | None":
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException
    from mlflow.models import Model

    place = registry.artifact_uri(version)
    try:
        with short_patience(), tempfile.TemporaryDirectory(prefix="aiguard-") as folder:
            file = download_artifacts(
                artifact_uri=f"{place.rstrip('/')}/MLmodel",
                dst_path=folder,
                tracking_uri=registry.client.tracking_uri,
            )
            return Model.load(file).get_input_schema()
    except (MlflowException, OSError) as error:
        msg = (
            f"{registry.model_uri(version)}: its signature cannot be read: {first_line(error)}"
            "\n\nHint: see that MLflow and its artifact store can be reached."
        )
        raise ActionError(msg) from error


def _is_tensor(spec: Any) -> bool:  # noqa: ANN401 - a ColSpec or a TensorSpec
    return hasattr(spec, "shape")


def _tensor(spec: "TensorSpec") -> str:
    name = TENSORS.get(spec.type.kind, "any") if tuple(spec.shape) in SCALARS else "list"
    return name if spec.required else f"{name}{OPTIONAL}"


def _column(spec: "ColSpec") -> str:
    kind = type(spec.type).__name__
    name = TYPES.get(spec.type.name, "any") if kind == "DataType" else COMPLEX.get(kind, "any")
    return name if spec.required else f"{name}{OPTIONAL}"
