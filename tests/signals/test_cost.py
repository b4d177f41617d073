"""What predictions cost, why a bill moved, and what a ledger must not be read as."""

from datetime import UTC, datetime, timedelta
from math import isclose
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    asset="usage",
    time="at",
    request="request",
    step="step",
    status="status",
    served_by="model",
    input_tokens="into",
    output_tokens="out",
    cached_tokens="held",
    cost="usd",
    currency="money",
    decision="verdict",
)
PLAIN = Table(asset="answers", time="at", cost="usd")
PRICES = [
    {"served_by": "small", "input": 1, "output": 4, "cached": 0.25},
    {"served_by": "large", "input": 10, "output": 40},
]
SCHEMA = {
    "at": pl.Datetime("us"),
    "request": pl.String,
    "step": pl.String,
    "status": pl.String,
    "model": pl.String,
    "into": pl.Int64,
    "held": pl.Int64,
    "out": pl.Int64,
    "usd": pl.Float64,
    "money": pl.String,
    "verdict": pl.String,
}
CALL = {
    "at": START,
    "request": "r",
    "step": "answer",
    "status": "ok",
    "model": "small",
    "into": 1000,
    "held": 0,
    "out": 100,
    "usd": 0.5,
    "money": "USD",
    "verdict": None,
}


def ledger(*calls):
    """Calls that differ from the usual one; each in a second and a request of its own."""
    rows = [
        {**CALL, "at": START + timedelta(seconds=place), "request": f"r{place}", **call}
        for place, call in enumerate(calls)
    ]
    return pl.DataFrame(rows, schema=SCHEMA)


def week(**call):
    """A week of ten usual calls a day."""
    return ledger(
        *(
            {"at": START + day * DAY + timedelta(hours=hour), **call}
            for day in range(7)
            for hour in range(10)
        )
    )


def others(rows):
    """The same calls for other requests."""
    return rows.with_columns(pl.col("request") + "x")


def value(rows, table=TABLE, before=None, **options):
    return read(signal_of(kind="cost", **options), rows, table, before).value


def cost(**options):
    return signal_of(kind="cost", **options)


MESSY = ledger(
    {},
    {"request": "a", "step": "plan"},
    {"request": "a", "step": "answer", "model": "large", "usd": 2.0},
    {"request": "a", "step": "answer", "model": "large", "usd": 2.0, "status": "timeout"},
    {"request": "b", "usd": None, "held": 500},
    {"request": "c", "usd": -1.0},
    {"request": "d", "usd": float("nan"), "into": None},
    {"request": None, "verdict": "accepted"},
    {"request": None, "verdict": "rejected", "at": START + DAY},
    {"request": "e", "held": 5000},
    {"at": None, "usd": float("inf")},
    {"money": "EUR"},
    {"model": None, "verdict": "Accepted"},
)


@pytest.mark.parametrize("engine", LOCAL)
@pytest.mark.parametrize("table", [TABLE, PLAIN, TABLE.model_copy(update={"step": None})])
def test_all_engines_count_a_ledger_alike(engine, table):
    assert_counted_alike(cost(), MESSY, table, engine)


@pytest.mark.parametrize(
    ("per", "expected"), [(1000, 2250.0), ("request", 2.25), ("accepted", 4.5), ("day", 4.5)]
)
def test_spend_is_told_per_prediction_request_accepted_result_and_day(per, expected):
    rows = ledger(
        {"request": "a", "verdict": "accepted"},
        {"request": "a", "step": "check", "usd": 1.0, "verdict": "accepted"},
        {"request": "b", "usd": 3.0, "verdict": "rejected"},
    )
    assert value(rows, per=per) == pytest.approx(expected)


