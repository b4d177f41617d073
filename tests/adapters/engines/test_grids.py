"""What a grid is chosen from, and when none is."""

import duckdb
import polars as pl
import pytest

from aiguard_dagster.adapters.engines import duckdb as there
from aiguard_dagster.adapters.engines import polars as here
from aiguard_dagster.adapters.engines.duckdb import DuckDBEngine
from aiguard_dagster.adapters.engines.grids import choose_grid
from aiguard_dagster.adapters.engines.polars import PolarsEngine
from aiguard_dagster.core.errors import MeasurementError
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


def test_so_many_columns_are_watched_together_only_if_they_are_named():
    rows = pl.DataFrame({f"x{place}": [0.0, 1.0, 2.0] for place in range(41)})
    engine = PolarsEngine(rows.lazy())
    with pytest.raises(MeasurementError) as raised:
        choose_grid(engine, PLAIN, joint=())
    assert str(raised.value) == (
        "41 columns of numbers together are 861 products a row"
        "\n\nHint: name at most 40 in columns, those that belong together."
    )
    assert (
        len(choose_grid(PolarsEngine(rows.drop("x0").lazy()), PLAIN, joint=()).joint.columns) == 40
    )
    assert choose_grid(engine, PLAIN).joint is None
