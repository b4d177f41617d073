"""What is told twice, lost or taken away between the ticks: one request, one rollback."""

import contextlib
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from aiguard_dagster.adapters.dagster.history import decision_event
from aiguard_dagster.adapters.mlflow import rollback as transaction
from aiguard_dagster.core.decisions import MADE_ONCE
from aiguard_dagster.orchestration import rollback as rollback_job
from aiguard_dagster.orchestration.keys import guard_key
from tests.chaos.killer import assert_done_once
from tests.chaos.nursery import Children
from tests.chaos.place import kinds_of
from tests.orchestration.project import (
    DELTAS,
    ERROR_NOW,
    PREDICTIONS,
    STOP_RULES,
    TURNED,
    day,
)

TIMES = 10


def assert_one_rollback(project):
    assert requests_and_outcomes(project) == ["request", "rollback"]
    assert project.registry.champion() == "1"
    assert [reign.version for reign in project.registry.reigns()] == ["1", "2", "1"]


def requests_and_outcomes(project):
    """Without the holds of rows that were wiped, and the silence of a clock that went ahead."""
    return [d.kind.value for d in project.decisions() if d.kind in MADE_ONCE]


def deliver(project, tick):
    """What the daemon does with a tick."""
    for event in tick.asset_events:
        project.instance.report_runless_asset_event(event)
    for request in tick.run_requests or ():
        project.daemon._run(request)


def test_a_tick_that_is_delivered_twice_acts_once(new_project, table):
    """Both ticks have read the same log before either wrote to it."""
    with table.trying("the same tick delivered twice"):
        project = new_project(rules=(ERROR_NOW,))
        project.weather[1] = TURNED
        project.materialise(1)
        for _ in range(2):
            deliver(project, project.daemon.evaluate(DELTAS))
        ticks = [project.daemon.evaluate(STOP_RULES) for _ in range(2)]
        for tick in ticks:
            deliver(project, tick)
        assert_one_rollback(project)
        project.tick()
        assert_one_rollback(project)


def test_a_request_written_twice_does_not_keep_the_guard_busy_for_ever(new_project):
    project = new_project(rules=(ERROR_NOW,), cooldown="1d")
    project.live(1, weather=TURNED)
    project.instance.report_runless_asset_event(
        decision_event(guard_key(project.guard), project.decisions()[0])
    )
    assert_one_rollback(project)
    project.registry.lift_quarantine("2", by="person:ada", why="a drill", at=day(2))
    project.registry.promote("2", at=day(5), by="person:ada", why="a drill")
    project.live(5, 6, weather=TURNED)
    assert project.kinds()[2:3] == ["request"]


@pytest.fixture(scope="module")
def two(children, warm_models):
    other = Children(warm_models.path)
    yield children, other
    other.end()


@pytest.mark.chaos
@pytest.mark.parametrize("mlflow", ["sqlite", "http"])
def test_two_daemons_that_tick_at_once_act_once(two, folder, shelves, table, mlflow):
    for _ in range(TIMES):
        with table.trying(f"two daemons on one instance, {mlflow}"):
            place = shelves(mlflow).new(folder)
            for each in two:
                each.ask("tick", place, times=3)
            assert [each.answer()["code"] for each in two] == [0, 0]
            with place.instance() as instance:
                assert_done_once(instance, place)


@pytest.mark.chaos
def test_of_two_people_who_answer_at_once_the_first_counts(two, folder, shelves, table):
    for _ in range(TIMES):
        with table.trying("two people approving and rejecting at once"):
            place = shelves("sqlite").new(folder, mode="propose")
            two[0].do("tick", place)
            for each, by, said in zip(two, ("ada", "bob"), ("approve", "reject"), strict=True):
                each.ask("answer", place, by=by, answer=said)
            codes = [each.answer()["code"] for each in two]
            two[0].do("tick", place, times=3)
            with place.instance() as instance:
                kinds = kinds_of(instance, place)
            assert kinds[:2] == ["request", "propose"]
            approved = kinds[2] == "approve"
            assert codes == ([0, 1] if approved else [1, 0])  # Who came second was told.
            assert kinds.count("rollback") == approved
            assert place.registry.champion() == ("1" if approved else "2")
            assert place.registry.is_quarantined("2") == approved


