"""One window held against one baseline: what both kinds of measuring drift are given."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from aiguard_dagster.core.spec import Drift
from aiguard_dagster.signals.drift_reference import DriftReference
from aiguard_dagster.stats.contrast import Contrast
from aiguard_dagster.stats.profile import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftCase:
    """One window held against one baseline.

    Attributes:
        signal: What is asked.
        columns: The columns it is about.
        rows: The window.
        reference: The baseline.
        days: Days of the window that have rows: fewer days wander further.
    """

    signal: Drift
    columns: tuple[str, ...]
    rows: Profile
    reference: DriftReference
    days: int

    @property
    def contrast(self) -> Contrast:
        """The tests."""
        return self.reference.contrast(self.signal.of, self.columns)

    @property
    def names(self) -> AbstractSet[str]:
        """Columns, or pairs of them, that are to be judged."""
        if self.signal.of == "columns":
            return set(self.columns)
        return {test.name for test in self.contrast.tests}

    def unjudged(self, judged: AbstractSet[str]) -> list[str]:
        """Those of them that could not be, in a window that has rows."""
        return sorted(self.names - judged) if self.rows.rows else []

    @property
    def n(self) -> int:
        """Rows; of outcomes, and of columns that come late, those whose value is known."""
        if self.signal.of == "columns":
            late = [self.rows.columns[n] for n in self.columns if n in self.reference.late]
            return min((found.rows - found.missing for found in late), default=self.rows.rows)
        if self.signal.of == "joint":
            return self.rows.rows
        known = [self.rows.residuals[n] for n in self.columns if n in self.rows.residuals]
        return min((sum(found.rows) for found in known), default=0)

    @property
    def answered(self) -> float:
        """The share of the rows that have what is measured; of outcomes, those with a label."""
        return self.n / self.rows.rows if self.rows.rows else 1.0