def test_rows_are_predictions_where_no_request_is_named():
    rows = ledger({}, {"usd": 1.5}, {"usd": 4.0})
    assert value(rows, PLAIN) == pytest.approx(2000)


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_the_parts_of_a_ledger_s_change_add_up_to_it(data):
    calls = st.lists(
        st.fixed_dictionaries(
            {
                "request": st.sampled_from(["a", "b", "c", None]),
                "step": st.sampled_from(["plan", "answer"]),
                "model": st.sampled_from(["small", "large", "new"]),
                "into": st.integers(0, 9000),
                "held": st.integers(0, 100),
                "out": st.integers(0, 900),
                "usd": st.one_of(st.none(), st.floats(0, 9)),
                "verdict": st.sampled_from(["accepted", "rejected"]),
            }
        ),
        min_size=1,
        max_size=12,
    ).map(lambda each: ledger(*each))
    before, now = data.draw(calls), data.draw(calls)
    signal = cost(
        prices=PRICES, per=data.draw(st.sampled_from([1000, "request", "accepted", "day"]))
    )
    found, was = read(signal, now, TABLE, before), read(signal, before, TABLE)
    if found.value is None or was.value is None:
        return
    change, parts = found.value - was.value, sum(parts_of(found).values())
    assert isclose(parts, change, rel_tol=1e-6, abs_tol=1e-6 * max(found.value, was.value))


@pytest.mark.parametrize(
    ("factor", "now", "told"),
    [
        (
            "volume",
            pl.concat([week(), week().with_columns(pl.col("request") + "x")]),
            "20 requests per day, was 10",
        ),
        (
            "mix",
            pl.concat([week().head(35), week(model="large", usd=5.0).tail(35)]),
            "calls of large have 50% of the calls, had 0%",
        ),
        (
            "size",
            week(into=2000, out=200, usd=1.0),
            "calls of small have 2,000 tokens in and 200 out, had 1,000 tokens in and 100 out",
        ),
        ("price", week(usd=0.75), "calls of small cost 681.8 a million tokens, did 454.5"),
        ("steps", pl.concat([week(), week(step="check")]), "2 steps per request, was 1"),
        (
            "retries",
            pl.concat([week(), week().with_columns(pl.col("at") + timedelta(minutes=1))]),
            "2 calls per step, was 1",
        ),
    ],
)
def test_a_dearer_day_says_what_made_it_dearer(factor, now, told):
    found = read(cost(per="day"), now, TABLE, week())
    assert [part.name for part in found.parts] == [factor]
    assert found.parts[0].value == pytest.approx(found.value - 5.0)
    assert found.parts[0].text == f"{found.parts[0].value:+,.4g} a day: {told}"


def test_a_cache_that_is_missed_is_told_where_the_list_prices_it():
    hit, missed = (week(held=held, usd=None) for held in (1000, 0))
    found = read(cost(prices=PRICES), missed, TABLE, hit)
    assert found.value == pytest.approx(1000 * (1000 * 1 + 100 * 4) / 1e6)
    (part,) = found.parts
    assert part.name == "cache misses"
    assert part.value == pytest.approx(1000 * 1000 * 0.75 / 1e6)
    assert part.text == "+0.75 per 1,000: 0% of the input from a cache, was 100%"


def test_failed_calls_are_retries_where_steps_have_no_names():
    table = TABLE.model_copy(update={"step": None})
    again = week().with_columns(pl.col("at") + timedelta(minutes=1), status=pl.lit("timeout"))
    found = read(cost(per="request"), pl.concat([week(), again]), table, week())
    assert {part.name for part in found.parts} == {"retries"}


def test_a_dearer_model_and_cheaper_prices_stand_side_by_side_largest_rise_first():
    now = pl.concat([week(usd=0.25).head(35), week(model="large", usd=5.0).tail(35)])
    found = read(cost(per="request"), now, TABLE, week())
    assert [part.name for part in found.parts] == ["mix", "price"]
    assert found.parts[0].value > 0 > found.parts[1].value


def test_without_a_baseline_the_spend_is_told_by_model():
    found = read(cost(), ledger({}, {"model": "large", "usd": 1.5}), TABLE)
    assert parts_of(found) == {
        "served by large": pytest.approx(750),
        "served by small": pytest.approx(250),
    }


