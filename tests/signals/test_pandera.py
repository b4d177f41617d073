"""Failures of a pandera schema are counted, and no row is quoted unless the guard asks for it."""

import sys
from types import ModuleType

import polars as pl
import pytest
from pandera.config import ValidationDepth, config_context  # noqa: TID253 - the test turns it off

from aiguard_dagster.core.verdicts import Verdict
from tests.signals.batches import ENGINES, PANDERA, RENTALS, judged, rows_of, said

OK, BREACH, INCONCLUSIVE, ERROR = Verdict
HERE = "tests.signals.pandas_schemas"
BY_PANDAS = {**PANDERA, "schema": f"{HERE}:Hours"}
PERSON = "Ms Secret"


def named(schema):
    return {**PANDERA, "schema": f"{HERE}:{schema}"}


def broken(rows):
    """Three temperatures too high, one hour too late."""
    late = pl.when(pl.int_range(pl.len()) == 0).then(24).otherwise(pl.col("hr"))
    hot = pl.when(pl.int_range(pl.len()) < 3).then(1.5).otherwise(pl.col("temp"))
    return rows.with_columns(hr=late.cast(pl.Int64), temp=hot)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("signal", [PANDERA, BY_PANDAS], ids=["polars schema", "pandas schema"])
def test_sound_rows_are_ok_in_every_engine(engine, signal):
    found = judged(signal, rows_of("2012-05-01"), engine=engine)
    assert (found.verdict, found.measurement.value, found.measurement.n) == (OK, 0, 24)


@pytest.mark.parametrize("signal", [PANDERA, BY_PANDAS], ids=["polars schema", "pandas schema"])
def test_all_engines_count_the_same_failures_also_in_lazy_frames(signal):
    found = [judged(signal, broken(rows_of("2012-05-01")), engine=engine) for engine in ENGINES]
    assert len({said(evaluation) for evaluation in found}) == 1
    assert found[0].verdict is BREACH
    assert found[0].measurement.value == 4
    worst = found[0].measurement.parts[0]
    assert (worst.name, worst.value) == ("temp", 3)
    assert worst.text.endswith(": 3 failed")


def test_all_the_rentals_meet_their_schema():
    assert judged(PANDERA, RENTALS, day=None).verdict is OK


@pytest.mark.parametrize("engine", ENGINES)
def test_columns_that_are_gone_or_retyped_are_failures(engine):
    rows = rows_of("2012-05-01").drop("hum").with_columns(hr=pl.col("hr").cast(pl.String))
    found = judged(PANDERA, rows, engine=engine)
    assert found.verdict is BREACH
    assert found.measurement.value >= 2


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("signal", [PANDERA, BY_PANDAS], ids=["polars schema", "pandas schema"])
def test_no_rows_are_never_ok(engine, signal):
    found = judged(signal, rows_of("2012-05-01").clear(), engine=engine)
    assert found.verdict is INCONCLUSIVE


@pytest.mark.parametrize("engine", ENGINES)
def test_nulls_where_none_may_be_are_failures(engine):
    rows = rows_of("2012-05-01").with_columns(temp=pl.lit(None, dtype=pl.Float64))
    found = judged(PANDERA, rows, engine=engine)
    assert (found.verdict, found.measurement.value) == (BREACH, 24)


@pytest.mark.parametrize(
    "off",
    [{"validation_enabled": False}, {"validation_depth": ValidationDepth.SCHEMA_ONLY}],
    ids=["off", "schema only"],
)
def test_a_pandera_that_is_turned_off_still_checks_for_a_guard(off):
    with config_context(**off):
        found = judged(PANDERA, broken(rows_of("2012-05-01")))
    assert (found.verdict, found.measurement.value) == (BREACH, 4)


def texts(evaluation):
    parts = [text for part in evaluation.measurement.parts for text in (part.name, part.text)]
    return "\n".join([evaluation.reason, evaluation.measurement.note, *parts])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "schema", ["Names", "NamesByPolars", "Numbers", "Crashes", "Unique", "Hours"]
)
def test_a_failing_value_never_appears_in_what_is_told(engine, schema):
    found = judged(named(schema), pl.DataFrame({"name": [PERSON, PERSON]}), engine=engine)
    assert found.verdict in {BREACH, ERROR}
    assert PERSON not in texts(found)
    assert "Secret" not in repr(found)


def test_a_schema_may_be_kept_inside_a_class():
    found = judged(named("Holder.hours"), rows_of("2012-05-01"))
    assert (found.verdict, found.measurement.value) == (OK, 0)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("no.such.module:Hours", "'no.such.module:Hours' cannot be imported: No module named 'no'"),
        (f"{HERE}:Missing", f"pandera schema '{HERE}:Missing' cannot be imported"),
        (f"{HERE}:Hours.Missing", "cannot be imported"),
        (f"{HERE}:NotASchema", "NotASchema is a int, no pandera DataFrameModel or DataFrameSchema"),
    ],
)
def test_a_schema_that_cannot_be_had_is_an_error_and_no_exception(path, told):
    found = judged({**PANDERA, "schema": path}, rows_of("2012-05-01"))
    assert found.verdict is ERROR
    assert told in found.reason


def test_at_most_ten_failing_checks_are_named_the_most_frequent_first():
    rows = rows_of("2012-05-01").with_columns(pl.lit(None).cast(pl.Int64).alias("hr"))
    found = judged(PANDERA, broken(rows.with_columns(hum=pl.lit(9.0))))
    values = [part.value for part in found.measurement.parts]
    assert values == sorted(values, reverse=True)
    assert 1 < len(values) <= 10


