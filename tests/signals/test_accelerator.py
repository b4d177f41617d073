"""What accelerators cost, what of it is idle, and whether load or waste made it so."""

from datetime import timedelta

import polars as pl
import pytest

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Table
from aiguard_dagster.core.verdicts import Verdict
from tests.conformance.engines import LOCAL
from tests.signals.ledgers import (
    DAY,
    START,
    assert_counted_alike,
    judged,
    parts_of,
    read,
    signal_of,
    total,
)

OK, BREACH, INCONCLUSIVE, ERROR = Verdict
TABLE = Table(
    asset="gpus",
    time="at",
    gpu_seconds="seconds",
    utilisation="used",
    queue="waiting",
    cost="usd",
    currency="money",
    answered="answers",
)
SCHEMA = {
    "at": pl.Datetime("us"),
    "seconds": pl.Float64,
    "used": pl.Float64,
    "waiting": pl.Float64,
    "usd": pl.Float64,
    "money": pl.String,
    "answers": pl.Int64,
}
HOUR = {"seconds": 3600.0, "used": 0.5, "waiting": 2.0, "usd": 3.0, "money": "USD", "answers": 100}
OFS = ["idle", "utilisation", "hours", "queue"]


def metrics(*rows):
    """Hours of one machine that differ from the usual one."""
    each = [{**HOUR, "at": START + timedelta(hours=place), **row} for place, row in enumerate(rows)]
    return pl.DataFrame(each, schema=SCHEMA)


def week(**row):
    """A week of one machine."""
    return metrics(*[row] * (7 * 24))


def accelerator(**options):
    return signal_of(kind="accelerator", table="gpus", **options)


MESSY = metrics(
    {},
    {"used": 1.2},
    {"seconds": -1.0},
    {"seconds": None},
    {"usd": float("nan")},
    {"answers": None},
    {"waiting": float("inf")},
    {"money": None},
    {"at": None},
)


@pytest.mark.parametrize("engine", LOCAL)
@pytest.mark.parametrize("of", OFS)
def test_all_engines_count_metrics_alike(engine, of):
    assert_counted_alike(accelerator(of=of), MESSY, TABLE, engine)


@pytest.mark.parametrize(
    ("of", "value"), [("idle", 0.015), ("utilisation", 0.5), ("hours", 24), ("queue", 2)]
)
def test_a_usual_week_is_measured(of, value):
    found = read(accelerator(of=of), week(), TABLE)
    assert found.value == pytest.approx(value)
    assert (found.n, found.coverage) == (168, 1.0)


def test_a_busy_hour_weighs_more_than_a_second():
    rows = metrics({"used": 0.9}, {"used": 0.1, "seconds": 1.0})
    found = read(accelerator(of="utilisation"), rows, TABLE)
    assert found.value == pytest.approx((3600 * 0.9 + 0.1) / 3601)


@pytest.mark.parametrize(
    ("factor", "row", "told"),
    [
        ("load", {"answers": 50, "used": 0.25}, "1,200 predictions a day, was 2,400"),
        ("capacity", {"seconds": 7200.0, "used": 0.25, "usd": 6.0}, "48 hours a day, was 24"),
        ("price", {"usd": 6.0}, "6 an hour, was 3"),
        ("work", {"used": 0.25}, "9 busy seconds a prediction, was 18"),
    ],
)
def test_idle_spend_says_whether_load_fell_or_machines_were_added(factor, row, told):
    found = read(accelerator(), week(**row), TABLE, week())
    (part,) = found.parts
    assert part.name == factor
    assert part.value == pytest.approx(found.value - 0.015)
    assert part.text.endswith(told)


def test_utilisation_that_falls_while_the_spend_stands_is_told():
    limit = {"above_baseline": "50%"}
    signal = {"kind": "accelerator", "table": "gpus"}
    found = judged(signal, week(answers=50, used=0.25), TABLE, limit=limit, baseline=week())
    assert found.verdict is BREACH
    assert "worst: load (+0.03: 1,200 predictions a day" in found.reason
    assert found.measurement.note == "25% used, was 50%, while a day costs 72, was 72"


def test_utilisation_that_falls_is_a_breach():
    limit = {"below_baseline": "20%"}
    signal = {"kind": "accelerator", "table": "gpus", "of": "utilisation"}
    found = judged(signal, week(answers=50, used=0.25), TABLE, limit=limit, baseline=week())
    assert found.verdict is BREACH
    assert found.reason.startswith("25% < 40% (baseline 0.5 -20%, n=168); worst: load (-25 points")


