"""Rows outside what the baseline held: how many, and which columns put them there."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from aiguard_dagster.adapters.engines.engine import Plan
from aiguard_dagster.adapters.engines.grids import choose_grid
from aiguard_dagster.adapters.engines.open import engine_of, profiles_of_table
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import OutOfDistribution, Table
from aiguard_dagster.signals.out_of_distribution import read_outside
from aiguard_dagster.stats.grid import Grid
from aiguard_dagster.stats.support import PER_DECADE, with_moments
from aiguard_dagster.stats.tally import MOST_GROUPS
from tests.conformance.engines import LOCAL
from tests.signals.scored import END
from tests.signals.windows import DAY, between

TABLE = Table(asset="features", time="at")
N = 2_000


def rows_of(seed, n=N):
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n)
    return pl.DataFrame(
        {
            "at": [END] * n,
            "price": 100 + 10 * size,
            "weight": 5 + 0.5 * (size + 0.1 * rng.normal(size=n)),
            "plan": rng.choice(["free", "pro"], n),
            "paid": rng.uniform(size=n) < 0.5,
            "seen": [END - DAY * float(days) for days in rng.uniform(0, 30, n)],
            "text": ["x" * int(k) + str(i) for i, k in enumerate(rng.integers(1, 50, n))],
        }
    )


BEFORE = rows_of(0)


def grid_of(rows, **more):
    joint = () if more.get("of") == "joint" else None
    grid = choose_grid(engine_of(rows), TABLE, joint=joint)
    if joint is None:
        return grid
    total = profiles_of_table(rows, Plan(table=TABLE, grid=grid))[""]
    return with_moments(grid, total.products, total.rows)


def tally(rows, grid, *, engine="polars", **more):
    signal = OutOfDistribution(window=DAY, **more)
    plan = Plan(table=TABLE, grid=grid, tallies={"it": signal})
    return profiles_of_table(LOCAL[engine](rows), plan)[""].tallies["it"]


def outside(rows, *, before=BEFORE, engine="polars", **more):
    grid = grid_of(before, **more)
    now, then = tally(rows, grid, engine=engine, **more), tally(before, grid, **more)
    return read_outside(OutOfDistribution(window=DAY, **more), now, then)


def some(value, of, *, every=10):
    """Every tenth value of a column replaced."""
    return pl.when(pl.int_range(pl.len()) % every == 0).then(value).otherwise(pl.col(of)).alias(of)


def test_the_baseline_itself_lies_inside():
    found = outside(BEFORE)
    assert (found.value, found.n, found.coverage) == (0, N, 1)


@pytest.mark.parametrize("engine", LOCAL)
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("price", pl.lit(500.0)),
        ("price", pl.lit(-1.0)),
        ("price", pl.lit(float("inf"))),
        ("plan", pl.lit("enterprise")),
        ("text", pl.lit("y" * 200)),
        ("seen", pl.lit(END - 90 * DAY)),
        ("seen", pl.lit(END + 5 * DAY)),
    ],
)
def test_what_the_baseline_never_held_is_outside_on_every_engine(engine, column, value):
    found = outside(BEFORE.with_columns(some(value, column)), engine=engine)
    assert found.value == pytest.approx(0.1)
    assert [part.name for part in found.parts] == [column]
    assert found.parts[0].text == "10% outside, was 0%"


def test_a_row_outside_in_two_columns_is_one_row():
    rows = BEFORE.with_columns(some(pl.lit(500.0), "price"), some(pl.lit("gone"), "plan", every=20))
    found = outside(rows)
    assert found.value == pytest.approx(0.1)
    assert [part.name for part in found.parts] == ["price", "plan"]


@pytest.mark.parametrize("column", ["price", "plan", "seen", "text"])
def test_missing_values_are_outside_of_nothing(column):
    gone = BEFORE.with_columns(pl.lit(None, dtype=BEFORE.schema[column]).alias(column))
    assert outside(gone).value == 0
    assert outside(BEFORE.drop(column)).value == 0


def test_rows_without_any_value_lower_the_coverage():
    columns = ["price", "weight", "plan", "paid", "seen", "text"]
    half = pl.int_range(pl.len()) % 2 == 0
    found = outside(BEFORE.with_columns(pl.when(half).then(pl.col(name)) for name in columns))
    assert (found.n, found.coverage) == (N // 2, 0.5)


def test_only_the_columns_asked_for_count():
    rows = BEFORE.with_columns(some(pl.lit(500.0), "price"))
    assert outside(rows, columns=("weight", "plan")).value == 0
    assert outside(rows, columns=("price",)).value == pytest.approx(0.1)


def test_rows_counted_on_another_grid_lower_the_coverage_and_are_never_inside():
    then = tally(BEFORE, grid_of(BEFORE))
    now = tally(BEFORE, grid_of(rows_of(5)))
    found = read_outside(OutOfDistribution(window=DAY), now, then)
    assert (found.value, found.n, found.coverage) == (None, 0, 0)
    assert found.note == "no row was counted on the baseline's grid"


def test_before_there_is_a_baseline_nothing_is_inside():
    found = read_outside(OutOfDistribution(window=DAY), tally(BEFORE, Grid()), None)
    assert (found.value, found.coverage) == (None, 0)


def test_labels_and_what_a_prediction_costs_are_not_looked_at():
    table = Table(asset="p", time="timestamp", prediction="said", label="cnt", cost="price")
    rows = between("2011-06-01", 60)
    signal = OutOfDistribution(window=DAY, table="predictions")
    grid = choose_grid(engine_of(rows), table)
    odd = rows.with_columns(cnt=10**6, price=1e9)
    plan = Plan(table=table, grid=grid, tallies={"it": signal})
    found = read_outside(signal, profiles_of_table(odd, plan)[""].tallies["it"], None)
    assert found.value == 0


# Together.

JOINT = {"of": "joint"}
ODD = BEFORE.with_columns(
    some(pl.lit(115.0), "price"), some(pl.lit(4.25), "weight")
)  # fmt: skip
"""Every tenth row is dear and light, which no row of the baseline is; each alone is usual."""


def test_what_is_usual_by_column_may_be_far_out_together():
    assert outside(ODD).value == 0
    found = outside(ODD, **JOINT)
    assert found.value == pytest.approx(0.1, abs=0.005)
    assert {part.name for part in found.parts} == {"price", "weight"}
    assert "of the squared distance of" in found.parts[0].text


@pytest.mark.parametrize("engine", LOCAL)
def test_all_engines_see_the_same_rows_far_out(engine):
    found, expected = outside(ODD, engine=engine, **JOINT), outside(ODD, **JOINT)
    assert (found.value, found.n) == (expected.value, expected.n)
    for part, other in zip(found.parts, expected.parts, strict=True):
        assert part.value == pytest.approx(other.value)


def test_what_columns_add_is_the_whole_distance():
    grid = grid_of(ODD, **JOINT)
    counted = tally(ODD, grid, **JOINT)
    joint = grid.joint
    z = np.column_stack([ODD[name].to_numpy() for name in joint.columns])
    z = np.clip((z - joint.centres) / joint.scales, -3, 3) - joint.means
    from aiguard_dagster.stats.support import weights_of

    _, weights = weights_of(joint, joint.columns)
    assert counted.total("pull") == pytest.approx(float(((z @ weights) * z).sum()))


def test_the_support_is_as_much_of_the_baseline_as_is_asked_for():
    for support in (0.9, 0.99):
        found = outside(BEFORE, support=support, **JOINT)
        assert 1 - support - 0.05 * (1 - support) * 10 <= found.value <= 1 - support


def test_too_many_columns_together_are_refused_with_a_hint():
    wide = BEFORE.with_columns(
        pl.Series(f"x{k}", np.random.default_rng(k).normal(size=N)) for k in range(21)
    )
    with pytest.raises(MeasurementError, match="name at most 20 of them in columns"):
        outside(wide, before=wide, **JOINT)


def test_the_means_of_an_older_grid_stay_unknown():
    grid = grid_of(BEFORE, **JOINT)
    bare = Grid(grid.columns, replace(grid.joint, means=(), covariances=()))
    now, then = tally(BEFORE, bare, **JOINT), tally(BEFORE, grid, **JOINT)
    found = read_outside(OutOfDistribution(window=DAY, **JOINT), now, then)
    assert (found.value, found.coverage) == (None, 0)


def test_what_all_columns_add_is_the_whole_distance_however_far_distances_spread():
    rng = np.random.default_rng(0)
    size = 10 ** rng.uniform(-3, 0.3, 4_000)
    values = rng.normal(size=(4_000, 20)) * size[:, None]
    rows = pl.DataFrame(values, schema=[f"c{k}" for k in range(20)]).with_columns(at=pl.lit(END))
    found = tally(rows, grid_of(rows, of="joint"), of="joint")
    assert len(found.groups) > MOST_GROUPS
    for (place,), sums in found.by("at").items():
        upper = 10 ** (int(place) / PER_DECADE)
        assert upper / 1.06 <= sums["pull"] / sums["rows"] <= upper * (1 + 1e-9)