@pytest.mark.chaos
def test_a_lost_cursor_acts_once(new_project, table):
    for lost in (None, "", "{", '{"read": 999999999, "guards": {}}'):
        with table.trying("the sensors' cursors deleted or damaged"):
            project = new_project(rules=(ERROR_NOW,))
            project.weather[1] = TURNED
            project.materialise(1)
            for _ in range(4):
                project.tick()
                project.daemon.cursors.update({DELTAS: lost, STOP_RULES: lost})
            project.daemon._run_keys.clear()
            project.tick()
            assert_one_rollback(project)


@pytest.mark.chaos
def test_clocks_that_differ_by_ten_minutes_act_once(new_project, table):
    """One daemon's clock is behind, the other's ahead; each tick is by the other."""
    for minutes in (10, -10):
        with table.trying("clocks of two machines 10 minutes apart"):
            project = new_project(rules=(ERROR_NOW,))
            project.weather[1] = TURNED
            project.materialise(1)
            true, skew = project.now, timedelta(minutes=minutes)
            for number in range(6):
                project.now = true + (skew if number % 2 else -skew)
                project.tick()
            assert_one_rollback(project)
            assert project.last("rollback").at == day(2)


@contextlib.contextmanager
def dying(moment):
    """The first run dies at a moment of its transaction, as an error."""

    def on_step(name):
        if name == moment:
            message = f"killed {name}"
            raise dg.Failure(message, allow_retries=False)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            rollback_job,
            "roll_back",
            lambda registry, intent: transaction.roll_back(registry, intent, on_step=on_step),
        )
        yield


@pytest.mark.chaos
@pytest.mark.parametrize("moment", ["before intent", "after intent", "after move", "after done"])
def test_runs_that_are_deleted_are_no_second_rollback(new_project, table, moment):
    with table.trying("the rollback's runs deleted"):
        project = new_project(rules=(ERROR_NOW,))
        with dying(moment):
            project.live(1, weather=TURNED)
        forget_runs(project)
        project.tick()
        assert_one_rollback(project)
        forget_runs(project)
        project.tick()
        assert_one_rollback(project)


def forget_runs(project):
    for run in project.instance.get_runs():
        if run.job_name.endswith("_rollback"):
            project.instance.delete_run(run.run_id)
    project.daemon._run_keys.clear()


@pytest.mark.chaos
@pytest.mark.parametrize("moment", ["after intent", "after move", "after quarantine"])
def test_an_intent_outlives_the_checks_of_a_wiped_asset(new_project, table, moment):
    with table.trying("checks wiped of an asset in the middle of a rollback"):
        project = new_project(rules=(ERROR_NOW,))
        with dying(moment):
            project.live(1, weather=TURNED)
        project.instance.wipe_assets([PREDICTIONS])
        project.daemon.tick(STOP_RULES)
        for _ in range(3):
            project.tick()
        assert_one_rollback(project)
        assert transaction.pending_intents(project.registry) == ()


@pytest.mark.chaos
def test_checks_wiped_after_a_rollback_start_no_second_one(new_project, table):
    with table.trying("checks wiped of an asset after a rollback"):
        project = new_project(rules=(ERROR_NOW,))
        project.live(1, weather=TURNED)
        project.instance.wipe_assets([PREDICTIONS])
        project.tick()
        project.live(2, weather=TURNED)
        assert_one_rollback(project)


@pytest.mark.chaos
def test_a_wiped_audit_is_no_second_rollback_and_no_guard_that_waits_for_ever(new_project, table):
    with table.trying("the guard's own asset wiped"):
        project = new_project(rules=(ERROR_NOW,))
        project.live(1, weather=TURNED)
        project.instance.wipe_assets([guard_key(project.guard)])
        project.tick()
        assert project.kinds() == ["request"]
        project.now = datetime.now(UTC) + timedelta(hours=2)
        project.tick()
        assert_one_rollback(project)


@pytest.mark.chaos
@pytest.mark.parametrize("moment", ["before move", "before intent"])
def test_a_person_who_moves_the_alias_between_read_and_set_wins(new_project, table, moment):
    with table.trying("alias moved by a person between read and set"):
        project = new_project(rules=(ERROR_NOW,), versions=3, baselines=("1", "2", "3"))

        def on_step(name):
            if name == moment:
                project.registry.point_to("3")

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(
                rollback_job,
                "roll_back",
                lambda registry, intent: transaction.roll_back(registry, intent, on_step=on_step),
            )
            project.live(1, weather=TURNED)
        project.tick()
        assert project.kinds() == ["request", "superseded"]
        assert project.registry.champion() == "3"
        assert not project.registry.is_quarantined("2")
