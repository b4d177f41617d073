"""A table's baseline made ready for drift: what is compared, and what is normal."""

from functools import cache, lru_cache

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec.signals.drift import Drift, Subject
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.signals.baseline import TableBaseline
from aiguard_dagster.stats.calibration import Calibration, calibrate
from aiguard_dagster.stats.contrast import (
    ColumnContrast,
    ConceptContrast,
    Contrast,
    JointContrast,
    rows_of,
)
from aiguard_dagster.stats.effects import Numbers

Columns = tuple[str, ...]
HINTS: dict[Subject, str] = {
    "columns": "its columns are {known}.",
    "concept": "name columns of that table; a later rule needs a new version's baseline.",
    "joint": "name columns of numbers that vary; a later rule needs a new version's baseline.",
}


class DriftReference:
    """A table's baseline made ready for drift; what is derived from it is kept."""

    def __init__(self, table: TableBaseline) -> None:
        self._table = table
        self.grid = table.grid
        self.total = table.total
        self.late = frozenset(table.late)
        self.contrast = cache(self._contrast)
        self.calibration = lru_cache(maxsize=32)(self._calibration)
        self.row = cache(self._row)

    def columns(self, signal: Drift) -> Columns:
        """The columns that a rule is about.

        Raises:
            MeasurementError: The baseline does not hold one of them.
        """
        match signal.of:
            case "columns":
                known: Columns = tuple(self.grid.columns)
                usual = tuple(name for name in known if name not in self._table.outcomes)
            case "concept":
                known = usual = tuple(self.total.residuals)
            case "joint":
                known = usual = self.grid.joint.columns if self.grid.joint else ()
        wanted = signal.columns or usual
        unknown = [name for name in wanted if name not in known]
        if unknown or not wanted:
            what = {
                "columns": "the baseline has no column",
                "concept": "the baseline summed no residuals by",
                "joint": "the baseline did not sum products of",
            }[signal.of]
            told = f"{what} {', '.join(unknown or ['any column'])}"
            hint = HINTS[signal.of].format(known=", ".join(known) or "none")
            raise MeasurementError(with_hint(told, hint))
        if signal.of == "joint" and len(wanted) == 1:
            told = f"{wanted[0]} alone moves with nothing"
            raise MeasurementError(
                with_hint(told, "name two columns or more of numbers that vary.")
            )
        return wanted

    def _contrast(self, of: Subject, columns: Columns) -> Contrast:
        match of:
            case "columns":
                return ColumnContrast(self.grid, columns, self.total, late=self._table.late)
            case "concept":
                return ConceptContrast(columns, self.total)
            case "joint":
                return JointContrast(self.grid, columns)

    def _row(self, of: Subject, columns: Columns) -> Numbers:
        return self.contrast(of, columns).row(self.total)

    def _calibration(self, of: Subject, columns: Columns, days: int) -> Calibration:
        """What is normal for these columns over windows of so many days.

        Raises:
            MeasurementError: The baseline is too short.
        """
        contrast = self.contrast(of, columns)
        return calibrate(rows_of(contrast, self._table.days), contrast.compare, span=days)
