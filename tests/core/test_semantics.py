import pytest

from aiguard_dagster.core.spec.semantics import find_problems, find_problems_between
from tests.core.specs import (
    COMPLETE,
    COST,
    DRIFT,
    FRESH,
    MAE,
    PANDERA,
    RECALL,
    SCHEMA,
    TABLES,
    guard_of,
)


def paths(guard) -> list[str]:
    return [problem.path for problem in find_problems(guard, file="guard.yaml")]


@pytest.mark.parametrize(
    "rule",
    [
        {"signal": FRESH, "action": "hold"},
        {"signal": SCHEMA},
        {"signal": PANDERA},
        {"signal": COMPLETE, "limit": 1},
        {"signal": COMPLETE, "limit": "0.1%"},
        {"signal": DRIFT, "limit": 0},
        {"signal": DRIFT, "limit": 0.999},
        {"signal": {**DRIFT, "statistic": "wasserstein"}, "limit": 1.5},
        {"signal": DRIFT, "limit": {"false_alarm_every": "15d"}},
        {"signal": DRIFT, "limit": 0.2, "action": "hold"},
        {"signal": MAE, "limit": 0},
        {"signal": MAE, "limit": {"above_baseline": "300%"}},
        {"signal": RECALL, "limit": 1},
        {"signal": RECALL, "limit": {"below_baseline": "99%"}},
        {"signal": COST, "limit": {"above_baseline": "0%"}},
    ],
)
def test_a_limit_at_the_edge_of_what_makes_sense_is_right(rule):
    assert paths(guard_of(rule)) == []


@pytest.mark.parametrize(
    ("signal", "limit"),
    [
        (COMPLETE, 0),
        (COMPLETE, 1.01),
        (COMPLETE, -1),
        ({**DRIFT, "statistic": "ks"}, 1),
        (DRIFT, -0.1),
        (MAE, -0.1),
        (COST, -0.1),
        (RECALL, 0),
        (RECALL, 1.01),
        (FRESH, 1),
        (SCHEMA, 0),
        (PANDERA, 0),
        (COMPLETE, None),
        (DRIFT, None),
        (MAE, None),
        (COST, None),
        (COMPLETE, {"below_baseline": "5%"}),
        (DRIFT, {"above_baseline": "5%"}),
    ],
)
def test_a_limit_that_a_signal_cannot_use_is_told_at_the_limit(signal, limit):
    assert paths(guard_of({"signal": signal, "limit": limit})) == ["rules[0].limit"]


@pytest.mark.parametrize(
    ("signal", "key", "value"),
    [
        (MAE, "below_baseline", "5%"),
        (COST, "below_baseline", "5%"),
        (RECALL, "above_baseline", "5%"),
        (RECALL, "below_baseline", "100%"),
        (MAE, "false_alarm_every", "7d"),
        (COMPLETE, "false_alarm_every", "90d"),
        (DRIFT, "false_alarm_every", "14d"),
    ],
)
def test_a_limit_of_the_wrong_form_is_told_at_its_key(signal, key, value):
    assert paths(guard_of({"signal": signal, "limit": {key: value}})) == [f"rules[0].limit.{key}"]


@pytest.mark.parametrize(
    ("signal", "limit", "column"),
    [
        (FRESH, None, "time"),
        (COMPLETE, 0.9, "time"),
        (DRIFT, 0.2, "time"),
        (MAE, 1, "time"),
        (MAE, 1, "prediction"),
        (MAE, 1, "label"),
        (COST, 1, "time"),
        (COST, 1, "cost"),
    ],
)
def test_a_signal_is_told_which_column_its_table_lacks(signal, limit, column):
    tables = {name: {**table, column: None} for name, table in TABLES.items()}

    (problem,) = find_problems(
        guard_of({"signal": signal, "limit": limit}, tables=tables), file="guard.yaml"
    )

    assert problem.path == "rules[0].signal.table"
    assert f"the {column} column" in problem.what


def test_completeness_of_rows_or_values_needs_no_time():
    tables = {"features": {"asset": "features"}}
    signal = {"kind": "completeness", "table": "features"}
    rules = [{"signal": signal, "limit": 0.9}, {"signal": {**signal, "min_rows": 5}, "limit": 0.9}]

    assert paths(guard_of(*rules, tables=tables)) == []


@pytest.mark.parametrize("signal", [FRESH, SCHEMA, PANDERA, COMPLETE])
def test_broken_data_is_no_reason_to_roll_back(signal):
    limit = 0.9 if signal is COMPLETE else None
    rule = {"signal": signal, "limit": limit, "action": "rollback"}

    for model in ({"name": "scorer"}, None):
        (problem,) = find_problems(guard_of(rule, model=model), file="guard.yaml")
        assert problem.path == "rules[0].action"
        assert "hold" in problem.hint


@pytest.mark.parametrize("signal", [DRIFT, MAE, COST])
def test_what_is_compared_with_a_baseline_needs_a_model(signal):
    guard = guard_of({"signal": signal, "limit": 0.5}, model=None)

    assert paths(guard) == ["rules[0].signal.kind"]


def test_each_later_rule_of_a_name_is_told_of():
    rules = [{"name": "fresh", "signal": FRESH}] * 3

    assert paths(guard_of(*rules)) == ["rules[1].name", "rules[2].name"]


def test_all_problems_of_all_rules_are_told_at_once():
    guard = guard_of(
        {"signal": {**FRESH, "table": "nowhere"}}, {"signal": DRIFT}, {"signal": RECALL, "limit": 2}
    )

    assert paths(guard) == ["rules[0].signal.table", "rules[1].limit", "rules[2].limit"]


def test_guards_of_different_names_and_models_get_along():
    other = guard_of({"signal": FRESH}, name="other", model={"name": "other"})
    no_model = guard_of({"signal": FRESH}, name="third", model=None)

    guards = [(guard_of({"signal": FRESH}), "a"), (other, "b"), (no_model, "c")]

    assert find_problems_between(guards) == []


def test_two_guards_of_one_name_are_told_apart_by_their_files():
    guard = guard_of({"signal": FRESH}, model=None)

    (problem,) = find_problems_between([(guard, "a.yaml"), (guard, "b.yaml")])

    assert str(problem).startswith("b.yaml: name: there is a guard 'scorer' already, in a.yaml")


def test_two_guards_on_one_model_are_refused_whatever_marks_its_champion():
    first = guard_of({"signal": FRESH})
    second = guard_of(
        {"signal": FRESH}, name="second", model={"name": "scorer", "stage": "Production"}
    )

    (problem,) = find_problems_between([(first, "a.yaml"), (second, "b.yaml")])

    assert problem.path == "model.name"
    assert "scorer in a.yaml" in problem.what
