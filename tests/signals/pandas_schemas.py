"""Schemas that tests name by their import path."""

import pandera.pandas as pa  # noqa: TID253 - imported only by the test that needs it
import pandera.polars as pl  # noqa: TID253


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
NamesByPolars = pl.DataFrameSchema({"name": pl.Column(str, pl.Check.str_length(max_value=3))})
Numbers = pa.DataFrameSchema({"name": pa.Column(int, coerce=True)})
Crashes = pa.DataFrameSchema(checks=pa.Check(_fails))
Unique = pa.DataFrameSchema({"name": pa.Column(str, unique=True)}, strict=True)
NotASchema = 7
