"""A segment is named for the rows that its value rests on, and not for those it has."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from aiguard_dagster.core.spec import Calibration, Errors, Latency, Performance, Table
from aiguard_dagster.signals.kinds import kind_of
from aiguard_dagster.signals.tallied import Seen
from tests.signals.tallies import counted

DAY = timedelta(days=1)
TABLE = Table(
    asset="p", time="at", prediction="said", label="label", score="score", latency="ms", status="s"
)
ROWS, KNOWN = 200, 5
"""Of each segment; and of how many rows of the last one anything is known."""


def rows():
    """All is well in the north, worse in the south, and worst in the few known rows of the east."""
    rng = np.random.default_rng(0)
    found = []
    for region, wrong in (("north", 0.05), ("south", 0.3), ("east", 1.0)):
        known = np.arange(ROWS) < (KNOWN if region == "east" else ROWS)
        label = np.arange(ROWS) % 2
        said = np.where(rng.uniform(size=ROWS) < wrong, 1 - label, label)
        found.append(
            pl.DataFrame(
                {
                    "region": region,
                    "said": said,
                    "label": label,
                    "score": 0.1 + 0.8 * said,
                    "ms": 100.0 + 1_000 * wrong,
                    "s": np.where(said == label, "ok", "failed"),
                    "known": known,
                }
            )
        )
    gone = ["label", "ms", "s"]
    return pl.concat(found).with_columns(pl.when("known").then(pl.col(gone)))


BY = {"window": DAY, "by": ("region",)}
SIGNALS = {
    **{m: Performance(metric=m, **BY) for m in ("mae", "rmse", "accuracy", "f1", "auc", "brier")},
    "ece": Calibration(**BY),
    "errors": Errors(**BY),
    "p95": Latency(statistic="p95", **BY),
}


@pytest.mark.parametrize("name", SIGNALS)
def test_a_segment_of_few_known_rows_is_not_the_worst(name):
    signal, kind = SIGNALS[name], kind_of(SIGNALS[name])
    now = counted(signal, TABLE, rows())
    found = kind.read(signal, now, None)
    if name == "ece":  # Its parts come with what is seen beside it.
        found = kind.look(
            signal, found, Seen(now=now, as_of=None, batches=(), earlier=(), before=None)
        )
    told = {part.name: part.text for part in found.parts if part.name.startswith("region")}
    assert list(told) == ["region south", "region north"]
    assert f"of {ROWS}" in told["region south"]
