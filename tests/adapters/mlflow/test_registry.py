"""What a registry promises, on sqlite and over HTTP, by alias and by stage."""

from pathlib import Path

import pytest

from aiguard_dagster.core.errors import ActionError
from tests.adapters.mlflow.conftest import day
from tests.mlflow_server import mlflow_at


def promote(registry, version, number, by="team:forecasting", why="accepted"):
    registry.promote(version, at=day(number), by=by, why=why)


def told(registry):
    return [(reign.version, reign.start, reign.end, reign.by) for reign in registry.reigns()]


def test_a_model_without_champion_has_none(registry):
    assert registry.champion() is None
    assert registry.reigns() == ()


def test_the_champion_is_text_on_every_backend(registry):
    registry.point_to("2")
    assert registry.champion() == "2"


def test_a_model_that_is_not_registered_is_named(workshop, pointer):
    registry = workshop.registry("no_such_model", **pointer)
    with pytest.raises(ActionError, match=r"(?s)^no_such_model: .*Hint: register a model as"):
        registry.champion()


def test_a_version_that_does_not_exist_is_refused_with_those_that_do(registry):
    with pytest.raises(ActionError, match=r"(?s)version 9 does not exist.*1, 2, 3"):
        promote(registry, "9", 1)
    with pytest.raises(ActionError, match=r"move .* to version 9"):
        registry.point_to("9")
    assert registry.champion() is None


def test_promotion_moves_the_pointer_and_closes_the_reign_before(registry):
    promote(registry, "1", 1)
    promote(registry, "2", 5, by="guard", why="better")
    assert registry.champion() == "2"
    assert told(registry) == [
        ("1", day(1), day(5), "team:forecasting"),
        ("2", day(5), None, "guard"),
    ]


def test_promoting_twice_is_promoting_once(registry):
    promote(registry, "1", 1)
    promote(registry, "1", 1)
    promote(registry, "1", 4, by="somebody else")
    assert told(registry) == [("1", day(1), None, "team:forecasting")]


def test_a_promotion_repeated_late_does_not_oust_a_later_champion(registry):
    promote(registry, "1", 1)
    promote(registry, "2", 2)
    promote(registry, "1", 1)
    assert registry.champion() == "2"


def test_a_promotion_that_crashed_after_the_move_is_finished_by_running_it_again(registry):
    promote(registry, "1", 1)
    registry.point_to("2")  # the crash: moved, not recorded
    seen = registry.observe(now=day(9))
    assert (seen.version, seen.start, seen.by) == ("2", day(9), "unknown")
    promote(registry, "2", 5)
    assert told(registry) == [
        ("1", day(1), day(5), "team:forecasting"),
        ("2", day(5), None, "team:forecasting"),
    ]


def test_a_champion_of_old_can_return(registry):
    for version, number in (("1", 1), ("2", 2), ("1", 3), ("2", 4)):
        promote(registry, version, number)
    assert [version for version, *_ in told(registry)] == ["1", "2", "1", "2"]


def test_a_promotion_that_speaks_of_an_earlier_time_still_comes_last(registry):
    registry.point_to("2")
    registry.observe(now=day(9))
    promote(registry, "1", 5)
    assert [(version, start) for version, start, *_ in told(registry)] == [
        ("2", day(9)),
        ("1", day(9)),
    ]
    assert registry.observe(now=day(10)) is None


def test_a_time_without_zone_is_refused(registry):
    with pytest.raises(ValueError, match="has no time zone"):
        registry.promote("1", at=day(1).replace(tzinfo=None), by="me", why="")
    assert registry.champion() is None


def test_the_first_look_finds_a_champion_of_unknown_origin_once(registry):
    assert registry.observe(now=day(1)) is None
    registry.point_to("1")
    assert registry.observe(now=day(2)).by == "unknown"
    assert registry.observe(now=day(3)) is None
    assert told(registry) == [("1", day(2), None, "unknown")]


def test_a_move_by_hand_is_recorded_once(registry):
    promote(registry, "1", 1)
    assert registry.observe(now=day(2)) is None
    registry.point_to("3")
    seen = registry.observe(now=day(4))
    assert (seen.version, seen.start, seen.end, seen.by) == ("3", day(4), None, "unknown")
    assert registry.observe(now=day(5)) is None
    assert [version for version, *_ in told(registry)] == ["1", "3"]


def test_two_pointers_on_one_model_have_histories_of_their_own(workshop, pointer):
    name = workshop.model()
    ours = workshop.registry(name, **pointer)
    theirs = workshop.registry(
        name, **({"stage": "Staging"} if "stage" in pointer else {"alias": "b"})
    )
    promote(ours, "1", 1)
    promote(theirs, "2", 2)
    assert [version for version, *_ in told(ours)] == ["1"]
    assert [version for version, *_ in told(theirs)] == ["2"]
    assert (ours.champion(), theirs.champion()) == ("1", "2")


