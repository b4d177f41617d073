"""The kinds that are measured from sums by group: how each is counted and read."""

from collections.abc import Mapping

from aiguard_dagster.core.spec import (
    Errors,
    Hallucination,
    Latency,
    Overtrust,
    TalliedSignal,
    Trust,
)
from aiguard_dagster.signals.errors import ERRORS
from aiguard_dagster.signals.hallucination import HALLUCINATION
from aiguard_dagster.signals.latency import LATENCY
from aiguard_dagster.signals.overtrust import OVERTRUST
from aiguard_dagster.signals.tallied import Kind
from aiguard_dagster.signals.trust import TRUST

KINDS: Mapping[type[TalliedSignal], Kind] = {
    Errors: ERRORS,
    Hallucination: HALLUCINATION,
    Latency: LATENCY,
    Overtrust: OVERTRUST,
    Trust: TRUST,
}


def kind_of(signal: TalliedSignal) -> Kind:
    """How a signal is counted and read."""
    return KINDS[type(signal)]