def told(evaluation):
    return {(part.name, part.text): part.value for part in evaluation.measurement.parts}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_column_that_is_gone_or_not_welcome_is_named(engine):
    rows = rows_of("2012-05-01").select(name="hr", extra="cnt")
    found = judged(named("Unique"), rows, engine=engine)
    assert ("extra", "not expected") in told(found)
    gone = judged(named("Unique"), rows.select("extra"), engine=engine)
    assert ("name", "gone") in told(gone)


@pytest.mark.parametrize("schema", ["Rows", "RowsByPolars"])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_row_that_fails_a_check_of_the_table_counts_once(engine, schema):
    rows = rows_of("2012-05-01")  # Its last four hours are late, and it has 16 other columns.
    found = judged(named(schema), rows, engine=engine)
    assert (found.verdict, found.measurement.value) == (BREACH, 4)
    assert told(found) == {("the table", "early: 4 failed"): 4}


@pytest.mark.parametrize("schema", ["Drops", "DropsByPolars"])
def test_a_schema_that_drops_bad_rows_still_fails_on_them(schema):
    found = judged(named(schema), broken(rows_of("2012-05-01")))
    assert (found.verdict, found.measurement.value) == (BREACH, 3)
    from tests.signals import pandas_schemas

    assert getattr(pandas_schemas, schema).drop_invalid_rows  # The user's own schema is unchanged.


def test_a_schema_that_converts_first_says_so():
    rows = pl.DataFrame({"name": ["1", "2"]})
    found = judged(named("Numbers"), rows)
    assert found.verdict is OK
    assert found.measurement.note == "the schema changes the rows before it checks them: coerce"
    assert judged(named("Names"), rows).measurement.note == ""


def test_a_check_that_only_warns_is_noted_and_no_failure():
    found = judged(named("Warns"), pl.DataFrame({"name": [PERSON]}))
    assert (found.verdict, found.measurement.note) == (OK, "1 failed that only warn")


def test_a_check_that_crashes_is_an_error_that_names_it_and_quotes_no_row():
    found = judged(named("Crashes"), pl.DataFrame({"name": [PERSON]}))
    assert found.verdict is ERROR
    assert "Crashes cannot check these rows: _fails raised ValueError" in found.reason


def test_a_check_that_crashes_beside_one_that_fails_is_a_breach_that_names_both():
    found = judged(named("CrashesToo"), pl.DataFrame({"name": [PERSON]}))
    assert (found.verdict, found.measurement.value) == (BREACH, 1)
    assert [part.text for part in found.measurement.parts][1] == "_fails raised ValueError"


@pytest.mark.parametrize("schema", ["Names", "NamesByPolars"])
@pytest.mark.parametrize("engine", ENGINES)
def test_values_are_shown_where_the_guard_asks_for_it_and_at_most_five(engine, schema):
    rows = pl.DataFrame({"name": [f"person {number}" for number in range(9)]})
    found = judged({**named(schema), "show_values": True}, rows, engine=engine)
    (part,) = found.measurement.parts
    assert part.text.endswith("9 failed, such as " + ", ".join(f"'person {n}'" for n in range(5)))
    assert "person" not in texts(judged(named(schema), rows, engine=engine))


def test_a_pandas_frame_keeps_its_index_where_the_schema_checks_it():
    from tests.signals.pandas_schemas import Indexed

    assert Indexed.index is not None
    frame = rows_of("2012-05-01").to_pandas().set_index("hr")
    found = judged_pandas("Indexed", frame)
    assert (found.verdict, found.measurement.value) == (BREACH, 2)


def test_a_pandas_frame_whose_index_repeats_is_checked():
    frame = rows_of("2012-05-01").to_pandas()
    found = judged_pandas("Rows", frame.set_index(frame["cnt"] * 0).rename_axis(None))
    assert (found.verdict, found.measurement.value) == (BREACH, 4)


def judged_pandas(schema, frame):
    from unittest.mock import patch

    with patch.dict(ENGINES, {"as it is": lambda _: frame}):
        return judged(named(schema), None, engine="as it is")


def test_an_ibis_schema_is_refused_in_words(monkeypatch):
    pytest.importorskip("ibis")
    from pandera.ibis import DataFrameSchema

    module = ModuleType("of_ibis")
    module.Hours = DataFrameSchema({})
    monkeypatch.setitem(sys.modules, "of_ibis", module)
    found = judged({**PANDERA, "schema": "of_ibis:Hours"}, rows_of("2012-05-01"))
    assert found.verdict is ERROR
    assert "is a pandera.ibis schema, which is not supported: " in found.reason
    assert "lets duplicates pass" in found.reason


def test_a_pyspark_schema_is_refused_in_words(tmp_path, monkeypatch):
    (tmp_path / "of_spark.py").write_text("import pandera.pyspark\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "pyspark", None)  # as where pandas 3 breaks its import
    found = judged({**PANDERA, "schema": "of_spark:Hours"}, rows_of("2012-05-01"))
    assert found.verdict is ERROR
    assert "is a pandera.pyspark schema, which is not supported: " in found.reason


@pytest.mark.parametrize("name", ["größe", 'a "b"', "*", "^x$", '"; DROP TABLE x; --'])
def test_a_hostile_name_is_only_a_name(name, monkeypatch):
    import pandera.pandas as pa

    module = ModuleType("hostile")
    module.Schema = pa.DataFrameSchema({name: pa.Column(float, pa.Check.lt(1))})
    monkeypatch.setitem(sys.modules, "hostile", module)
    rows = pl.DataFrame({name: [0.5, 1.5, None]})
    found = judged({**PANDERA, "schema": "hostile:Schema"}, rows)
    assert found.measurement.value == 2
    assert {part.name for part in found.measurement.parts} == {name}
