"""The kinds that are measured from sums by group: how each is counted and read."""

from collections.abc import Mapping

from aiguard_dagster.core.spec import (
    Accelerator,
    Agents,
    Cost,
    Errors,
    Latency,
    TalliedSignal,
    Tokens,
)
from aiguard_dagster.signals.accelerator import ACCELERATOR
from aiguard_dagster.signals.agents import AGENTS
from aiguard_dagster.signals.cost import COST
from aiguard_dagster.signals.errors import ERRORS
from aiguard_dagster.signals.latency import LATENCY
from aiguard_dagster.signals.tallied import Kind
from aiguard_dagster.signals.tokens import TOKENS

KINDS: Mapping[type[TalliedSignal], Kind] = {
    Accelerator: ACCELERATOR,
    Agents: AGENTS,
    Cost: COST,
    Errors: ERRORS,
    Latency: LATENCY,
    Tokens: TOKENS,
}


def kind_of(signal: TalliedSignal) -> Kind:
    """How a signal is counted and read."""
    return KINDS[type(signal)]
