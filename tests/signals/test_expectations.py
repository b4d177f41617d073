"""A Great Expectations suite on the engine that has the rows, and no value told unasked."""

import gc
import json
import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import SimpleNamespace

import narwhals as nw
import polars as pl
import pytest
import sqlalchemy as sa

from aiguard_dagster.core.spec import Table
from aiguard_dagster.core.verdicts import Verdict
from aiguard_dagster.signals.batch import Batch
from aiguard_dagster.signals.gx import validate
from aiguard_dagster.signals.measure import evaluate_batch
from tests.conformance.engines import spark_session
from tests.signals.batches import ENGINES, RENTALS, judged, rows_of, rule_of, said

OK, BREACH, INCONCLUSIVE, ERROR = Verdict
PERSON = "Ms Secret"
HERE = "tests.signals.suites"


def expect(kind, **options):
    return {"type": f"expect_{kind}", "kwargs": options}


HUMIDITY = expect("column_values_to_be_between", column="hum", min_value=0, max_value=1)
NO_NULLS = expect("column_values_to_not_be_null", column="temp")
HOURS = expect("column_values_to_be_between", column="hr", min_value=0, max_value=23)
UNIQUE = expect("column_values_to_be_unique", column="timestamp")
MEDIAN = expect(
    "column_quantile_values_to_be_between",
    column="temp",
    quantile_ranges={"quantiles": [0.5], "value_ranges": [[0, 1]]},
)
FULL = expect("table_row_count_to_equal", value=24)
SOUND = [HUMIDITY, NO_NULLS, HOURS, UNIQUE, MEDIAN, FULL]
DAY = rows_of("2012-05-01")
HOT = pl.when(pl.int_range(pl.len()) < 3).then(1.5).otherwise(pl.col("hum"))
BROKEN = DAY.with_columns(hum=HOT, temp=pl.when(pl.col("hr") > 5).then("temp"))


def suite(expectations, rows=DAY, *, engine="polars", **more):
    signal = {"kind": "expectations", "table": "features", "suite": expectations, **more}
    return judged(signal, rows, engine=engine)


def parts(evaluation):
    return {part.name: part.text for part in evaluation.measurement.parts}


def texts(evaluation):
    return f"{evaluation.reason}\n{evaluation.measurement}"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_sound_day_meets_its_suite_in_every_engine(engine):
    found = suite(SOUND, engine=engine)
    assert (found.verdict, found.measurement.value, found.measurement.n) == (OK, 0, 24)
    assert list(parts(found).values()) == ["met"] * len(SOUND)


def test_all_the_rentals_meet_their_suite():
    assert suite([HUMIDITY, NO_NULLS, HOURS, UNIQUE], RENTALS).verdict is OK


def test_every_engine_finds_the_same_faults():
    found = [suite(SOUND, BROKEN, engine=engine) for engine in ENGINES]
    assert len({said(evaluation) for evaluation in found}) == 1
    assert (found[0].verdict, found[0].measurement.value) == (BREACH, 2)
    assert list(parts(found[0]).items())[:2] == [
        ("expect_column_values_to_be_between(hum)", "failed, 12.5% unexpected"),
        ("expect_column_values_to_not_be_null(temp)", "failed, 25% unexpected"),
    ]
    assert len(found[0].measurement.parts) == len(SOUND)


@pytest.mark.parametrize(
    ("broken", "label"),
    [
        (DAY.vstack(DAY.head(1)), "expect_column_values_to_be_unique(timestamp)"),
        (DAY.head(20), "expect_table_row_count_to_equal()"),
        (DAY.with_columns(temp=pl.col("temp") * 41), MEDIAN["type"] + "(temp)"),
        (DAY.with_columns(hr=pl.col("hr") + 1), "expect_column_values_to_be_between(hr)"),
    ],
    ids=["a row twice", "hours missing", "another unit", "hours shifted"],
)
def test_real_faults_are_breaches_that_name_their_expectation(broken, label):
    found = suite(SOUND, broken)
    assert found.verdict is BREACH
    assert label in {part.name for part in found.measurement.parts if part.value}


