"""The guard and its parts, as frozen pydantic models."""

from aiguard_dagster.core.spec.guard import Action, Guard, Mode, Model, Rule, Table
from aiguard_dagster.core.spec.limits import (
    AbsoluteLimit,
    BaselineLimit,
    FalseAlarmLimit,
    Limit,
    describe_limit,
    resolve_limit,
)
from aiguard_dagster.core.spec.signals import (
    Completeness,
    Cost,
    DataSignal,
    DeltaSignal,
    Drift,
    Freshness,
    Layer,
    Pandera,
    Performance,
    Schema,
    Signal,
)

__all__ = [
    "AbsoluteLimit",
    "Action",
    "BaselineLimit",
    "Completeness",
    "Cost",
    "DataSignal",
    "DeltaSignal",
    "Drift",
    "FalseAlarmLimit",
    "Freshness",
    "Guard",
    "Layer",
    "Limit",
    "Mode",
    "Model",
    "Pandera",
    "Performance",
    "Rule",
    "Schema",
    "Signal",
    "Table",
    "describe_limit",
    "resolve_limit",
]
