"""Expectations of a Great Expectations suite that are not met."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Expectations
from aiguard_dagster.core.verdicts import Measurement, Part, Threshold
from aiguard_dagster.core.words import shown
from aiguard_dagster.signals.batch import Batch, row_count
from aiguard_dagster.signals.gx import load_suite, validate

MOST_PARTS = 50
MOST_VALUES = 5
MOST_COLUMNS = 5
COUNTS = {"result_format": "BASIC", "partial_unexpected_count": 0}
"""What BOOLEAN_ONLY says, and counts; no value leaves the table."""
VALUES = {"result_format": "SUMMARY", "partial_unexpected_count": MOST_VALUES}
ABOUT_COLUMNS = ("column", "column_A", "column_B", "column_list")


class _Result(NamedTuple):
    """How one expectation fared; ``raised`` says why it could not be evaluated."""

    label: str
    met: bool
    text: str
    of_table: bool
    raised: bool = False


def measure_expectations(signal: Expectations, batch: Batch) -> tuple[Measurement, Threshold]:
    """Count the expectations of a suite that are not met; 0 is the limit.

    A batch of no rows is judged by what is expected of the table as a whole, such as its number of
    rows. Every expectation is a part, those that failed first; values only with ``show_values``.

    Raises:
        MeasurementError: There is no such suite, it holds what Great Expectations does not know, or
            nothing failed but an expectation could not be evaluated.
    """
    suite = load_suite(signal.suite)
    found = validate(batch, suite, VALUES if signal.show_values else COUNTS)
    names = list(batch.schema)
    results = [_result(each, names, show=signal.show_values) for each in found]
    rows = row_count(batch)
    failed = [each for each in results if _failed(each) and (rows or each.of_table)]
    raised = [each for each in results if each.raised]
    if raised and not failed:
        others = f", nor could {len(raised) - 1} more" if len(raised) > 1 else ""
        msg = f"{raised[0].label} could not be evaluated: {raised[0].text}{others}"
        raise MeasurementError(msg)
    rest = [each for each in results if each.met] if rows else []
    parts = [Part(name=e.label, value=0 if e.met else 1, text=e.text) for e in failed]
    parts += [Part(name=e.label, value=0, text=f"not evaluated: {e.text}") for e in raised]
    parts += [Part(name=e.label, value=0, text=e.text) for e in rest]
    more = len(parts) - MOST_PARTS
    measurement = Measurement(
        value=float(len(failed)),
        n=rows or len(failed),
        window=batch.span,
        as_of=batch.as_of,
        coverage=1 - len(raised) / len(results),
        parts=tuple(parts[:MOST_PARTS]),
        note="no rows" if not rows else f"{more} more expectations" if more > 0 else "",
    )
    return measurement, Threshold(value=0, direction="high")


def _failed(result: _Result) -> bool:
    return not result.met and not result.raised


def _result(found: Any, names: Sequence[str], *, show: bool) -> _Result:  # noqa: ANN401 - GX's own
    kind, options = found.expectation_config.type, found.expectation_config.kwargs
    columns = [name for key in ABOUT_COLUMNS for name in _listed(options.get(key))]
    label = f"{kind}({', '.join(columns[:MOST_COLUMNS])})"
    of_table = kind.startswith("expect_table_")
    if cause := _cause(found.exception_info):
        gone = [name for name in columns if name not in names]
        text = f"there is no column {', '.join(gone)}" if gone else f"raised {cause}"
        return _Result(label, met=False, text=text, of_table=of_table, raised=True)
    text = "met" if found.success else "failed"
    return _Result(label, bool(found.success), f"{text}{_told(found, show=show)}", of_table)


def _listed(value: object) -> list[str]:
    if value is None:
        return []
    return [str(name) for name in value] if isinstance(value, list | tuple) else [str(value)]


def _cause(info: Any) -> str:  # noqa: ANN401 - one record, or a record a metric
    """The class of what was raised, empty where nothing was; its message may quote rows."""
    for record in _records(info):
        trace = str(record.get("exception_traceback"))
        classes = re.findall(r"^(?:\w+\.)*(\w+(?:Error|Exception))\b", trace, re.MULTILINE)
        return str(classes[0]) if classes else "an exception"
    return ""


def _records(info: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - as above
    info = info or {}
    for record in [info] if "raised_exception" in info else info.values():
        if record.get("raised_exception"):
            yield record


def _told(found: Any, *, show: bool) -> str:  # noqa: ANN401 - GX's own
    result, told = found.result or {}, ""
    percent = result.get("unexpected_percent")
    if percent:
        told = f", {percent:.3g}% unexpected"
    if not show:
        return told
    few = [value for value in result.get("partial_unexpected_list") or () if value is not None]
    if few:
        return f"{told}, such as {', '.join(map(_shown, few[:MOST_VALUES]))}"
    observed = result.get("observed_value")
    if observed is None or percent or isinstance(observed, dict | list | tuple | set):
        return told
    return f"{told}, observed {_shown(observed)}"


def _shown(value: Any) -> str:  # noqa: ANN401 - a value of the user's
    return shown(value.item() if hasattr(value, "item") else value)
