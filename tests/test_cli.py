import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from aiguard_dagster.cli import main
from tests.core.specs import BAD, GOOD

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
        f"{GOOD[0].parent}/bike_demand.yaml: bike_demand: 5 rules, enforce",
        f"{GOOD[0].parent}/data_only.yaml: data_only: 1 rule, observe",
        f"{GOOD[0].parent}/fraud_scorer.yaml: fraud_scorer: 6 rules, propose",
    ]


def test_validate_tells_good_from_bad_and_fails():
    bad = named(BAD, "many_errors")

    result = aiguard("validate", GOOD[0], bad)

    assert result.exit_code == 1
    assert result.stdout == f"{GOOD[0]}: bike_demand: 5 rules, enforce\n"
    expected = bad.with_suffix(".txt").read_text()
    assert result.stderr == expected.replace("many_errors.yaml", str(bad))


def test_validate_sees_two_guards_of_one_name_in_two_paths(tmp_path):
    copy = tmp_path / "copy.yaml"
    copy.write_text(GOOD[0].read_text())

    result = aiguard("validate", GOOD[0], copy)

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


@pytest.mark.parametrize("stem", ["unknown_key", "unknown_signal_kind", "wrong_unit"])
def test_the_schema_refuses_what_is_not_well_formed(stem, schema):
    document = yaml.safe_load(named(BAD, stem).read_text())

    assert not jsonschema.Draft202012Validator(schema).is_valid(document)


def test_the_defaults_in_the_schema_are_valid_themselves(schema):
    grace = schema["$defs"]["Rule"]["properties"]["grace"]

    assert grace["default"] == "0s"
    jsonschema.validate(grace["default"], grace)


def test_the_command_line_works_as_a_program_and_loads_no_slow_library():
    code = (
        "import sys; from aiguard_dagster.cli import main\n"
        "main(['validate', *sys.argv[1:]], standalone_mode=False)\n"
        "slow = {'mlflow', 'polars', 'pandas', 'pandera', 'great_expectations'}\n"
        "sys.exit(', '.join(slow & set(sys.modules)) or 0)"
    )

    run = subprocess.run(
        [sys.executable, "-c", code, str(GOOD[0])], capture_output=True, text=True, check=False
    )

    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == f"{GOOD[0]}: bike_demand: 5 rules, enforce\n"


def test_the_installed_program_fails_on_a_bad_guard():
    program = Path(sys.executable).with_name("aiguard")

    run = subprocess.run(
        [program, "validate", named(BAD, "empty")], capture_output=True, text=True, check=False
    )

    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.endswith("the file is empty\n\nHint: start with version: 1 and name:.\n")
