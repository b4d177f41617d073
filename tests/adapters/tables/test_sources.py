"""Rows from declared sources: only the partitions in hand, and nothing a key could do."""

from datetime import UTC, datetime, timedelta

import fsspec
import polars as pl
import pytest
import sqlalchemy as sa
from pydantic import TypeAdapter

from aiguard_dagster.adapters.tables.sources import find_source_problems, open_source, unreachable
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.partition import Partition
from aiguard_dagster.core.spec import Table
from aiguard_dagster.core.spec.sources import Source
from aiguard_dagster.core.verdicts import Window

TABLE = Table(asset="orders", time="at")
START = datetime(2026, 3, 1)
HOSTILE = '"; DROP TABLE orders; --'
ROWS = pl.DataFrame(
    {
        "id": list(range(96)),
        "at": [START + timedelta(hours=hour) for hour in range(96)],
        "region": ["eu", "us", HOSTILE] * 32,
        "price": [None, 1.5] * 48,
    }
)
READ = TypeAdapter(Source)


def source(**options):
    return READ.validate_python(options)


def day(number, **more):
    start = START.replace(day=number, tzinfo=UTC)
    window = Window(start=start, end=start + timedelta(days=1))
    return Partition(key=f"{start:%Y-%m-%d}", window=window, **more)


def region(key):
    return Partition(key=key, series=key)


def both(number, key):
    dimensions = {"day": f"2026-03-0{number}", "region": key}
    return day(number, dimensions=dimensions, series=key)


def rows_of(where, *partitions, table=TABLE):
    opened = open_source(where, table, partitions)
    found = opened.frame.collect().to_polars()
    opened.close()
    return found


def ids(where, *partitions):
    return rows_of(where, *partitions)["id"].to_list()


@pytest.fixture(params=["local", "memory"])
def folder(request, tmp_path):
    """A folder on this machine, and one on another file system."""
    if request.param == "local":
        return str(tmp_path)
    filesystem = fsspec.filesystem("memory")
    filesystem.store.clear()
    return "memory://lake"


def put(folder, name, rows, kind="parquet"):
    with fsspec.open(f"{folder}/{name}", "wb", auto_mkdir=True) as file:
        rows.write_parquet(file) if kind == "parquet" else rows.write_csv(file)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_files_are_read_by_path_and_by_glob(folder, kind):
    put(folder, f"a/one.{kind}", ROWS[:10], kind)
    put(folder, f"a/two.{kind}", ROWS[10:], kind)
    whole = rows_of(source(kind=kind, path=f"{folder}/a/*.{kind}"))
    assert sorted(whole["id"]) == ROWS["id"].to_list()
    assert whole["at"].dtype.is_temporal()
    assert ids(source(kind=kind, path=f"{folder}/a/one.{kind}")) == list(range(10))


def test_a_template_opens_only_the_files_of_the_partition_in_hand(folder):
    for number in (1, 2):
        put(folder, f"2026/03/0{number}/x.parquet", ROWS[24 * (number - 1) : 24 * number])
    put(folder, "2026/03/03/x.parquet", pl.DataFrame({"not": ["the same table"]}))
    by_day = source(kind="parquet", path=folder + "/{start:%Y/%m/%d}/*.parquet")
    assert ids(by_day, day(2)) == list(range(24, 48))
    assert ids(by_day, day(1), day(2)) == list(range(48))


def test_keys_and_dimensions_fill_a_template(folder):
    put(folder, "eu/2026-03-01.parquet", ROWS[:5])
    put(folder, "eu.parquet", ROWS[5:7])
    by_both = source(kind="parquet", path=folder + "/{region}/{day}.parquet")
    assert ids(by_both, both(1, "eu")) == [0, 1, 2, 3, 4]
    assert ids(source(kind="parquet", path=folder + "/{partition}.parquet"), region("eu")) == [5, 6]


def test_a_partition_without_a_file_is_an_error_that_says_where(folder):
    by_day = source(kind="parquet", path=folder + "/{partition}.parquet")
    with pytest.raises(
        MeasurementError, match=r"no file holds the partition in hand: .*2026-03-04"
    ):
        ids(by_day, day(4))