def test_tokens_are_priced_by_the_list_in_force_on_their_day():
    prices = [*PRICES, {"served_by": "small", "input": 2, "output": 8, "since": "2026-03-03"}]
    rows = ledger({"usd": None}, {"usd": None, "at": START + DAY})
    found = read(cost(prices=prices, per="request"), rows, TABLE)
    assert found.value == pytest.approx((1400 + 2800) / 2 / 1e6)
    later, sooner = rows.tail(1), rows.head(1)
    change = read(cost(prices=prices), later, TABLE, sooner)
    assert parts_of(change) == {"price": pytest.approx(1.4)}


def test_a_bill_that_falls_because_tokens_have_no_price_is_no_saving():
    rows = pl.concat([week().head(35), week(model="new", usd=None).tail(35)])
    found = judged({"kind": "cost", "prices": PRICES}, rows, TABLE, limit=1000.0)
    assert found.verdict is INCONCLUSIVE
    assert found.reason == "only 50% of 80% coverage needed"
    assert found.measurement.value == pytest.approx(500)
    assert found.measurement.note == "35 calls of new have no price"


def test_calls_of_unknown_cost_are_taken_to_cost_what_the_others_do():
    rows = pl.concat([week(), week(usd=None)]).with_columns(
        request=pl.int_range(pl.len()).cast(pl.String)
    )
    assert value(rows, per="day") == pytest.approx(10)


def test_amounts_below_zero_are_no_costs_and_are_told():
    rows = pl.concat([week(), others(week(usd=-9.0).head(7))])
    found = read(cost(), rows, TABLE)
    assert found.value == pytest.approx(500)
    assert found.coverage == pytest.approx(70 / 77)
    assert found.note == "7 costs are below zero and count as unknown"


def test_amounts_of_several_currencies_are_never_added_up():
    rows = pl.concat([week().head(60), week(money="EUR").tail(10)])
    mixed = judged({"kind": "cost"}, rows, TABLE, limit=1.0)
    assert (mixed.verdict, mixed.measurement.value) == (INCONCLUSIVE, None)
    assert "EUR and USD are not added up" in mixed.measurement.note
    named = read(cost(currency="usd"), rows, TABLE)
    assert (named.value, named.coverage) == (pytest.approx(500), pytest.approx(60 / 70))
    assert named.note == "amounts in EUR do not count"


def test_an_amount_whose_currency_is_unknown_is_of_no_use():
    found = read(cost(), pl.concat([week(), others(week(money=None))]), TABLE)
    assert (found.value, found.coverage) == (pytest.approx(500), pytest.approx(0.5))


def test_amounts_that_are_all_of_unknown_currency_are_unknown():
    found = read(cost(), week(money=None), TABLE)
    assert (found.value, found.coverage) == (None, 0.0)


def test_a_month_takes_calls_of_unknown_cost_to_cost_what_the_others_do():
    rows = daily(41, datetime(2026, 2, 8))
    unpriced = others(rows.with_columns(usd=pl.lit(None, dtype=pl.Float64)))
    signal = {**MONTH, "min_coverage": 0.4}
    found = judged(signal, pl.concat([rows, unpriced]).sort("at"), TABLE, limit=None, days=41)
    assert found.measurement.value == pytest.approx(620 / 400)
    assert found.measurement.coverage == pytest.approx(0.5)


def test_a_ledger_that_changed_its_currency_is_not_held_against_the_old_one():
    limit = {"above_baseline": "20%"}
    found = judged(
        {"kind": "cost"}, week(money="JPY", usd=75.0), TABLE, limit=limit, baseline=week()
    )
    assert (found.verdict, found.measurement.value) == (INCONCLUSIVE, None)
    assert found.reason == "amounts are in JPY, and the baseline's in USD"


def test_a_call_that_was_written_down_twice_is_paid_once():
    rows = pl.concat([week(), week().head(10)])
    found = read(cost(per="day"), rows, TABLE, week())
    assert (found.value, found.parts, found.coverage) == (pytest.approx(5), (), 1.0)
    assert found.note == "10 rows repeat a call and do not count"


