"""The kinds that are measured from sums by group: how each is counted and read."""

from collections.abc import Mapping

from aiguard_dagster.core.spec import Errors, Latency, PipelineCost, Retraining, TalliedSignal
from aiguard_dagster.signals.errors import ERRORS
from aiguard_dagster.signals.latency import LATENCY
from aiguard_dagster.signals.pipeline_cost import PIPELINE_COST
from aiguard_dagster.signals.retraining import RETRAINING
from aiguard_dagster.signals.tallied import Kind

KINDS: Mapping[type[TalliedSignal], Kind] = {
    Errors: ERRORS,
    Latency: LATENCY,
    PipelineCost: PIPELINE_COST,
    Retraining: RETRAINING,
}


def kind_of(signal: TalliedSignal) -> Kind:
    """How a signal is counted and read."""
    return KINDS[type(signal)]
