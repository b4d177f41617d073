from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Overtrust, Table
from aiguard_dagster.core.spec.review import Review
from tests.conformance.engines import LOCAL, as_spark
from tests.conformance.warehouses import as_ibis_on_duckdb
from tests.signals.tallies import counted, read, told

ENGINES = {**LOCAL, "ibis": as_ibis_on_duckdb}
AT = datetime(2026, 3, 1, 9)
POLICY = {"score_below": 0.7, "inside": {"amount": {"min": 0, "max": 1_000}}, "within": "1h"}
TABLE = Table.model_validate(
    {
        "asset": "loans",
        "time": "at",
        "score": "sure",
        "prediction": "answer",
        "label": "truth",
        "user": "who",
        "decision": "said",
        "reviewed": "seen",
        "review": POLICY,
    }
)
ASKED = TABLE.model_copy(update={"request": "asked"})
CUPS = Path(__file__).parents[1] / "data" / "copilot_decisions.parquet"


def overtrust(metric="unreviewed", **options):
    return Overtrust.model_validate({"window": "7d", "metric": metric, **options})


def rows(number=100, **columns):
    """Confident, harmless, accepted, right outputs that were never reviewed, unless said."""
    usual = {"sure": 0.9, "amount": 10.0, "said": "accepted", "answer": "a", "truth": "a"}
    usual |= {"who": [f"p{person}" for person in range(20)], "seen": None, "asked": None}
    found = {"at": [AT + timedelta(minutes=row) for row in range(number)]}
    for name, value in (usual | columns).items():
        values = value if isinstance(value, list) else [value]
        found[name] = [values[row % len(values)] for row in range(number)]
    if not any(found["seen"]):
        found["seen"] = pl.Series(found["seen"], dtype=pl.Datetime("us"))
    else:
        found["seen"] = [
            at + timedelta(seconds=s) if isinstance(s, int) and not isinstance(s, bool) else s
            for at, s in zip(found["at"], found["seen"], strict=True)
        ]
    return pl.DataFrame(found)


MESSY = rows(
    210,
    sure=[0.9, 0.5, None, float("nan"), 0.7, 0.1, 1.0],
    amount=[10.0, -5.0, 2_000.0, None, 7.0],
    said=["accepted", "Rejected", None],
    seen=[3, None, 600, 10_000, -60, None],
    truth=["a", "b", None, "a"],
    asked=[f"r{row % 50}" if row % 9 else None for row in range(210)],
    team=["x", None, "y"],
)


@pytest.mark.parametrize("metric", ["unreviewed", "skipped", "blind", "hasty"])
@pytest.mark.parametrize("table", [TABLE, ASKED], ids=["rows", "requests"])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_engines_count_outputs_alike(engine, table, metric):
    signal = overtrust(metric, by=["team"])
    expected = counted(signal, table, MESSY)
    assert counted(signal, table, MESSY, ENGINES[engine]).groups == expected.groups
    assert expected.total("rows") + expected.total("repeats") == len(MESSY)


@pytest.mark.spark
@pytest.mark.parametrize("metric", ["unreviewed", "skipped", "blind", "hasty"])
def test_spark_counts_outputs_alike(metric):
    signal = overtrust(metric, by=["team"])
    assert counted(signal, ASKED, MESSY, as_spark).groups == counted(signal, ASKED, MESSY).groups


def test_unsure_outputs_accepted_without_a_review_are_over_trust():
    found = read(overtrust(), TABLE, rows(sure=[0.9, 0.5], seen=[None, None, None, 60]))
    assert found.value == pytest.approx(0.5)
    assert found.n == 50
    assert told(found)["score below 70%"] == "50% of 50"


def test_outputs_outside_the_region_are_so_however_sure_the_model_is():
    found = read(overtrust(), TABLE, rows(sure=0.99, amount=[10.0, 5_000.0]))
    assert found.value == 1.0
    assert next(iter(told(found))) == "amount outside 0 to 1000"


@pytest.mark.parametrize(
    ("columns", "why"),
    [({"sure": [None, 0.9]}, "no score"), ({"amount": [None, 10.0]}, "no amount")],
)
def test_what_is_missing_makes_nobody_sure(columns, why):
    found = read(overtrust(), TABLE, rows(**columns))
    assert (found.n, next(iter(told(found)))) == (50, why)


