"""How much agents do for a task, and which step grew."""

from datetime import timedelta

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Table
from aiguard_dagster.core.verdicts import Verdict
from tests.conformance.engines import LOCAL
from tests.signals.ledgers import START, assert_counted_alike, judged, parts_of, read, signal_of

OK, BREACH, INCONCLUSIVE, ERROR = Verdict
TABLE = Table(
    asset="spans",
    time="at",
    task="task",
    step="step",
    tool="tool",
    depth="level",
    status="status",
)
SCHEMA = {
    "at": pl.Datetime("us"),
    "task": pl.String,
    "step": pl.String,
    "tool": pl.String,
    "level": pl.Int64,
    "status": pl.String,
}
CALL = {"task": "t", "step": "plan", "tool": None, "level": 1, "status": "ok"}
OFS = ["calls", "tools", "loops", "depth", "failures"]


def spans(*calls):
    """Calls that differ from the usual one, each in a second of its own."""
    rows = [
        {**CALL, "at": START + timedelta(seconds=place), **call} for place, call in enumerate(calls)
    ]
    return pl.DataFrame(rows, schema=SCHEMA)


def agents(**options):
    return signal_of(kind="agents", **options)


def task(name, *calls):
    return [{"task": name, **call} for call in calls]


SEARCH = {"step": "act", "tool": "search", "level": 2}
LOST = {"step": "act", "tool": "search", "level": 3, "status": "timeout"}
TWO = spans(*task("a", {}, SEARCH, SEARCH, LOST), *task("b", {}, {"step": "act"}))

MESSY = pl.concat([TWO, spans({"task": None}, {"status": None}, {"level": -1}, {"step": None})])


@pytest.mark.parametrize("engine", LOCAL)
@pytest.mark.parametrize("of", OFS)
def test_all_engines_count_tasks_alike(engine, of):
    assert_counted_alike(agents(of=of, more_than=1), MESSY, TABLE, engine)


@pytest.mark.parametrize(
    ("of", "mean", "many"),
    [
        ("calls", 3, 0.5),
        ("tools", 1.5, 0.5),
        ("loops", 1, 0),
        ("depth", 2, 0.5),
        ("failures", 0.5, 0),
    ],
)
def test_what_is_done_for_a_task_is_told_as_a_mean_or_as_the_share_of_tasks_with_much(
    of, mean, many
):
    assert read(agents(of=of), TWO, TABLE).value == pytest.approx(mean)
    assert read(agents(of=of, more_than=2), TWO, TABLE).value == pytest.approx(many)


def test_requests_are_tasks_where_none_are_named():
    table = TABLE.model_copy(update={"task": None, "request": "task"})
    assert read(agents(), TWO, table).value == pytest.approx(3)


@pytest.mark.parametrize(
    ("of", "step"),
    [
        ("calls", "act"),
        ("loops", "act"),
        ("failures", "act"),
        ("depth", "act"),
        ("tools", "search"),
    ],
)
def test_the_step_that_grew_is_named_first_with_what_it_was(of, step):
    search = {**SEARCH, "level": 1}
    usual = spans(*task("a", {}, search), *task("b", {}, search))
    found = read(agents(of=of), TWO, TABLE, usual)
    assert found.parts[0].name == step
    assert ", was " in found.parts[0].text


def test_a_loop_is_found_in_the_step_that_repeats():
    usual = spans(*task("a", {}, SEARCH), *task("b", {}, SEARCH))
    stuck = spans(*task("a", {}, *[SEARCH] * 9), *task("b", {}, SEARCH))
    found = read(agents(of="loops"), stuck, TABLE, usual)
    assert found.value == pytest.approx(4)
    assert parts_of(found) == {"act": pytest.approx(4)}
    assert found.parts[0].text == "+4: 4 repeated calls a task, was 0"


