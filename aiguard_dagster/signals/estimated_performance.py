"""What a metric will turn out to be, before the labels arrive, and whether that has come true."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice

import narwhals as nw

from aiguard_dagster.core.spec import EstimatedPerformance
from aiguard_dagster.core.spec.signals.performance import ERROR_METRICS, LOWER_IS_BETTER
from aiguard_dagster.core.spoken import percent
from aiguard_dagster.core.verdicts import Part
from aiguard_dagster.signals.batch import Batch, require
from aiguard_dagster.signals.error_model import count_errors_made, errors_estimated
from aiguard_dagster.signals.estimate_checks import check_on, wander_of
from aiguard_dagster.signals.estimates import curve_of, estimate_of, interval_of, usable, value_of
from aiguard_dagster.signals.scored import count_scores, outside_note, scored_rows
from aiguard_dagster.signals.segments import worst_segments
from aiguard_dagster.signals.tallied import Counted, Kind, Reading, Seen
from aiguard_dagster.stats.estimate import Estimate
from aiguard_dagster.stats.tally import Tally

MOST_CHECKED = 8
"""Earlier windows that are checked, the newest ones of which enough labels are in hand."""


def count_estimated(signal: EstimatedPerformance, batch: Batch, part: nw.Expr) -> Counted:
    """Count scores beside labels, or errors by the bin of the prediction.

    Raises:
        MeasurementError: A column is gone, or what must be numbers is none.
    """
    if signal.metric in ERROR_METRICS:
        return count_errors_made(signal, batch, part)
    require(batch, *([batch.table.prediction] if batch.table.prediction else []))
    return count_scores(signal, batch, part)


def read_estimated(signal: EstimatedPerformance, now: Tally, before: Tally | None) -> Reading:
    """The estimate over all rows, whether labelled or not."""
    rows = int(now.total("rows"))
    if signal.metric in ERROR_METRICS:
        estimate, n = errors_estimated(signal, now, before, {})
        value = estimate.value if estimate else None
        note = "" if n == rows else f"{rows - n:,} rows lie beyond what the baseline predicted"
    else:
        curve = curve_of(before)
        n, value = scored_rows(usable(signal, now)), estimate_of(signal, now, curve, {})
        unsaid = scored_rows(now) - n
        lacking = f"{unsaid:,} scored rows have no prediction" if unsaid else ""
        note = "; ".join(filter(None, (outside_note(now), lacking)))
        if curve is None:
            note = "the baseline holds no labelled score to learn from"
    return Reading(value=value, n=n, coverage=n / rows if rows else 0.0, note=note)


def look_at_realised(signal: EstimatedPerformance, found: Reading, seen: Seen) -> Reading:
    """Adds the interval and the worst segments; and takes the value away from what is unreliable.

    An estimate is unreliable when, of the earlier windows whose labels are in hand, the newest or
    half of them were missed: by more than chance, and by more than the tolerance.
    """
    if found.value is None:
        return found
    found = replace(found, parts=_segments(signal, seen))
    interval = interval_of(signal, seen.now, seen.before)
    wander = wander_of(signal, seen, interval, found.n)
    interval = interval.widened(wander) if interval else None
    windows = (check_on(signal, tally, seen.before, wander) for tally in seen.earlier)
    checked = list(islice((each for each in windows if each is not None), MOST_CHECKED))
    told = [f"95% between {interval.low:.4g} and {interval.high:.4g}"] if interval else []
    if not checked:
        told.append("not checked yet: no earlier window has its labels")
        return _noted(found, told, interval=interval)
    off = sum(each.off for each in checked) / len(checked)
    wrong = [each for each in checked if each.is_wrong(signal.tolerance)]
    newest = checked[0]
    how = (
        f"estimated {newest.estimate.value:.4g}, realised {newest.realised:.4g} in the newest of"
        f" {len(checked)} earlier windows; off by {off:.3g} on average"
    )
    if newest in wrong or 2 * len(wrong) >= len(checked):
        word = "window" if len(checked) == 1 else "windows"
        why = (
            f"unreliable: in {len(wrong)} of {len(checked)} earlier {word} the estimate missed what"
            f" came by more than chance and more than {percent(signal.tolerance)} of it, in all by"
            f" {off:.3g} on average; this one is {found.value:.4g}"
        )
        part = Part(name="checked on earlier windows", value=off, text=how)
        return replace(_noted(found, [why], interval=interval), value=None, parts=(part,))
    told.append(f"checked: {how}")
    return _noted(found, told, interval=interval)


def _segments(signal: EstimatedPerformance, seen: Seen) -> tuple[Part, ...]:
    sign = 1.0 if signal.metric in LOWER_IS_BETTER else -1.0
    return worst_segments(
        signal.by or (),
        seen.now,
        seen.before,
        lambda tally, where: value_of(signal, tally, seen.before, where),
        show="{:.4g}".format,
        worst=lambda value: sign * value,
        rests_on=lambda tally, where: _estimable(signal, tally, seen.before, where),
        called="predictions",
    )


def _estimable(
    signal: EstimatedPerformance, tally: Tally, before: Tally | None, where: Mapping[str, str]
) -> int:
    """Rows that the estimate speaks for."""
    if signal.metric in ERROR_METRICS:
        return errors_estimated(signal, tally, before, where)[1]
    return scored_rows(usable(signal, tally), where=where)


def _noted(found: Reading, told: list[str], *, interval: Estimate | None) -> Reading:
    note = "; ".join(filter(None, (*told, found.note)))
    return replace(found, note=note, variance=interval.variance if interval else None)


ESTIMATED_PERFORMANCE = Kind(count_estimated, read_estimated, learns=True, look=look_at_realised)
