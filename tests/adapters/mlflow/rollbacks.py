"""One rollback, told the same way in every test: from version 3 back to version 2."""

from aiguard_dagster.adapters.mlflow.rollback import STEPS, RollbackIntent
from tests.adapters.mlflow.conftest import day

POINTS = [f"{when} {step}" for step in STEPS for when in ("before", "after")]
"""All that a rollback announces."""
PLACES = [POINTS[0], *POINTS[1::2]]
"""Every place where a rollback can be interrupted; between two steps nothing happens."""


class CrashError(Exception):
    """The process died here."""


def an_intent(**changes):
    values = {
        "id": "bike_demand:forecast_error:2026-01-09",
        "from_version": "3",
        "to_version": "2",
        "reason": "mae 61 above 40 since 6 January",
        "actor": "guard",
        "run_id": "run-1",
        "at": day(9),
    }
    return RollbackIntent(**{**values, **changes})


def three_champions(registry):
    """Versions 1, 2 and 3 in production one after the other."""
    for number in (1, 2, 3):
        registry.promote(str(number), at=day(number), by="team:forecasting", why="accepted")
    return registry


def crash_at(point):
    def on_step(name):
        if name == point:
            raise CrashError(point)

    return on_step


def do_at(point, action):
    """Do something else in the middle of a rollback, once."""
    done = []

    def on_step(name):
        if name == point and not done:
            done.append(name)
            action()

    return on_step


def assert_rolled_back(registry, *, by="guard"):
    assert registry.champion() == "2"
    assert registry.is_quarantined("3")
    assert not registry.is_quarantined("2")
    told = [(reign.version, reign.start, reign.end) for reign in registry.reigns()]
    assert told == [
        ("1", day(1), day(2)),
        ("2", day(2), day(3)),
        ("3", day(3), day(9)),
        ("2", day(9), None),
    ]
    assert registry.reigns()[-1].by == by
    assert registry.observe(now=day(30)) is None
