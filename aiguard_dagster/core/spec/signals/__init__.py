"""What can be measured: one model a kind, one file a kind, told apart by ``kind``."""

from typing import Annotated, get_args

from pydantic import Field

from aiguard_dagster.core.spec.signals.accelerator import Accelerator
from aiguard_dagster.core.spec.signals.agents import Agents
from aiguard_dagster.core.spec.signals.base import (
    IMPORT_PATTERN,
    DataSignal,
    DeltaSignal,
    Layer,
    Limits,
    SignalBase,
)
from aiguard_dagster.core.spec.signals.calibration import Calibration
from aiguard_dagster.core.spec.signals.completeness import Completeness
from aiguard_dagster.core.spec.signals.compliance import Compliance
from aiguard_dagster.core.spec.signals.cost import Cost
from aiguard_dagster.core.spec.signals.custom import Custom
from aiguard_dagster.core.spec.signals.drift import Drift
from aiguard_dagster.core.spec.signals.errors import Errors
from aiguard_dagster.core.spec.signals.estimated_performance import EstimatedPerformance
from aiguard_dagster.core.spec.signals.expectations import Expectations
from aiguard_dagster.core.spec.signals.freshness import Freshness
from aiguard_dagster.core.spec.signals.hallucination import Hallucination
from aiguard_dagster.core.spec.signals.labels import Labels
from aiguard_dagster.core.spec.signals.latency import Latency
from aiguard_dagster.core.spec.signals.metadata import Metadata
from aiguard_dagster.core.spec.signals.out_of_distribution import OutOfDistribution
from aiguard_dagster.core.spec.signals.overtrust import Overtrust
from aiguard_dagster.core.spec.signals.pandera import Pandera
from aiguard_dagster.core.spec.signals.performance import Performance
from aiguard_dagster.core.spec.signals.pipeline_cost import PipelineCost
from aiguard_dagster.core.spec.signals.reconcile import Reconcile
from aiguard_dagster.core.spec.signals.retraining import Retraining
from aiguard_dagster.core.spec.signals.schema import Schema
from aiguard_dagster.core.spec.signals.skew import Skew
from aiguard_dagster.core.spec.signals.tallied import TalliedSignal
from aiguard_dagster.core.spec.signals.tokens import Tokens
from aiguard_dagster.core.spec.signals.trust import Trust
from aiguard_dagster.core.spec.signals.unique import Unique
from aiguard_dagster.core.spec.signals.values import Values

Signal = Annotated[
    Freshness
    | Schema
    | Completeness
    | Unique
    | Values
    | Pandera
    | Expectations
    | Reconcile
    | Skew
    | Labels
    | Metadata
    | Compliance
    | Custom
    | Drift
    | Performance
    | Cost
    | Latency
    | Errors
    | Accelerator
    | Agents
    | Tokens
    | Calibration
    | EstimatedPerformance
    | OutOfDistribution
    | Trust
    | Hallucination
    | Overtrust
    | PipelineCost
    | Retraining,
    Field(discriminator="kind"),
]

KINDS_OF_TRACES = tuple(
    sorted(
        kind.model_fields["kind"].default
        for kind in get_args(get_args(Signal)[0])
        if issubclass(kind, TalliedSignal) and kind.traced
    )
)
"""The kinds that can be measured on traces."""

__all__ = [
    "IMPORT_PATTERN",
    "KINDS_OF_TRACES",
    "Accelerator",
    "Agents",
    "Calibration",
    "Completeness",
    "Compliance",
    "Cost",
    "Custom",
    "DataSignal",
    "DeltaSignal",
    "Drift",
    "Errors",
    "EstimatedPerformance",
    "Expectations",
    "Freshness",
    "Hallucination",
    "Labels",
    "Latency",
    "Layer",
    "Limits",
    "Metadata",
    "OutOfDistribution",
    "Overtrust",
    "Pandera",
    "Performance",
    "PipelineCost",
    "Reconcile",
    "Retraining",
    "Schema",
    "Signal",
    "SignalBase",
    "Skew",
    "TalliedSignal",
    "Tokens",
    "Trust",
    "Unique",
    "Values",
]
