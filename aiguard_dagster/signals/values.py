"""Values that are not allowed: out of range, of no known category, stuck, in another unit."""

from collections.abc import Iterator, Sequence
from functools import reduce
from operator import and_

import narwhals as nw

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Values
from aiguard_dagster.core.spec.signals.values import Allowed
from aiguard_dagster.core.verdicts import Measurement, Threshold
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.signals.accepted_values import accepted
from aiguard_dagster.signals.batch import Batch, require, threshold
from aiguard_dagster.signals.columns import family_of, is_one_of, is_void, known, type_of
from aiguard_dagster.signals.demands import Demand, Found, inside, measure_demands, outside

MOST_PARTS = 10


def measure_values(signal: Values, batch: Batch) -> tuple[Measurement, Threshold]:
    """Measure the largest share, over the columns, of values that are not allowed; 0 to 1.

    Nulls and NaN are no values, and not counted. A column that is stuck on one value, or whose
    median jumped by a power of ten, is wrong as a whole. Not judged are columns of no values, and
    values that the baseline did not keep apart; ``coverage`` is the share of cells that were.

    Raises:
        MeasurementError: A column is gone or of another type, or the baseline did not count it.
    """
    declared, from_baseline = signal.columns or {}, signal.from_baseline or ()
    require(batch, *declared, *from_baseline)
    demands = [_declared(batch, name, allowed) for name, allowed in declared.items()]
    if from_baseline:
        demands += accepted(batch, from_baseline, margin=signal.margin)
    rows, found = measure_demands(batch, demands)
    judged = sorted((one for one in found if one.judged), key=_worst_first)
    measurement = Measurement(
        value=judged[0].part.value if judged else None,
        n=judged[0].judged if judged else 0,
        window=batch.span,
        as_of=batch.as_of,
        coverage=sum(one.judged for one in judged) / (rows * len(found)) if rows else 0.0,
        parts=tuple(one.part for one in judged if one.wrong)[:MOST_PARTS],
        note="; ".join(_notes(rows, found)),
    )
    return measurement, threshold(signal, batch, "share")


def _worst_first(found: Found) -> tuple[float, int]:
    return -found.part.value, -found.judged


def _declared(batch: Batch, name: str, allowed: Allowed) -> Demand:
    """What the guard itself allows.

    Raises:
        MeasurementError: The column is of a type that cannot be held to it.
    """
    if is_void(batch, name):
        return Demand(name=name)
    wrong: dict[str, nw.Expr] = {}
    sound = None
    family = family_of(type_of(batch, name))
    low, high = allowed.min, allowed.max
    if (low is not None or high is not None) and family != "numbers":
        what = f"{name} holds {family}, and min and max are for numbers"
        raise MeasurementError(with_hint(what, "use one_of, or a rule of kind pandera or custom."))
    if low is not None or high is not None:
        least = None if low is None else (low, f"below {low:.10g}")
        most = None if high is None else (high, f"above {high:.10g}")
        wrong |= outside(batch, name, least, most)
        sound = inside(batch, name, low, high)
    if allowed.one_of is not None:
        member = is_one_of(batch, name, allowed.one_of, option=f"columns.{name}.one_of")
        strange = reduce(and_, (~other for other in wrong.values()), known(batch, name) & ~member)
        wrong[f"none of the {len(allowed.one_of)} allowed"] = strange
        sound = None
    if allowed.varies and family == "something else":
        what = f"{name} holds {type_of(batch, name)}, which cannot be held to vary"
        raise MeasurementError(with_hint(what, "take varies out."))
    varies_from = 2.0 if allowed.varies else None
    return Demand(name=name, wrong=wrong, sound=sound, varies_from=varies_from)


def _notes(rows: int, found: Sequence[Found]) -> Iterator[str]:
    if not rows:
        yield "no rows"
        return
    for one in found:
        if not one.known:
            yield f"{one.name} has no values"
        elif one.judged < one.known:
            count = one.known - one.judged
            yield f"{one.name}: {count:,} values of which the baseline does not tell"
