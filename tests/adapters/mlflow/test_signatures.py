"""A signature says which columns a version takes; we agree with MLflow on what it refuses."""

import warnings
from datetime import date, datetime, timedelta

import mlflow  # noqa: TID253 - the tests log models
import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pytest
from mlflow.exceptions import MlflowException  # noqa: TID253
from mlflow.models import Model, ModelSignature, infer_signature  # noqa: TID253
from mlflow.models.utils import _enforce_mlflow_datatype  # noqa: TID253
from mlflow.types import ColSpec, DataType, Schema, TensorSpec  # noqa: TID253
from mlflow.types.schema import AnyType  # noqa: TID253

from aiguard_dagster.adapters.mlflow.signatures import TYPES, input_types
from aiguard_dagster.core.errors import ActionError, MeasurementError
from aiguard_dagster.core.model_inputs import holds_as_flags, holds_nulls, takes
from aiguard_dagster.signals.types import exact_type_name
from tests.mlflow_server import mlflow_at

ROWS = pd.DataFrame(
    {
        "hr": pd.Series([1, 2], dtype="int32"),
        "cnt": [1, 2],
        "größe *": [1.5, 2.5],
        "half": pd.Series([1.5, 2.5], dtype="float32"),
        '"; DROP TABLE x; --': ["a", "b"],
        "open": [True, False],
        "raw": [b"a", b"b"],
        "seen_at": pd.to_datetime(["2012-05-01", "2012-05-02"]),
        "list": [[1.0], [2.0]],
        "struct": [{"a": 1}, {"a": 2}],
    }
)
KEPT = {
    "int": pl.Series([2, 3], dtype=pl.Int64),
    "int32": pl.Series([2, 3], dtype=pl.Int32),
    "int16": pl.Series([2, 3], dtype=pl.Int16),
    "int8": pl.Series([2, 3], dtype=pl.Int8),
    "uint64": pl.Series([2, 3], dtype=pl.UInt64),
    "uint32": pl.Series([2, 3], dtype=pl.UInt32),
    "uint16": pl.Series([2, 3], dtype=pl.UInt16),
    "uint8": pl.Series([2, 3], dtype=pl.UInt8),
    "float": pl.Series([2.5, 3.0]),
    "float32": pl.Series([2.5, 3.0], dtype=pl.Float32),
    "boolean": pl.Series([True, False]),
    "string": pl.Series(["a", "b"]),
    "category": pl.Series(["a", "b"], dtype=pl.Categorical),
    "enum": pl.Series(["a", "b"], dtype=pl.Enum(["a", "b"])),
    "date": pl.Series([date(2012, 5, 1)] * 2),
    "naive": pl.Series([datetime(2012, 5, 1)] * 2),
    "aware": pl.Series([datetime(2012, 5, 1)] * 2).dt.replace_time_zone("UTC"),
    "duration": pl.Series([timedelta(hours=1)] * 2),
}


def refuses(values, wanted):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _enforce_mlflow_datatype("x", values.to_pandas(), wanted)
    except MlflowException:
        return True
    return False


@pytest.mark.parametrize("kind", KEPT)
@pytest.mark.parametrize("wanted", list(DataType), ids=lambda wanted: wanted.name)
def test_we_refuse_what_mlflow_refuses(kind, wanted):
    dtype = nw.from_native(KEPT[kind], series_only=True).dtype
    assert takes(TYPES[wanted.name], exact_type_name(dtype)) != refuses(KEPT[kind], wanted)


@pytest.mark.parametrize("wanted", list(DataType), ids=lambda wanted: wanted.name)
def test_whole_numbers_that_are_only_0_and_1_are_refused_where_mlflow_refuses_them(wanted):
    name = TYPES[wanted.name]
    taken = takes(name, "int64") or holds_as_flags(name, "int64")
    assert taken != refuses(pl.Series([0, 1]), wanted)


@pytest.mark.parametrize(
    ("wanted", "values"),
    [
        ("integer", pl.Series([2, None], dtype=pl.Int32)),
        ("long", pl.Series([2, None])),
        ("double", pl.Series([2.5, None])),
        ("boolean", pl.Series([True, None])),
        ("string", pl.Series(["a", None])),
        ("datetime", pl.Series([datetime(2012, 5, 1), None])),
    ],
)
def test_nulls_are_refused_where_mlflow_refuses_them(wanted, values):
    assert holds_nulls(TYPES[wanted]) != refuses(values, DataType[wanted])