def test_an_output_that_was_not_accepted_was_not_trusted():
    assert read(overtrust(), TABLE, rows(sure=0.5, said="rejected")).value == 0.0


def test_outputs_that_nobody_decided_on_lower_the_coverage():
    found = read(overtrust(), TABLE, rows(sure=0.5, said=["accepted", None]))
    assert found.coverage == pytest.approx(0.5)


def test_where_nothing_had_to_be_reviewed_there_is_no_value():
    found = read(overtrust(), TABLE, rows())
    assert (found.value, found.n, found.coverage) == (None, 0, 0.0)
    assert found.note == "no output had to be reviewed, or nobody decided on one"


def test_a_review_before_its_output_is_none_and_is_told():
    found = read(overtrust(), TABLE, rows(sure=0.5, seen=[-60, 60]))
    assert found.value == pytest.approx(0.5)
    assert found.note == "50 reviews are before their output"


def test_a_review_that_comes_too_late_skips_the_queue():
    found = read(overtrust("skipped"), TABLE, rows(sure=0.5, seen=[60, 3_601, None, 3_600]))
    assert found.value == pytest.approx(0.5)
    assert found.coverage == 1.0


def test_reviews_that_are_kept_as_true_and_false_have_no_time():
    found = read(overtrust("skipped"), TABLE, rows(sure=0.5, seen=[True, False, None, True]))
    assert found.value == pytest.approx(0.5)
    with pytest.raises(MeasurementError, match="no column says when reviews were made"):
        counted(overtrust("hasty"), TABLE, rows(seen=[True, False]))


def test_a_review_in_two_seconds_is_no_review():
    found = read(overtrust("hasty"), TABLE, rows(seen=[2, 60, 4, 5]))
    assert found.value == pytest.approx(0.5)
    assert read(overtrust("hasty", too_fast="1m"), TABLE, rows(seen=[2, 60])).value == 0.5


def test_acceptance_that_does_not_depend_on_being_right_is_blind():
    found = read(overtrust("blind"), TABLE, rows(truth=["a", "b"]))
    assert found.value == 1.0
    assert told(found) == {
        "accepted when wrong": "100% of 50",
        "accepted when right": "100% of 50",
    }


def test_people_who_see_what_is_wrong_are_not_blind():
    seen = read(overtrust("blind"), TABLE, rows(truth=["a", "b"], said=["accepted", "rejected"]))
    assert seen.value == 0.0
    now = rows(truth=["a", "b"], said=["accepted", "rejected", "accepted", "accepted"])
    half = read(overtrust("blind"), TABLE, now)
    assert half.value == pytest.approx(0.5)
    assert half.interval[0] < 0.5 < half.interval[1]


def test_outputs_whose_truth_is_not_known_lower_the_coverage():
    found = read(overtrust("blind"), TABLE, rows(truth=["a", "b", None, None]))
    assert found.coverage == pytest.approx(0.5)


def test_numbers_may_miss_by_the_tolerance():
    table = TABLE.model_copy(update={"prediction": "amount", "label": "truth"})
    found = rows(amount=10.0, truth=[10.5, 13.0])
    assert read(overtrust("blind", tolerance=1), table, found).n == 50
    assert read(overtrust("blind"), table, found).value is None  # None is right.


def test_one_person_behind_most_of_it_is_told_though_every_output_counts():
    reckless = rows(900, sure=0.5, who="bot", said="accepted")
    careful = rows(100, sure=0.5, said="rejected")
    found = read(overtrust(), TABLE, pl.concat([reckless, careful]))
    assert found.value == pytest.approx(0.9)
    assert told(found)["one person"] == "is behind 900 of 900, as one of 21 people"
    assert told(found)["each person once"].startswith("4.762% over 21 people")


def test_repeats_of_a_request_count_once():
    found = read(
        overtrust(), ASKED, rows(120, sure=0.5, asked=[str(n // 3) for n in range(120)], who="p")
    )
    assert found.n == 40
    assert found.note == "80 repeats were counted once"


def test_what_moved_is_told_with_what_it_was():
    before = rows(sure=0.5, seen=[60, 60, 60, None])
    found = read(overtrust(), TABLE, rows(sure=0.5), before)
    assert told(found)["score below 70%"] == "100% of 100, was 25%"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"sure": "high"}, "sure holds String, and scores are numbers"),
        ({"amount": "many"}, "amount holds String, and min and max are numbers"),
        ({"seen": "yes"}, "seen holds String, which is neither a truth nor a time"),
    ],
)
def test_columns_that_do_not_fit_the_policy_are_refused(columns, message):
    with pytest.raises(MeasurementError, match=message):
        counted(overtrust(), TABLE, rows(**columns))


