from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Hallucination, Rule, Table
from aiguard_dagster.core.verdicts import Verdict, Window
from aiguard_dagster.signals.hallucination import HALLUCINATION
from aiguard_dagster.signals.measure import evaluate_tallied
from aiguard_dagster.signals.window import WindowProfiles
from aiguard_dagster.stats.profile import BatchProfile, Profile
from aiguard_dagster.stats.tally import Tally
from tests.conformance.engines import LOCAL, as_spark
from tests.conformance.warehouses import as_ibis_on_duckdb
from tests.signals.tallies import counted, read, told

AT = datetime(2026, 3, 1)
TABLE = Table(asset="answers", time="at")
ASKED = TABLE.model_copy(update={"request": "asked"})
ENGINES = {**LOCAL, "ibis": as_ibis_on_duckdb}
HALUEVAL = Path(__file__).parents[1] / "data" / "halueval_verdicts.parquet"


def judged(**options):
    return Hallucination.model_validate({"window": "7d", "verdict": "wrong", **options})


def rows(wrong, **more):
    return pl.DataFrame({"at": [AT] * len(wrong), "wrong": wrong, **more})


def verdict_of(signal, limit, found):
    """What a rule says of a day of rows."""
    end = datetime(2026, 3, 2, tzinfo=UTC)
    tally = counted(signal, TABLE, found)
    profile = Profile(rows=len(found), first=None, last=None, columns={}, tallies={"it": tally})
    batch = BatchProfile(grid_id="", parts={"": profile})
    current = WindowProfiles(
        window=Window(start=end - timedelta(days=1), end=end),
        batches=[batch],
        expected=1,
        champion="1",
    )
    rule = Rule.model_validate({"name": "right", "signal": signal, "limit": limit})
    return evaluate_tallied(rule, "it", current, lambda: None)


MESSY = rows(
    ["yes", "No", None, "error", "perhaps", "no", "yes"] * 20,
    person=["no", "no", "yes", None] * 35,
    by=["llm", "human"] * 70,
    asked=[str(number) if number % 11 else None for number in range(70)] * 2,
    template=["a", None] * 70,
)


@pytest.mark.parametrize("table", [TABLE, ASKED], ids=["rows", "requests"])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_engines_count_verdicts_alike(engine, table):
    signal = judged(human="person", judge="by", by=["template"])
    expected = counted(signal, table, MESSY)
    assert counted(signal, table, MESSY, ENGINES[engine]).groups == expected.groups
    assert expected.total("rows") + expected.total("repeats") == len(MESSY)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_engines_count_scores_alike(engine):
    scores = rows([0.1, 0.9, None, float("nan"), float("inf"), 0.5] * 5)
    signal = judged(of="groundedness", below=0.5)
    expected = counted(signal, TABLE, scores)
    assert counted(signal, TABLE, scores, ENGINES[engine]).groups == expected.groups


@pytest.mark.spark
def test_spark_counts_verdicts_alike():
    signal = judged(human="person", judge="by", by=["template"])
    assert counted(signal, ASKED, MESSY, as_spark).groups == counted(signal, ASKED, MESSY).groups


def test_the_verdict_against_a_limit_says_the_interval():
    found = verdict_of(judged(), "15%", rows(["yes"] * 40 + ["no"] * 160))
    assert found.verdict is Verdict.BREACH
    assert found.reason.startswith("20% > 15% (95% interval 15% to 26.1%, n=200)")


def test_few_judged_answers_are_inconclusive_and_never_ok():
    found = verdict_of(judged(), "15%", rows(["no"] * 150 + [None] * 850))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason == "only 15% of 80% coverage needed"


def test_a_judge_that_fails_is_no_right_answer():
    found = read(judged(), TABLE, rows(["error"] * 30 + ["no"] * 60 + ["yes"] * 10))
    assert found.value == pytest.approx(1 / 7)
    assert found.coverage == pytest.approx(0.7)
    assert found.note == "30 judgements failed"
    assert told(found)["judge failed"] == "30% of 100 answers"


def test_a_verdict_that_the_guard_does_not_name_is_told_and_not_counted():
    found = read(judged(), TABLE, rows(["no"] * 50 + ["hm"] * 50))
    assert found.coverage == pytest.approx(0.5)
    assert found.note == "50 verdicts are none that the guard names"


def test_judge_and_people_are_told_apart_with_how_far_they_agree():
    found = rows(["yes", "no"] * 50, person=["yes", "no", "no", "no"] * 25)
    reading = read(judged(human="person"), TABLE, found)
    assert reading.value == pytest.approx(0.5)
    assert told(reading)["people"].startswith("25% of 100, 95% interval 17.5% to 34.3%")
    agreed = "on 75% of 100 answers; Cohen's kappa 0.50"
    assert told(reading)["judge and people agree"] == agreed


def test_a_judge_who_agrees_with_nobody_is_not_believed():
    found = rows(["yes", "no"] * 100, person=["yes", "yes", "no", "no"] * 50)
    evaluation = verdict_of(judged(human="person", min_agreement=0.4), "15%", found)
    assert evaluation.verdict is Verdict.INCONCLUSIVE
    assert evaluation.reason == "judge and people agree with a kappa of 0.00, less than 0.4"


