import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from aiguard_dagster.adapters.mlflow.client import connect
from aiguard_dagster.cli import main
from aiguard_dagster.cli.baselines import _rows as rows_of_file
from tests.core.specs import BAD, GOOD, TABLES, problems_in, written

BIKES = next(path for path in GOOD if path.stem == "bike_demand")
GUARDS = sorted((Path(__file__).parents[1] / "guards").glob("*.yaml"))


def aiguard(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def named(paths, stem):
    return next(path for path in paths if path.stem == stem)


@pytest.fixture(scope="module")
def schema():
    return json.loads(aiguard("schema").stdout)


def test_validate_prints_one_line_for_each_good_guard():
    result = aiguard("validate", GOOD[0].parent)

    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        f"{GOOD[0].parent}/acts_by_itself.yaml: prices: 2 rules, enforce",
        f"{GOOD[0].parent}/asks_first.yaml: claims: 2 rules, propose",
        f"{GOOD[0].parent}/bike_demand.yaml: bike_demand: 5 rules, enforce",
        f"{GOOD[0].parent}/data_only.yaml: data_only: 1 rule, observe",
        f"{GOOD[0].parent}/error_budgets.yaml: assistant_budgets: 4 rules, observe",
        f"{GOOD[0].parent}/every_data_kind_schemas.yaml: crm: 8 rules, observe",
        f"{GOOD[0].parent}/every_kind.yaml: churn: 7 rules, observe",
        f"{GOOD[0].parent}/fraud_scorer.yaml: fraud_scorer: 6 rules, propose",
        f"{GOOD[0].parent}/only_watches.yaml: leads: 2 rules, observe",
        f"{GOOD[0].parent}/pipeline.yaml: demand_pipeline: 5 rules, observe",
        f"{GOOD[0].parent}/rollback_that_follows_through.yaml: demand_again: 2 rules, enforce",
        f"{GOOD[0].parent}/rollback_to.yaml: fraud_going_back: 1 rule, enforce",
        f"{GOOD[0].parent}/scored.yaml: churn_scores: 10 rules, observe",
        f"{GOOD[0].parent}/service_told.yaml: pricing: 1 rule, enforce",
        f"{GOOD[0].parent}/spend.yaml: spend: 17 rules, enforce",
        f"{GOOD[0].parent}/traces.yaml: assistant: 2 rules, observe",
        f"{GOOD[0].parent}/traces_in_use.yaml: assistant_in_use: 4 rules, observe",
        f"{GOOD[0].parent}/use_of_answers.yaml: answers_in_use: 13 rules, enforce",
    ]


def test_validate_tells_good_from_bad_and_fails():
    bad = named(BAD, "many_errors")

    result = aiguard("validate", BIKES, bad)

    assert result.exit_code == 1
    assert result.stdout == f"{BIKES}: bike_demand: 5 rules, enforce\n"
    expected = bad.with_suffix(".txt").read_text()
    assert result.stderr == expected.replace("many_errors.yaml", str(bad))


def test_validate_tells_every_problem_of_every_path(tmp_path):
    bad = [named(BAD, "wrong_unit"), tmp_path / "nowhere.yaml", named(BAD, "not_yaml")]

    result = aiguard("validate", *bad, BIKES)

    assert result.exit_code == 1
    assert result.stdout == f"{BIKES}: bike_demand: 5 rules, enforce\n"
    told = [line for line in result.stderr.splitlines() if line.startswith("/")]
    assert [
        line.removeprefix(f"{path}: ")
        for path, line in zip([bad[0]] * 3 + bad[1:], told, strict=True)
    ] == [
        "rules[0].signal.max_age: 'hours' is no unit of time",
        "rules[1].signal.every: 3600 has no unit",
        "rules[1].grace: 'soon' is no duration",
        "there is no such file or folder",
        "not YAML, line 10, column 11: expected ',' or '}', but got ':'",
    ]


def test_validate_sees_two_guards_of_one_name_in_two_paths(tmp_path):
    copy = tmp_path / "copy.yaml"
    copy.write_text(BIKES.read_text())

    result = aiguard("validate", BIKES, copy)

    assert result.exit_code == 1
    assert f"{copy}: name: there is a guard 'bike_demand' already" in result.stderr