def test_calls_of_no_known_request_are_one_each_and_never_the_same():
    rows = ledger(*[{"request": None, "at": START}] * 3)
    assert value(rows, per="day") == pytest.approx(1.5)
    assert value(rows, per="request") == pytest.approx(0.5)


def test_tokens_that_cannot_be_have_no_price_and_are_told():
    odd = [{"into": -5}, {"out": -1}, {"held": 1001}, {"held": -1}]
    rows = ledger({"usd": None}, *({"usd": None, **call} for call in odd))
    found = read(cost(prices=PRICES), rows, TABLE)
    assert (found.value, found.coverage) == (pytest.approx(1.4), pytest.approx(0.2))
    assert "4 calls have tokens that cannot be" in found.note


def test_the_bill_may_rise_by_a_share_of_the_baseline_s_and_not_more():
    limit = {"above_baseline": "50%"}
    for price, verdict in [(0.75, OK), (0.76, BREACH)]:
        found = judged({"kind": "cost"}, week(usd=price), TABLE, limit=limit, baseline=week())
        assert found.verdict is verdict
    assert "baseline 500 +50%" in found.reason
    assert "worst: price (+260 per 1,000: calls of small cost 690.9" in found.reason


def test_a_limit_by_budget_comes_from_the_baseline_s_own_weeks():
    year = ledger(*({"at": START + day * DAY, "usd": 0.5 + day % 7 / 100} for day in range(120)))
    limit = {"false_alarm_every": "90d"}
    usual = judged({"kind": "cost"}, year.tail(7), TABLE, limit=limit, baseline=year)
    dear = judged(
        {"kind": "cost"},
        year.tail(7).with_columns(pl.col("usd") * 2),
        TABLE,
        limit=limit,
        baseline=year,
    )
    assert (usual.verdict, dear.verdict) == (OK, BREACH)


def test_a_result_that_nobody_judged_lowers_the_coverage_of_the_cost_of_accepted_ones():
    rows = ledger({"verdict": "accepted"}, {"verdict": "no"}, {}, {})
    found = read(cost(per="accepted"), rows, TABLE)
    assert (found.value, found.coverage) == (pytest.approx(2.0), pytest.approx(0.5))
    nobody = read(cost(per="accepted"), ledger({"verdict": "no"}), TABLE)
    assert (nobody.value, nobody.note) == (None, "no result is known to be accepted")


def test_fewer_accepted_results_make_each_dearer_and_that_is_told_as_volume():
    before, now = (
        ledger({"verdict": "accepted"}, {"verdict": word}) for word in ("accepted", "no")
    )
    found = read(cost(per="accepted"), now, TABLE, before)
    assert parts_of(found) == {"volume": pytest.approx(0.5)}
    assert "2 requests per accepted result, was 1" in found.parts[0].text


MONTH = {"kind": "cost", "per": "month", "budget": 400.0}


def daily(days, start=START, **call):
    return ledger(*({"at": start + day * DAY, "usd": 10.0, **call} for day in range(days)))


def test_a_month_is_what_was_spent_of_it_and_the_pace_of_the_last_week():
    rows = daily(41, datetime(2026, 2, 8))  # Up to 20 March.
    found = judged(MONTH, rows, TABLE, limit=None, days=41)
    assert found.measurement.value == pytest.approx(310 / 400)
    assert found.verdict is OK
    assert found.measurement.note.startswith("200 spent of the month and 10 a day for 11 days")
    faster = rows.with_columns(usd=pl.when(pl.int_range(41) >= 34).then(20.0).otherwise(10.0))
    found = judged(MONTH, faster, TABLE, limit=None, days=41)
    assert found.measurement.value == pytest.approx((130 + 140 + 11 * 20) / 400)
    assert found.verdict is BREACH


def test_the_last_day_of_a_month_knows_the_whole_month_and_the_next_begins_anew():
    rows = daily(32, datetime(2026, 3, 1))
    for days, expected in [(31, 310), (32, 300)]:
        found = judged(MONTH, rows.head(days), TABLE, limit=None, days=days)
        assert found.measurement.value == pytest.approx(expected / 400)


