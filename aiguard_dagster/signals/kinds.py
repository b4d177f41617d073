"""The kinds that are measured from sums by group: how each is counted and read."""

from collections.abc import Mapping

from aiguard_dagster.core.spec import (
    Calibration,
    Errors,
    EstimatedPerformance,
    Latency,
    OutOfDistribution,
    Performance,
    TalliedSignal,
)
from aiguard_dagster.signals.calibration import CALIBRATION
from aiguard_dagster.signals.errors import ERRORS
from aiguard_dagster.signals.estimated_performance import ESTIMATED_PERFORMANCE
from aiguard_dagster.signals.latency import LATENCY
from aiguard_dagster.signals.out_of_distribution import OUT_OF_DISTRIBUTION
from aiguard_dagster.signals.performance import PERFORMANCE
from aiguard_dagster.signals.tallied import Kind

KINDS: Mapping[type[TalliedSignal], Kind] = {
    Calibration: CALIBRATION,
    Errors: ERRORS,
    EstimatedPerformance: ESTIMATED_PERFORMANCE,
    Latency: LATENCY,
    OutOfDistribution: OUT_OF_DISTRIBUTION,
    Performance: PERFORMANCE,
}


def kind_of(signal: TalliedSignal) -> Kind:
    """How a signal is counted and read."""
    return KINDS[type(signal)]
