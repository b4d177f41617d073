"""MLflow down, slow, refusing or talking nonsense: ticks end, nothing moves, and it goes on."""

import time

import dagster as dg
import pytest

from tests.chaos.proxy import proxy_to
from tests.mlflow_server import free_port
from tests.orchestration.project import DELTAS, ERROR_NOW, STOP_RULES, TURNED

MOST_S = 20
FAULTS = ("slow", "sluggish", "500", "503", "html", "cut", "empty", "reset")
READ_ONLY = "read only"


@pytest.fixture
def proxy(http):
    with proxy_to(http.uri) as found:
        yield found


@pytest.fixture
def project(new_project, proxy):
    """A project that reaches MLflow through the proxy; its first day is a breach, not yet seen."""
    project = new_project(mlflow="http", rules=(ERROR_NOW,))
    project.rebuild(tracking_uri=proxy.uri)
    project.weather[1] = TURNED
    project.materialise(1)
    return project


def tick(project, sensor):
    """Runs that a tick asked for, and its seconds; a tick that fails asked for none."""
    began = time.monotonic()
    try:
        ran = project.daemon.tick(sensor)
    except dg.Failure:
        ran = None
    return ran, time.monotonic() - began


def assert_untouched(project):
    assert project.registry.champion() == "2"
    assert "rollback" not in project.kinds()
    assert not project.registry.is_quarantined("2")


def assert_done(project):
    assert project.kinds() == ["request", "rollback"]
    assert project.registry.champion() == "1"
    assert [reign.version for reign in project.registry.reigns()] == ["1", "2", "1"]


def goes_on_when_mended(project, proxy):
    proxy.fault = "none"
    for _ in range(3):
        project.tick()
    assert_done(project)


def test_a_tick_that_gets_an_empty_answer_fails_and_the_next_goes_on(project, proxy):
    proxy.fault = "empty"
    ran, _ = tick(project, DELTAS)
    assert ran is None
    assert_untouched(project)
    goes_on_when_mended(project, proxy)


@pytest.mark.chaos
@pytest.mark.parametrize("fault", FAULTS)
def test_ticks_end_in_time_and_nothing_moves(project, proxy, table, fault):
    with table.trying(f"MLflow in a tick: {fault}"):
        proxy.fault = fault
        for _ in range(2):
            for sensor in (DELTAS, STOP_RULES):
                ran, seconds = tick(project, sensor)
                assert seconds < MOST_S
                assert not ran
        assert project.kinds() == []
        assert_untouched(project)
        goes_on_when_mended(project, proxy)


@pytest.mark.chaos
def test_a_server_that_is_down_fails_the_tick_within_its_time(project, proxy, table):
    with table.trying("MLflow in a tick: down"):
        project.rebuild(tracking_uri=f"http://127.0.0.1:{free_port()}")
        ran, seconds = tick(project, DELTAS)
        assert ran is None
        assert seconds < MOST_S
        assert_untouched(project)
        project.rebuild(tracking_uri=proxy.uri)
        goes_on_when_mended(project, proxy)


@pytest.mark.chaos
@pytest.mark.parametrize("fault", [*FAULTS, READ_ONLY])
def test_a_rollback_run_that_meets_a_fault_is_bounded_and_asked_for_again(
    project, proxy, table, fault
):
    """The run begins while MLflow is well; the fault comes before it reads the champion."""
    with table.trying(f"MLflow in a rollback run: {fault}"):
        project.daemon.tick(DELTAS)
        proxy.fault, asked = fault, proxy.asked
        began = time.monotonic()
        (ran,) = project.daemon.tick(STOP_RULES)
        seconds, asked = time.monotonic() - began, proxy.asked - asked
        if fault != "sluggish":
            assert not ran.success
            assert project.kinds() == ["request"]
            assert_untouched(project)
            assert asked < 100
        assert seconds < 300
        goes_on_when_mended(project, proxy)


@pytest.mark.chaos
def test_who_may_only_read_measures_and_moves_nothing(project, proxy, table):
    with table.trying("MLflow read only: measured, nothing moved, a person told"):
        proxy.fault = READ_ONLY
        for _ in range(5):
            project.tick()
        assert project.verdicts("error") == {1: "breach"}
        assert project.kinds() == ["request", "failed"]
        assert_untouched(project)
