"""Spend per 1,000 predictions."""

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import FalseAlarmLimit, Limit, resolve_limit
from aiguard_dagster.core.verdicts import Measurement, Threshold
from aiguard_dagster.signals.baseline import Baseline
from aiguard_dagster.signals.window import WindowProfiles
from aiguard_dagster.stats.outcomes import cost_per_1000


def measure_cost(
    limit: Limit | None, current: WindowProfiles, baseline: Baseline | None
) -> tuple[Measurement, Threshold]:
    """Measure the spend per 1,000 priced predictions of the champion.

    Coverage is the share of partitions there times the share of predictions with a price: a bill
    that falls because the price is unknown is no saving.

    Raises:
        MeasurementError: The limit needs a cost that the baseline does not have.
    """
    if limit is None or isinstance(limit, FalseAlarmLimit):
        msg = "cost takes an absolute limit or above_baseline"
        raise MeasurementError(msg)
    known = baseline.cost_per_1000 if baseline else None
    threshold = resolve_limit(limit, direction="high", baseline=known)
    if threshold is None:
        msg = f"the baseline of v{current.champion} has no cost"
        raise MeasurementError(msg)
    rows = current.champion_rows()
    priced = rows.outcomes.priced
    measurement = Measurement(
        value=cost_per_1000(rows.outcomes),
        n=priced,
        window=current.window,
        as_of=current.window.end,
        coverage=current.partition_coverage * (priced / rows.rows if rows.rows else 0.0),
        note="" if priced else f"no price for predictions of v{current.champion}",
    )
    return measurement, threshold