def test_a_column_of_a_csv_file_is_what_all_its_rows_say(tmp_path):
    numbers = [*map(str, range(500)), "0.5"]
    (tmp_path / "late.csv").write_text("\n".join(["n", *numbers]))
    found = rows_of(source(kind="csv", path=str(tmp_path / "late.csv")))
    assert found.schema["n"] == pl.Float64
    assert found["n"].sum() == 124750.5


@pytest.mark.parametrize("key", ["../secret", "a/b", "..", "a\\b", "x\x00"])
def test_a_key_cannot_leave_its_folder(folder, key):
    put(folder, "secret.parquet", ROWS[:1])
    with pytest.raises(MeasurementError, match="cannot stand in a path") as raised:
        ids(source(kind="parquet", path=folder + "/in/{partition}.parquet"), region(key))
    assert "secret" not in str(raised.value)


def test_a_key_of_stars_matches_itself_alone(tmp_path):
    put(tmp_path, "x.parquet", ROWS[:1])
    where = source(kind="parquet", path=str(tmp_path) + "/{partition}.parquet")
    with pytest.raises(MeasurementError, match="no file"):
        ids(where, region("*"))
    put(tmp_path, "[*].parquet", ROWS[3:4])
    assert ids(where, region("[*]")) == [3]


@pytest.fixture
def duckdb_file(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    file = tmp_path / "shop.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE SCHEMA sales")
        orders = ROWS  # noqa: F841 - DuckDB reads it by its name
        connection.execute("CREATE TABLE sales.orders AS SELECT * FROM orders")
        connection.execute("CREATE TABLE orders AS SELECT * FROM orders")
    return file


@pytest.fixture
def database(postgres):
    engine = sa.create_engine(postgres)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE SCHEMA IF NOT EXISTS sales"))
    for schema in (None, "sales"):
        ROWS.write_database(
            "orders" if schema is None else "sales.orders", engine, if_table_exists="replace"
        )
    engine.dispose()
    return postgres


@pytest.fixture(params=["duckdb", "sql", "files"])
def stored(request):
    """A source of one engine over all rows, and what makes one of another table."""
    if request.param == "duckdb":
        file = request.getfixturevalue("duckdb_file")
        return lambda table="orders", **more: source(
            kind="duckdb", path=str(file), table=table, **more
        )
    if request.param == "sql":
        url = request.getfixturevalue("database").render_as_string(hide_password=False)
        return lambda table="orders", **more: source(kind="sql", url=url, table=table, **more)
    folder = request.getfixturevalue("tmp_path")
    put(folder, "orders.parquet", ROWS)
    return lambda table="orders", **more: source(
        kind="parquet", path=f"{folder}/{table.rpartition('.')[2]}.parquet", **more
    )


def test_a_whole_table_is_read(stored):
    found = rows_of(stored())
    assert (
        found.sort("id")
        .select("id", "region", "price")
        .equals(ROWS.select("id", "region", "price"))
    )
    assert found.sort("id")["at"].to_list() == ROWS["at"].to_list()


def test_a_schema_may_be_named(stored):
    assert len(ids(stored("sales.orders"))) == 96


def test_a_day_is_half_open_by_the_time_column(stored):
    assert sorted(ids(stored(), day(2))) == list(range(24, 48))
    assert sorted(ids(stored(), day(1), day(4))) == [*range(24), *range(72, 96)]


def test_times_without_a_zone_are_on_the_table_s_own_clock(stored):
    table = TABLE.model_copy(update={"time_zone": "America/New_York"})
    assert sorted(rows_of(stored(), day(2), table=table)["id"]) == list(range(19, 43))


def test_a_key_is_matched_by_its_column_and_does_nothing_else(stored):
    by_region = stored(partition_by="region")
    assert sorted(ids(by_region, region("us"))) == list(range(1, 96, 3))
    assert sorted(ids(by_region, region(HOSTILE))) == list(range(2, 96, 3))
    assert ids(by_region, region("' OR 1=1 --")) == []
    assert len(ids(stored())) == 96


def test_dimensions_are_matched_by_their_columns(stored):
    where = stored(partition_by={"region": "region", "day": "id"})
    partition = Partition(key="7|us", dimensions={"region": "us", "day": "7"})
    assert ids(where, partition) == [7]


def test_no_rows_keep_their_types(stored):
    found = rows_of(stored(), day(9))
    assert found.height == 0
    assert found.schema["price"] == pl.Float64
    assert found.schema["at"].is_temporal()


