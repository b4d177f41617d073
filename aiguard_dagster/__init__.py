"""Guards for models in production: limits set before launch, a rollback only when it helps."""

from aiguard_dagster.adapters.guard_files import load_guards
from aiguard_dagster.component import GuardComponent
from aiguard_dagster.core.errors import (
    ActionError,
    AIGuardError,
    MeasurementError,
    Problem,
    SpecError,
)
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.orchestration.baseline import record_baseline
from aiguard_dagster.orchestration.build import build_guard_definitions
from aiguard_dagster.orchestration.resources import MLflowResource, ProfileStore

__all__ = [
    "AIGuardError",
    "ActionError",
    "Guard",
    "GuardComponent",
    "MLflowResource",
    "MeasurementError",
    "Problem",
    "ProfileStore",
    "SpecError",
    "build_guard_definitions",
    "load_guards",
    "record_baseline",
]