def test_validate_without_a_path_is_a_matter_of_usage():
    assert aiguard("validate").exit_code == 2


def test_explain_prints_sentences():
    result = aiguard("explain", named(GOOD, "bike_demand"))

    assert result.exit_code == 0
    assert result.stdout.startswith("bike_demand guards the model bike_demand")


def test_explain_of_a_bad_guard_tells_its_problems():
    result = aiguard("explain", named(BAD, "unknown_key"))

    assert result.exit_code == 1
    assert result.stdout == ""
    assert "did you mean window?" in result.stderr


@pytest.mark.parametrize("path", [*GOOD, *GUARDS], ids=lambda path: path.stem)
def test_the_schema_accepts_good_guards(path, schema):
    jsonschema.Draft202012Validator.check_schema(schema)

    jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(path.read_text()))


NOT_WELL_FORMED = [
    "a_list",
    "many_errors",
    "missing_keys",
    "negative_window",
    "reserved_alias",
    "unknown_key",
    "unknown_key_of_a_limit",
    "unknown_signal_kind",
    "wrong_types",
    "wrong_unit",
]


@pytest.mark.parametrize("stem", NOT_WELL_FORMED)
def test_the_schema_refuses_what_is_not_well_formed(stem, schema):
    document = yaml.safe_load(named(BAD, stem).read_text())

    assert not jsonschema.Draft202012Validator(schema).is_valid(document)


MAE = {"kind": "performance", "metric": "mae", "window": "7d"}
F1 = {**MAE, "metric": "f1"}
PANDERA = {"kind": "pandera", "table": "features", "schema": "checks:Features"}


@pytest.mark.parametrize(
    ("changes", "good"),
    [
        ({"limit": 3}, True),
        ({"limit": 0.5}, True),
        ({"limit": {"value": 0.5}}, True),
        ({"signal": F1, "limit": "50%"}, True),
        ({"signal": F1, "limit": {"value": "50%"}}, True),
        ({"limit": {"above_baseline": "50%"}}, True),
        ({"limit": {"above_baseline": 0.5}}, True),
        ({"limit": "lots"}, False),
        ({"limit": True}, False),
        ({"limit": {}}, False),
        ({"limit": {"value": 1, "above_baseline": 1}}, False),
        ({"limit": {"above": 1}}, False),
        ({"grace": "36h"}, True),
        ({"grace": "0s"}, True),
        ({"grace": 36}, False),
        ({"grace": "36 hours"}, False),
        ({"signal": {**MAE, "min_coverage": "80%"}}, True),
        ({"signal": {**MAE, "min_coverage": 0.8}}, True),
        ({"signal": {**MAE, "min_coverage": "much"}}, False),
        ({"signal": {**MAE, "min_samples": True}}, False),
        ({"signal": {"metric": "mae", "window": "7d"}}, False),
        ({"signal": PANDERA, "limit": None}, True),
        ({"signal": {**PANDERA, "schema": "no path"}, "limit": None}, False),
        ({"signal": {**PANDERA, "schema_": "checks:Features"}, "limit": None}, False),
        ({"unknown": 1}, False),
    ],
)
def test_the_schema_and_the_program_agree_on_a_rule(changes, good, schema):
    rule = {"name": "rule", "signal": MAE, "limit": 3, **changes}
    document = {
        "name": "a",
        "owner": "b",
        "model": {"name": "a"},
        "tables": TABLES,
        "rules": [rule],
    }

    assert jsonschema.Draft202012Validator(schema).is_valid(document) is good
    assert (problems_in(written(document)) == ()) is good


def test_the_defaults_in_the_schema_are_valid_themselves(schema):
    grace = schema["$defs"]["Rule"]["properties"]["grace"]

    assert grace["default"] == "0s"
    jsonschema.validate(grace["default"], grace)


