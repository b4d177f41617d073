"""How well the champion's predictions meet the labels that have arrived."""

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import FalseAlarmLimit, Limit, Performance, resolve_limit
from aiguard_dagster.core.verdicts import Measurement, Threshold
from aiguard_dagster.signals.baseline import Baseline
from aiguard_dagster.signals.window import WindowProfiles
from aiguard_dagster.stats.outcomes import OF_NUMBERS, metric_value


def measure_performance(
    signal: Performance, limit: Limit | None, current: WindowProfiles, baseline: Baseline | None
) -> tuple[Measurement, Threshold]:
    """Measure one metric over the champion's rows whose label is known.

    Coverage is the share of partitions there times the share of the champion's rows with a label.

    Raises:
        MeasurementError: The limit needs a metric that the baseline does not have.
    """
    if limit is None or isinstance(limit, FalseAlarmLimit):
        msg = "performance takes an absolute limit, above_baseline or below_baseline"
        raise MeasurementError(msg)
    known = baseline.metrics.get(signal.metric) if baseline else None
    threshold = resolve_limit(limit, direction=signal.direction, baseline=known)
    if threshold is None:
        msg = f"the baseline of v{current.champion} has no {signal.metric}"
        raise MeasurementError(msg)
    rows = current.champion_rows()
    numbers = signal.metric in OF_NUMBERS
    labelled = rows.outcomes.measurable if numbers else rows.outcomes.labelled
    share = labelled / rows.rows if rows.rows else 0.0
    measurement = Measurement(
        value=metric_value(signal.metric, rows.outcomes),
        n=labelled,
        window=current.window,
        as_of=current.window.end,
        coverage=current.partition_coverage * share,
        note="" if labelled else f"no label yet for predictions of v{current.champion}",
    )
    return measurement, threshold
