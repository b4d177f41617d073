"""What a table of accelerator metrics holds: hours, how much of them was used, what they cost."""

import narwhals as nw

from aiguard_dagster.core.spec import Accelerator
from aiguard_dagster.core.spec.signals.accelerator import NEEDS
from aiguard_dagster.signals.batch import Batch, require
from aiguard_dagster.signals.calls import DAY, day_of, named, number_of, role_text, summed
from aiguard_dagster.signals.tallied import PART, Counted

KEYS = (DAY, "currency")
METRICS = ("gpu_seconds", "utilisation", "queue", "cost", "answered")
SUMS = (
    "rows",
    "whole",
    "odd",
    "seconds",
    "rated",
    "used",
    "answered",
    "counted",
    "spend",
    "queue",
)
PERCENT = 100


def count_accelerator(signal: Accelerator, batch: Batch, part: nw.Expr) -> Counted:
    """Count rows of metrics by day and currency.

    A row is whole where it has all that is asked for, and all of it can be so; only whole rows are
    summed up. What else the table names explains, where it is known.

    Raises:
        MeasurementError: A column is gone, or a metric is no number.
    """
    table = batch.table
    require(batch, *named(*(getattr(table, role) for role in signal.roles)))
    picked = batch.frame.select(
        part.alias(PART),
        day_of(batch).alias(DAY),
        role_text(batch, table.currency).alias("currency"),
        **{name: number_of(batch, getattr(table, name)) for name in METRICS},
    )
    top = 1 if signal.scale == "share" else PERCENT
    fits = {name: nw.col(name) >= 0 for name in METRICS}
    fits["utilisation"] = fits["utilisation"] & (nw.col("utilisation") <= top)
    odd = (nw.col("utilisation") > top) | nw.any_horizontal(
        *(nw.col(name) < 0 for name in METRICS), ignore_nulls=True
    )
    whole = nw.all_horizontal(*(fits[name] for name in NEEDS[signal.of]), ignore_nulls=False)
    one, zero = nw.lit(1.0), nw.lit(0.0)

    def known(value: nw.Expr, *names: str) -> nw.Expr:
        condition = nw.all_horizontal(
            nw.col("whole") > 0, *(fits[name] for name in names), ignore_nulls=False
        )
        return nw.when(condition).then(value).otherwise(zero)

    seconds, used = nw.col("gpu_seconds"), nw.col("utilisation") / top
    frame = (
        picked.with_columns(
            rows=one,
            whole=nw.when(whole).then(one).otherwise(zero),
            odd=nw.when(odd).then(one).otherwise(zero),
        )
        .with_columns(
            seconds=known(seconds, "gpu_seconds"),
            rated=known(seconds, "gpu_seconds", "utilisation"),
            used=known(seconds * used, "gpu_seconds", "utilisation"),
            spend=known(nw.col("cost"), "cost"),
            counted=known(one, "answered"),
            answered=known(nw.col("answered"), "answered"),
            queue=known(nw.col("queue"), "queue"),
        )
        .group_by(PART, *KEYS)
        .agg(*(summed(name).alias(name) for name in SUMS))
        .select(PART, *KEYS, *SUMS)
    )
    return Counted(frame=frame, keys=KEYS, sums=SUMS, apart=KEYS)