@pytest.mark.parametrize("found", ["decimal", "time", "list", "struct", "timestamp", "map"])
def test_what_pandas_keeps_as_objects_is_never_text(found):
    assert not takes("string", found)  # MLflow lets any object through, and no model reads it


def inferred(rows):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whole numbers cannot be null, says MLflow
        return infer_signature(rows)


def version_of(workshop, signature, folder):
    """A registered version whose files are an MLmodel, which is all that is read."""
    name = workshop.model(versions=0)
    run = workshop.client.create_run(workshop.experiment).info.run_id
    Model(signature=signature).save(str(folder / "MLmodel"))
    workshop.client.log_artifact(run, str(folder / "MLmodel"), "model")
    workshop.client.create_model_version(name, f"runs:/{run}/model", run)
    return workshop.registry(name)


def test_every_type_has_its_name_in_the_order_of_the_signature(workshop, tmp_path):
    found = input_types(version_of(workshop, inferred(ROWS), tmp_path), "1")

    assert list(found.items()) == [
        ("hr", "int32"),
        ("cnt", "int64"),
        ("größe *", "float64"),
        ("half", "float32"),
        ('"; DROP TABLE x; --', "string"),
        ("open", "boolean"),
        ("raw", "binary"),
        ("seen_at", "timestamp"),
        ("list", "list"),
        ("struct", "struct"),
    ]


def test_inputs_that_the_model_can_do_without_are_marked(workshop, tmp_path):
    maybe = ColSpec("double", "a", required=False)
    signature = ModelSignature(Schema([maybe, ColSpec("long", "b"), ColSpec(AnyType(), "c")]))

    found = input_types(version_of(workshop, signature, tmp_path), "1")

    assert found == {"a": "float64?", "b": "int64", "c": "any"}


def test_named_tensors_are_columns_that_mlflow_casts(workshop, tmp_path):
    tensors = [
        TensorSpec(np.dtype("float32"), (-1,), "one"),
        TensorSpec(np.dtype("int64"), (-1, 1), "two"),
        TensorSpec(np.dtype("float32"), (-1, 3), "three"),
    ]

    found = input_types(version_of(workshop, ModelSignature(Schema(tensors)), tmp_path), "1")

    assert found == {"one": "float", "two": "int", "three": "list"}


@pytest.mark.parametrize(
    ("signature", "told"),
    [
        (None, "has no signature, so nothing says what it takes"),
        (
            ModelSignature(Schema([TensorSpec(np.dtype("float32"), (-1, 4))])),
            "takes a tensor of shape (-1, 4) without column names",
        ),
        (ModelSignature(Schema([ColSpec("double")])), "takes rows without column names"),
        (ModelSignature(outputs=Schema([ColSpec("double")])), "has no signature"),
    ],
    ids=["none", "tensor", "unnamed", "outputs only"],
)
def test_a_signature_that_names_no_columns_is_told_in_words(workshop, tmp_path, signature, told):
    registry = version_of(workshop, signature, tmp_path)

    with pytest.raises(MeasurementError) as raised:
        input_types(registry, "1")

    assert told in str(raised.value)
    assert "\n\nHint: log the model with" in str(raised.value)


def test_a_version_that_is_not_there_or_lost_its_files_is_an_action_error(workshop):
    registry = workshop.registry(workshop.model(versions=1))

    with pytest.raises(ActionError, match="version 7"):
        input_types(registry, "7")
    with pytest.raises(ActionError, match="its signature cannot be read"):
        input_types(registry, "1")


def test_a_model_that_was_logged_and_registered_tells_its_inputs(
    sqlite_workshop, tmp_path, monkeypatch
):
    from sklearn.linear_model import LinearRegression

    monkeypatch.chdir(tmp_path)
    rows = ROWS[["hr", "größe *"]]
    with warnings.catch_warnings(), mlflow_at(sqlite_workshop.uri):
        warnings.simplefilter("ignore")
        with mlflow.start_run(experiment_id=sqlite_workshop.experiment):
            mlflow.sklearn.log_model(
                LinearRegression().fit(rows.to_numpy(), [1, 2]),
                name="model",
                signature=inferred(rows),
                registered_model_name="linear",
            )

    found = input_types(sqlite_workshop.registry("linear"), "1")

    assert found == {"hr": "int32", "größe *": "float64"}
