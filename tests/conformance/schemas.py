"""What the rules of the suite import."""

import pandera.polars as pa  # noqa: TID253 - this module is a schema

Plain = pa.DataFrameSchema(
    {
        "id": pa.Column(int, pa.Check.lt(24), unique=True),
        "x": pa.Column(float, pa.Check.le(2.5), nullable=True),
    },
)


def rows_of(table):
    """How many rows a table has, whatever holds it."""
    module = type(table).__module__.partition(".")[0].lstrip("_")
    if module == "pyspark":
        return table.count()
    if module == "duckdb":
        return table.shape[0]
    if module == "pyarrow":
        return table.num_rows
    return len(table)
