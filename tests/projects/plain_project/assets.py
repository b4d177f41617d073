"""Assets of many shapes; none of them knows of guards."""

from datetime import datetime
from pathlib import Path

import dagster as dg
import pandas as pd
import polars as pl

SHOPS = dg.StaticPartitionsDefinition(["berlin", "lagos"])


@dg.asset
def customers() -> list[dict]:
    """Rows as an HTTP API gives them."""
    return [
        {"id": 1, "name": "Ada", "age": None},
        {"id": 2, "name": "Bo", "age": 31},
        {"id": 3, "name": "Chi", "age": 40.5, "note": "new"},
    ]


@dg.multi_asset(
    outs={name: dg.AssetOut(is_required=False) for name in ("orders", "refunds")}, can_subset=True
)
def ledger(context: dg.AssetExecutionContext):
    """Two tables of one op."""
    tables = {
        "orders": pd.DataFrame({"id": [1, 2, 3], "customer": [1, 2, 2], "paid": [9.5, 20.0, 3.0]}),
        "refunds": pd.DataFrame({"id": [1, 1], "paid": [-9.5, -9.5]}),
    }
    for key, table in tables.items():
        if key in context.op_execution_context.selected_output_names:
            yield dg.Output(table, output_name=key)


@dg.asset(partitions_def=SHOPS, config_schema={"folder": str})
def stock(context: dg.AssetExecutionContext) -> None:
    """Writes its own file, and returns nothing."""
    folder = Path(context.op_execution_context.op_config["folder"])
    lost = None if context.partition_key == "lagos" else 7
    table = pl.DataFrame({"article": ["tea", "rice"], "pieces": [4, lost]})
    table.write_csv(folder / f"{context.partition_key}.csv")


@dg.asset
def revenue(orders: pd.DataFrame, refunds: pd.DataFrame) -> float:
    """A number, not a table."""
    return float(orders["paid"].sum() + refunds["paid"].sum())


@dg.asset_check(asset="orders")
def has_rows(orders: pd.DataFrame) -> dg.AssetCheckResult:
    """The owners' own check."""
    return dg.AssetCheckResult(passed=len(orders) > 0)


weather = dg.AssetSpec("weather", description="Loaded by somebody else.")
WEATHER = pl.DataFrame({"at": [datetime(2026, 3, 1, 23)], "degrees": [4.0]})
