"""What a usage ledger holds of spend: calls by model, currency and how their cost is known."""

from collections.abc import Sequence

import narwhals as nw

from aiguard_dagster.core.spec import Cost
from aiguard_dagster.signals.batch import Batch, Frame, require
from aiguard_dagster.signals.calls import (
    CALLS,
    DAY,
    DUPLICATES,
    calls_of,
    named,
    number_of,
    role_text,
    summed,
)
from aiguard_dagster.signals.tallied import PART, Counted

BILLED, TOKENS, NEGATIVE, UNKNOWN = "billed", "tokens", "negative", ""
"""How the cost of a call is known: as an amount, only as tokens, not (below zero), not (at all)."""
REQUESTS = "requests"
"""The groups that count requests, beside those that count calls."""
KEYS = (DAY, "served_by", "currency", "known")
APART = (DAY, "currency", "known")
SUMS = (
    "rows",
    "spend",
    "input",
    "cached",
    "output",
    "sized",
    "odd",
    DUPLICATES,
    "requests",
    "steps",
    "decided",
    "accepted",
)


def count_cost(signal: Cost, batch: Batch, part: nw.Expr) -> Counted:
    """Count calls by day, model, currency and how their cost is known; requests by day.

    Raises:
        MeasurementError: A column is gone, or an amount is no number.
    """
    table = batch.table
    require(batch, *named(*(getattr(table, role) for role in signal.roles)))
    columns = {
        "served_by": role_text(batch, table.served_by),
        "currency": role_text(batch, table.currency),
        "step": role_text(batch, table.step),
        "status": role_text(batch, table.status, unnamed=""),
        "decision": role_text(batch, table.decision, unnamed=""),
        "cost": number_of(batch, table.cost),
        "into": number_of(batch, table.input_tokens),
        "held": number_of(batch, table.cached_tokens),
        "out": number_of(batch, table.output_tokens),
    }
    calls = calls_of(batch, part, table.request, columns)
    calls = _judged(calls, signal, without=_unnamed(batch))
    by_call = _by_call(calls, alone=not table.request)
    if not table.request:
        return Counted(frame=by_call, keys=KEYS, sums=SUMS, apart=APART)
    by_request = _by_request(calls, named_steps=bool(table.step))
    frame = nw.concat([by_call, by_request], how="vertical")
    return Counted(frame=frame, keys=KEYS, sums=SUMS, apart=APART)


def _unnamed(batch: Batch) -> Sequence[str]:
    """Sorts of tokens that the table has no column of; input and output must not be unknown."""
    table = batch.table
    columns = {"into": table.input_tokens, "held": table.cached_tokens, "out": table.output_tokens}
    both = [name for name in ("into", "out") if columns[name]]
    return [name for name in columns if not columns[name]] if both else []


def _judged(calls: Frame, signal: Cost, *, without: Sequence[str]) -> Frame:
    """Tell how each call's cost is known, and what of its tokens can be so."""
    zero = nw.lit(0.0)
    into, out = (zero if name in without else nw.col(name) for name in ("into", "out"))
    held = nw.col("held").fill_null(0.0)
    cost, status, decision = nw.col("cost"), nw.col("status"), nw.col("decision")
    sane = (into >= 0) & (out >= 0) & (held >= 0) & (held <= into)
    odd = (into < 0) | (out < 0) | (held < 0) | (held > into)
    accepted = decision.str.to_lowercase().is_in([word.lower() for word in signal.accepts])
    failed = (status != "") & ~status.is_in(list(signal.fine))
    one, number = nw.lit(1.0), nw.col(CALLS)
    return calls.with_columns(
        known=nw.when(cost >= 0)
        .then(nw.lit(BILLED))
        .otherwise(
            nw.when(cost < 0)
            .then(nw.lit(NEGATIVE))
            .otherwise(nw.when(sane).then(nw.lit(TOKENS)).otherwise(nw.lit(UNKNOWN)))
        ),
        spend=number * nw.when(cost >= 0).then(cost).otherwise(zero),
        input=number * nw.when(sane).then(into).otherwise(zero),
        cached=number * nw.when(sane).then(held).otherwise(zero),
        output=number * nw.when(sane).then(out).otherwise(zero),
        sized=number * nw.when(sane).then(one).otherwise(zero),
        odd=number * nw.when(odd).then(one).otherwise(zero),
        decided=nw.when(decision != "").then(one).otherwise(zero),
        accepted=nw.when(accepted).then(one).otherwise(zero),
        failed=number * nw.when(failed).then(one).otherwise(zero),
    )


