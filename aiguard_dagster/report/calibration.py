"""What ``aiguard calibrate`` prints: each rule's limit, the budget it meets, what it would see."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from aiguard_dagster.adapters.charts import history
from aiguard_dagster.core.durations import format_duration
from aiguard_dagster.core.spec import Drift, FalseAlarmLimit, Guard
from aiguard_dagster.core.spec.limits import describe_limit
from aiguard_dagster.core.spec.signals import DeltaSignal
from aiguard_dagster.signals.calibrated import Calibrated, Seen

DAY = timedelta(days=1)


def report(guard: Guard, version: str, found: Sequence[Calibrated]) -> str:
    """All rules that compare with the baseline, in the guard's order."""
    if not found:
        return f"{guard.name}: no rule compares with a baseline"
    blocks = ["\n".join(_lines(guard, each)) for each in found]
    together = _together(found)
    head = f"{guard.name} on the baseline of v{version}"
    return "\n\n".join([head, *blocks, *([together] if together else [])])


def plots(found: Sequence[Calibrated]) -> dict[str, str]:
    """An SVG for each rule with a budget, by the rule's name."""
    return {
        each.rule.name: history(
            f"{each.rule.name}: largest score by window", each.scores, each.level
        )
        for each in found
        if each.level is not None
    }


def _lines(guard: Guard, found: Calibrated) -> Iterator[str]:
    rule, signal = found.rule, found.rule.signal
    asset = guard.tables[signal.table].asset
    window = format_duration(signal.window) if isinstance(signal, DeltaSignal) else ""
    yield f"{rule.name}: {signal.kind} of {asset}, windows of {window}"
    if found.problem:
        yield f"  {found.problem}"
        return
    yield f"  limit: {describe_limit(rule.limit) if rule.limit else 'none'}"
    yield f"  a usual window has {found.rows:,} rows; the baseline has {found.days:,} days"
    if isinstance(rule.limit, FalseAlarmLimit) and isinstance(signal, Drift):
        yield from _budget(rule.limit.false_alarm_every, found)
        yield from _table(found.seen)
        return
    times = "once" if found.fired == 1 else f"{found.fired} times"
    yield f"  on the baseline's own {found.windows:,} windows it is in breach {times}" + (
        f", and inconclusive {found.unmeasured} times" if found.unmeasured else ""
    )
    if isinstance(signal, Drift) and found.fired:
        yield f"  that is one false alarm in about {round(found.days / found.fired)}d"


def _budget(every: timedelta, found: Calibrated) -> Iterator[str]:
    columns = len({seen.test.name for seen in found.seen})
    signal = found.rule.signal
    things = "pairs" if isinstance(signal, Drift) and signal.of == "joint" else "columns"
    over = f"{len(found.seen):,} tests of {columns:,} {things} together"
    if every <= found.supported * DAY:
        yield f"  met: the baseline is long enough; the budget is shared by {over}"
    else:
        yield (
            f"  not met by the baseline alone: {found.days} days support one false alarm in"
            f" {found.supported}d. Beyond, the limit is extrapolated, over {over}"
        )
    expected = found.days * DAY / every
    alarms = "1 alarm" if found.fired == 1 else f"{found.fired} alarms"
    yield f"  on the baseline itself: {alarms}, where the budget expects {expected:.1f}"


def _table(seen: Sequence[Seen]) -> Iterator[str]:
    """A line a column: its limits, and the smallest shift that four windows of five show."""
    by_name: dict[str, list[Seen]] = {}
    for each in seen:
        by_name.setdefault(each.test.name, []).append(each)
    width = max(len("column"), *(len(name) for name in by_name))
    yield f"  {'column':{width}}  {'limit':>9}  seen in 4 windows of 5"
    for name, tests in by_name.items():
        main = min((t for t in tests if t.test.aspect not in {"missing", "unseen"}), key=_limit)
        told = "; ".join(t.told for t in tests if t.test.aspect != "bins" or len(tests) < 3)  # noqa: PLR2004 - the shape says more than the bins
        yield f"  {name:{width}}  {main.limit:9.2f}  {told}"
    if any(each.shift is None for each in seen):
        yield "  (not at all: the baseline's own windows wander as far. A longer window or baseline"
        yield "  helps, or a distance as the limit, or leaving the column out.)"


def _limit(seen: Seen) -> float:
    return seen.limit


def _together(found: Sequence[Calibrated]) -> str:
    """How often the rules with a budget alarm when nothing is wrong, all of them together."""
    budgets = [
        each.rule.limit.false_alarm_every / DAY
        for each in found
        if isinstance(each.rule.limit, FalseAlarmLimit) and not each.problem
    ]
    if len(budgets) < 2:  # noqa: PLR2004 - one needs no sum
        return ""
    every = 1 / sum(1 / budget for budget in budgets)
    return f"together: one false alarm in {every:.0f}d, from {len(budgets)} rules with a budget"