@pytest.mark.parametrize("table", ["nowhere", "nowhere.nothing", 'orders"; DROP TABLE orders; --'])
def test_a_table_that_is_not_there_is_an_error_without_an_address(stored, table):
    with pytest.raises(MeasurementError) as raised:
        ids(stored(table))
    assert table[-7:] in str(raised.value)
    assert "Hint" in str(raised.value)
    assert "://" not in str(raised.value)
    assert len(ids(stored())) == 96


def test_great_expectations_is_told_where_the_rows_are(database):
    url = database.render_as_string(hide_password=False)
    opened = open_source(source(kind="sql", url=url, table="sales.orders"), TABLE, [day(2)])
    assert (opened.native.schema, opened.native.table_name) == ("sales", "orders")
    assert "at >= " in str(opened.native.where)
    opened.close()


def problems(where, *, dimensions=(), has_time=True, partitioned=True, table=TABLE):
    return find_source_problems(
        where, table, dimensions=dimensions, has_time=has_time, partitioned=partitioned
    )


@pytest.mark.parametrize(
    ("options", "about", "told"),
    [
        ({"kind": "csv", "path": "a/{partiton}.csv"}, {}, "nothing is called 'partiton' here"),
        (
            {"kind": "csv", "path": "a/{start}.csv"},
            {"has_time": False},
            "nothing is called 'start'",
        ),
        ({"kind": "csv", "path": "a/{.csv"}, {}, "its braces do not match"),
        (
            {"kind": "csv", "path": "a/{partition.__class__}"},
            {},
            "nothing is called 'partition.__c",
        ),
        (
            {"kind": "csv", "path": "a.csv"},
            {"has_time": False},
            "nothing tells one partition's rows",
        ),
        (
            {"kind": "csv", "path": "a.csv", "partition_by": {"regoin": "r"}},
            {"dimensions": ("day", "region")},
            "there is no dimension 'regoin'",
        ),
        (
            {"kind": "csv", "path": "a.csv", "partition_by": {"region": "r"}},
            {"dimensions": ("day", "region")},
            "no column is named for 'day'",
        ),
        ({"kind": "sql", "url": "postgres", "table": "t"}, {}, "it is no URL of a database"),
        (
            {"kind": "sql", "url": "postgresql+psycopg2://me:secret@db/shop", "table": "t"},
            {},
            "a password stands in it",
        ),
        ({"kind": "sql", "url": "nosuchdb://db/shop", "table": "t"}, {}, "cannot be loaded"),
        ({"kind": "sql", "url_env": "NO_SUCH_URL", "table": "t"}, {}, "NO_SUCH_URL is not set"),
    ],
)
def test_what_is_wrong_by_declaration_is_told(options, about, told):
    found = problems(source(**options), **about)
    assert [what for _, what, _ in found if told in what], found
    assert all("secret" not in "".join(problem) for problem in found)


def test_what_is_right_by_declaration_is_left_alone():
    assert problems(source(kind="csv", path="a/{start:%Y}/{partition}.csv")) == []
    assert problems(source(kind="csv", path="a.csv")) == []
    assert problems(source(kind="csv", path="a.csv"), partitioned=False, has_time=False) == []
    by = {"day": "d", "region": "r"}
    assert problems(source(kind="csv", path="a", partition_by=by), dimensions=tuple(by)) == []


def test_what_cannot_be_reached_now_is_told_in_words(tmp_path, duckdb_file, postgres):
    url = postgres.render_as_string(hide_password=False)
    assert unreachable(source(kind="sql", url=url, table="t")) == ""
    assert unreachable(source(kind="duckdb", path=str(duckdb_file), table="t")) == ""
    assert unreachable(source(kind="csv", path=f"{tmp_path}/{{partition}}/*.csv")) == ""
    gone = f"{tmp_path}/nowhere"
    told = unreachable(source(kind="csv", path=f"{gone}/{{partition}}/*.csv"))
    assert told == f"{gone} is not there"
    assert "is not there" in unreachable(source(kind="duckdb", path=gone, table="t"))
    (tmp_path / "x.duckdb").write_text("something else")
    told = unreachable(source(kind="duckdb", path=f"{tmp_path}/x.duckdb", table="t"))
    assert told.endswith("is no DuckDB file")
    down = "postgresql+psycopg2://me@127.0.0.1:9/shop"
    assert "OperationalError" in unreachable(source(kind="sql", url=down, table="t"))
