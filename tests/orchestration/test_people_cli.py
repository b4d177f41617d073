"""The command line of people, on a real DAGSTER_HOME and a real MLflow."""

import json
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
import yaml
from click.testing import CliRunner

from aiguard_dagster.cli import main
from tests.orchestration.project import COMPLETE, ERROR_NOW, HALF_EMPTY, TURNED, day

INCIDENT = "demand:error:20260102T000000Z"
HELD = "demand:complete:20260102T000000Z"


@pytest.fixture
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    monkeypatch.delenv("AIGUARD_USER", raising=False)
    return folder


@pytest.fixture
def new_instance(home):
    """The instance of DAGSTER_HOME, as the daemon would open it."""
    with dg.DagsterInstance.get() as instance:
        yield lambda **_: instance


@pytest.fixture
def aiguard(tmp_path, monkeypatch):
    """Runs the program from a folder with the guard's file, as wide as given."""

    def run(project, *arguments, width=80):
        folder = tmp_path / "guards"
        folder.mkdir(exist_ok=True)
        document = project.guard.model_dump(mode="json", by_alias=True, exclude_unset=True)
        (folder / "demand.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
        monkeypatch.chdir(tmp_path)
        uri = project.registry.client.tracking_uri
        environment = {"COLUMNS": str(width), "MLFLOW_TRACKING_URI": uri}
        return CliRunner().invoke(main, list(arguments), env=environment)

    return run


@pytest.fixture
def asked(new_project):
    project = new_project(rules=(ERROR_NOW,), mode="propose", silence="9999d")
    project.live(1, weather=TURNED)
    return project


@pytest.fixture
def holding(new_project):
    project = new_project(rules=(COMPLETE,), silence="9999d")
    project.live(1, weather=HALF_EMPTY)
    return project


WIDTHS = pytest.mark.parametrize("width", [80, 120])


def narrow(text, width):
    """Lines that a reader would see broken; commands are left whole, to be copied."""
    return [
        line for line in text.splitlines() if len(line) > width and "aiguard approve" not in line
    ]


@WIDTHS
def test_incidents_tell_what_waits_for_whom_until_when(asked, aiguard, width):
    found = aiguard(asked, "incidents", width=width)
    assert found.exit_code == 0, found.output
    text = " ".join(found.output.split())
    assert f"WAITING {INCIDENT}" in text
    assert "demand (propose, team:demand)" in text
    assert "error since 2026-01-02 00:00 UTC" in text
    assert (
        "rollback from v2 to v1? team:demand decides by 2026-01-02 04:00 UTC (over), otherwise"
        " notify" in text
    )
    assert (
        f'        aiguard approve {INCIDENT} --by NAME --why "..."  # or reject\n' in found.output
    )
    assert narrow(found.output, width) == []


def test_a_deadline_that_is_still_to_come_says_how_long_there_is(new_project, aiguard):
    project = new_project(
        rules=(ERROR_NOW,),
        mode="propose",
        silence="9999d",
        decide={"within": "5h", "otherwise": "rollback"},
    )
    project.now = datetime.now(tz=UTC) + timedelta(minutes=1)
    project.live(1, weather=TURNED)
    assert "(in 5h), otherwise rollback" in " ".join(aiguard(project, "incidents").output.split())


def test_incidents_as_json(asked, aiguard):
    found = aiguard(asked, "incidents", "guards/demand.yaml", "--json")
    (incident,) = json.loads(found.stdout)
    assert (incident["state"], incident["incident"]) == ("waiting", INCIDENT)
    (waiting,) = incident["waiting"]
    assert (waiting["from"], waiting["to"], waiting["who"]) == ("2", "1", "team:demand")
    assert waiting["deadline"] == (day(2) + timedelta(hours=4)).isoformat()
    assert waiting["otherwise"] == "notify"
    assert [each["kind"] for each in incident["decisions"]] == ["request", "propose"]


def test_a_guard_without_incidents_says_so(new_project, aiguard):
    project = new_project(rules=(ERROR_NOW,))
    assert aiguard(project, "incidents").output == "demand (enforce, team:demand): no incident\n"
    assert json.loads(aiguard(project, "incidents", "--json").output) == []


def test_what_is_held_is_shown_and_released(holding, aiguard):
    shown = aiguard(holding, "incidents").output
    assert f"HELD  {HELD}" in shown
    assert "predictions are held back since 2026-01-02 00:00 UTC" in shown
    assert 'aiguard release demand --by NAME --why "..."' in shown
    done = aiguard(holding, "release", "demand", "--by", "ada", "--why", "the gap is known")
    assert done.exit_code == 0, done.output
    assert "ada released it at" in done.output
    holding.tick()
    assert holding.kinds() == ["hold", "release"]
    assert "OPEN" in aiguard(holding, "incidents").output
    again = aiguard(holding, "release", "demand", "--by", "bob", "--why", "me too")
    assert again.exit_code == 1
    assert "nothing is held back: ada released it at" in again.output


def test_recent_incidents_are_shown_as_many_as_asked_for(holding, aiguard):
    holding.live(2)
    shown = aiguard(holding, "incidents").output
    assert f"ENDED  {HELD}" in shown
    assert "from 2026-01-02 00:00 to 2026-01-03 00:00 UTC" in shown
    assert HELD not in aiguard(holding, "incidents", "--recent", "0").output


def test_an_approval_is_recorded_and_acted_on(asked, aiguard):
    done = aiguard(asked, "approve", INCIDENT, "--by", "ada", "--why", "looked at it")
    assert done.exit_code == 0, done.output
    assert f"{INCIDENT}: ada approved it at" in done.output
    assert asked.last("approve").evidence["via"] == "command line"
    asked.tick()
    assert asked.registry.champion() == "1"


def test_a_rejection_takes_its_name_from_the_environment(asked, aiguard, monkeypatch):
    monkeypatch.setenv("AIGUARD_USER", "bob")
    assert aiguard(asked, "reject", INCIDENT, "--why", "a holiday").exit_code == 0
    assert asked.last("reject").actor == "bob"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("approve", INCIDENT, "--why", "so"), 2, "Missing option '--by'"),
        (("approve", INCIDENT, "--by", "ada"), 2, "Missing option '--why'"),
        (("approve", INCIDENT, "--by", "ada", "--why", " "), 1, "no reason is given"),
        (
            ("approve", INCIDENT[:-1], "--by", "ada", "--why", "so"),
            1,
            f"did you mean {INCIDENT}?",
        ),
        (
            ("approve", "demnd:error:1", "--by", "ada", "--why", "so"),
            1,
            "did you mean demand? The guards are demand.",
        ),
        (("release", "demand", "--by", "ada", "--why", "so"), 1, "nothing is held back"),
        (("history", "another"), 1, "no guard has a model 'another'"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_recorded(asked, aiguard, arguments, code, told):
    done = aiguard(asked, *arguments)
    assert done.exit_code == code
    assert told in done.output
    assert asked.kinds() == ["request", "propose"]


def test_without_a_home_or_with_a_broken_one_the_way_out_is_told(asked, aiguard, monkeypatch, home):
    (home / "dagster.yaml").write_text("nonsense: {}\n")
    done = aiguard(asked, "incidents")
    assert done.exit_code == 1
    assert "Dagster's instance cannot be opened" in done.output
    monkeypatch.delenv("DAGSTER_HOME")
    done = aiguard(asked, "incidents")
    assert done.exit_code == 1
    assert "DAGSTER_HOME is not set" in done.output


@WIDTHS
def test_history_tells_who_was_champion_when_why_and_by_whom(asked, aiguard, width):
    aiguard(asked, "approve", INCIDENT, "--by", "ada", "--why", "looked at it")
    asked.tick()
    found = aiguard(asked, "history", asked.registry.name, width=width)
    assert found.exit_code == 0, found.output
    lines = found.output.splitlines()
    assert lines[0] == f"{asked.registry.name}: v1 is in production by the alias champion"
    champions = [line for line in lines if line.startswith("v")]
    assert champions == [
        "v1  2025-12-12 00:00 to 2025-12-22 00:00 UTC, by team:demand",
        "v2  2025-12-22 00:00 to 2026-01-02 00:00 UTC, by team:demand",
        "v1  since 2026-01-02 00:00 UTC, by ada",
    ]
    kinds = [line.split()[2] for line in lines if line.startswith("    2026-01-02 00:00  ")]
    assert kinds == ["request", "propose", "approve", "request", "rollback"]
    assert "ada via command line, 20" in found.output
    assert "in quarantine:\n    v2  since 2026-01-02 00:00 UTC, by ada" in found.output
    assert found.output.count("approved by ada: looked at it") == 2  # the request and the champion
    assert "      rollback from v2 to v1?\n" in found.output
    assert narrow(found.output, width) == []


def test_history_as_json_has_refusals_and_answers_that_came_second(asked, aiguard):
    aiguard(asked, "reject", INCIDENT, "--by", "ada", "--why", "no")
    late = asked.last("reject")
    from dataclasses import replace

    from aiguard_dagster.adapters.dagster.history import decision_event
    from aiguard_dagster.core.decisions import DecisionKind
    from aiguard_dagster.orchestration.keys import guard_key

    second = replace(late, kind=DecisionKind.APPROVE, actor="bob")
    asked.instance.report_runless_asset_event(decision_event(guard_key(asked.guard), second))
    told = json.loads(aiguard(asked, "history", asked.registry.name, "--json").output)
    assert [each["version"] for each in told["champions"]] == ["1", "2"]
    assert told["champions"][-1]["end"] is None
    assert told["quarantined"] == {}
    assert [(d["kind"], d["by"], d["counts"]) for d in told["decisions"]] == [
        ("request", "guard", True),
        ("propose", "guard", True),
        ("reject", "ada", True),
        ("approve", "bob", False),
    ]
    assert "second, ada was first: no" in aiguard(asked, "history", asked.registry.name).output


def test_a_hold_is_no_part_of_a_models_history(new_project, aiguard):
    project = new_project(rules=(COMPLETE,), mode="propose")
    project.live(1, weather=HALF_EMPTY)
    aiguard(project, "reject", HELD, "--by", "ada", "--why", "no")
    assert project.kinds() == ["propose", "reject"]
    assert "propose" not in aiguard(project, "history", project.registry.name).output


def test_a_model_without_a_past_says_so(new_project, aiguard):
    project = new_project(rules=(ERROR_NOW,), promoted=())
    told = aiguard(project, "history", project.registry.name).output
    assert "no version is in production by the alias champion" in told
    assert "nobody is on record as champion" in told


def test_quarantine_is_listed_and_lifted(new_project, aiguard):
    project = new_project(rules=(ERROR_NOW,))
    assert aiguard(project, "quarantine", "list").output == "no version is in quarantine\n"
    project.live(1, weather=TURNED)
    name = project.registry.name
    listed = aiguard(project, "quarantine", "list").output
    assert listed.startswith(f"{name} v2  since 2026-01-02 00:00 UTC, by guard\n    error: 110.5")
    (document,) = json.loads(aiguard(project, "quarantine", "list", "--json").output)
    assert (document["version"], document["by"]) == ("2", "guard")
    lift = ("quarantine", "lift", name, "v2", "--by", "ada", "--why", "it was the labels")
    done = aiguard(project, *lift)
    assert done.exit_code == 0, done.output
    assert done.output.startswith(f"{name} v2: quarantine lifted by ada\n")
    assert not project.registry.is_quarantined("2")
    again = aiguard(project, "quarantine", "lift", name, "1", "--by", "ada", "--why", "so")
    assert again.exit_code == 1
    assert "version 1 is not in quarantine" in again.output
    past = json.loads(aiguard(project, "history", name, "--json").output)
    assert [d["kind"] for d in past["decisions"]] == ["request", "rollback", "lift"]


def test_a_mlflow_that_does_not_answer_is_told(asked, aiguard, tmp_path):
    gone = ("--tracking-uri", f"sqlite:////{tmp_path}/nowhere/at/all.db")
    done = aiguard(asked, "history", asked.registry.name, *gone)
    assert done.exit_code == 1
    assert "Error: " in done.output
