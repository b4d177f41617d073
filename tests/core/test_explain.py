import pytest

from aiguard_dagster.core.explain import explain
from aiguard_dagster.core.spec.parse import parse_guard
from tests.core.specs import COMPLETE, COST, DRIFT, FRESH, GOOD, MAE, RECALL, guard_of


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_guard_reads_as_its_owner_would_tell_it(path):
    text = explain(parse_guard(path.read_text(), file=path.name))

    assert text == path.with_suffix(".explained.txt").read_text().rstrip("\n")


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_every_rule_is_explained_with_its_asset_and_its_owner(path):
    guard = parse_guard(path.read_text(), file=path.name)

    text = explain(guard)

    for rule, part in zip(guard.rules, text.split("\n\n")[1:], strict=False):
        assert rule.name in part
        assert guard.tables[rule.signal.table].asset in part
        assert guard.owner_of(rule) in part


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"signal": COMPLETE, "limit": 0.9}, "At least 90% of features"),
        ({"signal": MAE, "limit": {"above_baseline": 1}}, "at most 100% above the baseline"),
        ({"signal": RECALL, "limit": {"below_baseline": 0.05}}, "at most 5% below the baseline"),
        ({"signal": COMPLETE, "limit": 1}, "All of features must be there"),
        ({"signal": COMPLETE, "limit": 0.995}, "At least 99.5% of features"),
        ({"signal": RECALL, "limit": 0.95}, "the recall of scores must be at least 95%"),
        ({"signal": COST, "limit": 2.5}, "predictions in scores must be at most 2.5"),
        ({"signal": DRIFT, "limit": 0.2}, "an effect of at most 0.2 standard deviations"),
        ({"signal": DRIFT, "limit": {"false_alarm_every": "90d"}}, "one false alarm in 90 days"),
        ({"signal": FRESH, "grace": "36h"}, "If that fails for 36 hours"),
        ({"signal": FRESH}, "As soon as that fails"),
    ],
)
def test_a_limit_is_said_in_its_own_terms(rule, told):
    assert told in explain(guard_of(rule))


BACK = "put the last known good version back"
ALONE = "It rolls back at most 3 times in 30 days without being told to"


@pytest.mark.parametrize(
    ("mode", "more", "told", "untold"),
    [
        ("observe", {}, f"team:ml is told that the guard would {BACK}, and decides", "to answer"),
        (
            "propose",
            {},
            (
                f"team:ml is asked whether to {BACK}, unless that would do worse, and has 4 hours"
                " to answer; without an answer, nothing is done"
            ),
            ALONE,
        ),
        ("propose", {"decide": {"otherwise": "hold"}}, "the predictions are held back", ALONE),
        ("propose", {"decide": {"otherwise": "rollback"}}, "without an answer, it goes ahead", "?"),
        ("propose", {"decide": {"otherwise": "rollback"}}, ALONE, "?"),
        ("enforce", {}, "the guard puts the last known good version back", "?"),
        ("enforce", {}, "If nobody can tell which does better, team:ml is asked", "?"),
        ("enforce", {"rollback": {"on_inconclusive": "go"}}, "it goes ahead", "4 hours"),
        ("enforce", {"rollback": {"on_inconclusive": "hold"}}, "are held back", "4 hours"),
        (
            "enforce",
            {"rollback": {"to": {"alias": "safe"}}},
            "the version with the alias safe",
            "?",
        ),
        ("enforce", {"rollback": {"to": {"version": "3"}}}, "puts version 3 back", "?"),
        ("enforce", {"rollback": {"at_most": 1, "per": "7d"}}, "at most once in 7 days", "?"),
        (
            "enforce",
            {"rollback": {"repredict": "since_incident", "confirm_within": "6h"}},
            (
                "If 6 hours after a rollback new predictions do not carry the restored version,"
                " team:ml is told"
            ),
            "?",
        ),
        ("enforce", {"initial_delay": "2d"}, "do not count for 2 days", "?"),
        ("enforce", {"recovery_window": "21d"}, "has not ended within 21 days is structural", "?"),
    ],
)
def test_what_each_mode_and_policy_leads_to_is_said(mode, more, told, untold):
    rule = {"signal": MAE, "limit": 3, "action": "rollback"}

    text = explain(guard_of(rule, mode=mode, **more))

    assert told in text
    assert untold not in text


@pytest.mark.parametrize(
    ("mode", "more", "told"),
    [
        ("observe", {}, "team:ml is told that the guard would hold the predictions back"),
        (
            "propose",
            {"decide": {"within": "8h", "otherwise": "rollback"}},
            (
                "team:ml is asked whether to hold the predictions back, and has 8 hours to answer;"
                " without an answer, the predictions are held back"
            ),
        ),
        ("enforce", {}, "until it is right again or a person releases them"),
    ],
)
def test_a_hold_is_said_in_each_mode(mode, more, told):
    assert told in explain(guard_of({"signal": FRESH, "action": "hold"}, mode=mode, **more))


def test_when_a_breach_is_over_is_said_where_it_takes_time():
    rule = {"signal": FRESH, "resolve_after": "6h"}

    assert "It is over once it has been right for 6 hours." in explain(guard_of(rule))
    assert "It is over" not in explain(guard_of({"signal": FRESH}))


def test_shares_are_not_rounded_up_to_all_and_none_is_left_out():
    rules = [
        {"signal": {**MAE, "min_coverage": share}, "limit": 3} for share in ("99.5%", "0%", "100%")
    ]

    text = explain(guard_of(*rules))

    assert "less than 99.5% of the window" in text
    assert "less than 100% of the window" in text
    assert "fewer than 100 labelled rows.\n" in text


def test_a_guard_without_a_cooldown_says_so():
    text = explain(guard_of({"signal": FRESH}, cooldown="0s"))

    assert "the next one may follow at once" in text


def test_a_guard_without_a_model_says_nothing_of_actions_on_it():
    text = explain(guard_of({"signal": FRESH}, model=None))

    assert "guards data only" in text
    assert "action on the model" not in text
    assert "structural" not in text
