"""The rollback transaction: interrupted anywhere, raced by anyone, it ends in one place."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from aiguard_dagster.adapters.mlflow.person_tags import PIN
from aiguard_dagster.adapters.mlflow.rollback import (
    STEPS,
    RollbackState,
    pending_intents,
    roll_back,
)
from aiguard_dagster.core.errors import ActionError
from tests.adapters.mlflow.conftest import day
from tests.adapters.mlflow.rollbacks import (
    PLACES,
    POINTS,
    CrashError,
    an_intent,
    assert_rolled_back,
    crash_at,
    do_at,
    three_champions,
)

MINUTE = timedelta(minutes=1)


@pytest.fixture
def everywhere(workshop, pointer):
    """The model on each backend, by each kind of pointer."""
    return three_champions(workshop.registry(workshop.model(), **pointer))


@pytest.fixture
def registry(sqlite_workshop):
    """The model where it is fastest; what MLflow does for it, the tests above have shown."""
    return three_champions(sqlite_workshop.registry(sqlite_workshop.model()))


def crash(registry, point, intent=None):
    with pytest.raises(CrashError):
        roll_back(registry, intent or an_intent(), on_step=crash_at(point))


def test_a_rollback_moves_the_pointer_and_bars_the_bad_version(everywhere):
    assert roll_back(everywhere, an_intent()) is RollbackState.DONE
    assert_rolled_back(everywhere)
    reign = everywhere.reigns()[-1]
    assert (reign.why, reign.by) == ("mae 61 above 40 since 6 January", "guard")
    assert pending_intents(everywhere) == ()


def test_every_step_is_announced_before_and_after(registry):
    heard = []
    roll_back(registry, an_intent(), on_step=heard.append)
    assert heard == POINTS


@pytest.mark.parametrize("point", PLACES)
def test_a_crash_anywhere_is_healed_by_running_it_again(everywhere, point):
    crash(everywhere, point)
    assert roll_back(everywhere, an_intent(run_id="run-2")) is RollbackState.DONE
    assert_rolled_back(everywhere)
    assert pending_intents(everywhere) == ()


def test_crash_after_crash_still_ends(registry):
    for point in PLACES:
        # A step that is over is not announced again, so its crash does not come.
        try:
            roll_back(registry, an_intent(), on_step=crash_at(point))
        except CrashError:
            continue
    assert roll_back(registry, an_intent()) is RollbackState.DONE
    assert_rolled_back(registry)


@pytest.mark.slow
def test_a_process_killed_after_any_step_is_healed_by_another(workshop):
    points = PLACES[1:]
    registries = {point: three_champions(workshop.registry(workshop.model())) for point in points}
    jobs = [f"{registry.name}={point}" for point, registry in registries.items()]
    script = Path(__file__).with_name("killed_rollback.py")
    root = Path(__file__).parents[3]
    subprocess.run(
        [sys.executable, script, workshop.uri, *jobs],
        check=True,
        timeout=120,
        cwd=root,
        env={"PYTHONPATH": str(root), "MLFLOW_DISABLE_TELEMETRY": "true"},
    )
    for registry in registries.values():
        assert roll_back(registry, an_intent()) is RollbackState.DONE
        assert_rolled_back(registry)


@pytest.mark.parametrize("champion", ["1", "3"])
def test_after_the_end_nothing_is_moved_again(everywhere, champion):
    roll_back(everywhere, an_intent())
    everywhere.point_to(champion)
    assert roll_back(everywhere, an_intent()) is RollbackState.DONE
    assert everywhere.champion() == champion


@pytest.mark.parametrize(
    ("point", "end"),
    [
        ("after intent", RollbackState.SUPERSEDED),
        ("after move", RollbackState.SUPERSEDED),
        ("after verify", RollbackState.DONE),
    ],
)
def test_a_person_who_moves_the_pointer_elsewhere_meanwhile_wins(registry, point, end):
    moved = do_at(point, lambda: registry.point_to("1"))
    assert roll_back(registry, an_intent(), on_step=moved) is end
    assert registry.champion() == "1"
    assert roll_back(registry, an_intent()) is end
    assert registry.champion() == "1"
    assert pending_intents(registry) == ()


@pytest.mark.parametrize("point", PLACES[1:])
def test_a_person_who_moves_the_pointer_elsewhere_after_a_crash_wins(registry, point):
    crash(registry, point)
    registry.point_to("1")
    ended = roll_back(registry, an_intent())
    assert ended is (RollbackState.DONE if point == "after done" else RollbackState.SUPERSEDED)
    assert registry.champion() == "1"
    assert roll_back(registry, an_intent()) is ended
    assert pending_intents(registry) == ()


@pytest.mark.parametrize(
    ("point", "end"),
    [
        ("before intent", RollbackState.SUPERSEDED),
        ("after intent", RollbackState.SUPERSEDED),
        ("after move", RollbackState.DONE),
        ("after done", RollbackState.DONE),
    ],
)
def test_a_pin_on_the_champion_wins_until_the_pointer_has_moved(everywhere, point, end):
    def pin():
        everywhere.client.set_model_version_tag(everywhere.name, "3", PIN, "ann: an audit runs")

    assert roll_back(everywhere, an_intent(), on_step=do_at(point, pin)) is end
    done = end is RollbackState.DONE
    assert everywhere.champion() == ("2" if done else "3")
    assert everywhere.is_quarantined("3") is done
    assert roll_back(everywhere, an_intent()) is end
    assert pending_intents(everywhere) == ()


def test_a_pin_that_comes_between_a_crash_and_the_next_run_wins_unless_it_had_moved(registry):
    crash(registry, "after intent")
    registry.client.set_model_version_tag(registry.name, "3", PIN, "ann: an audit runs")
    assert roll_back(registry, an_intent()) is RollbackState.SUPERSEDED
    assert registry.champion() == "3"


def test_a_rollback_that_had_moved_is_finished_though_its_old_version_was_pinned(registry):
    crash(registry, "after move")
    registry.client.set_model_version_tag(registry.name, "3", PIN, "ann: an audit runs")
    assert roll_back(registry, an_intent()) is RollbackState.DONE
    assert_rolled_back(registry)


@pytest.mark.parametrize("point", ["after verify", "after quarantine", "after record"])
def test_a_person_who_puts_the_bad_version_back_after_it_was_moved_wins(registry, point):
    crash(registry, point)
    registry.point_to("3")
    assert roll_back(registry, an_intent()) is RollbackState.SUPERSEDED
    assert registry.champion() == "3"


def test_a_pointer_that_is_elsewhere_from_the_start_is_left_there(registry):
    registry.point_to("1")
    assert roll_back(registry, an_intent()) is RollbackState.SUPERSEDED
    assert registry.champion() == "1"
    assert not registry.is_quarantined("3")
    registry.point_to("3")
    assert roll_back(registry, an_intent()) is RollbackState.SUPERSEDED
    assert registry.champion() == "3"


@pytest.mark.parametrize("point", [*PLACES, "never"])
def test_a_person_who_was_quicker_keeps_the_credit(registry, point):
    registry.point_to("2")
    if point != "never":
        crash(registry, point)
    assert roll_back(registry, an_intent()) is RollbackState.DONE
    assert_rolled_back(registry, by="unknown")


def test_a_sensor_that_looks_during_a_rollback_sees_no_stranger(registry):
    crash(registry, "before record")
    assert registry.observe(now=day(20)) is None
    assert registry.reigns()[-1].by == "guard"
    assert roll_back(registry, an_intent()) is RollbackState.DONE
    assert_rolled_back(registry)


def test_a_move_by_hand_to_where_a_rollback_that_was_given_up_wanted_to_go_is_a_person_s(registry):
    crash(registry, "before move", an_intent(written=day(9)))
    registry.point_to("2")
    seen = registry.observe(now=day(9) + 10 * MINUTE)
    assert (seen.version, seen.start, seen.by) == ("2", day(9) + 10 * MINUTE, "unknown")


def test_a_sensor_that_looks_right_after_the_move_sees_no_stranger(registry):
    crash(registry, "after move", an_intent(written=day(9)))
    assert registry.observe(now=day(9) + MINUTE) is None
    reign = registry.reigns()[-1]
    assert (reign.version, reign.start, reign.by) == ("2", day(9), "guard")


@pytest.mark.parametrize("written", [day(9), None])
def test_a_rollback_that_is_finished_late_puts_its_name_to_its_move(registry, written):
    crash(registry, "after move", an_intent(written=written))
    assert registry.observe(now=day(20)).by == "unknown"
    assert roll_back(registry, an_intent()) is RollbackState.DONE
    assert_rolled_back(registry)


def test_a_return_by_hand_to_where_an_unfinished_rollback_went_is_a_person_s(registry):
    crash(registry, "before quarantine", an_intent(written=day(9)))
    assert registry.observe(now=day(9) + MINUTE) is None
    registry.point_to("1")
    assert registry.observe(now=day(20)).version == "1"
    registry.point_to("2")
    seen = registry.observe(now=day(21))
    assert (seen.version, seen.start, seen.by) == ("2", day(21), "unknown")


@pytest.mark.parametrize("point", PLACES)
def test_two_processes_with_one_intent_do_it_once(registry, point):
    ends = []
    other = do_at(point, lambda: ends.append(roll_back(registry, an_intent(run_id="run-2"))))
    ends.append(roll_back(registry, an_intent(), on_step=other))
    assert ends == [RollbackState.DONE, RollbackState.DONE]
    assert_rolled_back(registry)


@pytest.mark.parametrize("point", PLACES)
def test_a_quarantine_that_a_person_lifts_meanwhile_stays_lifted(registry, point):
    def lift():
        registry.lift_quarantine("3", by="ann", why="it was the labels", at=day(10))

    roll_back(registry, an_intent(), on_step=do_at(point, lift))
    crashed_before = PLACES.index(point) < PLACES.index("after quarantine")
    assert registry.is_quarantined("3") is crashed_before
    assert roll_back(registry, an_intent()) is RollbackState.DONE
    assert registry.is_quarantined("3") is crashed_before


def test_a_lifted_quarantine_is_not_imposed_again_by_a_resumed_rollback(registry):
    crash(registry, "before record")
    registry.lift_quarantine("3", by="ann", why="it was the labels", at=day(10))
    assert roll_back(registry, an_intent()) is RollbackState.DONE
    assert not registry.is_quarantined("3")


def test_an_id_serves_for_one_rollback_only(registry):
    crash(registry, "after intent")
    for other in (an_intent(to_version="1"), an_intent(from_version="1")):
        with pytest.raises(ActionError, match=r"(?s)this id was used to go from 3 to 2.*new id"):
            roll_back(registry, other)
    assert registry.champion() == "3"


def test_the_first_reason_and_time_of_an_id_stay(registry):
    crash(registry, "after move")
    roll_back(registry, an_intent(reason="another", actor="ann", at=day(20)))
    assert_rolled_back(registry)
    assert registry.reigns()[-1].why == "mae 61 above 40 since 6 January"


def test_a_target_in_quarantine_is_refused_and_nothing_is_written(registry):
    registry.quarantine("2", reason="bad too", at=day(4), by="guard")
    with pytest.raises(ActionError, match="version 2 is in quarantine"):
        roll_back(registry, an_intent())
    assert registry.champion() == "3"
    assert pending_intents(registry) == ()


def test_a_target_that_was_put_in_quarantine_since_is_refused_on_resuming(registry):
    crash(registry, "after intent")
    registry.quarantine("2", reason="bad too", at=day(4), by="guard")
    with pytest.raises(ActionError, match="version 2 is in quarantine"):
        roll_back(registry, an_intent())
    assert registry.champion() == "3"
    registry.lift_quarantine("2", by="ann", why="fine after all", at=day(11))
    assert roll_back(registry, an_intent()) is RollbackState.DONE
    assert_rolled_back(registry)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"to_version": "9"}, "version 9 does not exist"),
        ({"from_version": "9"}, "version 9 does not exist"),
        ({"to_version": "3"}, "version 3 cannot replace itself"),
    ],
)
def test_what_could_never_be_carried_out_is_refused_first(registry, changes, message):
    with pytest.raises(ActionError, match=message):
        roll_back(registry, an_intent(**changes))
    assert pending_intents(registry) == ()


def test_unfinished_rollbacks_are_found_and_can_be_resumed(registry):
    crash(registry, "before move", an_intent(id="late", at=day(10)))
    crash(registry, "after move")
    assert [intent.id for intent in pending_intents(registry)] == [an_intent().id, "late"]
    assert pending_intents(registry)[0] == an_intent()
    for intent in pending_intents(registry):
        assert roll_back(registry, intent) is RollbackState.DONE
    assert pending_intents(registry) == ()
    assert_rolled_back(registry)


def test_a_rollback_of_another_pointer_is_not_ours(registry, sqlite_workshop):
    crash(registry, "after intent")
    for other in ({"stage": "Production"}, {"alias": "b"}):
        assert pending_intents(sqlite_workshop.registry(registry.name, **other)) == ()


def test_a_registry_that_ignores_the_move_is_reported(registry, monkeypatch):
    monkeypatch.setattr(registry, "point_to", lambda _version: None)
    with pytest.raises(ActionError, match=r"(?s)still marks version 3 after.*Hint"):
        roll_back(registry, an_intent())
    monkeypatch.undo()
    assert roll_back(registry, an_intent()) is RollbackState.DONE
    assert_rolled_back(registry)


def test_steps_are_few_and_in_order():
    assert STEPS == ("intent", "move", "verify", "quarantine", "record", "done")
