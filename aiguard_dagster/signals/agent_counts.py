"""What a ledger of calls holds of agents: sums by task, and by the steps of tasks."""

import narwhals as nw

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Agents
from aiguard_dagster.core.words import with_hint
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

TASKS, STEPS, NAMELESS = "tasks", "steps", "nameless"
"""What a group counts: tasks; the steps of tasks; calls that name no task."""
KEYS = ("counts", "step")
SUMS = ("rows", "calls", "measured", "amount", "over", "odd", DUPLICATES)


def count_agents(signal: Agents, batch: Batch, part: nw.Expr) -> Counted:
    """Count what was done for each task, then tasks and their steps.

    Raises:
        MeasurementError: A column is gone, nothing names tasks, or a depth is no number.
    """
    table = batch.table
    require(batch, *named(*(getattr(table, role) for role in signal.roles)))
    group = table.task or table.request
    if group is None:
        what = "nothing names the task of a call"
        raise MeasurementError(with_hint(what, "add task: or request: to the table."))
    columns = {
        "step": role_text(batch, table.step, unnamed=""),
        "tool": role_text(batch, table.tool, unnamed=""),
        "status": role_text(batch, table.status, unnamed=""),
        "depth": number_of(batch, table.depth),
    }
    calls = _judged(calls_of(batch, part, group, columns), signal, named_steps=bool(table.step))
    by_step = _by_step(calls, signal, by_tool=signal.of == "tools" or not table.step)
    frames = [_summed_up(frame) for frame in (_by_task(by_step, signal), by_step, _nameless(calls))]
    return Counted(frame=nw.concat(frames, how="vertical"), keys=KEYS, sums=SUMS, apart=("counts",))


def _judged(calls: Frame, signal: Agents, *, named_steps: bool) -> Frame:
    """What each call amounts to, and whether that is known."""
    status, tool, depth = nw.col("status"), nw.col("tool"), nw.col("depth")
    one, zero = nw.lit(1.0), nw.lit(0.0)
    amount = {
        "calls": one,
        "loops": one,
        "tools": nw.when(tool != "").then(one).otherwise(zero),
        "depth": nw.when(depth >= 0).then(depth).otherwise(zero),
        "failures": nw.when((status != "") & ~status.is_in(list(signal.fine)))
        .then(one)
        .otherwise(zero),
    }
    known = {"depth": depth >= 0, "failures": status != ""}.get(signal.of)
    if signal.of == "loops" and named_steps:
        known = _is_named()
    measured = one if known is None else nw.when(known).then(one).otherwise(zero)
    odd = nw.when(depth < 0).then(one).otherwise(zero) if signal.of == "depth" else zero
    number = nw.col(CALLS)
    return calls.with_columns(amount=amount[signal.of], known=measured * number, odd=odd * number)


def _is_named() -> nw.Expr:
    """Whether a call says what it is of, so that another can be told to repeat it."""
    return (nw.col("step") != "") | (nw.col("tool") != "")


def _by_step(calls: Frame, signal: Agents, *, by_tool: bool) -> Frame:
    """One row a task and step, or tool where tools explain; of loops one a step and tool.

    Only tasks that are measured amount to something: all their calls are, or for the depth one is.
    """
    deepest, one, zero = signal.of == "depth", nw.lit(1.0), nw.lit(0.0)
    ours, label = calls.filter(nw.col("group") != ""), nw.col("tool" if by_tool else "step")
    if signal.of != "loops":
        ours, label = ours.with_columns(step=label, tool=nw.lit("")), nw.col("step")
    found = ours.group_by(PART, "group", "step", "tool").agg(
        *(summed(name).alias(name) for name in (CALLS, "known", "odd", DUPLICATES)),
        (nw.col("amount").max() if deepest else summed("amount")).alias("amount"),
    )
    if signal.of == "loops":
        again = nw.when(_is_named()).then(nw.col("amount") - 1).otherwise(zero)
        found = found.with_columns(amount=again)
    known, number = (nw.col(name).sum().over(PART, "group") for name in ("known", CALLS))
    whole = known > 0 if deepest else known >= number
    there = nw.col("known") > 0 if deepest else nw.lit(value=True)
    return found.with_columns(
        nw.lit(STEPS).alias("counts"),
        label.alias("step"),
        rows=nw.when(there).then(one).otherwise(zero),
        over=zero,
        measured=nw.when(whole).then(one).otherwise(zero),
        amount=nw.when(whole).then(nw.col("amount")).otherwise(zero),
    )


def _by_task(by_step: Frame, signal: Agents) -> Frame:
    """One row a task."""
    amount = nw.col("amount").max() if signal.of == "depth" else summed("amount")
    found = by_step.group_by(PART, "group").agg(
        *(summed(name).alias(name) for name in (CALLS, "odd", DUPLICATES)),
        nw.col("measured").max().alias("measured"),
        amount.alias("amount"),
    )
    one, zero = nw.lit(1.0), nw.lit(0.0)
    many = (nw.col("measured") > 0) & (nw.col("amount") > (signal.more_than or 0))
    return found.with_columns(
        counts=nw.lit(TASKS),
        step=nw.lit(""),
        rows=one,
        over=nw.when(many).then(one).otherwise(zero),
    )


def _nameless(calls: Frame) -> Frame:
    zero = nw.lit(0.0)
    return calls.filter(nw.col("group") == "").with_columns(
        counts=nw.lit(NAMELESS),
        step=nw.lit(""),
        rows=nw.col(CALLS),
        measured=zero,
        amount=zero,
        over=zero,
        odd=zero,
    )


def _summed_up(frame: Frame) -> Frame:
    return (
        frame.group_by(PART, *KEYS)
        .agg(*(summed(name).alias(name) for name in SUMS))
        .select(PART, *KEYS, *SUMS)
    )
