"""A schema rule without columns compares with what the champion's baseline recorded."""

from datetime import UTC, datetime

import narwhals as nw
import polars as pl
import pytest

from aiguard_dagster.core.spec import Rule, Table
from aiguard_dagster.core.verdicts import Verdict
from aiguard_dagster.signals.baseline import TableBaseline
from aiguard_dagster.signals.batch import Batch
from aiguard_dagster.signals.measure import evaluate_batch
from aiguard_dagster.stats.grid import Grid

RULE = Rule.model_validate({"name": "same", "signal": {"kind": "schema", "table": "features"}})
RECORDED = {"load": "float", "kind": "string"}


def verdict(frame, recorded=RECORDED):
    batch = Batch(
        frame=nw.from_native(frame).lazy(),
        native=frame,
        table=Table(asset="features"),
        window=None,
        now=datetime(2026, 1, 1, tzinfo=UTC),
        accepted=lambda: TableBaseline(grid=Grid(columns={}), days={}, types=recorded),
    )
    return evaluate_batch(RULE, batch)


def test_the_recorded_columns_are_ok():
    assert verdict(pl.DataFrame({"load": [1.0], "kind": ["a"]})).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (pl.DataFrame({"load": [1.0]}), "kind (gone)"),
        (pl.DataFrame({"load": ["1"], "kind": ["a"]}), "load (string, not float)"),
        (pl.DataFrame({"load": [1.0]}).clear(), "kind (gone)"),
    ],
)
def test_what_differs_from_them_is_a_breach_and_named(frame, told):
    found = verdict(frame)
    # Without rows the columns that differ are what was counted.
    assert found.verdict is Verdict.BREACH
    assert told in found.reason


def test_no_baseline_is_an_error_and_no_rows_are_never_ok():
    assert verdict(pl.DataFrame({"load": [1.0]}), recorded=None).verdict is Verdict.ERROR
    empty = pl.DataFrame({"load": [1.0], "kind": ["a"]}).clear()
    assert verdict(empty).verdict is Verdict.INCONCLUSIVE


def test_a_crash_is_told_by_its_kind_and_place_and_never_quotes_a_row():
    from aiguard_dagster.signals.measure import place_of

    try:
        int("Ms Secret")
    except ValueError as error:
        told = place_of(error)
    assert told.endswith("_quotes_a_row, test_recorded_schema.py:61")
    assert "Secret" not in told
