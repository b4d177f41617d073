"""What is counted of traces reads as the same requests in a table of rows do."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from aiguard_dagster.adapters.engines.engine import Plan
from aiguard_dagster.adapters.engines.open import profiles_of_table
from aiguard_dagster.core.spec import Cost, Hallucination, Table, Tokens
from aiguard_dagster.signals.kinds import kind_of
from aiguard_dagster.signals.traced import (
    COST,
    FEEDBACK,
    REQUESTS,
    TOKENS,
    TraceCounts,
    tally_of_traces,
)
from aiguard_dagster.stats.grid import Grid
from aiguard_dagster.stats.tally import tally_of

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
