"""How old the newest row is."""

import narwhals as nw

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Freshness
from aiguard_dagster.core.verdicts import Measurement, Threshold
from aiguard_dagster.signals.batch import Batch, as_utc, require


def measure_freshness(signal: Freshness, batch: Batch) -> tuple[Measurement, Threshold]:
    """Measure the age, in seconds, of the newest row at the batch's ``as_of``.

    A batch of no rows is inconclusive. A row from the future has age 0, and the note tells of it.

    Raises:
        MeasurementError: There is no time column, or it holds no times.
    """
    column = batch.table.time
    if not column:
        msg = "freshness needs the table's time column\n\nHint: declare time: in the guard."
        raise MeasurementError(msg)
    require(batch, column)
    time = nw.col(column)
    found = batch.frame.select(
        newest=time.max(), n=nw.len(), known=(~time.is_null()).cast(nw.Int64).sum()
    )
    last, n, known = found.collect().row(0)
    threshold = Threshold(
        value=signal.max_age.total_seconds(),
        direction="high",
        unit="seconds",
    )
    if not known:
        return _nothing(batch, int(n)), threshold
    newest = as_utc(last)
    age = (batch.as_of - newest).total_seconds()
    note = f"the newest row, {newest:%Y-%m-%d %H:%M}, is from the future" if age < 0 else ""
    measurement = Measurement(
        value=max(age, 0.0), n=int(n), window=batch.span, as_of=batch.as_of, note=note
    )
    return measurement, threshold


def _nothing(batch: Batch, n: int) -> Measurement:
    note = "no row has a time" if n else "no rows"
    return Measurement(value=None, n=0, window=batch.span, as_of=batch.as_of, note=note)
