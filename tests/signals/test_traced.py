"""What is counted of traces reads as the same requests in a table of rows do."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from aiguard_dagster.adapters.engines.engine import Plan
from aiguard_dagster.adapters.engines.open import profiles_of_table
from aiguard_dagster.core.spec import Agents, Cost, Hallucination, Table, Tokens, Trust
from aiguard_dagster.signals.kinds import kind_of
from aiguard_dagster.signals.traced import (
    CALLS,
    COST,
    FEEDBACK,
    REQUESTS,
    TOKENS,
    TraceCounts,
    tally_of_traces,
)
from aiguard_dagster.stats.grid import Grid
from aiguard_dagster.stats.tally import merge_tallies, tally_of

AT = datetime(2026, 1, 5, 7, tzinfo=UTC)
DAY = timedelta(days=1)
ROWS = [
    # name, model, input, output, cost, verdict
    ("chat", "gpt", 100, 20, 0.25, "true"),
    ("chat", "gpt", 300, 40, 0.50, "false"),
    ("search", "small", 50, 5, None, "false"),
    ("search", "small", 150, 15, 0.05, "error"),
    ("search", "gpt", None, None, 0.20, None),
]
TABLE = {
    "asset": "answers",
    "time": "at",
    "request": "request",
    "template": "name",
    "served_by": "model",
    "input_tokens": "into",
    "output_tokens": "out",
    "cost": "cost",
}


def like(tally, rows):
    return tally_of(tally.keys, tally.sums, rows)


def traces():
    """The rows as a tracking server counts them."""
    verdicts = {"true": "true", "false": "false", "error": "null"}
    return TraceCounts(
        requests=like(REQUESTS, [(name, "OK", 1) for name, *_ in ROWS]),
        tokens=like(
            TOKENS,
            [(name, 1, i or 0, o or 0, 0, int(i is not None)) for name, _, i, o, *_ in ROWS],
        ),
        cost=like(
            COST,
            [(model, 1, int(cost is not None), cost or 0) for _, model, _, _, cost, _ in ROWS],
        ),
        feedback=like(FEEDBACK, [("judged", verdicts[v], 1) for *_, v in ROWS if v]),
    )


def read_both(signal, table=TABLE):
    """Readings from traces, and from a table of the same."""
    names = ("name", "model", "into", "out", "cost", "judged")
    frame = pl.DataFrame(
        [(AT, str(n), *row) for n, row in enumerate(ROWS)], schema=["at", "request", *names],
        orient="row",
    )  # fmt: skip
    plan = Plan(table=Table(**table), grid=Grid(), classes=False, tallies={"t": signal})
    (profile,) = profiles_of_table(frame, plan).values()
    read = kind_of(signal).read
    return (
        read(signal, tally_of_traces(signal, traces(), AT), None),
        read(signal, profile.tallies["t"], None),
    )


@pytest.mark.parametrize("per", [1000, "request", "day"])
def test_spend_on_traces_is_that_of_a_ledger(per):
    traced, ledger = read_both(Cost(window=DAY, per=per))
    assert traced.value == pytest.approx(ledger.value)
    assert (traced.n, traced.coverage) == (ledger.n, ledger.coverage) == (4, 0.8)
    assert [part.name for part in traced.parts] == [part.name for part in ledger.parts]


def test_amounts_of_traces_are_dollars():
    euros = Cost(window=DAY, currency="EUR")
    found = kind_of(euros).read(euros, tally_of_traces(euros, traces(), AT), None)
    assert (found.value, found.coverage) == (None, 0.0)


@pytest.mark.parametrize("of", ["total", "input", "output"])
def test_tokens_of_traces_are_those_of_a_ledger(of):
    table = {name: column for name, column in TABLE.items() if name != "served_by"}
    traced, ledger = read_both(Tokens(window=DAY, of=of), table)
    assert traced.value == pytest.approx(ledger.value)
    assert (traced.n, traced.coverage) == (ledger.n, ledger.coverage) == (4, 0.8)
    assert [part.name for part in traced.parts] == [part.name for part in ledger.parts]


def test_a_cache_that_was_never_read_is_unknown():
    signal = Tokens(window=DAY, of="cached")
    found = kind_of(signal).read(signal, tally_of_traces(signal, traces(), AT), None)
    assert (found.value, found.coverage) == (None, 0.0)


def test_judgements_on_traces_are_those_of_a_table():
    traced, table = read_both(Hallucination(window=DAY, verdict="judged"))
    assert traced.value == table.value == pytest.approx(1 / 3)
    assert (traced.n, traced.coverage) == (table.n, table.coverage) == (3, 0.6)
    assert traced.parts == table.parts


def test_judgements_may_be_scores():
    signal = Hallucination(window=DAY, verdict="judged", below=0.5)
    values = ["0.2", "0.7", "null", '"high"', "true"]
    counts = TraceCounts(
        requests=like(REQUESTS, [("", "OK", 10)]),
        feedback=like(FEEDBACK, [("judged", value, 1) for value in values]),
    )
    tally = tally_of_traces(signal, counts, AT)
    told = {name: tally.total(name) for name in ("rows", "wrong", "right", "failed", "strange")}
    assert told == {"rows": 10, "wrong": 1, "right": 1, "failed": 1, "strange": 2}


def rated(values, *, requests=100, **options):
    """What thumbs read as; each value is JSON, and how many say it."""
    signal = Trust.model_validate({"window": "1d", "assessment": "thumb", **options})
    rows = [("thumb", value, many) for value, many in values.items()]
    counts = TraceCounts(
        requests=like(REQUESTS, [("", "OK", requests)]),
        feedback=like(FEEDBACK, [*rows, ("judge", "false", 500)]),
    )
    return signal, tally_of_traces(signal, counts, AT)


def test_thumbs_are_shares_of_those_given_and_who_gives_none_lowers_the_coverage():
    signal, tally = rated({"true": 30, "false": 10}, metric="thumbs_down")
    found = kind_of(signal).read(signal, tally, None)
    assert (found.value, found.n, found.coverage) == (0.25, 40, 0.4)
    assert found.interval[0] < 0.25 < found.interval[1]
    assert [(part.name, part.text) for part in found.parts] == [
        ("thumbs down", "25%"),
        ("accepted", "75%"),
    ]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("true", "acceptance"),
        ('"Yes"', "acceptance"),
        ("1", "acceptance"),
        ("1.0", "acceptance"),
        ('"thumbs_up"', "acceptance"),
        ("false", "thumbs_down"),
        ('"no"', "thumbs_down"),
        ("0", "thumbs_down"),
        ('"escalated"', "escalation"),
        ("4", "strange"),
        ('"well"', "strange"),
        ('["yes"]', "strange"),
        ("null", "failed"),
    ],
)
def test_a_rating_is_a_truth_a_word_or_a_number(value, says):
    _, tally = rated({value: 7})
    assert tally.total("rows", says=says) == 7


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("3", "acceptance"),
        ("2.5", "thumbs_down"),
        ("1", "thumbs_down"),
        ("true", "strange"),
        ('"4"', "strange"),
        ("NaN", "strange"),
        ("null", "failed"),
    ],
)
def test_a_rating_on_a_scale_is_a_thumb_down_below_what_the_guard_says(value, says):
    _, tally = rated({value: 7}, below=3)
    assert tally.total("rows", says=says) == 7


def test_words_of_the_guard_go_before_yes_and_no():
    _, tally = rated({'"yes"': 2}, decisions={"override": ["yes"]})
    assert tally.total("rows", says="override") == 2


def test_ratings_that_say_nothing_are_told_and_lower_the_coverage():
    signal, tally = rated({"true": 40, "null": 30, '"well"': 20})
    found = kind_of(signal).read(signal, tally, None)
    assert (found.value, found.coverage) == (1.0, 0.4)
    assert found.note == (
        "30 ratings have no value; 20 ratings are values that the guard does not name"
    )


def test_more_ratings_than_requests_are_a_flood_of_which_none_counts():
    signal, flooded = rated({"false": 10_000})
    found = kind_of(signal).read(signal, flooded, None)
    assert (found.value, found.n, found.coverage) == (None, 0, 0.0)
    _, usual = rated({"true": 90, "false": 10})
    both = kind_of(signal).read(signal, merge_tallies([flooded, usual]), None)
    assert (both.value, both.n, both.coverage) == (0.9, 100, 0.5)
    assert both.note.startswith("10,000 ratings are of times with more ratings than requests")


def test_nothing_rated_is_no_value():
    signal, tally = rated({})
    found = kind_of(signal).read(signal, tally, None)
    assert (found.value, found.n, found.coverage) == (None, 0, 0.0)
    assert found.note == "nothing was rated"


def test_what_ratings_say_more_often_than_they_did_is_told_first():
    signal, before = rated({"true": 80, "false": 10, '"escalated"': 10})
    _, now = rated({"true": 60, "false": 10, '"escalated"': 30})
    found = kind_of(signal).read(signal, now, before)
    assert [(part.name, part.text) for part in found.parts] == [
        ("escalated", "30%, was 10%"),
        ("thumbs down", "10%, was 10%"),
        ("accepted", "60%, was 80%"),
    ]


SPANS = [
    ("CHAT_MODEL", "plan", "OK", 20),
    ("LLM", "answer", "ERROR", 5),
    ("TOOL", "search", "OK", 30),
    ("TOOL", "search", "ERROR", 10),
    ("TOOL", "", "UNSET", 5),
]


def agents(of, *, tasks=10, spans=SPANS, going_on=0):
    signal = Agents(window=DAY, of=of)
    counts = TraceCounts(
        requests=like(REQUESTS, [("", "OK", tasks), ("", "", going_on)]),
        calls=None if spans is None else like(CALLS, spans),
    )
    return signal, tally_of_traces(signal, counts, AT)


@pytest.mark.parametrize(("of", "mean"), [("calls", 7), ("tools", 4.5), ("failures", 1.5)])
def test_calls_of_a_task_are_those_of_all_spans_by_all_traces(of, mean):
    signal, tally = agents(of)
    found = kind_of(signal).read(signal, tally, None)
    assert (found.value, found.n, found.coverage) == (mean, 10, 1.0)
    assert sum(part.value for part in found.parts) == pytest.approx(mean)


def test_the_tool_that_is_called_more_often_is_told_first():
    signal, before = agents("calls")
    _, now = agents("calls", spans=[*SPANS, ("TOOL", "search", "OK", 50)])
    found = kind_of(signal).read(signal, now, before)
    assert found.value == 12
    assert found.parts[0].name == "tool search"
    assert found.parts[0].text == "+5: 9 calls a task, was 4"


def test_a_span_without_a_status_has_not_failed():
    signal, tally = agents("failures", spans=[("TOOL", "search", "UNSET", 10)])
    assert kind_of(signal).read(signal, tally, None).value == 0.0


def test_tasks_that_go_on_are_not_measured():
    signal, tally = agents("calls", tasks=6, going_on=4)
    assert kind_of(signal).read(signal, tally, None).coverage == pytest.approx(0.6)


@pytest.mark.parametrize("spans", [None, []])
def test_tasks_without_any_call_are_no_tasks_with_few_calls(spans):
    signal, tally = agents("calls", spans=spans)
    found = kind_of(signal).read(signal, tally, None)
    assert (found.value, found.n, found.coverage) == (None, 0, 0.0)
    assert found.note == "no task could be measured"


def test_calls_without_one_of_a_tool_are_no_tool_calls():
    signal, tally = agents("tools", spans=SPANS[:2])
    assert kind_of(signal).read(signal, tally, None).value == 0.0


def test_names_of_very_many_steps_are_put_together_and_the_mean_stays():
    many = [("TOOL", f"tool-{n}", "OK", 1) for n in range(5_000)]
    signal, tally = agents("calls", spans=many, tasks=100)
    assert len(tally.groups) < 2_100
    assert kind_of(signal).read(signal, tally, None).value == 50