def test_the_command_line_works_as_a_program_and_loads_no_slow_library():
    code = (
        "import sys; from aiguard_dagster.cli import main\n"
        "main(['validate', *sys.argv[1:]], standalone_mode=False)\n"
        "slow = {'numpy', 'mlflow', 'polars', 'pandas', 'pandera', 'great_expectations'}\n"
        "sys.exit(', '.join(slow & set(sys.modules)) or 0)"
    )

    run = subprocess.run(
        [sys.executable, "-c", code, str(BIKES)], capture_output=True, text=True, check=False
    )

    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == f"{BIKES}: bike_demand: 5 rules, enforce\n"


def test_the_installed_program_fails_on_a_bad_guard():
    program = Path(sys.executable).with_name("aiguard")

    run = subprocess.run(
        [program, "validate", named(BAD, "empty")], capture_output=True, text=True, check=False
    )

    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.endswith("the file is empty\n\nHint: start with version: 1 and name:.\n")


def record(*data, guard=None, uri="sqlite:///unused.db"):
    guard = guard or named(GOOD, "bike_demand")
    options = [part for item in data for part in ("--data", item)]
    return aiguard(
        "baseline", "record", guard, "--model-version", 1, "--tracking-uri", uri, *options
    )


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a good file, a bad one and an empty one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("timestamp,temp\n2026-01-01 00:00:00,20\n")
    (tmp_path / "secret.parquet").write_text("secret")
    (tmp_path / "empty.csv").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (["no.csv"], "--data no.csv: there is no such file\n\nHint: check the path."),
        (["features=no.parquet"], "--data no.parquet: there is no such file"),
        (["features="], "there is no such file"),
        (
            ["feature=no.csv"],
            (
                "--data feature=no.csv: bike_demand declares no table 'feature'\n\nHint: did"
                " you mean features? The declared tables are features, predictions."
            ),
        ),
        (["rows.csv", "features=no.csv"], "the table 'features' has a file already, rows.csv"),
        (["empty.csv"], "--data empty.csv: cannot be read as CSV (NoDataError)"),
        (["secret.parquet"], "--data secret.parquet: cannot be read as Parquet (ComputeError)"),
        (
            ["rows.csv"],
            "bike_demand compares predictions with the baseline, and data holds none for it",
        ),
    ],
)
def test_a_baseline_of_data_that_is_not_there_is_refused(data, told, here):
    result = record(*data)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert told in result.stderr
    assert not list(here.glob("*.db"))


def test_a_column_of_a_csv_file_is_what_all_its_rows_say(here):
    numbers = [*map(str, range(500)), "0.5"]
    (here / "late.csv").write_text("\n".join(["n", *numbers]))
    assert rows_of_file("late.csv").collect()["n"].sum() == 124750.5


def test_a_file_that_cannot_be_read_is_not_quoted(here):
    (here / "rows.csv").write_text(
        "timestamp,temp\n" + "2026-01-01,20\n" * 200 + "2026-01-01,20,secret"
    )

    result = record("rows.csv")

    assert result.exit_code == 1
    assert "--data rows.csv: cannot be read as CSV (ComputeError)" in result.stderr
    assert "secret" not in result.output


def test_a_baseline_for_a_bad_guard_tells_what_is_wrong_with_the_guard(here):
    bad = named(BAD, "unknown_key")

    result = record("rows.csv", guard=bad)

    expected = bad.with_suffix(".txt").read_text()
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == expected.replace("unknown_key.yaml", str(bad))


def test_a_baseline_is_for_one_guard(here):
    result = record("rows.csv", guard=GOOD[0].parent)

    assert result.exit_code == 1
    assert f"holds {len(GOOD)} guards\n\nHint: name the file of one." in result.stderr


def test_a_baseline_needs_a_model(here):
    result = record("orders=rows.csv", guard=named(GOOD, "data_only"))

    assert result.exit_code == 1
    assert "data_only has no model" in result.stderr


