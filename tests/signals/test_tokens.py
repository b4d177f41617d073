"""How many tokens requests take, whose they are, and which counts cannot be so."""

from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Table
from aiguard_dagster.core.verdicts import Verdict
from tests.conformance.engines import LOCAL
from tests.signals.ledgers import START, assert_counted_alike, judged, parts_of, read, signal_of

OK, BREACH, INCONCLUSIVE, ERROR = Verdict
ROWS = Table(asset="usage", time="at", input_tokens="into", output_tokens="out")
TABLE = ROWS.model_copy(
    update={
        "request": "request",
        "template": "template",
        "caller": "caller",
        "served_by": "model",
        "cached_tokens": "held",
    }
)
SCHEMA = {
    "at": pl.Datetime("us"),
    "request": pl.String,
    "template": pl.String,
    "caller": pl.String,
    "model": pl.String,
    "into": pl.Int64,
    "held": pl.Int64,
    "out": pl.Int64,
}
CALL = {
    "template": "ask",
    "caller": "shop",
    "model": "small",
    "into": 1000,
    "held": 500,
    "out": 100,
}


def ledger(*calls):
    """Calls that differ from the usual one; each in a second and a request of its own."""
    rows = [
        {**CALL, "at": START + timedelta(seconds=place), "request": f"r{place}", **call}
        for place, call in enumerate(calls)
    ]
    return pl.DataFrame(rows, schema=SCHEMA)


def tokens(**options):
    return signal_of(kind="tokens", **options)


MESSY = ledger(
    {},
    {"request": "a", "template": None},
    {"request": "a", "into": 3000, "caller": "app"},
    {"request": "a", "into": 9000},
    {"request": None},
    {"request": None, "into": None},
    {"into": -5},
    {"held": 1001},
    {"held": None, "out": None},
)


@pytest.mark.parametrize("engine", LOCAL)
@pytest.mark.parametrize("table", [TABLE, ROWS, TABLE.model_copy(update={"task": "caller"})])
def test_all_engines_count_tokens_alike(engine, table):
    signal = tokens(of="over", size=2000)
    assert_counted_alike(signal, MESSY, table, engine)


TWO = ledger({}, {"request": "r0", "into": 3000, "out": 300, "held": 0})


@pytest.mark.parametrize(
    ("options", "value"),
    [
        ({}, 4400),
        ({"of": "input"}, 4000),
        ({"of": "output"}, 400),
        ({"of": "cached"}, 500 / 4000),
        ({"of": "growth"}, 2000),
        ({"of": "over", "size": 1000}, 0.5),
    ],
)
def test_tokens_are_those_of_a_whole_request(options, value):
    assert read(tokens(**options), TWO, TABLE).value == pytest.approx(value)


def test_rows_are_requests_where_none_are_named():
    assert read(tokens(), TWO, ROWS).value == pytest.approx(2200)


def test_more_of_a_long_template_is_told_with_what_it_was():
    before = ledger(*[{}] * 9, {"template": "sum", "into": 5000})
    now = ledger(*[{}] * 5, *[{"template": "sum", "into": 5000}] * 5)
    found = read(tokens(of="input"), now, TABLE, before)
    assert found.value == pytest.approx(3000)
    assert [part.name for part in found.parts] == ["template sum", "template ask"]
    assert sum(parts_of(found).values()) == pytest.approx(3000 - 1400)
    assert found.parts[0].text == (
        "+1,120 tokens: 5,000 tokens a call in 50% of the calls,"
        " was 5,000 tokens a call in 10% of the calls"
    )


def test_more_calls_a_request_are_told_apart_from_longer_ones():
    before = ledger({"request": "a"}, {"request": "b"})
    now = ledger({"request": "a"}, {"request": "a"}, {"request": "b"}, {"request": "b"})
    found = read(tokens(of="input"), now, TABLE, before)
    assert parts_of(found) == {"calls per request": pytest.approx(1000)}
    assert found.parts[0].text == "+1,000 tokens a request: 2 calls each, was 1"


@settings(deadline=None, max_examples=20)
@given(st.data())
def test_the_parts_of_each_sort_add_up_to_the_change(data):
    calls = st.lists(
        st.fixed_dictionaries(
            {
                "request": st.sampled_from("ab"),
                "template": st.sampled_from(["ask", "sum", None]),
                "caller": st.sampled_from(["shop", "app"]),
                "into": st.integers(0, 9000),
                "held": st.just(0),
            }
        ),
        min_size=1,
        max_size=12,
    ).map(lambda each: ledger(*each))
    before, now = data.draw(calls), data.draw(calls)
    found, was = (read(tokens(), rows, TABLE, before) for rows in (now, before))
    parts = parts_of(found)
    for sort in ("template", "caller"):
        own = [part for name, part in parts.items() if name.startswith(sort)]
        if not own:  # A sort of one kind only tells nothing.
            continue
        together = sum(own) + parts.get("calls per request", 0.0)
        assert together == pytest.approx(found.value - was.value, abs=1e-6)


