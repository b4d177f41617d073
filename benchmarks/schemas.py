"""The pandera schema that the benchmark checks, alone and among ten rules."""

import pandera.polars as pa  # noqa: TID253 - this module is a schema

POLARS = pa.DataFrameSchema(
    {
        "id": pa.Column(int, pa.Check.ge(0), unique=True),
        "kind": pa.Column(str, pa.Check.isin(["a", "b", "c"])),
        **{
            f"x{number:02}": pa.Column(float, [pa.Check.ge(-10), pa.Check.le(10)])
            for number in range(47)
        },
    }
)