@settings(deadline=None, max_examples=20)
@given(st.data())
@pytest.mark.parametrize("of", ["calls", "tools", "loops", "failures"])
def test_what_steps_add_is_the_change_of_the_mean(of, data):
    calls = st.lists(
        st.fixed_dictionaries(
            {
                "task": st.sampled_from("abc"),
                "step": st.sampled_from(["plan", "act", None]),
                "tool": st.sampled_from(["search", "code", None]),
                "status": st.sampled_from(["ok", "timeout"]),
            }
        ),
        min_size=1,
        max_size=15,
    ).map(lambda each: spans(*each))
    before, now = data.draw(calls), data.draw(calls)
    found, was = (read(agents(of=of), rows, TABLE, before) for rows in (now, before))
    assume(None not in {found.value, was.value})  # Calls that tell nothing measure no task.
    assert sum(parts_of(found).values()) == pytest.approx(found.value - was.value, abs=1e-9)


def test_one_task_that_runs_away_shows_in_the_share_of_tasks_with_many_calls():
    calm = [call for number in range(40) for call in task(f"t{number}", {}, SEARCH)]
    wild = spans(*calm, *task("wild", *[SEARCH] * 50))
    signal = {"kind": "agents", "more_than": 20}
    assert judged(signal, wild, TABLE, limit=0.02, days=1).verdict is BREACH
    assert judged(signal, spans(*calm), TABLE, limit=0.02, days=1).verdict is OK


def test_calls_that_name_no_task_lower_the_coverage_and_are_told():
    found = read(agents(), pl.concat([TWO, spans(*[{"task": None}] * 6)]), TABLE)
    assert (found.value, found.n) == (pytest.approx(3), 2)
    assert found.coverage == pytest.approx(0.5)
    assert found.note == "6 calls name no task"


@pytest.mark.parametrize(
    ("of", "call"),
    [("failures", {"status": None}), ("depth", {"level": None}), ("depth", {"level": -2})],
)
def test_tasks_that_cannot_be_measured_lower_the_coverage(of, call):
    rows = spans(*task("a", {}), *task("b", call))
    found = read(agents(of=of), rows, TABLE)
    assert (found.n, found.coverage) == (1, pytest.approx(0.5))


def test_a_row_that_repeats_a_call_is_no_loop():
    found = read(agents(of="loops"), pl.concat([TWO, TWO]), TABLE)
    assert found.value == pytest.approx(1)
    assert found.note == "6 rows repeat a call and do not count"


def test_a_depth_that_is_no_number_is_an_error():
    with pytest.raises(MeasurementError, match="level holds text, not numbers"):
        read(agents(of="depth"), TWO.with_columns(pl.col("level").cast(pl.String)), TABLE)


def test_nothing_is_no_value():
    found = read(agents(), spans({"task": None}), TABLE)
    assert (found.value, found.coverage) == (None, 0.0)


def test_calls_that_name_neither_step_nor_tool_repeat_nothing():
    answer = {"step": None, "tool": None}
    tools = TABLE.model_copy(update={"step": None})
    rows = spans(*task("a", *[answer] * 5, {**answer, "tool": "search"}))
    found = read(agents(of="loops"), rows, tools)
    assert (found.value, found.coverage) == (0.0, 1.0)
    again = spans(*task("a", *[answer] * 5), *task("b", SEARCH, SEARCH))
    found = read(agents(of="loops"), again, TABLE)
    assert (found.value, found.n, found.coverage) == (1.0, 1, pytest.approx(0.5))


def test_a_step_is_as_deep_as_in_the_tasks_that_tell_it_whatever_tools_it_took():
    act = {"step": "act", "tool": "search", "level": 2}
    rows = spans(
        *task("a", act, {**act, "tool": "code", "level": 4}),
        *task("b", {**act, "level": 6}),
        *task("c", {}, {**act, "level": None}),
    )
    found = read(agents(of="depth"), rows, TABLE)
    assert parts_of(found) == {"act": pytest.approx(5), "plan": pytest.approx(1)}


@pytest.mark.parametrize("of", ["failures", "loops"])
def test_what_steps_add_makes_up_the_mean_though_some_tasks_are_not_measured(of):
    dark = {"status": None} if of == "failures" else {"step": None, "tool": None}
    rows = pl.concat([TWO, spans(*task("c", dark, *[LOST] * 3))])
    found = read(agents(of=of), rows, TABLE)
    assert found.coverage == pytest.approx(2 / 3)
    assert sum(parts_of(found).values()) == pytest.approx(found.value)