def _by_call(calls: Frame, *, alone: bool) -> Frame:
    """Sums of calls; where nothing names requests, each is one."""
    number = nw.col(CALLS)
    as_requests = ("requests", "steps", "decided", "accepted")
    told = {
        "requests": number,
        "steps": number,
        "decided": nw.col("decided") * number,
        "accepted": nw.col("accepted") * number,
    }
    return (
        calls.with_columns(
            number.alias("rows"),
            **{name: told[name] if alone else nw.lit(0.0) for name in as_requests},
        )
        .group_by(PART, *KEYS)
        .agg(*(summed(name).alias(name) for name in SUMS))
        .select(PART, *KEYS, *SUMS)
    )


def _by_request(calls: Frame, *, named_steps: bool) -> Frame:
    """Sums of requests; calls of no known request are one each.

    A step that is called again is a retry. Where steps have no names, a call that failed is taken
    to be made again: all others are steps, and there is one at least.
    """
    number, flags = nw.col(CALLS), ("decided", "accepted")
    alone = nw.col("group") == ""
    apart = nw.when(alone).then(nw.col(DAY)).otherwise(nw.lit(""))
    by_step = (
        calls.with_columns(
            apart.alias("apart"),
            **{f"all_{flag}": nw.col(flag) * number for flag in flags},
        )
        .group_by(PART, "group", "apart", "step")
        .agg(
            nw.col(DAY).min().alias(DAY),
            *(summed(name).alias(name) for name in (CALLS, "failed")),
            *(nw.col(flag).max().alias(flag) for flag in flags),
            *(summed(f"all_{flag}").alias(f"all_{flag}") for flag in flags),
        )
        .with_columns(
            steps=nw.when(nw.col("step") == "").then(number).otherwise(nw.lit(1.0)),
        )
    )
    worked = nw.when(number - nw.col("failed") >= 1).then(number - nw.col("failed"))
    steps = nw.col("steps") if named_steps else worked.otherwise(nw.lit(1.0))
    by_request = (
        by_step.group_by(PART, "group", "apart")
        .agg(
            nw.col(DAY).min().alias(DAY),
            *(summed(name).alias(name) for name in (CALLS, "failed", "steps")),
            *(nw.col(flag).max().alias(flag) for flag in flags),
            *(summed(f"all_{flag}").alias(f"all_{flag}") for flag in flags),
        )
        .with_columns(
            requests=nw.when(alone).then(number).otherwise(nw.lit(1.0)),
            steps=nw.when(alone).then(number).otherwise(steps),
            **{
                flag: nw.when(alone).then(nw.col(f"all_{flag}")).otherwise(nw.col(flag))
                for flag in flags
            },
        )
    )
    own = {"served_by": "", "currency": "", "known": REQUESTS}
    counted = ("requests", "steps", *flags)
    return (
        by_request.group_by(PART, DAY)
        .agg(*(summed(name).alias(name) for name in counted))
        .with_columns(
            **{name: nw.lit(text) for name, text in own.items()},
            **{name: nw.lit(0.0) for name in SUMS if name not in counted},
        )
        .with_columns(rows=nw.col("requests"))
        .select(PART, *KEYS, *SUMS)
    )
