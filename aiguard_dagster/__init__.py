"""Guards for models in production: limits set before launch, a rollback only when it helps."""

from aiguard_dagster.adapters.guard_files import load_guards
from aiguard_dagster.components import GuardComponent, QualityComponent
from aiguard_dagster.core.errors import (
    ActionError,
    AIGuardError,
    MeasurementError,
    Problem,
    SpecError,
)
from aiguard_dagster.core.spec import (
    Action,
    Completeness,
    Compliance,
    Cost,
    Custom,
    Drift,
    Expectations,
    Freshness,
    Guard,
    Hallucination,
    Labels,
    Metadata,
    Overtrust,
    Pandera,
    Performance,
    Reconcile,
    Region,
    Review,
    Rule,
    Schema,
    Skew,
    Table,
    Trust,
    Unique,
    Values,
)
from aiguard_dagster.orchestration.baseline import record_baseline
from aiguard_dagster.orchestration.build import build_guard_definitions
from aiguard_dagster.orchestration.checks import build_quality_checks
from aiguard_dagster.orchestration.engines import ProfileEngine
from aiguard_dagster.orchestration.resources import MLflowResource, ProfileStore
from aiguard_dagster.orchestration.review_queue import build_review_queue

__all__ = [
    "AIGuardError",
    "Action",
    "ActionError",
    "Completeness",
    "Compliance",
    "Cost",
    "Custom",
    "Drift",
    "Expectations",
    "Freshness",
    "Guard",
    "GuardComponent",
    "Hallucination",
    "Labels",
    "MLflowResource",
    "MeasurementError",
    "Metadata",
    "Overtrust",
    "Pandera",
    "Performance",
    "Problem",
    "ProfileEngine",
    "ProfileStore",
    "QualityComponent",
    "Reconcile",
    "Region",
    "Review",
    "Rule",
    "Schema",
    "Skew",
    "SpecError",
    "Table",
    "Trust",
    "Unique",
    "Values",
    "build_guard_definitions",
    "build_quality_checks",
    "build_review_queue",
    "load_guards",
    "record_baseline",
]
