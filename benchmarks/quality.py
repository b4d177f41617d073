"""What ten rules cost on a million rows of fifty columns, and what 200 guarded assets cost to load.

Run: ``make bench``. Each ratio is of one run of one machine: what is compared alternates.
"""

import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg
import numpy as np
import polars as pl

from aiguard_dagster import Completeness, Freshness, Guard, Rule, Schema, Table, Unique, Values
from aiguard_dagster import build_guard_definitions as guarded
from aiguard_dagster.adapters.tables.rows import open_rows
from aiguard_dagster.core.verdicts import Verdict, Window
from aiguard_dagster.signals.batch import Batch
from aiguard_dagster.signals.measure import evaluate_batch

os.environ["GX_ANALYTICS_ENABLED"] = "false"
warnings.simplefilter("ignore")
ROWS, COLUMNS, ROUNDS, ASSETS = 1_000_000, 50, 5, 200
START = datetime(2026, 1, 1, tzinfo=UTC)
LOW, HIGH = -10, 10
NAMES = [f"x{number:02}" for number in range(COLUMNS - 3)]
MOST_RATIO, MOST_MORE, MOST_LOAD = 1.5, 1.0, 2.0


def table() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "id": np.arange(ROWS),
            "at": pl.Series(np.arange(ROWS) * 50_000).cast(pl.Duration("us"))
            + START.replace(tzinfo=None),
            "kind": rng.choice(["a", "b", "c"], ROWS),
            **{name: rng.normal(size=ROWS) for name in NAMES},
        }
    )


def plain_rules() -> list[Rule]:
    inside = {name: {"min": LOW, "max": HIGH} for name in NAMES}
    signals = {
        "fresh": (Freshness(max_age="2d"), None),
        "typed": (Schema(columns={"id": "int", "at": "timestamp", "kind": "string"}), None),
        "whole": (Completeness(min_rows=ROWS), 0.99),
        "hourly": (Completeness(every="1h", columns=["at"]), 0.5),
        "keys": (Completeness(columns=["id", "kind"]), 1),
        "unique": (Unique(columns=["id"]), None),
        "inside": (Values(columns=inside), None),
        "known": (Values(columns={"kind": {"one_of": ["a", "b", "c"]}}), None),
        "varying": (Values(columns={name: {"varies": True} for name in NAMES[:10]}), None),
        "positive": (Values(columns={"id": {"min": 0}}), None),
    }
    return [Rule(name=n, signal=s, limit=limit) for n, (s, limit) in signals.items()]


def judge(rules: Sequence[Rule], value: object) -> None:
    opened = open_rows(value)
    window = Window(start=START, end=START + timedelta(1))
    batch = Batch(
        frame=opened.frame,
        native=opened.native,
        table=Table(asset="t", time="at"),
        window=window,
        now=window.end,
    )
    for rule in rules:
        found = evaluate_batch(rule, batch)
        assert found.verdict is Verdict.OK, (rule.name, found.reason)  # noqa: S101


def bare_aggregates(rows: pl.DataFrame) -> None:
    """What the ten rules ask of the data, by hand."""
    rows.lazy().select(
        pl.len(),
        pl.col("at").max(),
        pl.all().null_count().name.suffix("_nulls"),
        *(((pl.col(n) < LOW) | (pl.col(n) > HIGH)).sum().alias(f"{n}_out") for n in NAMES),
        *(pl.col(n).is_nan().sum().alias(f"{n}_nan") for n in NAMES),
        *(pl.col(n).min().alias(f"{n}_min") for n in NAMES[:10]),
        *(pl.col(n).max().alias(f"{n}_max") for n in NAMES[:10]),
        (~pl.col("kind").is_in(["a", "b", "c"])).sum().alias("unknown"),
        (pl.col("id") < 0).sum().alias("negative"),
    ).collect()
    rows.lazy().select(pl.col("at").dt.truncate("1h").unique()).collect()
    rows.lazy().group_by("id").len().filter(pl.col("len") > 1).select(pl.len()).collect()


