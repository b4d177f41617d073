"""Questions about one column's values that every engine answers alike."""

from collections.abc import Sequence
from typing import Literal

import narwhals as nw
import numpy as np

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.signals.batch import Batch, column, require

Family = Literal["numbers", "text", "truths", "times", "something else"]
Choice = bool | int | float | str


def type_of(batch: Batch, name: str) -> nw.dtypes.DType:
    """A column's type.

    Raises:
        MeasurementError: The column is gone.
    """
    require(batch, name)
    return batch.schema[name]


def is_void(batch: Batch, name: str) -> bool:
    """Whether a column has no values and so no type: engines leave what is null throughout untyped.

    Raises:
        MeasurementError: The column is gone.
    """
    return type_of(batch, name) == nw.Unknown and not has_values(batch, name)


def has_values(batch: Batch, name: str) -> bool:
    """Whether any value is known; pandas makes text of a column that is null throughout.

    Raises:
        MeasurementError: The column is gone.
    """
    return bool(batch.frame.select(count(batch, known(batch, name)).alias("n")).collect().item())


def family_of(dtype: nw.dtypes.DType) -> Family:
    """What a type holds, whatever its size."""
    if dtype.is_numeric():
        return "numbers"
    match dtype:
        case nw.String() | nw.Categorical() | nw.Enum():
            return "text"
        case nw.Boolean():
            return "truths"
        case nw.Datetime() | nw.Date():
            return "times"
        case _:
            return "something else"


def known(batch: Batch, name: str) -> nw.Expr:
    """Whether there is a value; NaN is none, as null is none, and infinity is one."""
    value = column(batch, name)
    if type_of(batch, name).is_float():
        return ~value.is_nan().fill_null(value=True)
    return ~value.is_null()


def plain(batch: Batch, name: str) -> nw.Expr:
    """A column's values in a type that compares and groups alike everywhere; NaN is null."""
    value, dtype = column(batch, name), type_of(batch, name)
    if dtype.is_float():
        return nw.when(known(batch, name)).then(value)
    if dtype.is_decimal():
        return value.cast(nw.Float64)
    match dtype:
        case nw.Boolean():
            return value.cast(nw.Int64)
        case nw.Categorical() | nw.Enum():
            return value.cast(nw.String)
        case _:
            return value


def infinite(batch: Batch, name: str) -> nw.Expr | None:
    """Whether a value is known and infinite; None for types that have no infinity."""
    if not type_of(batch, name).is_float():
        return None
    return known(batch, name) & ~column(batch, name).is_finite()


def count_missing(batch: Batch, names: Sequence[str]) -> tuple[int, dict[str, int]]:
    """Rows, and by column how many values are null or NaN; one pass."""
    missing = []
    for position, name in enumerate(names):
        floating = type_of(batch, name).is_float()
        number = count(batch, ~known(batch, name)) if floating else column(batch, name).null_count()
        missing.append(number.alias(f"c{position}"))
    rows, *counts = batch.frame.select(nw.len().alias("rows"), *missing).collect().row(0)
    return int(rows), {name: int(gone or 0) for name, gone in zip(names, counts, strict=True)}


def count(batch: Batch, condition: nw.Expr) -> nw.Expr:
    """In how many rows a condition holds; polars sums truths faster, Spark not at all."""
    polars = batch.frame.implementation.is_polars()
    return condition.sum() if polars else condition.cast(nw.Int64).sum()


def rounded(number: float, dtype: nw.dtypes.DType) -> float:
    """A number as a column of this type can hold it: in single precision 0.1 is not 0.1."""
    return float(np.float32(number)) if dtype == nw.Float32 else number


def is_one_of(batch: Batch, name: str, choices: Sequence[Choice], *, option: str) -> nw.Expr:
    """Whether a value is among the choices; without meaning where there is none.

    Args:
        batch: The batch.
        name: The column.
        choices: Values of the column's own family: numbers, text or truths.
        option: What a message calls the choices.

    Raises:
        MeasurementError: The choices are of another family, so that none could ever be met.
    """
    dtype = type_of(batch, name)
    family = family_of(dtype)
    strange = [choice for choice in choices if _family(choice) != family]
    if strange and not has_values(batch, name):  # pandas makes numbers of what is null throughout.
        return nw.lit(value=False)
    if strange:
        held = str(dtype) if family == "something else" else family
        what = f"{option} names {_family(strange[0])}, and {name} holds {held}"
        hint = "in YAML, text is what stands in quotes: '1', 'yes'."
        raise MeasurementError(with_hint(what, hint))
    match family:
        case "truths":
            return plain(batch, name).is_in([int(choice) for choice in choices])
        case "numbers" if dtype.is_integer():
            whole = [int(choice) for choice in choices if float(choice).is_integer()]
            return column(batch, name).is_in(whole)
        case "numbers":
            exact = [rounded(float(choice), dtype) for choice in choices]
            return plain(batch, name).cast(nw.Float64).is_in(exact)
        case _:
            return plain(batch, name).is_in(list(choices))


def _family(choice: Choice) -> Family:
    match choice:
        case bool():
            return "truths"
        case int() | float():
            return "numbers"
        case str():
            return "text"