def test_hours_that_no_load_asked_for_are_waste():
    now = week(seconds=7200.0, used=0.25)
    found = read(accelerator(of="hours"), now, TABLE, week())
    assert parts_of(found) == {"waste": pytest.approx(24)}
    assert found.parts[0].text == "+24: 25% used, was 50%"
    busier = read(accelerator(of="hours"), week(seconds=7200.0, answers=200), TABLE, week())
    assert parts_of(busier) == {"load": pytest.approx(24)}


def test_hours_alone_are_capacity():
    table = Table(asset="gpus", time="at", gpu_seconds="seconds")
    found = read(accelerator(of="hours"), week(seconds=7200.0), table, week())
    assert parts_of(found) == {"capacity": pytest.approx(24)}


def test_a_queue_stands_beside_load_and_capacity():
    found = read(accelerator(of="queue"), week(waiting=9.0, answers=200), TABLE, week())
    assert found.value == pytest.approx(9)
    assert found.parts[0].text == "4,800 predictions a day, was 2,400"


def test_hours_a_day_are_those_of_the_window_s_length():
    rows = metrics(*[{}] * 36).tail(24)
    signal = {"kind": "accelerator", "table": "gpus", "of": "hours"}
    found = judged(signal, rows, TABLE, limit=99.0, days=1, end=START + 1.5 * DAY)
    assert found.measurement.value == pytest.approx(24)


def test_utilisation_in_per_cent_is_asked_for_and_read():
    rows = week(used=50.0)
    found = read(accelerator(of="utilisation"), rows, TABLE)
    assert (found.value, found.coverage) == (None, 0.0)
    assert "168 rows have values that cannot be, or is the utilisation in per cent" in found.note
    found = read(accelerator(of="utilisation", scale="percent"), rows, TABLE)
    assert found.value == pytest.approx(0.5)


@pytest.mark.parametrize(
    "row", [{"used": -0.1}, {"seconds": -1.0}, {"usd": -3.0}, {"answers": -1}, {"used": None}]
)
def test_a_row_with_what_cannot_be_or_is_not_known_lowers_the_coverage(row):
    rows = metrics(*[{}] * 6, *[row] * 4)
    found = read(accelerator(), rows, TABLE)
    assert (found.value, found.coverage) == (pytest.approx(0.015), pytest.approx(0.6))


def test_amounts_of_several_currencies_are_never_added_up():
    found = read(accelerator(), pl.concat([week(), week(money="EUR")]), TABLE)
    assert found.value is None
    assert "amounts in EUR and USD are not added up" in found.note
    found = read(accelerator(), week(money="EUR"), TABLE, week())
    assert found.value is None
    assert "amounts are in EUR, and the baseline's in USD" in found.note


def test_amounts_of_unknown_currency_are_no_amounts():
    alone = read(accelerator(), week(money=None), TABLE)
    assert (alone.value, alone.note) == (None, "amounts are in an unknown currency")
    among = read(accelerator(), pl.concat([week(), week(money=None)]), TABLE)
    assert "amounts in USD and an unknown currency are not added up" in among.note


def test_no_predictions_are_no_value_and_not_an_endless_one():
    found = read(accelerator(), week(answers=0), TABLE)
    assert (found.value, found.note) == (None, "no predictions, or no hours")


def test_metrics_written_as_text_are_an_error():
    rows = week().with_columns(pl.col("used").cast(pl.String))
    with pytest.raises(MeasurementError, match="used holds text, not numbers"):
        read(accelerator(), rows, TABLE)


def test_hours_that_fall_because_nobody_reports_them_are_no_saving():
    dark = pl.concat([week().head(7 * 20), week(seconds=None).tail(7 * 4)])
    found = read(accelerator(of="hours"), dark, TABLE, week())
    assert (found.value, found.coverage) == (pytest.approx(24), pytest.approx(20 / 24))
    assert found.parts == ()


@pytest.mark.parametrize("number", [0, 3])
def test_metrics_without_any_value_are_no_error_in_pandas(number):
    void = week().head(number).with_columns(pl.lit(None).alias("answers")).to_pandas()
    tally = total(accelerator(of="hours"), void, TABLE, engine=lambda rows: rows)
    assert (tally.total("rows") if tally else 0) == number
