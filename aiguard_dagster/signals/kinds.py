"""The kinds that are measured from sums by group: how each is counted and read."""

from collections.abc import Mapping

from aiguard_dagster.core.spec import (
    Accelerator,
    Agents,
    Calibration,
    Cost,
    Errors,
    EstimatedPerformance,
    Latency,
    OutOfDistribution,
    Performance,
    TalliedSignal,
    Tokens,
)
from aiguard_dagster.signals.accelerator import ACCELERATOR
from aiguard_dagster.signals.agents import AGENTS
from aiguard_dagster.signals.calibration import CALIBRATION
from aiguard_dagster.signals.cost import COST
from aiguard_dagster.signals.errors import ERRORS
from aiguard_dagster.signals.estimated_performance import ESTIMATED_PERFORMANCE
from aiguard_dagster.signals.latency import LATENCY
from aiguard_dagster.signals.out_of_distribution import OUT_OF_DISTRIBUTION
from aiguard_dagster.signals.performance import PERFORMANCE
from aiguard_dagster.signals.tallied import Kind
from aiguard_dagster.signals.tokens import TOKENS

KINDS: Mapping[type[TalliedSignal], Kind] = {
    Accelerator: ACCELERATOR,
    Agents: AGENTS,
    Cost: COST,
    Calibration: CALIBRATION,
    Errors: ERRORS,
    EstimatedPerformance: ESTIMATED_PERFORMANCE,
    Latency: LATENCY,
    Tokens: TOKENS,
    OutOfDistribution: OUT_OF_DISTRIBUTION,
    Performance: PERFORMANCE,
}


def kind_of(signal: TalliedSignal) -> Kind:
    """How a signal is counted and read."""
    return KINDS[type(signal)]