def pandera_alone(rows: object) -> None:
    from benchmarks.schemas import POLARS

    POLARS.validate(rows, lazy=True)


SUITE = [
    {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": name}}
    for name in NAMES[:10]
]


def gx_alone(frame: object) -> None:
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_pandas(f"s{time.perf_counter_ns()}")
    batches = source.add_dataframe_asset("rows").add_batch_definition_whole_dataframe("all")
    suite = gx.ExpectationSuite(name="suite", expectations=SUITE)
    found = batches.get_batch({"dataframe": frame}).validate(suite, result_format="BOOLEAN_ONLY")
    assert found.success  # noqa: S101


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def pairs(theirs: Callable[[], object], ours: Callable[[], object]) -> tuple[float, float]:
    """Medians of alternating runs, after one of each that loads libraries."""
    theirs()
    ours()
    found = [(seconds(theirs), seconds(ours)) for _ in range(ROUNDS)]
    return tuple(statistics.median(column) for column in zip(*found, strict=True))  # type: ignore[return-value]


def load(*, guards: bool) -> None:
    def asset(number: int) -> dg.AssetsDefinition:
        @dg.asset(name=f"table_{number}")
        def made() -> None: ...

        return made

    definitions = dg.Definitions(assets=[asset(number) for number in range(ASSETS)])
    if guards:
        rules = tuple(Rule(name=r.name, signal=r.signal, limit=r.limit) for r in plain_rules())
        definitions = guarded(
            guards=[
                Guard(
                    name=f"guard_{number}",
                    owner="team:a",
                    tables={"rows": Table(asset=f"table_{number}", time="at")},
                    rules=rules,
                )
                for number in range(ASSETS)
            ],
            definitions=definitions,
        )
    definitions.get_repository_def()
    definitions.resolve_asset_graph()


def main() -> None:
    rows = table()
    frame = rows.to_pandas()
    rules = plain_rules()
    failed = []

    bare, ours = pairs(lambda: bare_aggregates(rows), lambda: judge(rules, rows))
    print(f"ten rules, {ROWS:,} x {COLUMNS}, polars")
    print(f"  bare polars aggregates   {bare:.2f} s")
    print(f"  ten rules                {ours:.2f} s, {ours - bare:+.2f} s (at most +{MOST_MORE})")
    failed.append(ours - bare > MOST_MORE)

    pandera = Rule(name="p", signal={"kind": "pandera", "schema": "benchmarks.schemas:POLARS"})
    alone, ours = pairs(lambda: pandera_alone(rows), lambda: judge([*rules[:9], pandera], rows))
    print("nine of them and pandera")
    print(f"  pandera alone            {alone:.2f} s")
    print(
        f"  ten rules                {ours:.2f} s, ratio {ours / alone:.2f} (at most {MOST_RATIO})"
    )
    failed.append(ours / alone > MOST_RATIO)

    suite = Rule(name="e", signal={"kind": "expectations", "suite": SUITE})
    alone, ours = pairs(lambda: gx_alone(frame), lambda: judge([*rules[:9], suite], frame))
    print("nine of them and Great Expectations, pandas")
    print(f"  its suite alone          {alone:.2f} s")
    print(
        f"  ten rules                {ours:.2f} s, ratio {ours / alone:.2f} (at most {MOST_RATIO})"
    )
    failed.append(ours / alone > MOST_RATIO)

    bare, ours = pairs(lambda: load(guards=False), lambda: load(guards=True))
    print(f"a project of {ASSETS} assets, ten rules each")
    print(f"  without                  {bare:.2f} s")
    print(f"  with                     {ours:.2f} s, {ours - bare:+.2f} s (at most +{MOST_LOAD})")
    failed.append(ours - bare > MOST_LOAD)
    sys.exit(any(failed))


if __name__ == "__main__":
    main()