def test_without_a_baseline_it_is_told_whose_tokens_they_are():
    found = read(tokens(of="input"), ledger({}, {"caller": "app", "into": 3000}), TABLE)
    assert parts_of(found)["caller app"] == pytest.approx(1500)
    assert found.parts[0].value >= found.parts[-1].value


def test_a_cache_that_holds_less_is_a_breach():
    limit = {"below_baseline": "20%"}
    week = ledger(*[{}] * 40)
    worse = week.with_columns(held=pl.lit(300))
    signal = {"kind": "tokens", "of": "cached"}
    found = judged(signal, worse, TABLE, limit=limit, days=1, baseline=week)
    assert found.verdict is BREACH
    assert found.reason.startswith("30% < 40% (baseline 0.5 -20%, n=40); worst: caller shop")
    assert judged(signal, week, TABLE, limit=limit, days=1, baseline=week).verdict is OK


def test_a_context_that_grows_is_told_by_the_tokens_of_a_further_call():
    calls = [{"request": "a", "into": 1000 + 700 * step} for step in range(5)]
    found = read(tokens(of="growth"), ledger(*calls, {"request": "b"}), TABLE)
    assert (found.value, found.n) == (pytest.approx(700), 4)
    alone = read(tokens(of="growth"), ledger({}, {}), TABLE)
    assert (alone.value, alone.n) == (None, 0)
    assert alone.note == "no task or request has two calls"


def test_calls_of_no_known_request_are_no_context():
    rows = ledger({"request": None}, {"request": None, "into": 9000})
    assert read(tokens(of="growth"), rows, TABLE).value is None


def test_a_context_of_a_task_spans_its_requests():
    table = TABLE.model_copy(update={"task": "caller"})
    rows = ledger({"into": 1000}, {"into": 1500}, {"into": 2000})
    assert read(tokens(of="growth"), rows, table).value == pytest.approx(500)
    assert read(tokens(of="input"), rows, table).value == pytest.approx(1500)


@pytest.mark.parametrize("call", [{"into": None}, {"out": None}, {"into": -1}, {"out": -1}])
def test_tokens_that_are_unknown_or_cannot_be_lower_the_coverage(call):
    rows = ledger(*[{}] * 6, *[call] * 4)
    found = judged({"kind": "tokens"}, rows, TABLE, limit=5000, days=1)
    assert found.verdict is INCONCLUSIVE
    assert found.measurement.coverage == pytest.approx(0.6)
    assert found.measurement.value == pytest.approx(1100)


def test_more_from_the_cache_than_was_read_is_told_and_does_not_count():
    found = read(tokens(of="cached"), ledger({}, {"held": 1001}), TABLE)
    assert (found.value, found.coverage) == (pytest.approx(0.5), pytest.approx(0.5))
    assert found.note.startswith("1 calls have tokens that cannot be")


def test_a_row_that_repeats_a_call_counts_once_and_is_told():
    rows = ledger({}, {})
    found = read(tokens(), pl.concat([rows, rows]), TABLE)
    assert (found.value, found.n) == (pytest.approx(1100), 2)
    assert found.note == "2 rows repeat a call and do not count"


def test_tokens_written_as_text_are_an_error():
    with pytest.raises(MeasurementError, match="into holds text, not numbers"):
        read(tokens(), ledger({}).with_columns(pl.col("into").cast(pl.String)), TABLE)


def test_more_templates_than_are_kept_apart_lose_no_token():
    many = ledger(*({"template": f"t{number}", "into": number} for number in range(2_500)))
    found = read(tokens(of="input"), many, TABLE)
    assert found.value == pytest.approx(sum(range(2_500)) / 2_500)
    assert (found.n, found.coverage) == (2_500, 1.0)
    assert any(part.name == "template …" for part in found.parts)


def test_calls_that_are_in_no_context_lower_the_coverage_of_its_growth():
    rows = ledger({}, {"request": "r0", "into": 1700}, *[{"request": None}] * 8)
    found = read(tokens(of="growth"), rows, TABLE)
    assert (found.value, found.coverage) == (pytest.approx(700), pytest.approx(0.2))
    assert found.note == "8 calls name no task or request"
