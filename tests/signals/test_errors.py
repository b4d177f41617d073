"""Which share of requests ended in an error, and in which."""

from datetime import timedelta

import polars as pl
import pytest

from aiguard_dagster.core.spec import AbsoluteLimit, Errors, Table
from tests.conformance.engines import LOCAL, as_spark
from tests.conformance.warehouses import as_ibis_on_duckdb
from tests.signals.tallies import counted, frame, read

DAY = timedelta(days=1)
TABLE = Table(asset="answers", time="at", status="status")
ENGINES = {**LOCAL, "ibis": as_ibis_on_duckdb, "spark": as_spark}
IGNORED = pytest.mark.filterwarnings("ignore")
MARKS = {"ibis": [IGNORED], "spark": [IGNORED, pytest.mark.spark]}


def statuses(**counts):
    return frame(status=[status for status, rows in counts.items() for _ in range(rows)])


def errors(**asked):
    return Errors(window=DAY, **asked)


def test_what_is_not_fine_is_an_error_and_the_one_that_grew_most_comes_first():
    now, before = statuses(ok=80, timeout=15, refused=5), statuses(ok=93, timeout=2, refused=5)
    found = read(errors(), TABLE, now, before)
    assert (found.value, found.n, found.unit) == (0.2, 100, "share")
    assert [(part.name, part.text) for part in found.parts] == [
        ("timeout", "15%, was 2%"),
        ("refused", "5%, was 5%"),
    ]


def test_classes_that_are_named_are_the_only_errors():
    rows = statuses(ok=80, timeout=15, refused=5)
    assert read(errors(classes=("timeout",)), TABLE, rows).value == 0.15


def test_what_is_fine_may_be_said_otherwise_even_in_numbers():
    rows = frame(status=[200, 200, 201, 500])
    assert read(errors(fine=("200", "201")), TABLE, rows).value == 0.25


def test_numbers_beside_nulls_are_the_same_numbers_in_pandas():
    rows = frame(status=[200, 200, None, 500]).to_pandas()
    found = read(errors(fine=("200",)), TABLE, rows)
    assert (found.value, found.coverage) == (pytest.approx(1 / 3), 0.75)


def test_requests_of_no_known_status_lower_the_coverage_and_are_no_success():
    rows = frame(status=["ok", "timeout", None, None])
    found = read(errors(), TABLE, rows)
    assert (found.value, found.n, found.coverage) == (0.5, 2, 0.5)
    none = read(errors(), TABLE, frame(status=pl.Series([None, None], dtype=pl.String)))
    assert (none.value, none.coverage, none.note) == (None, 0.0, "no request has a status")


def test_the_worst_segment_is_named():
    rows = frame(
        status=["ok"] * 40 + ["ok"] * 20 + ["timeout"] * 20, region=["eu"] * 40 + ["us"] * 40
    )
    found = read(errors(by=("region",)), TABLE, rows)
    assert [(p.name, p.value) for p in found.parts[1:]] == [("region us", 0.5), ("region eu", 0.0)]


def test_statuses_beyond_counting_leave_the_share_as_it_is():
    rows = frame(
        status=[f"error {k}" for k in range(3_000)] + ["ok"] * 3_000,
        user=[f"u{k}" for k in range(6_000)],
    )
    found = read(errors(by=("user",)), TABLE, rows)
    assert (found.value, found.n) == (0.5, 6_000)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=MARKS.get(name, [])) for name in ENGINES]
)
def test_every_engine_counts_the_same(name):
    rows = frame(
        status=["ok", "timeout", None, "", "größe", "ok"], region=["eu", "us", None, "us", "eu", ""]
    )
    signal = errors(by=("region",))
    assert counted(signal, TABLE, rows, ENGINES[name]) == counted(signal, TABLE, rows)


def test_a_segment_is_as_large_as_what_is_known_of_it():
    status = ["ok"] * 40 + ["timeout"] + [None] * 999
    rows = frame(status=status, route=["a"] * 40 + ["b"] * 1_000)
    found = read(errors(by=("route",)), TABLE, rows)
    assert [(part.name, part.text) for part in found.parts[1:]] == [
        ("route a", "0% of 40 requests")
    ]


def test_a_sentence_asks_for_any_of_the_classes_and_holds_no_segment_to_the_limit():
    asked = errors(classes=("timeout", "refused"), by=("route",))
    assert asked.sentence("answers", AbsoluteLimit(value=0.02)) == (
        "Over the last day, the share of requests in answers that are timeout or refused must be"
        " at most 2%; the worst by route is told"
    )