def test_no_rows_are_judged_by_what_is_expected_of_the_table_alone():
    assert suite([HUMIDITY, NO_NULLS, MEDIAN], DAY.clear()).verdict is INCONCLUSIVE
    found = suite(SOUND, DAY.clear())
    assert (found.verdict, found.measurement.value) == (BREACH, 1)
    assert parts(found) == {"expect_table_row_count_to_equal()": "failed"}


def test_null_and_nan_are_no_values():
    for value in (None, float("nan")):
        rows = DAY.with_columns(temp=pl.lit(value, dtype=pl.Float64))
        found = suite([NO_NULLS], rows)
        assert parts(found) == {
            "expect_column_values_to_not_be_null(temp)": "failed, 100% unexpected"
        }
    assert suite([NO_NULLS], DAY.with_columns(temp=float("inf"))).verdict is OK


def test_an_expectation_that_raises_is_an_error_that_names_it():
    gone = expect("column_values_to_be_in_set", column="rain", value_set=[1])
    found = suite([HUMIDITY, gone])
    assert found.verdict is ERROR
    told = "expect_column_values_to_be_in_set(rain) could not be evaluated: there is no column rain"
    assert found.reason == told


def test_one_that_fails_beside_one_that_raises_is_a_breach_that_tells_both():
    gone = expect("column_values_to_be_in_set", column="rain", value_set=[1])
    found = suite([gone, NO_NULLS, HUMIDITY], BROKEN)
    assert (found.verdict, found.measurement.value) == (BREACH, 2)
    assert found.measurement.coverage == pytest.approx(2 / 3)
    assert parts(found)["expect_column_values_to_be_in_set(rain)"] == (
        "not evaluated: there is no column rain"
    )


def test_what_raises_on_a_value_does_not_quote_it():
    rows = pl.DataFrame({"name": [PERSON, "x"]})
    found = suite([expect("column_mean_to_be_between", column="name", max_value=1)], rows)
    assert found.verdict is ERROR
    assert "expect_column_mean_to_be_between(name) could not be evaluated: raised " in found.reason
    assert "Secret" not in texts(found)


@pytest.mark.parametrize("engine", ENGINES)
def test_no_value_is_told_unless_the_guard_asks_for_it_and_then_at_most_five(engine):
    rows = pl.DataFrame({"name": [f"person {number}" for number in range(9)]})
    short = [
        expect("column_value_lengths_to_be_between", column="name", max_value=2),
        expect("column_distinct_values_to_be_in_set", column="name", value_set=["a"]),
        expect("column_most_common_value_to_be_in_set", column="name", value_set=["a"]),
    ]
    assert "person" not in texts(suite(short, rows, engine=engine))
    found = suite(short, rows, engine=engine, show_values=True)
    assert parts(found)["expect_column_value_lengths_to_be_between(name)"] == (
        "failed, 100% unexpected, such as " + ", ".join(f"'person {n}'" for n in range(5))
    )
    assert "person 5" not in parts(found)["expect_column_value_lengths_to_be_between(name)"]


def test_great_expectations_is_not_even_asked_for_values_unless_the_guard_asks(monkeypatch):
    asked = []

    def spy(batch, found, result_format):
        asked.append(result_format["partial_unexpected_count"])
        return validate(batch, found, result_format)

    monkeypatch.setattr("aiguard_dagster.signals.expectations.validate", spy)
    suite([HUMIDITY], BROKEN)
    suite([HUMIDITY], BROKEN, show_values=True)
    assert asked == [0, 5]


def test_what_was_observed_is_told_where_values_are():
    found = suite([expect("table_row_count_to_equal", value=7)], show_values=True)
    assert parts(found) == {"expect_table_row_count_to_equal()": "failed, observed 24"}


def test_at_most_fifty_expectations_are_told_those_that_failed_first():
    many = [expect("column_to_exist", column=f"c{number}") for number in range(60)]
    found = suite([HOURS, *many])
    assert found.measurement.value == 60
    assert len(found.measurement.parts) == 50
    assert found.measurement.note == "11 more expectations"