def test_a_baseline_is_recorded_from_csv_and_only_once(here):
    uri = f"sqlite:///{here / 'mlflow.db'}"
    client = connect(uri)
    client.create_registered_model("bike_demand")
    client.create_model_version("bike_demand", "s3://nowhere/model")
    first = datetime(2026, 1, 1)
    hours = [f"{first + timedelta(hours=hour)}" for hour in range(42 * 24)]
    features = "".join(f"{hour},{number % 7}\n" for number, hour in enumerate(hours))
    (here / "features.CSV").write_text(f"timestamp,temp\n{features}")
    predictions = "".join(f"{hour},10,12,1\n" for hour in hours)
    (here / "p.csv").write_text(f"timestamp,predicted,cnt,model_version\n{predictions}")

    first, second = (record("features.CSV", "predictions=p.csv", uri=uri) for _ in range(2))

    assert (first.exit_code, second.exit_code) == (0, 1), first.output
    assert first.stdout == "bike_demand v1: baseline of bike_demand recorded. mae 2\n"
    assert "has a baseline" in second.stderr


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A registered version with 42 days of baseline for the example's guard."""
    folder = tmp_path_factory.mktemp("calibrate")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    client = connect(uri)
    client.create_registered_model("bike_demand")
    client.create_model_version("bike_demand", "s3://nowhere/model")
    first = datetime(2026, 1, 1)
    hours = [f"{first + timedelta(hours=hour)}" for hour in range(42 * 24)]
    rows = "".join(f"{hour},{(number * 7919) % 101}\n" for number, hour in enumerate(hours))
    (folder / "features.csv").write_text(f"timestamp,temp\n{rows}")
    rows = "".join(f"{hour},10,12,1\n" for hour in hours)
    (folder / "p.csv").write_text(f"timestamp,predicted,cnt,model_version\n{rows}")
    files = (f"features={folder / 'features.csv'}", f"predictions={folder / 'p.csv'}")
    result = record(*files, uri=uri)
    assert result.exit_code == 0, result.output
    return uri


def calibrate(uri, *options, guard=None):
    guard = guard or named(GOOD, "bike_demand")
    return aiguard("calibrate", guard, "--tracking-uri", uri, *options)


def test_calibrate_tells_limit_budget_and_what_would_be_seen(recorded, tmp_path):
    result = calibrate(recorded, "--model-version", 1, "--plot", tmp_path / "plots")

    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "bike_demand on the baseline of v1"
    assert "feature_drift: drift of hourly_features, windows of 14d" in lines
    assert "  limit: calibrated to one false alarm in 90d" in lines
    assert "  a usual window has 336 rows; the baseline has 42 days" in lines
    assert any(
        line.startswith("  not met by the baseline alone: 42 days support one false alarm in 6d.")
        for line in lines
    )
    assert any(line.startswith("  temp ") and "mean by " in line for line in lines)
    assert "forecast_error: performance of demand_predictions, windows of 3d" in lines
    assert "  on the baseline's own 14 windows it is in breach 0 times" in lines
    drawing = (tmp_path / "plots" / "feature_drift.svg").read_text()
    assert drawing.startswith("<svg ")
    assert "29 windows of the baseline" in drawing


def test_calibrate_needs_a_version_where_there_is_no_champion(recorded):
    result = calibrate(recorded)

    assert (result.exit_code, result.stdout) == (1, "")
    assert "bike_demand has no champion (alias:champion)" in result.stderr
    assert "Hint: name a version with --model-version." in result.stderr


def test_calibrate_without_a_baseline_says_how_to_record_one(recorded):
    guard = (
        named(GOOD, "bike_demand").read_text().replace("name: bike_demand\n", "name: other\n", 1)
    )
    file = Path(recorded.removeprefix("sqlite:///")).with_name("other.yaml")
    file.write_text(guard)
    result = calibrate(recorded, "--model-version", 1, guard=file)

    assert result.exit_code == 1
    assert "aiguard baseline record" in result.stderr


def test_calibrate_fails_where_a_rule_cannot_be_calibrated(recorded, tmp_path):
    text = named(GOOD, "bike_demand").read_text()
    longer = text.replace("window: 14d", "window: 21d")
    (tmp_path / "longer.yaml").write_text(longer)

    result = calibrate(recorded, "--model-version", 1, guard=tmp_path / "longer.yaml")

    assert result.exit_code == 1
    assert "  the baseline has 42 days, 2 windows of 21 days" in result.stdout
