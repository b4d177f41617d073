"""A champion's own first days in production, which some limits are relative to."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from aiguard_dagster.core.champions import Reign, reign_that_lasted
from aiguard_dagster.core.verdicts import Window
from aiguard_dagster.orchestration.batches import Batch, last_end


def first_window(reign: Reign, length: timedelta, batches: Iterable[Batch]) -> Window:
    """The span of its first days: from the first batch that is mostly the champion's own.

    A version that takes over at three in the afternoon has its first whole day on the next, and so
    many days from then on.

    Args:
        reign: Its time as champion.
        length: How long its first days are.
        batches: In time order.
    """
    start = reign.start
    for batch in batches:
        every = batch.window.end - batch.window.start
        if batch.window.start >= reign.start - every / 2:
            # Where the data begin later, what is missing must be seen.
            start = batch.window.start if batch.window.start < reign.start + every else start
            break
    return Window(start=start, end=start + length)


def spans_looked_at(
    recent: Window,
    reigns: Sequence[Reign],
    lengths: Iterable[timedelta],
    *,
    every: timedelta,
) -> list[Window]:
    """The spans that rules on a live table look at, without overlaps, in time order.

    Args:
        recent: The newest batches that are judged, with their windows.
        reigns: Which version was in production when.
        lengths: Of the first days that rules compare with.
        every: How long a batch is.
    """
    spans = [recent]
    judged = {r.version for r in reigns if r.end is None or r.end > recent.start}
    for length in lengths:
        for version in judged:
            reign = reign_that_lasted(reigns, version, length)
            if reign is not None and reign.start < recent.end:
                begun = last_end(reign.start, every)
                # One batch more: the first whole one may be the next.
                spans.append(Window(start=begun, end=min(recent.end, begun + length + every)))
    return _joined(spans)


def _joined(spans: Iterable[Window]) -> list[Window]:
    found: list[Window] = []
    for span in sorted(spans, key=lambda each: each.start):
        if found and span.start <= found[-1].end:
            found[-1] = Window(start=found[-1].start, end=max(found[-1].end, span.end))
        else:
            found.append(span)
    return found
