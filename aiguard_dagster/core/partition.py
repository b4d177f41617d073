"""One partition of a table, whatever its partitions are by."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiguard_dagster.core.verdicts import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """One partition.

    Attributes:
        key: As Dagster writes it, such as ``2026-11-23`` or ``2026-11-23|eu``.
        dimensions: The key of each dimension by its name; empty where there is but one.
        window: The span of time it holds; None where no dimension is time.
        series: What tells it from other partitions of its span of time; empty where only time does.
    """

    key: str
    dimensions: Mapping[str, str] = field(default_factory=dict, hash=False)
    window: Window | None = None
    series: str = ""
