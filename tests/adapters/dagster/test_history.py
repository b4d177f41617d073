"""What is written to Dagster's event log comes back as it was: fails first when Dagster moves."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from aiguard_dagster.adapters.dagster.history import (
    PAGE,
    decision_event,
    materialized,
    newest_event,
    newest_target,
    read_decisions,
    read_evaluations,
)
from aiguard_dagster.adapters.dagster.metadata import evaluation_metadata, point_from_metadata
from aiguard_dagster.core.decisions import Decision, DecisionKind
from aiguard_dagster.core.lifecycle import Point
from aiguard_dagster.core.verdicts import (
    Evaluation,
    Measurement,
    Part,
    Threshold,
    Verdict,
    Window,
)
from tests.instances import empty_instance

pytestmark = pytest.mark.both_storages
ASSET, GUARD = dg.AssetKey(["lake", "predictions"]), dg.AssetKey(["demand", "guard"])
CHECK = dg.AssetCheckKey(ASSET, "demand__error")
START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def instance():
    with empty_instance() as instance:
        yield instance


@pytest.fixture
def disk():
    with empty_instance(on_disk=True) as instance:
        yield instance


def evaluation(number=1, *, verdict=Verdict.BREACH, value=3.5, fingerprint="f"):
    window = Window(start=START + DAY * (number - 3), end=START + DAY * number)
    measurement = Measurement(
        value=value,
        n=72,
        window=window,
        as_of=window.end,
        coverage=0.75,
        parts=(Part(name="load", value=1, text="gone"),),
        note="a note",
    )
    return Evaluation(
        rule="error",
        verdict=verdict,
        measurement=measurement,
        threshold=Threshold(value=2.0, direction="high", source="baseline 1 +100%"),
        subject="2",
        reason="3.5 > 2",
        fingerprint=fingerprint,
    )


def report(instance, *evaluations):
    for each in evaluations:
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=ASSET,
                check_name=CHECK.name,
                passed=each.verdict is Verdict.OK,
                metadata=evaluation_metadata(each),
            )
        )


def decision(number=1, kind=DecisionKind.HOLD, **more):
    return Decision(
        kind=kind,
        at=START + DAY * number,
        incident="demand:error:20260101T000000Z",
        rule="error",
        reason="half of it is gone",
        **more,
    )


def record(instance, *decisions):
    for each in decisions:
        instance.report_runless_asset_event(decision_event(GUARD, each))


def test_an_evaluation_comes_back_as_a_point_with_its_fingerprint(instance):
    report(instance, evaluation())
    (found,) = read_evaluations(instance, CHECK)
    assert found.fingerprint == "f"
    assert found.point == Point(
        as_of=START + DAY,
        start=START - 2 * DAY,
        verdict=Verdict.BREACH,
        subject="2",
        reason="3.5 > 2",
        value=3.5,
        limit=2.0,
        n=72,
    )


def test_an_evaluation_without_value_limit_or_champion_comes_back_without_them(instance):
    window = Window(start=START, end=START + DAY)
    nothing = Evaluation(
        rule="fresh",
        verdict=Verdict.ERROR,
        measurement=Measurement(value=None, n=0, window=window, as_of=window.end),
        threshold=None,
        subject=None,
        reason="could not be measured",
    )
    report(instance, nothing)
    (found,) = read_evaluations(instance, CHECK)
    assert (found.point.value, found.point.limit, found.point.subject) == (None, None, None)
    assert (found.point.verdict, found.point.n, found.fingerprint) == (Verdict.ERROR, 0, "")


def test_evaluations_come_back_in_the_order_in_which_they_were_written(instance):
    report(instance, *(evaluation(number, fingerprint=str(number)) for number in (3, 1, 2, 1)))
    found = read_evaluations(instance, CHECK)
    assert [each.fingerprint for each in found] == ["3", "1", "2", "1"]
    newest = read_evaluations(instance, CHECK, most=2)
    assert [each.fingerprint for each in newest] == ["2", "1"]


def test_a_long_history_is_read_page_by_page(disk, monkeypatch):
    from aiguard_dagster.adapters.dagster import history

    monkeypatch.setattr(history, "PAGE", 3)
    report(disk, *(evaluation(number, fingerprint=str(number)) for number in range(8)))
    assert [e.fingerprint for e in read_evaluations(disk, CHECK)] == [*"01234567"]
    assert [e.fingerprint for e in read_evaluations(disk, CHECK, most=4)] == [*"4567"]


def test_who_has_enough_is_told_when_the_last_one_was_written(instance):
    before = datetime.now(UTC) - timedelta(seconds=5)
    report(instance, *(evaluation(number) for number in range(1, 61)))
    asked = []

    def enough(points, written):
        asked.append((len(points), written))
        return True

    assert len(read_evaluations(instance, CHECK, enough=enough)) == 50
    ((count, written),) = asked
    assert count == 50
    assert before < written < datetime.now(UTC) + timedelta(seconds=5)


@pytest.mark.parametrize("newer", [0, 1, 4, 5, 6, 60])
def test_all_that_was_written_after_a_place_in_the_log_is_read(instance, newer):
    for _ in range(40):  # The log's numbers are others than those of evaluations.
        instance.report_runless_asset_event(dg.AssetObservation(asset_key=ASSET))
    report(instance, *(evaluation(number) for number in range(1, 21)))
    place = newest_event(instance)
    report(instance, *(evaluation(number) for number in range(21, 21 + newer)))
    found = [s.point.as_of for s in read_evaluations(instance, CHECK, after=place)]
    wanted = [START + DAY * number for number in range(21, 21 + newer)]
    assert found[len(found) - newer :] == wanted
    assert len(found) <= newer + PAGE


def test_rows_that_are_planned_or_not_ours_are_left_out_and_take_no_place(instance):
    @dg.asset(key=ASSET)
    def predictions():
        pass

    @dg.multi_asset_check(specs=[dg.AssetCheckSpec(CHECK.name, asset=ASSET)], can_subset=True)
    def planned():
        yield from ()

    report(instance, evaluation(1, fingerprint="ours"))
    for _ in range(3):
        assert dg.materialize([predictions, planned], instance=instance).success
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(asset_key=ASSET, check_name=CHECK.name, passed=True)
    )
    rows = instance.event_log_storage.get_asset_check_execution_history(CHECK, limit=10)
    assert [row.status.value for row in rows].count("PLANNED") == 3
    assert [each.fingerprint for each in read_evaluations(instance, CHECK)] == ["ours"]


def test_planned_rows_do_not_push_evaluations_out_of_what_is_read(instance):
    @dg.asset(key=ASSET)
    def predictions():
        pass

    @dg.multi_asset_check(specs=[dg.AssetCheckSpec(CHECK.name, asset=ASSET)], can_subset=True)
    def planned():
        yield from ()

    report(instance, evaluation(1, fingerprint="first"), evaluation(2, fingerprint="second"))
    for _ in range(3):
        dg.materialize([predictions, planned], instance=instance)
    found = read_evaluations(instance, CHECK, most=2)
    assert [each.fingerprint for each in found] == ["first", "second"]


def test_another_check_of_the_asset_is_not_read(instance):
    report(instance, evaluation())
    assert read_evaluations(instance, dg.AssetCheckKey(ASSET, "demand__bill")) == ()


def test_a_decision_of_any_kind_comes_back_as_it_was_written(disk):
    evidence = {"value": 1.5, "n": 24, "champion": "2", "suspect": None}
    written = [decision(kind=kind, actor="person:ada", evidence=evidence) for kind in DecisionKind]
    record(disk, *written)
    assert list(read_decisions(disk, GUARD)) == written


def test_decisions_come_back_in_the_order_in_which_they_were_written(instance):
    written = [decision(number) for number in (3, 1, 2)]
    record(instance, *written)
    assert list(read_decisions(instance, GUARD)) == written


def test_observations_that_are_no_decisions_are_left_out(instance):
    instance.report_runless_asset_event(dg.AssetObservation(GUARD, description="by hand"))
    record(instance, decision())
    assert len(read_decisions(instance, GUARD)) == 1
    assert read_decisions(instance, ASSET) == ()


def test_numbers_are_recorded_so_that_they_plot():
    metadata = evaluation_metadata(evaluation())
    for name in ("value", "limit", "coverage"):
        assert isinstance(metadata[f"aiguard/{name}"], dg.FloatMetadataValue)
    assert isinstance(metadata["aiguard/n"], dg.IntMetadataValue)
    assert isinstance(metadata["aiguard/as_of"], dg.TimestampMetadataValue)
    assert metadata["aiguard/columns"].records[0].data["what"] == "gone"


def test_metadata_of_others_is_no_point():
    assert point_from_metadata({"rows": 3}) is None


def test_the_newest_materialisation_of_each_partition_is_told_by_its_storage_id(instance):
    for partition in ("a", "b", "a"):
        instance.report_runless_asset_event(dg.AssetMaterialization(ASSET, partition=partition))
    found = materialized(instance, ASSET)
    assert found["a"] > found["b"]
    assert set(found) == {"a", "b"}
    assert set(materialized(instance, ASSET, partitions=["b"])) == {"b"}
    assert newest_target(instance, ASSET).storage_id == found["a"]
    assert newest_target(instance, GUARD) is None
    assert materialized(instance, GUARD) == {}
