"""Estimated against realised performance, beside NannyML's CBPE on the same chunks.

Run: ``python -m benchmarks.estimates --data FOLDER``, where the folder has
``nannyml_car_loan.parquet``, ``nannyml_california_housing.parquet`` and
``census_ma_employment.parquet``. Each has a reference period, which both learn from, and a period
of analysis, cut into chunks of equal size in time order, whose labels are used only to see what was
right. The table tells the mean absolute error of the estimates of all chunks; ``held`` is the share
of chunks whose realised value lies in our 95 % interval.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from sklearn.metrics import accuracy_score, roc_auc_score  # noqa: TID253 - it says what came

from aiguard_dagster.adapters.engines.engine import Plan
from aiguard_dagster.adapters.engines.open import profiles_of_table
from aiguard_dagster.core.spec import EstimatedPerformance, Table
from aiguard_dagster.signals.estimated_performance import look_at_realised, read_estimated
from aiguard_dagster.signals.tallied import Reading, Seen, tally_name
from aiguard_dagster.stats.grid import Grid
from aiguard_dagster.stats.tally import Tally
from benchmarks.peers.environments import clean_environment, command, python_of

METRICS: tuple[Literal["accuracy", "auc"], ...] = ("accuracy", "auc")
TABLE = Table(asset="predictions", time="time", prediction="said", label="label", score="score")
SCRIPT = Path(__file__).parent / "peers" / "nannyml_estimates.py"
TIMEOUT = 600.0
NOW = datetime(2020, 1, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One data set: its columns, and how it is cut."""

    name: str
    label: str
    said: str
    score: str
    time: str | None
    chunk: int

    def read(self, folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The reference and the analysis, in time order, the latter in whole chunks."""
        rows = pl.read_parquet(folder / f"{self.name}.parquet")
        rows = rows.sort(pl.col(self.time).cast(pl.String)) if self.time else rows
        named = rows.select(
            pl.col(self.label).cast(pl.Int64).alias("label"),
            pl.col(self.said).cast(pl.Int64).alias("said"),
            pl.col(self.score).cast(pl.Float64).alias("score"),
            pl.lit(datetime(2020, 1, 1, tzinfo=UTC)).alias("time"),
            "partition",
        )
        reference = named.filter(pl.col("partition") == "reference").drop("partition")
        analysis = named.filter(pl.col("partition") != "reference").drop("partition")
        return reference, analysis.head(analysis.height // self.chunk * self.chunk)


CASES = (
    Case(
        name="nannyml_car_loan", label="repaid", said="y_pred", score="y_pred_proba",
        time="timestamp", chunk=5_000,
    ),
    Case(
        name="nannyml_california_housing", label="clf_target", said="y_pred", score="y_pred_proba",
        time="timestamp", chunk=500,
    ),
    Case(
        name="census_ma_employment", label="employed", said="prediction",
        score="predicted_probability", time=None, chunk=5_000,
    ),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    folder = parser.parse_args().data
    print("| data | chunks | metric | NannyML's CBPE | ours | held |")
    print("|---|---|---|---|---|---|")
    for case in CASES:
        reference, analysis = case.read(folder)
        chunks = [analysis[at : at + case.chunk] for at in range(0, analysis.height, case.chunk)]
        theirs = _theirs(reference, analysis, case.chunk)
        for metric in METRICS:
            realised = np.array([_realised(metric, chunk) for chunk in chunks])
            found = list(_ours(metric, reference, chunks, case.chunk))
            ours = np.array([reading.value for reading in found], dtype=float)
            held = np.mean(
                [_held(reading, came) for reading, came in zip(found, realised, strict=True)]
            )
            peer = np.array([each[metric] for each in theirs])
            print(
                f"| `{case.name}` | {len(chunks)} of {case.chunk:,} | {metric} |"
                f" {np.abs(peer - realised).mean():.5f} | {np.abs(ours - realised).mean():.5f} |"
                f" {held:.0%} |"
            )


def _theirs(reference: pl.DataFrame, analysis: pl.DataFrame, chunk: int) -> list[dict[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder, "reference.parquet"), Path(folder, "analysis.parquet")
        reference.drop("time").write_parquet(files[0])
        analysis.drop("time", "label").write_parquet(files[1])
        printed = command(
            [str(python_of("nannyml")), "-I", str(SCRIPT), *map(str, files), str(chunk)],
            what="nannyml: estimate",
            env=clean_environment(),
            timeout=TIMEOUT,
        )
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


def _ours(
    metric: Literal["accuracy", "auc"],
    reference: pl.DataFrame,
    chunks: list[pl.DataFrame],
    size: int,
) -> Iterator[Reading]:
    signal = EstimatedPerformance(metric=metric, window=timedelta(days=1))
    before = _tally(signal, reference)
    # A chunk stands for a day.
    days = [_tally(signal, reference[at : at + size]) for at in range(0, len(reference), size)]
    memo: dict[str, Any] = {}
    for chunk in chunks:
        # The labels are not there yet.
        now = _tally(signal, chunk.with_columns(label=pl.lit(None, dtype=pl.Int64)))
        seen = Seen(
            now=now,
            as_of=NOW,
            batches=(),
            earlier=(),
            before=before,
            days=days,
            memo=memo,
        )
        yield look_at_realised(signal, read_estimated(signal, now, before), seen)


def _tally(signal: EstimatedPerformance, rows: pl.DataFrame) -> Tally:
    name = tally_name(signal, TABLE)
    plan = Plan(table=TABLE, grid=Grid(), tallies={name: signal})
    return profiles_of_table(rows, plan)[""].tallies[name]


def _realised(metric: Literal["accuracy", "auc"], chunk: pl.DataFrame) -> float:
    if metric == "accuracy":
        return float(accuracy_score(chunk["label"], chunk["said"]))
    return float(roc_auc_score(chunk["label"], chunk["score"]))


def _held(reading: Reading, came: float) -> bool:
    """Whether it lies within the interval, taken to be as wide to both sides."""
    half = 1.96 * (reading.variance or 0.0) ** 0.5
    return reading.value is not None and abs(reading.value - came) <= half


if __name__ == "__main__":
    main()
