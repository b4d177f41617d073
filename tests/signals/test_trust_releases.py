"""Releases side by side: how many people took to each, over days of one length."""

from datetime import UTC, datetime

import polars as pl
import pytest

from aiguard_dagster.adapters.engines.engine import Plan
from aiguard_dagster.adapters.engines.open import profiles_of_table
from aiguard_dagster.core.spec import AbsoluteLimit, Table
from aiguard_dagster.core.verdicts import Window
from aiguard_dagster.signals.measure_tallied import measure_tallied
from aiguard_dagster.signals.tallied import tally_name
from aiguard_dagster.signals.window import WindowProfiles
from aiguard_dagster.stats.grid import Grid
from aiguard_dagster.stats.profile import BatchProfile
from tests.signals.tallies import told
from tests.signals.test_trust import rows, trust
from tests.signals.test_trust_real import DECISIONS
from tests.signals.test_trust_real import TABLE as SUGGESTIONS

TABLE = Table(
    asset="answers",
    time="at",
    user="who",
    decision="said",
    decided_at="then",
    model_version="version",
)
START = datetime(2026, 3, 1, tzinfo=UTC)


def measured(signal, frame, table=TABLE):
    """The measurement of a window that holds all rows, in a batch for each day."""
    name = tally_name(signal, table)
    plan = Plan(table=table, grid=Grid(), tallies={name: signal})
    days = frame.with_columns(of_day=pl.col(table.time).dt.date()).partition_by("of_day")
    window = WindowProfiles(
        window=Window(start=START, end=START + signal.window),
        batches=[BatchProfile(grid_id="", parts=profiles_of_table(d, plan)) for d in days],
        expected=len(days),
        champion="2",
    )
    found, _ = measure_tallied(signal, AbsoluteLimit(value=0.5), name, window, None)
    return found


def release(version, people, *, first, days, accepted=1.0, back=1.0):
    """People who use a version on its first day, of whom some are there on all the others too."""
    said, who, day = [], [], []
    for number in range(people):
        stays = (number + 0.5) / people < back
        for passed in range(days if stays else 1):
            said.append("accepted" if (number + 0.5) / people < accepted else "rejected")
            who.append(f"p{number}")
            day.append(first + passed)
    return rows(said, who, day=day, version=version)


def versions(measurement):
    return {name: text for name, text in told(measurement).items() if name.startswith("version")}


def test_releases_are_told_side_by_side_the_newest_first():
    old = release("1", 40, first=0, days=24, accepted=0.8, back=0.9)
    new = release("2", 10, first=24, days=4, accepted=0.6, back=0.3)
    found = measured(trust(window="28d"), pl.concat([old, new]))
    assert versions(found) == {
        "version 2": "10 people, 60% accepted, 30% came back, in the first 4 days of the release",
        "version 1": "40 people, 80% accepted, 90% came back, in the first 4 days of the window",
    }
    assert list(versions(found)) == ["version 2", "version 1"]
    assert found.value == pytest.approx(0.6)


def test_an_older_release_is_looked_at_over_as_many_days_as_the_newest_has_had():
    late = release("1", 30, first=6, days=1)
    old = pl.concat([release("1", 5, first=0, days=6), late])
    found = measured(trust(window="28d"), pl.concat([old, release("2", 4, first=7, days=2)]))
    assert versions(found)["version 1"].startswith("5 people")


def test_who_is_there_only_in_the_first_half_of_the_days_has_not_come_back():
    new = [release("2", 6, first=4, days=2), release("2", 2, first=4, days=4)]
    third_day = rows(["accepted"] * 2, ["late"], day=[4, 6], version="2")
    old = release("1", 5, first=0, days=4)
    found = measured(trust(window="28d"), pl.concat([old, *new, third_day]))
    assert "42.86% came back" in versions(found)["version 2"]


