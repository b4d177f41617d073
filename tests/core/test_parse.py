from copy import deepcopy
from time import process_time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aiguard_dagster.core.errors import SpecError
from aiguard_dagster.core.spec import AbsoluteLimit, FalseAlarmLimit, Guard, Model
from aiguard_dagster.core.spec.parse import parse_guard
from aiguard_dagster.core.spec.yaml_text import MOST_CHARACTERS, MOST_VALUES
from tests.core.specs import BAD, DRIFT, FRESH, GOOD, MAE, TABLES, problems_in, written

JARGON = ("Input should", "Value error", "pydantic", "function-", "Extra inputs", "regular expr")
GOOD_DOCUMENTS = [yaml.safe_load(path.read_text()) for path in GOOD]


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_guard_is_read_and_comes_back_from_its_own_dump(path):
    guard = parse_guard(path.read_text(), file=path.name)

    dumped = yaml.safe_dump(guard.model_dump(mode="json", by_alias=True))

    assert parse_guard(dumped, file=path.name) == guard


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_guard_is_refused_with_the_message_beside_it(path):
    with pytest.raises(SpecError) as raised:
        parse_guard(path.read_text(), file=path.name)

    assert f"{raised.value}\n" == path.with_suffix(".txt").read_text()


def test_every_expected_message_has_its_bad_guard():
    assert {path.with_suffix("") for path in BAD[0].parent.glob("*.txt")} == {
        path.with_suffix("") for path in BAD
    }


TAGS = {
    "a scalar": '!!python/object/apply:os.mkdir "ran"',
    "a list": "!!python/object/apply:os.mkdir [ran]",
    "arguments": "!!python/object/apply:os.mkdir {args: [ran]}",
    "a new object": "!!python/object/new:os.mkdir [ran]",
    "a name": "!!python/name:os.mkdir",
    "a module": "!!python/module:os",
    "a verbatim tag": "!<tag:yaml.org,2002:python/object/apply:os.mkdir> [ran]",
}