def test_real_suggestions_of_low_confidence_are_accepted_less_but_unreviewed():
    decided = pl.read_parquet(CUPS).with_columns(seen=pl.lit(value=False))
    table = Table.model_validate(
        {
            "asset": "suggestions",
            "time": "TimeGenerated",
            "user": "UserId",
            "decision": "StateName",
            "score": "confidence",
            "reviewed": "seen",
            "review": {"score_below": 0.4},
        }
    )
    found = read(overtrust(), table, decided)
    unsure = decided.filter((pl.col("confidence") < 0.4) | pl.col("confidence").is_null())
    assert found.n == len(unsure)
    assert found.value == pytest.approx((unsure["StateName"] == "Accepted").mean())
    assert found.value < (decided["StateName"] == "Accepted").mean()


@pytest.mark.parametrize("metric", ["unreviewed", "skipped", "blind", "hasty"])
@pytest.mark.parametrize("engine", ["polars", "pandas", "pyarrow"])
def test_columns_without_any_value_are_no_reviews_and_no_truth(engine, metric):
    void = rows(sure=0.5).with_columns(seen=pl.lit(None), truth=pl.lit(None))
    table = TABLE.model_copy(update={"prediction": "amount"})
    tally = counted(
        overtrust(metric, **({"tolerance": 1} if metric == "blind" else {})),
        table,
        void,
        LOCAL[engine],
    )
    assert tally.total("judged") == (0 if metric in {"blind", "hasty"} else 100)
    assert tally.total("bad") == tally.total("judged")


def test_a_score_on_the_limit_is_sure_enough_in_single_precision_too():
    table = TABLE.model_copy(update={"review": Review.model_validate({"score_below": 0.7})})
    found = rows(sure=[0.7, 0.699]).with_columns(pl.col("sure").cast(pl.Float32))
    assert read(overtrust(), table, found).n == 50


def test_scores_of_a_class_are_unsure_in_the_middle():
    policy = Review.model_validate({"score_between": ["40%", "60%"]})
    table = TABLE.model_copy(update={"review": policy})
    found = read(overtrust(), table, rows(sure=[0.01, 0.4, 0.5, 0.6, 0.99, None]))
    assert list(told(found))[:2] == ["score from 40% to 60%", "no score"]
    assert found.n == 51 + 16


def test_a_segment_is_as_large_as_what_was_judged_of_it():
    asked = rows(40, sure=0.5, seen=60, team="x")
    one = rows(1, sure=0.5, team="y").with_columns(seen=pl.lit(None, dtype=pl.Datetime("us")))
    calm = rows(960, team="y")
    found = read(overtrust(by=["team"]), TABLE, pl.concat([asked, one, calm]))
    assert told(found)["team x"] == "0% of 40 judged outputs"
    assert "team y" not in told(found)


def test_a_score_in_per_cent_makes_nobody_sure():
    found = read(overtrust(), TABLE, rows(sure=[55.0, 0.9, -0.1, 1.0]))
    assert told(found)["score outside 0 to 1"] == "100% of 50"
    assert found.n == 50


@pytest.mark.parametrize("engine", ["polars", "pandas", "pyarrow"])
def test_a_score_or_amount_that_nobody_wrote_down_makes_nobody_sure(engine):
    for column, why in [("sure", "no score"), ("amount", "no amount")]:
        void = rows().with_columns(pl.lit(None).alias(column))
        tally = counted(overtrust(), TABLE, void, LOCAL[engine])
        assert tally.total("asked", why=why) == 100


def test_a_review_by_somebody_else_is_a_review_of_the_output():
    used = rows(60, sure=0.5, who="ann", asked=[str(n) for n in range(60)])
    seen = rows(60, sure=0.5, who="zoe", said=None, seen=60, asked=[str(n) for n in range(60)])
    both = pl.concat([used, seen]).sort("asked")
    found = read(overtrust(), ASKED, both)
    assert (found.value, found.n) == (0.0, 60)
    alone = counted(overtrust(), ASKED, both)
    assert {person for person, *_ in alone.groups} == {
        person for person, *_ in counted(overtrust(), ASKED, used).groups
    }
