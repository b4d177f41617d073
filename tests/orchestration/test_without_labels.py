"""Real seasons and known truths: what is said without labels is never wrong, and often nothing."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import numpy as np
import polars as pl
import pytest

from aiguard_dagster import Guard
from aiguard_dagster.core.verdicts import Window
from aiguard_dagster.orchestration.accepted import load_accepted
from aiguard_dagster.orchestration.baseline import record_baseline
from aiguard_dagster.orchestration.table_reader import TableReader
from aiguard_dagster.orchestration.without_labels import estimate_of_rows, estimator_of, weigh
from aiguard_dagster.stats.compare import compare
from examples.bike_demand.settings import DATA, FEATURES
from examples.bike_demand.training import held_out_predictions, rentals

SUMMER, WINTER = "1", "2"
SPANS = {
    SUMMER: (datetime(2011, 5, 1), datetime(2011, 9, 1)),
    WINTER: (datetime(2011, 11, 1), datetime(2012, 3, 1)),
}
TWO_WEEKS = timedelta(days=14)


class Seasons:
    """Two forecasts of bike rentals, one made of a summer and one of a winter."""

    def __init__(self, workshop, folder):
        from sklearn.ensemble import HistGradientBoostingRegressor

        features = folder / "features.parquet"
        pl.read_parquet(DATA).select("timestamp", *FEATURES).write_parquet(features)
        name = workshop.model(versions=2)
        self.registry = workshop.registry(name)
        self.guard = seasons_guard(name, features)
        self.reader = TableReader(
            guard=self.guard,
            tables=dg.Definitions(),
            partitions=dict.fromkeys(self.guard.tables),
            instance=dg.DagsterInstance.ephemeral(),
        )
        self.models = {}
        for version, span in SPANS.items():
            rows = rentals(*span)
            model = HistGradientBoostingRegressor(random_state=0)
            self.models[version] = model.fit(inputs(rows), rows["cnt"])
            predictions = rows.select("timestamp", "cnt", model_version=pl.lit(version))
            data = {
                "features": rows.select("timestamp", *FEATURES),
                "predictions": predictions.with_columns(predicted=held_out_predictions(rows)),
            }
            record_baseline(self.guard, version=version, data=data, tracking_uri=workshop.uri)

    def said(self, start):
        rows = rentals(start, start + TWO_WEEKS)
        mine = rows.select("timestamp", "cnt", model_version=pl.lit("any"))
        return {
            version: mine.with_columns(predicted=pl.Series(model.predict(inputs(rows))))
            for version, model in self.models.items()
        }

    def weighed(self, start, *, champion, candidate):
        utc = start.replace(tzinfo=UTC)
        return weigh(
            self.reader,
            self.registry,
            self.guard.rules[1].signal,
            Window(start=utc, end=utc + TWO_WEEKS),
            versions=(champion, candidate),
            inputs=dict.fromkeys(SPANS, FEATURES),
            said=self.said(start),
        )


def inputs(rows):
    return rows.select(FEATURES).cast(pl.Float64).to_pandas()


def seasons_guard(name, features):
    prediction = {"prediction": "predicted", "label": "cnt", "model_version": "model_version"}
    metric = {"metric": "mae", "window": "14d"}
    limit = {"above_baseline": "50%"}
    return Guard.model_validate(
        {
            "name": "bikes",
            "owner": "team:bikes",
            "model": {"name": name},
            "tables": {
                "features": {
                    "asset": "features",
                    "time": "timestamp",
                    "source": {"kind": "parquet", "path": str(features)},
                },
                "predictions": {"asset": "predictions", "time": "timestamp", **prediction},
            },
            "rules": [
                {
                    "name": "drift",
                    "signal": {"kind": "drift", "table": "features", "window": "14d"},
                    "limit": 1.0,
                },
                {
                    "name": "error",
                    "signal": {"kind": "performance", **metric},
                    "limit": limit,
                    "action": "rollback",
                },
                {
                    "name": "expected",
                    "signal": {"kind": "estimated_performance", **metric},
                    "limit": limit,
                },
            ],
        }
    )


@pytest.fixture(scope="module")
def seasons(sqlite, tmp_path_factory):
    return Seasons(sqlite, tmp_path_factory.mktemp("seasons"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "told"),
    [
        (datetime(2012, 5, 20), SUMMER),
        (datetime(2012, 7, 19), SUMMER),
        (datetime(2012, 8, 28), SUMMER),
        (datetime(2012, 10, 27), None),
        (datetime(2012, 11, 16), None),
    ],
    ids=["spring", "summer", "late summer", "autumn", "winter"],
)
def test_of_real_seasons_what_is_said_is_true(seasons, start, told):
    said = seasons.said(start)
    truth = compare(
        "mae",
        "high",
        label=said[SUMMER]["cnt"].to_numpy(),
        champion=said[WINTER]["predicted"].to_numpy(),
        candidate=said[SUMMER]["predicted"].to_numpy(),
    )
    better = seasons.weighed(start, champion=WINTER, candidate=SUMMER).better
    worse = seasons.weighed(start, champion=SUMMER, candidate=WINTER).better
    assert (better, worse) == ((True, False) if told else (None, None))
    if told:
        assert truth.better


@pytest.mark.slow
def test_in_autumn_the_nearer_version_is_the_worse_one_which_is_why_distance_alone_decides_nothing(
    seasons,
):
    autumn = datetime(2012, 10, 27)
    found = seasons.weighed(autumn, champion=SUMMER, candidate=WINTER).evidence
    assert found["candidate_distance"] < 0.5 * found["champion_distance"]
    said = seasons.said(autumn)
    errors = {v: float((rows["predicted"] - rows["cnt"]).abs().mean()) for v, rows in said.items()}
    assert errors[WINTER] > errors[SUMMER]


def classified(version, *, skill, days=20, seed=0):
    """A classifier whose scores are as sure as it has skill, and come true as often as they say."""
    rng = np.random.default_rng(seed)
    n = days * 100
    strength = rng.beta(*((0.4, 0.4) if skill else (8, 8)), n)
    return pl.DataFrame(
        {
            "at": [datetime(2026, 1, 1) + timedelta(days=days * k / n) for k in range(n)],
            "score": strength,
            "label": (rng.uniform(size=n) < strength).astype(int),
            "version": version,
        }
    )


@pytest.mark.parametrize("metric", ["brier", "log_loss", "auc"])
def test_of_scores_the_performance_rule_itself_tells_what_to_expect(sqlite, metric):
    name = sqlite.model(versions=2)
    guard = Guard.model_validate(
        {
            "name": "fraud",
            "owner": "team:fraud",
            "model": {"name": name},
            "tables": {
                "predictions": {
                    "asset": "p",
                    "time": "at",
                    "score": "score",
                    "label": "label",
                    "model_version": "version",
                }
            },
            "rules": [
                {
                    "name": "quality",
                    "signal": {"kind": "performance", "metric": metric, "window": "7d"},
                    "limit": 0.5,
                    "action": "rollback",
                }
            ],
        }
    )
    estimator = estimator_of(guard, guard.rules[0].signal)
    expected = {}
    for version, skill in (("1", True), ("2", False)):
        accepted = classified(version, skill=skill, seed=int(version))
        data = {"predictions": accepted}
        record_baseline(guard, version=version, data=data, tracking_uri=sqlite.uri)
        rows = classified("2", skill=skill, days=7, seed=9).with_columns(
            label=pl.lit(None, dtype=pl.Int64)
        )
        baseline = load_accepted(sqlite.registry(name), version, guard)
        expected[version], _ = estimate_of_rows(guard, estimator, rows, baseline)
    good, bad = expected["1"], expected["2"]
    assert good.high < bad.low if metric != "auc" else good.low > bad.high


def test_of_classes_nothing_is_expected():
    signal = {"kind": "performance", "metric": "accuracy", "window": "7d"}
    guard = seasons_guard("bikes", "nowhere").model_dump()
    guard["rules"] = [{"name": "quality", "signal": signal, "limit": 0.5}]
    made = Guard.model_validate(guard)
    assert estimator_of(made, made.rules[0].signal) is None