def test_a_version_in_quarantine_cannot_be_promoted_until_it_is_lifted(registry):
    registry.quarantine("2", reason="mae doubled", at=day(3), by="guard")
    assert registry.is_quarantined("2")
    with pytest.raises(ActionError, match=r"(?s)in quarantine since 2026-01-03.*mae doubled.*Hint"):
        promote(registry, "2", 4)
    registry.lift_quarantine("2", by="ann", why="labels were wrong", at=day(5))
    assert not registry.is_quarantined("2")
    promote(registry, "2", 6)
    assert registry.champion() == "2"


def test_the_same_quarantine_is_not_imposed_again_but_a_new_one_is(registry):
    registry.quarantine("2", reason="mae doubled", at=day(3), by="guard")
    registry.quarantine("2", reason="a later reason", at=day(4), by="guard")
    registry.lift_quarantine("2", by="ann", why="labels were wrong", at=day(5))
    registry.quarantine("2", reason="mae doubled", at=day(3), by="guard")
    assert not registry.is_quarantined("2")
    registry.quarantine("2", reason="mae doubled", at=day(8), by="guard")
    assert registry.is_quarantined("2")


def test_lifting_what_is_not_in_quarantine_changes_nothing(registry):
    registry.lift_quarantine("1", by="ann", why="to be sure", at=day(1))
    assert not registry.is_quarantined("1")
    assert registry.version("1").tags == {}


def test_any_alias_tells_its_bearer_and_one_without_a_bearer_tells_none(workshop, pointer):
    registry = workshop.registry(workshop.model(), **pointer)
    assert registry.bearer("stable") is None
    workshop.client.set_registered_model_alias(registry.name, "stable", "2")
    assert registry.bearer("stable") == "2"


def test_the_reign_of_a_deleted_version_is_remembered_by_its_successor(workshop, pointer):
    registry = workshop.registry(workshop.model(), **pointer)
    for version, number in (("1", 1), ("2", 3), ("3", 5)):
        promote(registry, version, number)
    before = registry.reigns()
    workshop.client.delete_model_version(registry.name, "2")
    assert registry.reigns() == before


def test_a_copy_inherits_the_quarantine_but_no_history(workshop, pointer):
    registry = workshop.registry(workshop.model(), **pointer)
    promote(registry, "1", 1)
    registry.quarantine("1", reason="bad", at=day(2), by="guard")
    other = f"{registry.name} copy"
    with mlflow_at(workshop.uri):
        workshop.client.copy_model_version(registry.model_uri("1"), other)
    copy = workshop.registry(other, **pointer)
    assert copy.is_quarantined("1")
    assert copy.reigns() == ()


@pytest.mark.parametrize(
    "value", ["", "[]", '{"model": 1', '{"accessions": [1]}', '{"accessions": 3}']
)
def test_a_record_edited_by_hand_is_named(workshop, pointer, value):
    registry = workshop.registry(workshop.model(versions=1), **pointer)
    promote(registry, "1", 1)
    (key,) = registry.version("1").tags
    if "accessions" in value:
        value = f'{{"model": "{registry.name}", "number": "1", {value[1:]}'
    workshop.client.set_model_version_tag(registry.name, "1", key, value)
    with pytest.raises(ActionError, match=rf"(?s)version 1: tag {key} .*Hint"):
        registry.reigns()


def test_a_name_with_a_quote_in_it_is_a_name(workshop, pointer):
    registry = workshop.registry(workshop.model(name="bike's v1.0 & Söhne", versions=2), **pointer)
    promote(registry, "1", 1)
    promote(registry, "2", 2)
    assert [reign.version for reign in registry.reigns()] == ["1", "2"]


def test_more_versions_than_a_page_are_all_read(workshop, monkeypatch):
    monkeypatch.setattr("aiguard_dagster.adapters.mlflow.registry.PAGE", 2)
    registry = workshop.registry(workshop.model(versions=5))
    assert [version.version for version in registry.versions()] == ["1", "2", "3", "4", "5"]


def test_a_long_alias_fits_into_a_tag_key(workshop):
    registry = workshop.registry(workshop.model(versions=1), alias="a" * 255)
    promote(registry, "1", 1)
    assert registry.reigns()[0].version == "1"


def test_an_alias_created_twice_at_once_is_set_in_the_end(workshop):
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import BAD_REQUEST

    refusal = MlflowException("UNIQUE constraint failed", BAD_REQUEST)

    class Crowded:
        """The client, when another process creates the alias between its read and its write."""

        def __init__(self, client):
            self.client = client
            self.refusals = 1

        def __getattr__(self, name):
            return getattr(self.client, name)

        def set_registered_model_alias(self, name, alias, version):
            if self.refusals:
                self.refusals -= 1
                raise refusal
            self.client.set_registered_model_alias(name, alias, version)

    registry = workshop.registry(workshop.model(versions=1))
    registry.client = Crowded(workshop.client)
    registry.point_to("1")
    assert registry.champion() == "1"


def test_the_files_of_a_version_are_found_without_global_settings(workshop):
    from mlflow.artifacts import download_artifacts

    registry = workshop.registry(workshop.model(versions=1, source="models"))
    where = registry.artifact_uri("1")
    found = download_artifacts(artifact_uri=where, tracking_uri=workshop.client.tracking_uri)
    assert Path(found, "MLmodel").read_text() == "{}"