def test_a_release_inside_the_window_is_told_from_its_own_first_day():
    three = [release(v, 5, first=f, days=4) for v, f in (("1", 0), ("3", 4), ("2", 8))]
    found = measured(trust(window="28d"), pl.concat(three))
    assert list(versions(found)) == ["version 2", "version 3", "version 1"]
    assert versions(found)["version 3"].endswith("of the release")
    assert versions(found)["version 1"].endswith("of the window")


@pytest.mark.parametrize(
    ("metric", "options", "values"),
    [
        ("override", {}, [0.4, 0.2]),
        ("returning", {}, [0.3, 0.9]),
        ("adoption", {"eligible": 50}, [0.2, 0.8]),
    ],
)
def test_each_metric_is_told_of_each_release(metric, options, values):
    old = release("1", 40, first=0, days=6, accepted=0.8, back=0.9)
    new = release("2", 10, first=6, days=4, accepted=0.6, back=0.3)
    found = measured(trust(metric, window="14d", **options), pl.concat([old, new]))
    shares = [part.value for part in found.parts if part.name.startswith("version")]
    assert shares == [pytest.approx(value) for value in values]


def paces(*seconds):
    """What is measured where forty people take so many seconds, a release and a day each."""
    said = ["accepted"] * 40
    frames = [
        rows(said, [f"p{n}" for n in range(40)], day=day, seconds=each, version=str(day + 1))
        for day, each in enumerate(seconds)
    ]
    return measured(trust("time_to_decision", window="14d"), pl.concat(frames))


def test_times_to_a_decision_are_told_of_each_release():
    found = paces(10, 100)
    seconds = [part.value for part in found.parts if part.name.startswith("version")]
    assert seconds == [pytest.approx(100, rel=0.06), pytest.approx(10, rel=0.06)]
    assert versions(found)["version 2"] == (
        "40 people, 100% accepted, on the first day of the release"
    )


def test_the_slower_release_is_the_worst_where_nothing_else_explains():
    found = paces(100, 10)
    assert [part.name for part in found.parts] == ["version 1", "version 2"]


def test_one_version_alone_is_beside_nothing_and_rows_without_a_version_are_none():
    one = release("2", 10, first=0, days=4)
    unknown = release(None, 10, first=2, days=1).with_columns(version=pl.lit(None, pl.String))
    assert versions(measured(trust(window="28d"), pl.concat([one, unknown]))) == {}
    table = TABLE.model_copy(update={"model_version": None})
    assert versions(measured(trust(window="28d"), one, table)) == {}


def test_who_is_there_with_ten_thousand_thumbs_is_one_person_of_a_release():
    old = release("1", 40, first=0, days=4)
    bot = rows(["rejected"] * 10_000, ["bot"], day=4, version="2")
    found = measured(trust(window="28d"), pl.concat([old, release("2", 3, first=4, days=2), bot]))
    assert versions(found)["version 2"].startswith("4 people, 75% accepted")


def test_programmers_before_and_after_a_day_are_told_as_they_decided():
    """The decisions are real; that a release came on the 12th is made up."""
    later = pl.col("TimeGenerated") >= datetime(2022, 8, 12, tzinfo=UTC)
    frame = DECISIONS.with_columns(version=pl.when(later).then(pl.lit("2")).otherwise(pl.lit("1")))
    table = SUGGESTIONS.model_copy(update={"model_version": "version"})
    found = measured(trust(window="14d"), frame, table)
    first = pl.col("TimeGenerated").dt.date().min().over("version")
    length = frame["TimeGenerated"].max().date() - frame.filter(later)["TimeGenerated"].min().date()
    age = pl.col("TimeGenerated").dt.date() - first
    shares = (
        frame.filter(age <= length)
        .group_by("version", "UserId")
        .agg((pl.col("StateName") == "Accepted").mean())
        .group_by("version")
        .agg(pl.len(), pl.col("StateName").mean())
    )
    for version, people, share in shares.iter_rows():
        part = next(part for part in found.parts if part.name == f"version {version}")
        assert part.value == pytest.approx(share)
        assert part.text.startswith(f"{people} people, ")
        assert "0% came back" in part.text  # Each came for one session.