def test_half_a_day_counts_as_half_a_day():
    rows = daily(31, datetime(2026, 3, 1))
    half = rows.with_columns(usd=pl.when(pl.int_range(31) == 30).then(5.0).otherwise(10.0))
    end = datetime(2026, 3, 31, 12)
    found = judged(MONTH, half, TABLE, limit=None, days=31, end=end)
    assert found.measurement.value == pytest.approx(310 / 400)


def test_a_bill_of_days_and_months_is_all_versions_and_one_of_predictions_the_champion_s():
    table = TABLE.model_copy(update={"model_version": "version"})
    rows = pl.concat(
        [
            week().with_columns(version=pl.lit("1")),
            week(usd=9.0).with_columns(pl.col("request") + "x", version=pl.lit("2")),
        ]
    )
    day = judged({"kind": "cost", "per": "day"}, rows, table, limit=1000.0)
    each = judged({"kind": "cost", "per": "request"}, rows, table, limit=1000.0)
    assert day.measurement.value == pytest.approx(95)
    assert each.measurement.value == pytest.approx(0.5)


def test_a_day_of_hours_is_as_long_as_its_window():
    rows = ledger(*({"at": START + timedelta(hours=hour)} for hour in range(12, 36)))
    found = judged(
        {"kind": "cost", "per": "day"}, rows, TABLE, limit=99.0, days=1, end=START + 1.5 * DAY
    )
    assert found.measurement.value == pytest.approx(12)


def test_amounts_written_as_text_are_an_error_and_not_nothing():
    with pytest.raises(MeasurementError, match="usd holds text, not numbers"):
        read(cost(), week().with_columns(pl.col("usd").cast(pl.String)), TABLE)


def test_a_column_that_is_gone_is_named():
    with pytest.raises(MeasurementError, match="columns are gone: held"):
        read(cost(), week().drop("held"), TABLE)


def test_nothing_is_no_value():
    found = read(cost(), week(usd=None), PLAIN)
    assert (found.value, found.coverage, found.n) == (None, 0.0, 0)
    assert found.note == "no prediction has a price"


@pytest.mark.parametrize("missing", [None, float("nan"), float("inf")])
@pytest.mark.parametrize("engine", LOCAL)
def test_a_bill_that_falls_because_prices_are_unknown_is_no_saving(engine, missing):
    known = pl.int_range(pl.len()) % 2 == 0
    price = pl.when(known).then(pl.col("usd")).otherwise(pl.lit(missing, dtype=pl.Float64))
    rows = week().with_columns(usd=price)
    found = read(cost(), rows, PLAIN, engine=engine)
    assert (found.value, found.coverage) == (pytest.approx(500), pytest.approx(0.5))
    limit = {"above_baseline": 1.0}
    judgement = judged({"kind": "cost"}, rows, PLAIN, limit=limit, baseline=week())
    assert judgement.verdict is INCONCLUSIVE
    assert judgement.reason == "only 50% of 80% coverage needed"


@pytest.mark.parametrize(("times", "verdict"), [(2, OK), (2.125, BREACH)])
def test_the_bill_may_be_twice_the_baseline_s_and_not_more(times, verdict):
    limit = {"above_baseline": 1.0}
    rows = week(usd=0.5 * times)
    found = judged({"kind": "cost"}, rows, PLAIN, limit=limit, baseline=week())
    assert found.verdict is verdict
    assert found.measurement.value == pytest.approx(500 * times)
    assert found.measurement.n == 70


def test_no_price_at_all_is_inconclusive_and_never_ok():
    found = judged({"kind": "cost", "min_coverage": 0}, week(usd=None), PLAIN, limit=1.0)
    assert (found.verdict, found.measurement.value) == (INCONCLUSIVE, None)


def test_a_baseline_without_a_cost_has_no_limit_above_it():
    unpriced, limit = week(usd=None), {"above_baseline": "50%"}
    found = judged({"kind": "cost"}, week(), PLAIN, limit=limit, baseline=unpriced)
    assert found.verdict is ERROR
    assert found.reason.startswith("baseline holds no cost")
    found = judged({"kind": "cost"}, week(), PLAIN, limit=600.0, baseline=unpriced)
    assert found.verdict is OK