def test_agreement_on_too_few_answers_is_no_agreement():
    found = rows(["yes", "no"] * 100, person=["yes", "no"] * 5 + [None] * 190)
    reading = read(judged(human="person", min_agreement=0.4), TABLE, found)
    assert reading.value is None
    assert reading.note.startswith("only 10 answers tell whether judge and people agree")


def test_each_judge_is_told_the_strictest_first():
    found = rows(["yes"] * 30 + ["no"] * 70, by=["human"] * 50 + ["llm"] * 50)
    reading = read(judged(judge="by"), TABLE, found)
    assert [part.name for part in reading.parts] == ["judge human", "judge llm"]
    assert told(reading)["judge human"].startswith("60% of 50,")


def test_an_answer_judged_twice_counts_once_and_as_wrong_if_it_ever_was():
    found = rows(["no", "yes", "no"] * 40, asked=[f"{n // 3}" for n in range(120)])
    reading = read(judged(), ASKED, found)
    assert (reading.value, reading.n) == (1.0, 40)
    assert reading.note == "80 repeats were counted once"


def test_the_worst_segment_is_named_with_what_it_was():
    template = ["short", "long"] * 50
    now = rows(["yes", "no"] * 25 + ["no", "no"] * 25, template=template)
    before = rows(["no", "no"] * 50, template=template)
    reading = read(judged(by=["template"]), TABLE, now, before)
    assert reading.parts[0].name == "template short"
    assert reading.parts[0].text == "50% of 50 judged answers, was 0%"


def test_a_segment_is_as_large_as_what_was_judged_of_it():
    template = ["much"] * 60 + ["little"] * 60
    now = rows(["yes", "no", *[None] * 2] * 15 + ["yes", *[None] * 59], template=template)
    assert [part.text for part in read(judged(by=["template"]), TABLE, now).parts] == [
        "50% of 30 judged answers"
    ]


@pytest.mark.parametrize(
    ("of", "verdicts", "share"),
    [
        ("groundedness", ["yes", "no", "no", "no"], 0.75),
        ("groundedness", [True, False, True, True], 0.25),
        ("refusal", ["refused", "answered", "answered", "answered"], 0.25),
        ("toxicity", [1, 0, 0, 0], 0.25),
        ("toxicity", ["TOXIC", "no", "no", "no"], 0.25),
    ],
)
def test_other_traits_are_judged_alike(of, verdicts, share):
    assert read(judged(of=of), TABLE, rows(verdicts * 10)).value == share


@pytest.mark.parametrize(("option", "share"), [({"below": 0.5}, 0.25), ({"above": 0.4}, 0.75)])
def test_scores_are_wrong_beyond_a_value(option, share):
    assert read(judged(**option), TABLE, rows([0.2, 0.5, 0.6, 0.9] * 10)).value == share


def test_scores_that_are_text_are_refused():
    with pytest.raises(MeasurementError, match="wrong holds String, and below and above are for"):
        counted(judged(below=0.5), TABLE, rows(["0.2"]))


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"wrong": ["no"]}, "right"),
        ({"wrong": ["Error"], "right": ["x"]}, "failed"),
        ({"below": 0.5, "wrong": ["no"]}, "wrong"),
        ({"below": 0.5, "above": 0.4}, "below"),
        ({"min_agreement": 0.4}, "min_agreement"),
    ],
)
def test_options_that_contradict_each_other_are_told(options, path):
    assert [place for place, _, _ in judged(**options).problems()] == [path]


def test_real_answers_judged_by_people_have_the_share_that_was_published():
    found = pl.read_parquet(HALUEVAL).with_columns(at=pl.lit(AT))
    reading = read(judged(verdict="hallucination"), TABLE, found)
    assert reading.value == pytest.approx(815 / 4_507)
    assert reading.interval == pytest.approx((0.1699, 0.1924), abs=5e-4)
    assert reading.coverage == 1.0


def test_a_score_on_the_limit_is_right_in_single_precision_too():
    scores = rows([0.7] * 40).with_columns(pl.col("wrong").cast(pl.Float32))
    assert read(judged(below=0.7), TABLE, scores).value == 0.0
    assert read(judged(above=0.7), TABLE, scores).value == 0.0


def test_a_score_that_is_infinite_is_no_verdict_and_is_told():
    found = read(judged(above=0.5), TABLE, rows([0.1, float("inf"), float("nan"), None] * 10))
    assert (found.value, found.n, found.coverage) == (0.0, 10, 0.25)
    assert found.note == "10 verdicts are none that the guard names"


def test_a_judge_who_says_one_thing_only_is_not_believed_and_not_for_lack_of_answers():
    found = rows(["no"] * 200, person=["no"] * 200)
    reading = read(judged(human="person", min_agreement=0.4), TABLE, found)
    assert reading.value is None
    assert reading.note.startswith("judge and people said one and the same of all 200 answers")


def test_no_answer_at_all_is_no_error_though_the_judge_failed_before():
    failed = counted(judged(), TABLE, rows(["error", "no"]))
    nothing = Tally(keys=failed.keys, sums=failed.sums)
    reading = HALLUCINATION.read(judged(), nothing, failed)
    assert (reading.value, reading.coverage, reading.parts) == (None, 0.0, ())


@pytest.mark.parametrize("number", [0, 3])
def test_scores_that_nobody_gave_are_no_error_in_pandas(number):
    void = rows([None] * number).to_pandas().astype({"wrong": object})
    tally = counted(judged(below=0.5), TABLE, void)
    assert (tally.total("rows") if tally else 0) == number
