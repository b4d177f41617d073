import pytest

from tests.demos import play

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """In a folder with a space in its name."""
    story, said = play("assistant", tmp_path_factory.mktemp("a demo"))
    assert "a minute of the published traffic is a day here" in " ".join(said.split())
    return story


def rows(story, rule):
    return [row for row in story["timeline"] if row["rule"] == rule]


def last(story, rule):
    return rows(story, rule)[-1]


def test_every_day_has_one_verdict_of_every_rule_and_no_run_fails(story):
    assert story["failed_days"] == []
    days = {row["day"] for row in story["timeline"]}
    assert len(days) == 24
    for rule in {row["rule"] for row in story["timeline"]}:
        assert [row["day"] for row in rows(story, rule)] == sorted(days)
    assert not [row for row in story["timeline"] if row["verdict"] == "error"]


def test_two_weeks_of_conversations_breach_nothing(story):
    before = [row for row in story["timeline"] if row["day"] < story["switch"]]
    assert {row["verdict"] for row in before} == {"ok", "inconclusive"}
    assert {row["rule"] for row in before if row["verdict"] == "ok"} == {
        "cost_per_request",
        "cost_per_day",
        "tokens",
        "hallucination",
        "acceptance",
        "latency",
        "errors",
    }


def test_nothing_is_ok_before_there_is_a_window_of_it(story):
    first = {
        row["rule"]: row["verdict"] for row in story["timeline"] if row["day"] == story["first"]
    }
    of_rows = ("cost_per_request", "cost_per_day", "tokens", "hallucination", "acceptance")
    assert {first[rule] for rule in of_rows} == {"inconclusive"}


def test_code_costs_more_per_request_for_its_size_and_neither_for_price_nor_volume(story):
    breaches = [row for row in rows(story, "cost_per_request") if row["verdict"] == "breach"]
    assert breaches[0]["day"] >= story["switch"]
    for row in breaches:
        assert [part["name"] for part in row["parts"]] == ["size"]
    found = last(story, "cost_per_request")
    usual = found["limit"] / 1.2
    (size,) = found["parts"]
    assert size["value"] == pytest.approx(found["value"] - usual, rel=0.01)
    assert "tokens in and" in size["text"]
    assert "worst: size" in found["reason"]
    code, baseline = story["measured"]["code"], story["measured"]["baseline"]
    assert code["tokens_in"] > 1.5 * baseline["tokens_in"]
    assert code["tokens_out"] < 0.5 * baseline["tokens_out"]


def test_the_daily_bill_hides_what_fewer_requests_of_more_tokens_cost(story):
    found = last(story, "cost_per_day")
    assert found["verdict"] == "ok"
    assert found["value"] < found["limit"] / 1.5
    parts = {part["name"]: part["value"] for part in found["parts"]}
    assert parts.keys() == {"size", "volume"}
    assert parts["size"] > 0 > parts["volume"]


def test_tokens_name_the_template_that_is_new(story):
    found = last(story, "tokens")
    assert found["verdict"] == "breach"
    assert found["parts"][0]["name"] == "template code"
    assert "was not there" in found["parts"][0]["text"]
    assert "worst: template code" in found["reason"]


def test_the_owner_is_told_once_of_each_breach_that_lasts_and_why(story):
    assert {(a["action"], a["rule"]) for a in story["actions"]} == {
        ("notify", "cost_per_request"),
        ("notify", "tokens"),
    }
    assert len(story["actions"]) == 2
    assert all(action["day"] > story["switch"] for action in story["actions"])
    assert any("worst: size" in action["reason"] for action in story["actions"])


def test_acceptance_counts_people_and_not_their_many_decisions(story):
    found = last(story, "acceptance")
    assert (found["verdict"], found["n"], story["traces"]["people"]) == ("ok", 21, 21)
    told = {part["name"]: part["text"] for part in found["parts"]}
    assert "all decisions alike" in told
    assert 0.25 < found["value"] < 0.45


def test_hallucination_is_told_with_its_interval_and_the_share_that_was_judged(story):
    found = last(story, "hallucination")
    assert found["verdict"] == "ok"
    low, high = found["interval"]
    assert low < found["value"] < high
    assert "95% interval" in found["reason"]
    assert found["coverage"] == pytest.approx(0.25, abs=0.02)
    told = {part["name"]: part["text"] for part in found["parts"]}
    assert f"of {found['n']:,} judged answers" in told["template code"]
    assert f"of {found['n']:,}, 95% interval" in told["judge human"]


def test_traces_come_back_from_a_real_server_as_they_were_logged(story):
    traces = story["traces"]
    assert traces["server"] == "http"
    assert traces["logged"] == traces["read_back"] == traces["finished"] == 1096
    assert traces["median_ms"] == pytest.approx(traces["median_ms_of_rows"], abs=1)


def test_latency_and_errors_are_judged_on_what_the_server_counts_of_traces(story):
    latency, errors = last(story, "latency"), last(story, "errors")
    assert (latency["verdict"], errors["verdict"]) == ("ok", "ok")
    assert latency["n"] == errors["n"] > 200
    assert latency["value"] == pytest.approx(story["traces"]["median_ms"], rel=0.25)
    assert latency["limit"] > latency["value"]
    assert errors["value"] == 0
