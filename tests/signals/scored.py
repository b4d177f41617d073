"""Rows of a binary classifier, and rules judged on them."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from aiguard_dagster.core.spec import Table
from tests.signals.windows import tallied

TABLE = Table(
    asset="predictions", time="at", prediction="said", label="label", score="score", cost="cost"
)
END = datetime(2012, 9, 1)


def rows_of(days, *, until=END, seed=0, per_day=200, true=lambda score: score):
    """So many days of scores, and labels that come true as often as ``true`` says."""
    rng = np.random.default_rng(seed)
    n = days * per_day
    score = rng.beta(0.7, 0.7, n)
    label = (rng.uniform(size=n) < true(score)).astype(int)
    start = until - timedelta(days=days)
    return pl.DataFrame(
        {
            "at": [start + timedelta(days=k * days / n) for k in range(n)],
            "score": score,
            "said": (score > 0.5).astype(int),
            "label": label,
            "region": rng.choice(["north", "south", "west"], n),
            "cost": np.ones(n),
        }
    )


ACCEPTED = rows_of(60, until=datetime(2012, 6, 1), seed=1)
WEEK = rows_of(7, seed=2)


def judged(signal, rows, *, limit, accepted=ACCEPTED, **more):
    """One rule on a week of rows; ``timestamp`` is what days are told by."""
    return tallied(
        {"table": "predictions", **signal},
        rows.with_columns(timestamp="at"),
        limit=limit,
        days=7,
        table=TABLE,
        accepted=accepted,
        **more,
    )
