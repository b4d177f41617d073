"""What a grid is chosen from."""

import duckdb
import polars as pl
import pytest

from aiguard_dagster.adapters.engines import duckdb as there
from aiguard_dagster.adapters.engines import polars as here
from aiguard_dagster.adapters.engines.duckdb import DuckDBEngine
from aiguard_dagster.adapters.engines.polars import PolarsEngine
from aiguard_dagster.core.spec import Table

PLAIN = Table(asset="t")


@pytest.mark.parametrize("period", [2, 7, 24, 168])
def test_a_table_with_a_rhythm_is_sampled_in_all_its_beats(period, monkeypatch):
    monkeypatch.setattr(here, "SAMPLE", 4_000)
    monkeypatch.setattr(there, "SAMPLE", 4_000)
    beats = pl.Series(list(range(period)) * (4_000 * 24 // period))
    rows = pl.DataFrame({"place": beats, "beat": beats.cast(pl.String)})
    for engine in (PolarsEngine(rows.lazy()), DuckDBEngine(duckdb.from_arrow(rows.to_arrow()))):
        spread = engine.spreads({"place": "number"}, PLAIN)["place"]
        assert (spread.lowest, spread.highest) == (0, period - 1)
        counts = engine.categories(["beat"])["beat"].counts
        assert len(counts) == period
        assert min(counts.values()) > 0.7 * max(counts.values())
        assert 3_900 < sum(counts.values()) <= 4_000