@pytest.mark.parametrize("name", ["größe", 'a "b"', "*", "^x$", '"; DROP TABLE x; --'])
def test_a_hostile_name_is_only_a_name(name):
    rows = pl.DataFrame({name: [0.5, 1.5, None]})
    found = suite([expect("column_values_to_be_between", column=name, max_value=1)], rows)
    assert parts(found) == {f"expect_column_values_to_be_between({name})": "failed, 50% unexpected"}


def test_a_column_of_no_name_is_beyond_great_expectations():
    found = suite([expect("column_values_to_not_be_null", column="")], pl.DataFrame({"": [1.0]}))
    assert found.verdict is ERROR
    assert "column: ensure this value has at least 1 characters" in found.reason


def test_a_suite_may_be_a_file_in_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hours.json").write_text(json.dumps({"name": "hours", "expectations": SOUND}))
    (tmp_path / "list.json").write_text(json.dumps(SOUND))
    before = sorted(tmp_path.iterdir())
    assert suite("hours.json").verdict is OK
    assert suite("list.json", BROKEN).measurement.value == 2
    assert sorted(tmp_path.iterdir()) == before


def test_a_suite_may_be_a_file_in_a_package(tmp_path, monkeypatch):
    (tmp_path / "crm" / "suites").mkdir(parents=True)
    (tmp_path / "crm" / "__init__.py").write_text("")
    (tmp_path / "crm" / "suites" / "hours.json").write_text(json.dumps({"expectations": SOUND}))
    monkeypatch.syspath_prepend(tmp_path)
    assert suite("crm:suites/hours.json").verdict is OK
    monkeypatch.delitem(sys.modules, "crm")


@pytest.mark.parametrize("name", ["Hours", "HOURS"])
def test_a_suite_may_be_an_object(name):
    assert suite(f"{HERE}:{name}").verdict is OK
    assert suite(f"{HERE}:{name}", DAY.with_columns(hr=pl.lit(24))).verdict is BREACH


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("no/such.json", "there is no suite no/such.json in the working directory"),
        ("nowhere:such.json", "there is no suite such.json in package nowhere"),
        ("pyproject.toml.json", "there is no suite"),
        ("no.such.module:Hours", "cannot be imported: No module named 'no'"),
        (f"{HERE}:Missing", f"the suite '{HERE}:Missing' cannot be imported"),
        (f"{HERE}:Empty", "is a ExpectationSuite without expectations"),
        (f"{HERE}:NotASuite", "is a int without expectations"),
        ([expect("colum_mean_to_be_between", column="hr")], "did you mean expect_column_mean_to"),
        ([expect("column_mean_to_be_between", colum="hr")], "column: field required; colum: extra"),
        ([{"type": "expect_column_to_exist", "kwarg": {}}], "is not written as it should be"),
    ],
)
def test_a_suite_that_cannot_be_had_is_told_in_words(given, told):
    found = suite(given)
    assert found.verdict is ERROR
    assert told in found.reason
    assert "could not be measured" not in found.reason


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "cannot be read as JSON"),
        ("{}", "holds no expectations"),
        ("[]", "holds no expectations"),
        ("7", "holds no expectations"),
        ("[7]", "suite.json[0]: the expectation nothing is unknown"),
        ('[{"expectation_type": "expect_column_to_exist"}]', "expectation_type, which GX 1 calls"),
    ],
)
def test_a_file_that_is_no_suite_is_told_in_words(content, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "suite.json").write_text(content)
    found = suite("suite.json")
    assert found.verdict is ERROR
    assert told in found.reason


def test_nothing_is_reported_to_the_makers_of_great_expectations(monkeypatch):
    monkeypatch.setenv("GX_ANALYTICS_ENABLED", "true")
    suite([HOURS])
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"


def test_nothing_is_printed(capfd):
    suite(SOUND)
    assert capfd.readouterr() == ("", "")


def test_a_data_context_of_the_users_stays_theirs():
    import great_expectations as gx
    from great_expectations.data_context.data_context.context_factory import (
        project_manager,
    )

    theirs = gx.get_context(mode="ephemeral")
    suite([HOURS])
    assert project_manager.get_current_project() is theirs


