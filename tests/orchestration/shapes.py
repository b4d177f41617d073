"""A pandera schema that the project's rows break in every way a message could quote."""

import pandera.polars as pa  # noqa: TID253 - this module is the schema


class Features(pa.DataFrameModel):
    load: float = pa.Field(ge=0, le=1)
    who: str = pa.Field(isin=["nobody"])
