"""Schemas that tests name by their import path."""

import pandera.pandas as pa  # noqa: TID253 - imported only by the test that needs it
import pandera.polars as pap  # noqa: TID253
import polars as pl


class Hours(pa.DataFrameModel):
    """The hourly features, by pandas."""

    hr: int = pa.Field(ge=0, le=23)
    temp: float = pa.Field(ge=0, le=1)

    @pa.dataframe_check
    def weekday_is_a_weekday(cls, rows):  # noqa: N805 - pandera makes it a class method
        return rows["weekday"].between(0, 6)


class Holder:
    """Schemas may be kept in a class."""

    hours = pa.DataFrameSchema({"hr": pa.Column(int, pa.Check.lt(24))})


def _fails(rows):
    msg = f"cannot judge {rows['name'].to_list()}"
    raise ValueError(msg)


Names = pa.DataFrameSchema({"name": pa.Column(str, pa.Check.str_length(max_value=3))})
NamesByPolars = pap.DataFrameSchema({"name": pap.Column(str, pap.Check.str_length(max_value=3))})
Numbers = pa.DataFrameSchema({"name": pa.Column(int, coerce=True)})
Crashes = pa.DataFrameSchema(checks=pa.Check(_fails))
Unique = pa.DataFrameSchema({"name": pa.Column(str, unique=True)}, strict=True)
NotASchema = 7


def _early(rows):
    return rows["hr"] < 20


def _early_by_polars(data):
    return data.lazyframe.select(pl.col("hr") < 20)


Rows = pa.DataFrameSchema(checks=pa.Check(_early, name="early"))
RowsByPolars = pap.DataFrameSchema(checks=pap.Check(_early_by_polars, name="early"))
COOL = {"temp": pa.Column(float, pa.Check.le(1))}
COOL_BY_POLARS = {"temp": pap.Column(float, pap.Check.le(1))}
Drops = pa.DataFrameSchema(COOL, drop_invalid_rows=True)
DropsByPolars = pap.DataFrameSchema(COOL_BY_POLARS, drop_invalid_rows=True)
SHORT = pa.Check.str_length(max_value=3, raise_warning=True)
Warns = pa.DataFrameSchema({"name": pa.Column(str, SHORT)})
CrashesToo = pa.DataFrameSchema(
    {"name": pa.Column(str, pa.Check.str_length(max_value=3))}, checks=pa.Check(_fails)
)
Indexed = pa.DataFrameSchema(index=pa.Index(int, pa.Check.lt(22), name="hr"))
