"""What must be reviewed and was not, wherever the rows are."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.adapters.tables.rows import open_rows
from aiguard_dagster.core.spec import Table
from aiguard_dagster.core.spec.review import Review
from aiguard_dagster.core.verdicts import Verdict
from aiguard_dagster.signals.batch import Batch
from aiguard_dagster.signals.review_queue import WHY, evaluate_reviewed, reasons, waiting
from tests.conformance.engines import LOCAL, as_spark

AT = datetime(2026, 3, 1)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
REVIEW = Review.model_validate(
    {
        "score_below": 0.5,
        "inside": {"amount": {"max": 100}, "country": {"one_of": ["DE", "FR"]}},
        "within": "2h",
    }
)
TABLE = Table(asset="t", time="at", score="sure", reviewed="seen", review=REVIEW)
SCHEMA = {
    "at": pl.Datetime("us"),
    "sure": pl.Float64,
    "amount": pl.Float64,
    "country": pl.String,
    "seen": pl.Datetime("us"),
}
times = st.none() | st.integers(-60, 900).map(lambda minutes: AT + timedelta(minutes=minutes))
numbers = st.none() | st.sampled_from([0.0, 0.5, 0.9, 100.0, 1e9, float("nan"), float("inf")])
rows = st.lists(
    st.tuples(times, numbers, numbers, st.sampled_from(["DE", "fr", "", None]), times), max_size=30
)


def batch_of(found, engine=lambda rows: rows, now=NOW):
    opened = open_rows(engine(found))
    return Batch(frame=opened.frame, native=opened.native, table=TABLE, window=None, now=now)


def said(evaluation):
    measurement = evaluation.measurement
    parts = [(part.name, part.text) for part in measurement.parts]
    return evaluation.verdict, measurement.value, measurement.n, evaluation.reason, parts


def frame(found):
    return pl.DataFrame(found, schema=SCHEMA, orient="row")


def kept(row, now=None):
    """Whether a row waits, told without any query; with a time, whether it is overdue."""
    at, sure, amount, country, seen = row
    is_sure = sure is not None and 0.5 <= sure <= 1
    home = amount is not None and amount <= 100 and country in {"DE", "FR"}
    reviewed = seen is not None and (at is None or seen >= at)
    due = now is None or at is None or at.replace(tzinfo=UTC) + timedelta(hours=2) <= now
    return not (is_sure and home) and not reviewed and due


@given(rows)
def test_the_queue_holds_exactly_the_rows_that_must_be_seen_and_were_not(found):
    table = frame(found).with_row_index()
    waits = waiting(REVIEW, batch_of(table)).collect().to_native()
    assert waits["index"].to_list() == [n for n, row in enumerate(found) if kept(row)]
    assert all(waits[WHY])
    assert sum(reasons(waiting(REVIEW, batch_of(table))).values()) == len(waits)


@given(rows)
def test_a_breach_is_a_row_that_is_due_and_was_not_seen(found):
    evaluation = evaluate_reviewed(REVIEW, batch_of(frame(found)))
    overdue = [row for row in found if kept(row, NOW)]
    assert (evaluation.verdict is Verdict.BREACH) == bool(overdue)
    missed = sum(part.value for part in evaluation.measurement.parts)
    assert missed == len(overdue)


@given(rows)
def test_time_alone_never_makes_a_breach_undone(found):
    early, late = (
        evaluate_reviewed(REVIEW, batch_of(frame(found), now=NOW + timedelta(hours=hours)))
        for hours in (0, 9)
    )
    if early.verdict is Verdict.BREACH:
        assert late.verdict is Verdict.BREACH
    if found:
        assert late.verdict is not Verdict.ERROR


MANY = frame(
    [
        (
            AT + timedelta(minutes=7 * number) if number % 11 else None,
            [0.9, 0.2, None, float("nan")][number % 4],
            [5.0, 500.0, None][number % 3],
            ["DE", "US", None, "FR", "DE"][number % 5],
            AT + timedelta(minutes=9 * number) if number % 2 else None,
        )
        for number in range(200)
    ]
)


@pytest.mark.parametrize("engine", LOCAL)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_engines_ask_for_the_same_reviews(engine):
    expected = said(evaluate_reviewed(REVIEW, batch_of(MANY)))
    assert said(evaluate_reviewed(REVIEW, batch_of(MANY, LOCAL[engine]))) == expected
    assert expected[0] is Verdict.BREACH


@pytest.mark.spark
def test_spark_asks_for_the_same_reviews():
    here, there = batch_of(MANY), batch_of(MANY, as_spark)
    assert said(evaluate_reviewed(REVIEW, there)) == said(evaluate_reviewed(REVIEW, here))
    assert reasons(waiting(REVIEW, there)) == reasons(waiting(REVIEW, here))


def test_a_table_with_a_column_of_reasons_of_its_own_is_refused():
    own = MANY.with_columns(pl.lit("because").alias(WHY))
    with pytest.raises(Exception, match="has a column review_why of its own"):
        waiting(REVIEW, batch_of(own))
