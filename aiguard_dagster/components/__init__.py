"""Guards and checks through ``defs.yaml``."""

from aiguard_dagster.components.guard import GuardComponent
from aiguard_dagster.components.quality import QualityComponent

__all__ = ["GuardComponent", "QualityComponent"]
