"""The published data as an assistant's traffic: requests, judged answers, people's decisions."""

from datetime import datetime
from functools import cache

import polars as pl

from examples.assistant.settings import (
    BASELINE_START,
    CODE_START,
    DATA,
    DAY,
    JUDGED_EVERY,
    LAST,
    SERVED_BY,
    STRETCH,
    SWITCH,
    TRACE_START,
)

SEED = 0
DAYS = (LAST + DAY - BASELINE_START) // DAY


def requests(start: datetime, end: datetime) -> pl.DataFrame:
    """The requests in ``[start, end)``, with people's judgement where an answer was judged."""
    return _within(_requests(), "at", start, end)


def feedback(start: datetime, end: datetime) -> pl.DataFrame:
    """The suggestions shown in ``[start, end)``, and what each programmer did with them."""
    return _within(_feedback(), "shown_at", start, end)


@cache
def _requests() -> pl.DataFrame:
    """Conversations until the switch and code from there on, each in the order of the trace."""
    published = pl.read_parquet(DATA / "azure_llm_2023.parquet").with_row_index("row")
    parts = (
        ("conv", TRACE_START, BASELINE_START, SWITCH),
        ("code", CODE_START, SWITCH, LAST + DAY),
    )
    played = [
        _within(
            published.filter(pl.col("workload") == workload).with_columns(
                at=_stretched(pl.col("TIMESTAMP") - pl.lit(origin), start)
            ),
            "at",
            start,
            end,
        )
        for workload, origin, start, end in parts
    ]
    rows = (
        pl.concat(played)
        .sort("at", "row")
        .select(
            "at",
            request=pl.format("request-{}", "row"),
            template=pl.col("workload").replace({"conv": "conversation"}),
            served_by=pl.lit(SERVED_BY),
            model_version=pl.lit("1"),
            tokens_in="ContextTokens",
            tokens_out="GeneratedTokens",
        )
        .with_row_index("place")
    )
    judged = pl.read_parquet(DATA / "halueval_general_judgements.parquet").select("hallucination")
    verdicts = (
        judged.sample(fraction=1, shuffle=True, seed=SEED)
        .with_row_index("place")
        .with_columns(pl.col("place") * JUDGED_EVERY, judged_by=pl.lit("human"))
    )
    return rows.join(verdicts, on="place", how="left", maintain_order="left").drop("place")


@cache
def _feedback() -> pl.DataFrame:
    """Each programmer's suggestions in their order, spread evenly over all days."""
    shown = (pl.int_range(pl.len()) + 0.5) / pl.len() * DAYS * DAY.total_seconds() * 1_000_000
    return (
        pl.read_parquet(DATA / "copilot_cups_decisions.parquet")
        .sort("UserId", "TimeGenerated", maintain_order=True)
        .with_columns(
            shown_at=pl.lit(BASELINE_START) + shown.over("UserId").cast(pl.Duration("us")),
        )
        .with_row_index("row")
        .select(
            "shown_at",
            suggestion=pl.format("suggestion-{}", "row"),
            model_version=pl.lit("1"),
            person=pl.format("programmer-{}", "UserId"),
            task="Task",
            decision=pl.col("StateName").str.to_lowercase(),
            decided_at=pl.col("shown_at") + _milliseconds("timeSinceDisplayedMs"),
            took_ms=(pl.col("timeSinceIssuedMs") - pl.col("timeSinceDisplayedMs")).cast(pl.Int64),
        )
        .sort("shown_at", "suggestion")
    )


def _stretched(elapsed: pl.Expr, start: datetime) -> pl.Expr:
    return (pl.lit(start) + elapsed * STRETCH).dt.cast_time_unit("us")


def _milliseconds(column: str) -> pl.Expr:
    return (pl.col(column) * 1_000).cast(pl.Duration("us"))


def _within(rows: pl.DataFrame, time: str, start: datetime, end: datetime) -> pl.DataFrame:
    return rows.filter(pl.col(time).is_between(start, end, closed="left"))
