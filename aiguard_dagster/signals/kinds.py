"""The kinds that are measured from sums by group: how each is counted and read."""

from collections.abc import Mapping

from aiguard_dagster.core.spec import (
    Accelerator,
    Agents,
    Calibration,
    Cost,
    Errors,
    EstimatedPerformance,
    Hallucination,
    Latency,
    OutOfDistribution,
    Overtrust,
    Performance,
    PipelineCost,
    Retraining,
    TalliedSignal,
    Tokens,
    Trust,
)
from aiguard_dagster.signals.accelerator import ACCELERATOR
from aiguard_dagster.signals.agents import AGENTS
from aiguard_dagster.signals.calibration import CALIBRATION
from aiguard_dagster.signals.cost import COST
from aiguard_dagster.signals.errors import ERRORS
from aiguard_dagster.signals.estimated_performance import ESTIMATED_PERFORMANCE
from aiguard_dagster.signals.hallucination import HALLUCINATION
from aiguard_dagster.signals.latency import LATENCY
from aiguard_dagster.signals.out_of_distribution import OUT_OF_DISTRIBUTION
from aiguard_dagster.signals.overtrust import OVERTRUST
from aiguard_dagster.signals.performance import PERFORMANCE
from aiguard_dagster.signals.pipeline_cost import PIPELINE_COST
from aiguard_dagster.signals.retraining import RETRAINING
from aiguard_dagster.signals.tallied import Kind
from aiguard_dagster.signals.tokens import TOKENS
from aiguard_dagster.signals.trust import TRUST

KINDS: Mapping[type[TalliedSignal], Kind] = {
    Accelerator: ACCELERATOR,
    Agents: AGENTS,
    Calibration: CALIBRATION,
    Cost: COST,
    Errors: ERRORS,
    EstimatedPerformance: ESTIMATED_PERFORMANCE,
    Hallucination: HALLUCINATION,
    Latency: LATENCY,
    OutOfDistribution: OUT_OF_DISTRIBUTION,
    Overtrust: OVERTRUST,
    Performance: PERFORMANCE,
    PipelineCost: PIPELINE_COST,
    Retraining: RETRAINING,
    Tokens: TOKENS,
    Trust: TRUST,
}


def kind_of(signal: TalliedSignal) -> Kind:
    """How a signal is counted and read."""
    return KINDS[type(signal)]