def test_many_threads_do_not_disturb_each_other():
    days = [DAY, BROKEN] * 4
    level = logging.getLogger("great_expectations").level
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda rows: suite(SOUND, rows).measurement.value, days))
    assert found == [0, 2] * 4
    assert logging.getLogger("great_expectations").level == level


TABLE = 'hours "; DROP TABLE x; --'


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    file = tmp_path_factory.mktemp("database") / "hours.db"
    engine = sa.create_engine(f"sqlite:///{file}")
    BROKEN.with_columns(day=pl.lit("broken: %")).vstack(
        DAY.with_columns(day=pl.lit("sound"))
    ).select("timestamp", "hr", "temp", "hum", "day").to_pandas().to_sql(TABLE, engine, index=False)
    yield engine
    engine.dispose()


def in_database(database, expectations, where, rows=DAY, **more):
    signal = {"kind": "expectations", "table": "features", "suite": expectations, **more}
    batch = Batch(
        frame=nw.from_native(rows.lazy()),
        native=SimpleNamespace(engine=database, schema=None, table_name=TABLE, where=where),
        table=Table(asset="features"),
        window=None,
        now=datetime(2012, 5, 2, tzinfo=UTC),
    )
    return evaluate_batch(rule_of(signal), batch)


COLUMN = sa.column("day", sa.String)
BOUND = sa.Table("hours", sa.MetaData(), sa.Column("day", sa.String)).c.day


@pytest.mark.parametrize("column", [COLUMN, BOUND], ids=["a column", "a table's column"])
def test_a_partition_in_a_database_is_judged_where_it_is(database, column):
    sound = in_database(database, SOUND, column == "sound")
    assert (sound.verdict, sound.measurement.value) == (OK, 0)
    broken = in_database(database, SOUND, column == "broken: %")
    assert (broken.verdict, broken.measurement.value) == (BREACH, 2)
    assert parts(broken)["expect_column_values_to_be_between(hum)"] == "failed, 12.5% unexpected"


def test_a_whole_table_in_a_database_is_judged_and_nothing_is_written(database):
    found = in_database(database, [HOURS, FULL], None)
    assert (found.verdict, found.measurement.value) == (BREACH, 1)
    assert sa.inspect(database).get_table_names() == [TABLE]
    assert sa.inspect(database).get_temp_table_names() == []


def test_values_of_a_database_are_told_only_where_the_guard_asks_for_it(database):
    other = [expect("column_values_to_be_in_set", column="day", value_set=["sound"])]
    assert "broken" not in texts(in_database(database, other, None))
    assert "'broken: %'" in texts(in_database(database, other, None, show_values=True))


def test_the_users_own_engine_is_left_alone(database):
    with database.connect() as connection:
        before = connection.execute(sa.text("select count(*) from sqlite_master")).scalar()
        pool = database.pool
        in_database(database, SOUND, COLUMN == "sound")
        gc.collect()  # Great Expectations disposes of its engine when it is thrown away
        assert database.pool is pool
        assert connection.execute(sa.text("select count(*) from sqlite_master")).scalar() == before


def test_a_query_that_fails_is_an_error_and_not_logged(database, caplog):
    odd = sa.func.no_such_function(PERSON) == 1
    found = in_database(database, [HOURS], odd)
    assert found.verdict is ERROR
    assert "Secret" not in texts(found) + caplog.text


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.spark
def test_a_spark_frame_is_judged_on_spark_and_not_kept_in_its_memory():
    query = "select id hr, id / 10 hum, if(id > 5, id, null) temp from range(24)"
    native = spark_session().sql(query)
    batch = Batch(
        frame=nw.from_native(native).lazy(),
        native=native,
        table=Table(asset="features"),
        window=None,
        now=datetime(2012, 5, 2, tzinfo=UTC),
    )
    signal = {"kind": "expectations", "table": "features", "suite": [HUMIDITY, NO_NULLS, HOURS]}
    found = evaluate_batch(rule_of(signal), batch)
    assert (found.verdict, found.measurement.value, found.measurement.n) == (BREACH, 2, 24)
    assert parts(found)["expect_column_values_to_not_be_null(temp)"] == "failed, 25% unexpected"
    assert not native.is_cached