@pytest.mark.parametrize("limit", [None, {"above_baseline": "50%"}])
def test_a_limit_that_cannot_be_had_is_an_error(limit):
    assert judged({"kind": "cost"}, week(), PLAIN, limit=limit).verdict is ERROR


def test_missing_days_lower_the_coverage():
    found = judged({"kind": "cost"}, week().head(50), PLAIN, limit=600.0)
    assert (found.verdict, found.measurement.coverage) == (INCONCLUSIVE, pytest.approx(5 / 7))


def test_more_models_than_are_kept_apart_lose_no_money():
    many = ledger(*({"model": f"m{number}"} for number in range(2_500)))
    found = read(cost(per="day"), many, TABLE)
    assert (found.value, found.n) == (pytest.approx(1250), 2_500)


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "UTC", "America/New_York"])
def test_a_day_is_over_at_midnight_of_the_table_s_own_clock(zone):
    table = TABLE.model_copy(update={"time_zone": zone})
    midnight = datetime(2026, 3, 21, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    found = judged(MONTH, daily(41, datetime(2026, 2, 8)), table, limit=None, days=41, end=midnight)
    assert found.measurement.value == pytest.approx(310 / 400)
    assert found.measurement.note.startswith("200 spent of the month and 10 a day for 11 days")


def test_calls_without_a_time_are_no_saving_of_the_month():
    rows = daily(31, datetime(2026, 3, 1))
    dark = others(rows).with_columns(at=pl.lit(None, dtype=pl.Datetime("us")))
    found = read(signal_of(**MONTH, window="31d"), pl.concat([rows, dark]), TABLE)
    assert (found.value, found.coverage) == (pytest.approx(620 / 400), pytest.approx(0.5))
    assert "31 calls have no time" in found.note


def test_a_baseline_in_several_currencies_is_not_held_against():
    limit, before = {"false_alarm_every": "30d"}, daily(60)
    euros = before.with_columns(
        money=pl.when(pl.int_range(60) < 30).then(pl.lit("EUR")).otherwise(pl.lit("USD"))
    )
    signal = {"kind": "cost"}
    found = judged(signal, week(), TABLE, limit=limit, baseline=euros)
    assert (found.verdict, found.measurement.value) == (INCONCLUSIVE, None)
    assert found.reason == "the baseline's amounts are in EUR and USD"


def test_amounts_of_no_known_currency_are_told():
    found = read(cost(), pl.concat([week(), others(week(money=None))]), TABLE)
    assert found.note == "70 amounts have no currency and count as unknown"


def test_calls_that_do_not_tell_their_tokens_are_no_shorter_calls():
    silent = week().with_columns(
        into=pl.when(pl.int_range(70) % 2 == 0).then("into"),
        out=pl.when(pl.int_range(70) % 2 == 0).then("out"),
    )
    found = read(cost(), silent, TABLE, week())
    assert (found.value, found.parts) == (pytest.approx(500), ())
    dearer = read(cost(), silent.with_columns(usd=pl.lit(0.75)), TABLE, week())
    assert parts_of(dearer) == {"price": pytest.approx(250)}


@pytest.mark.parametrize("number", [0, 3])
def test_tokens_that_nobody_wrote_down_are_no_error_in_pandas(number):
    void = week().head(number).with_columns(pl.lit(None).alias("held")).to_pandas()
    tally = total(cost(), void, TABLE, engine=lambda rows: rows)
    assert (tally.total("rows", known="billed") if tally else 0) == number


def test_days_of_the_month_that_nobody_wrote_down_are_told():
    rows = daily(41, datetime(2026, 2, 8))
    gap = pl.concat([rows.head(25), rows.tail(12)])
    found = judged({**MONTH, "min_coverage": 0.8}, gap, TABLE, limit=None, days=41)
    assert found.measurement.value == pytest.approx(270 / 400)
    assert found.measurement.note.endswith("make 270, without 4 days that have no calls")
    assert found.measurement.coverage == pytest.approx(37 / 41)
