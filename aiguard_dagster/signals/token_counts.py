"""What a usage ledger holds of tokens: sums by template, caller and model."""

import narwhals as nw

from aiguard_dagster.core.spec import Tokens
from aiguard_dagster.signals.batch import Batch, Frame, require
from aiguard_dagster.signals.calls import (
    CALLS,
    DUPLICATES,
    calls_of,
    named,
    number_of,
    role_text,
    summed,
)
from aiguard_dagster.signals.tallied import PART, Counted

WHO = ("template", "caller", "served_by")
"""What tokens are explained by."""
OF_CALLS, OF_REQUESTS, OF_CONTEXTS = "calls", "requests", "contexts"
"""What a group counts: calls, requests, or the growth of tasks (of requests, without any)."""
SEVERAL = "several"
"""The template, caller or model of a task that has more than one."""
KEYS = ("counts", *WHO)
SUMS = (
    "rows",
    "input",
    "has_input",
    "output",
    "has_output",
    "total",
    "has_total",
    "cached",
    "cacheable",
    "has_cached",
    "over",
    "odd",
    "placed",
    "grown",
    "further",
    DUPLICATES,
)


def count_tokens(signal: Tokens, batch: Batch, part: nw.Expr) -> Counted:
    """Count calls, requests and contexts by template, caller and model.

    Raises:
        MeasurementError: A column is gone, or tokens are no numbers.
    """
    table = batch.table
    require(batch, *named(*(getattr(table, role) for role in signal.roles)))
    columns = {
        "template": role_text(batch, table.template),
        "caller": role_text(batch, table.caller),
        "served_by": role_text(batch, table.served_by),
        "request": role_text(batch, table.request),
        "step": role_text(batch, table.step),
        "into": number_of(batch, table.input_tokens),
        "held": number_of(batch, table.cached_tokens),
        "out": number_of(batch, table.output_tokens),
    }
    group = table.task or table.request
    calls = _judged(calls_of(batch, part, group, columns), signal)
    frames = [_summed_up(calls, OF_CALLS)]
    if table.request:
        frames.append(_summed_up(_requests(calls), OF_REQUESTS))
    if group:
        frames.append(_summed_up(_contexts(calls), OF_CONTEXTS))
    frame = nw.concat(frames, how="vertical") if len(frames) > 1 else frames[0]
    return Counted(frame=frame, keys=KEYS, sums=SUMS, apart=("counts",))


def _judged(calls: Frame, signal: Tokens) -> Frame:
    """Tell which tokens of each call are known, and can be so."""
    into, out, held, number = nw.col("into"), nw.col("out"), nw.col("held"), nw.col(CALLS)
    zero = nw.lit(0.0)
    odd = (into < 0) | (out < 0) | (held < 0) | (held > into)
    both = (into >= 0) & (out >= 0)
    kept = (held >= 0) & (held <= into)

    def where(condition: nw.Expr, value: nw.Expr) -> nw.Expr:
        return number * nw.when(condition).then(value).otherwise(zero)

    one = nw.lit(1.0)
    return calls.with_columns(
        rows=number,
        input=where(into >= 0, into),
        has_input=where(into >= 0, one),
        output=where(out >= 0, out),
        has_output=where(out >= 0, one),
        total=where(both, into + out),
        has_total=where(both, one),
        cached=where(kept, held),
        cacheable=where(kept, into),
        has_cached=where(kept, one),
        over=where(into > (signal.size or 0), one),
        odd=where(odd, one),
        placed=where((into >= 0) & (nw.col("group") != ""), one),
        grown=zero,
        further=zero,
    )


def _requests(calls: Frame) -> Frame:
    """One row a request; calls of no known request are one each."""
    alone = nw.col("request") == ""
    return (
        calls.group_by(PART, "request")
        .agg(summed(CALLS).alias(CALLS))
        .with_columns(
            rows=nw.when(alone).then(nw.col(CALLS)).otherwise(nw.lit(1.0)),
            **{name: nw.lit("") for name in WHO},
            **{name: nw.lit(0.0) for name in SUMS if name != "rows"},
        )
    )


def _contexts(calls: Frame) -> Frame:
    """One row a task or request of two calls or more, with how its prompts grow."""
    usable = calls.filter((nw.col("group") != "") & (nw.col("into") >= 0))
    both = {end: [f"{name}_{end}" for name in WHO] for end in ("min", "max")}
    found = usable.group_by(PART, "group").agg(
        summed(CALLS).alias(CALLS),
        nw.col("into").min().alias("least"),
        nw.col("into").max().alias("most"),
        *(nw.col(name).min().alias(low) for name, low in zip(WHO, both["min"], strict=True)),
        *(nw.col(name).max().alias(high) for name, high in zip(WHO, both["max"], strict=True)),
    )
    return found.filter(nw.col(CALLS) > 1).with_columns(
        rows=nw.lit(1.0),
        grown=nw.col("most") - nw.col("least"),
        further=nw.col(CALLS) - 1,
        **{
            name: nw.when(nw.col(low) == nw.col(high)).then(nw.col(low)).otherwise(nw.lit(SEVERAL))
            for name, low, high in zip(WHO, both["min"], both["max"], strict=True)
        },
        **{name: nw.lit(0.0) for name in SUMS if name not in {"rows", "grown", "further"}},
    )


def _summed_up(frame: Frame, counts: str) -> Frame:
    return (
        frame.with_columns(counts=nw.lit(counts))
        .group_by(PART, *KEYS)
        .agg(*(summed(name).alias(name) for name in SUMS))
        .select(PART, *KEYS, *SUMS)
    )
