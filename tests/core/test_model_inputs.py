"""Whether the columns of today serve another version of the model."""

import doctest

import pytest

from aiguard_dagster.adapters.mlflow import model_process
from aiguard_dagster.core import model_inputs
from aiguard_dagster.core.model_inputs import misfits


@pytest.mark.parametrize("module", [model_inputs, model_process])
def test_the_examples_are_true(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("wanted", "found", "before", "flags", "told"),
    [
        ("float64", "float64", None, (), []),
        ("float64", "int64", None, (), []),
        ("float64", "boolean", None, (), []),
        ("float32", "int64", None, ("load",), []),
        ("float32", "int64", None, (), ["load is int64, not float32"]),
        ("int64", "float64", None, (), ["load is float64, not int64"]),
        ("float64", "string", None, (), ["load is string, not float64"]),
        ("float64", "string", "float64", (), []),
        ("float64", "string", "int64", (), ["load is string, not float64"]),
        ("float64", None, None, (), ["load (float64) is in none of the tables"]),
        ("float64", None, "float64", (), ["load (float64) is in none of the tables"]),
        ("float64?", None, None, (), []),
        ("float64?", "string", None, (), ["load is string, not float64"]),
        ("any", "string", None, (), []),
        ("float64", "unknown", None, (), []),
    ],
)
def test_an_input_fits_where_mlflow_or_the_champions_service_takes_it(
    wanted, found, before, flags, told
):
    types = {} if found is None else {"load": found}
    known = {} if before is None else {"load": before}
    assert misfits({"load": wanted}, types, before=known, flags=flags) == told