@pytest.mark.parametrize("tag", TAGS.values(), ids=TAGS.keys())
@pytest.mark.parametrize("text", ["TAG", "name: TAG", "? TAG\n: a", "rules: [{signal: TAG}]"])
def test_a_tag_runs_nothing_wherever_it_stands(tag, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    problems = problems_in(text.replace("TAG", tag))

    assert problems
    assert not list(tmp_path.iterdir())


def test_the_tags_of_these_tests_would_run_if_they_were_let(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    yaml.unsafe_load(TAGS["a list"])

    assert (tmp_path / "ran").is_dir()


@pytest.mark.parametrize("open_", ["[", "{a: ", "- ", "? ", "!x [", "&a ["])
def test_ten_megabytes_of_nesting_are_refused_unread(open_):
    (problem,) = problems_in((open_ * 10_000_000)[:10_000_000])

    assert problem.what == "10,000,000 characters, and a guard has at most 1,000,000"


@pytest.mark.parametrize(
    "text",
    [
        "[" * 900_000,
        "{" * 900_000,
        "? " * 400_000,
        "- " * 400_000,
        "{a: " * 200_000,
        "&a [" * 200_000,
        "!x [" * 200_000,
    ],
)
def test_deep_nesting_inside_the_size_limit_is_told_of(text):
    (problem,) = problems_in(text)

    assert problem.what == "line 1: nested more than 40 levels deep"


def test_mappings_nested_by_indentation_are_told_of():
    text = "\n".join(f"{' ' * level}a:" for level in range(1_000))

    (problem,) = problems_in(text)

    assert problem.what.endswith("nested more than 40 levels deep")


def test_thousands_of_problems_of_both_sorts_are_told_at_once():
    began = process_time()

    problems = problems_in("\n".join(f"t{i}: !x 1\nu{i}: 1" for i in range(4_500)))

    assert len(problems) == 9_004  # Each tag, each unknown key, and four keys that are missing.
    assert process_time() - began < 10


def test_too_many_values_inside_the_size_limit_are_told_of():
    text = f"[{'a,' * MOST_VALUES}a]"

    (problem,) = problems_in(text)

    assert len(text) < MOST_CHARACTERS
    assert problem.what == "line 1: more than 20,000 values"


def test_a_control_character_is_told_with_its_line():
    (problem,) = problems_in("name: a\nowner: \x00")

    assert problem.what == "not YAML, line 2: the character '\\x00' is not allowed"


@pytest.mark.parametrize("number", ["9" * 5_000, "0x_", "0b_"])
def test_a_number_that_python_would_choke_on_is_told_of(number):
    document = written({"name": "a", "owner": "b", "tables": TABLES}) + f"cooldown: {number}\n"

    problem = problems_in(document)[0]

    assert problem.path == "cooldown"
    assert "for a number" in problem.what


def test_words_that_yaml_takes_for_booleans_are_keys_all_the_same():
    rule = {"name": "types", "signal": {"kind": "schema", "table": "features", "columns": None}}
    text = written({"name": "a", "owner": "b", "tables": TABLES, "rules": [rule]})

    guard = parse_guard(text.replace("columns: null", "columns: {on: int, 1: any}"), file="a")

    columns = guard.rules[0].signal.columns or {}
    assert {name: column.type for name, column in columns.items()} == {"on": "int", "1": "any"}


def test_a_value_spoiled_in_the_text_is_told_of_once():
    rule = {"name": "fresh", "signal": {**FRESH, "max_age": "TAG"}}
    document = written({"name": "a", "owner": "b", "tables": TABLES, "rules": [rule]})

    problems = problems_in(document.replace("TAG", "!!str 2h"))

    assert [problem.path for problem in problems] == ["rules[0].signal.max_age"]


def test_rules_on_a_broken_table_are_not_judged():
    tables = {**TABLES, "features": {"asset": "features", "tme": "seen_at"}}
    rule = {"name": "fresh", "signal": FRESH}

    problems = problems_in(written({"name": "a", "owner": "b", "tables": tables, "rules": [rule]}))

    assert [problem.path for problem in problems] == ["tables.features.tme"]


def test_rules_on_a_broken_table_are_not_judged_when_they_name_it_by_default():
    tables = {**TABLES, "predictions": {"asset": "scores", "tme": "seen_at"}}
    rule = {"name": "error", "signal": MAE, "limit": 3}
    document = {"name": "a", "owner": "b", "model": {"name": "a"}, "tables": tables}

    problems = problems_in(written({**document, "rules": [rule]}))

    assert [problem.path for problem in problems] == ["tables.predictions.tme"]


def test_a_misspelt_model_is_not_told_as_a_missing_one():
    rule = {"name": "drift", "signal": DRIFT, "limit": 0.2}
    document = {"name": "a", "owner": "b", "modle": {"name": "a"}, "tables": TABLES}

    problems = problems_in(written({**document, "rules": [rule]}))

    assert [problem.path for problem in problems] == ["modle"]
    assert problems[0].hint.startswith("did you mean model?")


def test_no_rules_at_all_are_told_of():
    problems = problems_in(written({"name": "a", "owner": "b", "tables": TABLES, "rules": []}))

    assert [(problem.path, problem.what) for problem in problems] == [("rules", "is empty")]


@pytest.mark.parametrize("limit", ["95%", 0.95, {"value": 0.95}, {"value": "95%"}])
def test_every_short_form_of_a_limit_means_the_same(limit):
    rule = {"name": "there", "signal": {"kind": "completeness", "table": "features"}}
    document = {"name": "a", "owner": "b", "tables": TABLES, "rules": [{**rule, "limit": limit}]}

    guard = parse_guard(written(document), file="a")

    assert guard.rules[0].limit == AbsoluteLimit(value=0.95)


def test_a_limit_given_as_a_model_is_kept():
    limit = FalseAlarmLimit(false_alarm_every="90d")
    document = {"name": "a", "owner": "b", "model": {"name": "a"}, "tables": TABLES}

    guard = Guard.model_validate(
        {**document, "rules": [{"name": "drift", "signal": DRIFT, "limit": limit}]}
    )

    assert guard.rules[0].limit is limit


@pytest.mark.parametrize("alias", ["latest", "Latest", "LATEST", "v1", "V12", "v007"])
def test_an_alias_that_mlflow_reads_as_a_version_is_refused(alias):
    with pytest.raises(ValidationError, match="is reserved: MLflow reads it as a version"):
        Model(name="a", alias=alias)


@pytest.mark.parametrize("alias", ["champion", "latest_good", "v", "v1a", "version1", "1"])
def test_an_alias_that_only_resembles_a_version_is_right(alias):
    assert Model(name="a", alias=alias).alias == alias


@pytest.mark.parametrize("limit", [".nan", ".inf", "-.inf", "true", "[1]", "{}", "-5%"])
def test_what_is_no_limit_is_told_at_the_limit(limit):
    rule = {"name": "there", "signal": {"kind": "completeness", "table": "features"}}
    text = written({"name": "a", "owner": "b", "tables": TABLES, "rules": [{**rule, "limit": 0}]})

    problems = problems_in(text.replace("limit: 0", f"limit: {limit}"))

    assert [problem.path for problem in problems] == ["rules[0].limit"]


def test_a_message_quotes_long_values_in_part_and_never_a_whole_mapping():
    problems = problems_in(written({"name": "x" * 5_000, "owner": {"a": ["secret"] * 9}}))

    text = str(SpecError(problems))
    assert "secret" not in text
    assert len(text) < 1_000


@given(st.text())
def test_any_text_is_a_guard_or_a_told_problem(text):
    assert_told_or_good(text)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(
        ["drift", "cost", "90%", "14d", "features", "rollback", "performance", "mae"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=5) | st.sampled_from(["kind", "value"]), inner, max_size=3
        )
    ),
    max_leaves=5,
)


@given(st.sampled_from(GOOD_DOCUMENTS), st.data())
def test_any_damage_to_a_good_guard_is_told_in_our_words(document, data):
    damaged = deepcopy(document)
    for _ in range(data.draw(st.integers(1, 4))):
        holder = data.draw(st.sampled_from(list(holders(damaged))))
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if isinstance(holder, dict):
            keys.append(data.draw(st.text(max_size=5)))
        if keys:
            key = data.draw(st.sampled_from(keys))
            match data.draw(st.sampled_from(["replace", "rename", "remove"])):
                case "rename" if isinstance(holder, dict) and key in holder:
                    holder[data.draw(st.text(max_size=5) | st.just(f"{key}s"))] = holder.pop(key)
                case "remove" if len(holder) > 1 and key in list(holder):
                    del holder[key]
                case _:
                    holder[key] = data.draw(values)

    assert_told_or_good(written(damaged))


def holders(document):
    """Every mapping and list in a document, the document first."""
    if isinstance(document, dict | list):
        yield document
        for part in document.values() if isinstance(document, dict) else document:
            yield from holders(part)


def assert_told_or_good(text):
    for problem in problems_in(text):
        assert problem.what
        assert problem.hint
        assert not any(word in str(problem) for word in JARGON)
