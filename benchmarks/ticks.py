"""Seconds of one tick of each sensor, by how many guards there are and how long their history is.

    python -m benchmarks.ticks [--guards 10 100 1000] [--days 1 30 90] [--postgres URL]

Each guard has a model in a real MLflow over HTTP with a recorded baseline, a table with daily
partitions and ten rules. The history is written into Dagster's own database, copied from events
that Dagster wrote, for no tick takes part in that; each day's rows bear its own time, as they would
had the days been lived. Then each sensor ticks as the daemon would:

- ``first``: without a cursor, as after it was lost (of the deltas one tick);
- ``still``: nothing has come, as in most ticks;
- ``day``: every guard has a new partition (deltas), or new verdicts (stop rules), all of them good;
- ``bad``: the new verdicts of a tenth of the guards are breaches. Their owners are still to be told
  when the notices tick.

A tick stops after seven seconds and the next one goes on, so the slowest is told, and how many it
takes until nothing is left.
"""

import argparse
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import sqlalchemy as db

from aiguard_dagster import (
    Guard,
    MLflowResource,
    NotifierResource,
    ProfileStore,
    build_guard_definitions,
    record_baseline,
)
from aiguard_dagster.adapters.mlflow.client import connect
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.orchestration.keys import check_key, profile_key
from aiguard_dagster.testing import Daemon
from tests.mlflow_server import mlflow_server

DAY = timedelta(days=1)
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
DELTAS, STOP_RULES, NOTICES = "aiguard_deltas", "aiguard_stop_rules", "aiguard_notices"
COLUMNS = [
    *((DELTAS, kind) for kind in ("first", "still", "day")),
    *((STOP_RULES, kind) for kind in ("first", "still", "day", "bad")),
    *((NOTICES, kind) for kind in ("first", "still")),
]
WINDOW = "7d"
RULES: list[dict[str, Any]] = [
    {"name": "fresh", "signal": {"kind": "freshness", "max_age": "2h"}, "action": "hold"},
    {"name": "whole", "signal": {"kind": "completeness", "columns": ["load"]}, "limit": "90%"},
    {"name": "drift", "signal": {"kind": "drift", "window": WINDOW}, "limit": 0.5, "grace": "2d"},
    *(
        {
            "name": metric,
            "signal": {"kind": "performance", "metric": metric, "window": WINDOW},
            "limit": {"above_baseline": "50%"},
            "grace": "2d",
            "action": "rollback" if metric == "mae" else "notify",
        }
        for metric in ("mae", "rmse", "mape")
    ),
    *(
        {
            "name": name,
            "signal": {"kind": "latency", "statistic": name, "window": WINDOW},
            "limit": 60,
        }
        for name in ("p50", "p95", "p99")
    ),
    {"name": "bill", "signal": {"kind": "cost", "window": WINDOW}, "limit": 99},
]


def guard(number: int) -> Guard:
    table = {
        "asset": f"predictions_{number:04}",
        "time": "at",
        "prediction": "said",
        "label": "was",
        "model_version": "version",
        "cost": "cost",
        "latency": "seconds",
    }
    return Guard.model_validate(
        {
            "name": f"guard_{number:04}",
            "owner": "team:bench",
            "mode": "enforce",
            "model": {"name": f"model_{number:04}"},
            "tables": {"predictions": table},
            "rules": RULES,
            "silence": "900d",
        }
    )


def rows(start: datetime, days: int = 1) -> pl.DataFrame:
    times = [(start + timedelta(hours=n)).replace(tzinfo=None) for n in range(24 * days)]
    load = pl.Series("load", [100.0 + n % 24 for n in range(len(times))])
    return pl.DataFrame(
        {
            "at": times,
            "load": load,
            "said": load * 2,
            "was": load * 2 + 1,
            "version": ["1"] * len(times),
            "cost": [0.01] * len(times),
            "seconds": [0.1 + (n % 7) / 10 for n in range(len(times))],
        }
    )


class Rows(dg.IOManager):
    """Has the rows of every partition."""

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Keep nothing."""

    def load_input(self, context: dg.InputContext) -> pl.DataFrame:
        """A day of rows."""
        return rows(context.asset_partitions_time_window.start)


class Copies:
    """Writes what Dagster wrote of one guard once more, under the names of others.

    The rows are copied within the database: each event for all guards, then the next one. A copied
    evaluation names the storage id of the event that it was copied from.
    """

    TABLES = ("event_logs", "asset_check_executions")
    MOST = 50_000
    """Rows in one transaction."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        with self._connection() as connection:
            metadata = db.MetaData()
            metadata.reflect(connection, only=[*self.TABLES, "asset_keys"])
        self.tables = metadata.tables
        self.marks = dict.fromkeys(self.TABLES, 0)
        self.dated = 0

    def write(self, source: Guard, others: Sequence[Guard]) -> None:
        """Copy all rows of a guard that are new since the last time."""
        for name in self.TABLES:
            table = self.tables[name]
            mine = _any_contains(table, _names(source))
            with self._connection() as connection:
                query = db.select(table.c.id).where(table.c.id > self.marks[name], mine)
                new = list(connection.execute(query.order_by(table.c.id)).scalars())
            size = max(1, self.MOST // max(1, len(others)))
            for start in range(0, len(new), size):
                ids = table.c.id.between(new[start], new[start : start + size][-1])
                self._copy(table, source, others, where=db.and_(ids, mine))
            with self._connection() as connection:
                newest = connection.execute(db.select(db.func.max(table.c.id))).scalar()
            self.marks[name] = int(newest or 0)
        keys = self.tables["asset_keys"]
        with self._connection() as connection:
            known = set(connection.execute(db.select(keys.c.asset_key)).scalars())
        new_ones = [other for other in others if not any(other.name in key for key in known)]
        self._copy(keys, source, new_ones, where=_any_contains(keys, _names(source)))

    def date(self, now: datetime) -> None:
        """Have what is new among the verdicts written at a time of the days that are lived."""
        table = self.tables["asset_check_executions"]
        with self._connection() as connection:
            connection.execute(
                table.update()
                .where(table.c.id > self.dated)
                .values(evaluation_event_timestamp=now.replace(tzinfo=None))
            )
            self.dated = int(connection.execute(db.select(db.func.max(table.c.id))).scalar() or 0)

    def _copy(
        self,
        table: db.Table,
        source: Guard,
        others: Sequence[Guard],
        *,
        where: db.ColumnElement[bool],
    ) -> None:
        if not others:
            return
        columns = db.column("guard", db.String), db.column("asset", db.String)
        names = db.values(*columns, name="names").data([_names(each) for each in others]).cte()
        guard, asset = _names(source)
        copied: dict[str, db.ColumnElement[Any]] = {}
        for column in table.c:
            if column.name == "id":
                continue
            copied[column.name] = (
                db.func.replace(db.func.replace(column, guard, names.c.guard), asset, names.c.asset)
                if isinstance(column.type, db.String)
                else column
            )
        rows = db.select(*copied.values()).select_from(table.join(names, db.true())).where(where)
        rows = rows.order_by(table.c.id, names.c.guard)
        with self._connection() as connection:
            connection.execute(table.insert().from_select(list(copied), rows))

    def _connection(self) -> Any:  # noqa: ANN401 - Dagster has no public name for it
        return self.instance.event_log_storage.index_connection()  # type: ignore[attr-defined]


def _names(each: Guard) -> tuple[str, str]:
    return each.name, each.tables["predictions"].asset


def _any_contains(table: db.Table, names: Sequence[str]) -> db.ColumnElement[bool]:
    texts = [column for column in table.c if isinstance(column.type, db.String)]
    return db.or_(*(column.contains(name, autoescape=True) for column in texts for name in names))


class Fleet:
    """Many guards on one instance, lived through so many days."""

    def __init__(
        self, guards: int, instance: dg.DagsterInstance, folder: Path, tracking_uri: str
    ) -> None:
        self.guards = [guard(number) for number in range(guards)]
        self.instance, self.folder, self.tracking_uri = instance, folder, tracking_uri
        self.today, self.now = 0, FIRST
        self.daemon, self.first = self._daemon(self.guards), self._daemon(self.guards[:1])
        self.copies = Copies(instance)
        profiles = folder / "profiles"
        (profiles / self.guards[0].name).mkdir(parents=True)
        for each in self.guards[1:]:  # Their files are the same, but for the name.
            (profiles / each.name).symlink_to(profiles / self.guards[0].name)

    def _daemon(self, guards: Sequence[Guard]) -> Daemon:
        own = dg.Definitions(
            assets=[_asset(each) for each in guards],
            resources={"io_manager": Rows()},
            executor=dg.in_process_executor,
        )
        definitions = build_guard_definitions(
            guards=guards,
            definitions=own,
            mlflow=MLflowResource(tracking_uri=self.tracking_uri),
            profiles=ProfileStore(path=str(self.folder / "profiles")),
            notifier=NotifierResource(variables={"*": "NOBODY"}),
            clock=lambda: self.now,
        )
        return Daemon(definitions, self.instance, log_level="CRITICAL")

    def live(self, days: int) -> None:
        """Let the first guard live through days, and write the same of the others."""
        for _ in range(days):
            self.make_partition()
            while self.tick(DELTAS, self.first)[1]:
                pass
            self.copies.date(self.now)
        say(f"{days} days lived")
        self.copies.write(self.guards[0], self.guards[1:])
        say(f"{days} days copied to {len(self.guards) - 1} guards")
        with nothing_due():  # The copies were judged, but on profiles of other numbers.
            self.ticks(DELTAS)

    def make_partition(self) -> None:
        """The first guard's next day."""
        first = self.guards[0]
        self.now += DAY
        chosen = [dg.AssetKey(first.tables["predictions"].asset), profile_key(first, "predictions")]
        partition = f"{FIRST + DAY * self.today:%Y-%m-%d}"
        self.today += 1
        if not self.first.run(partition_key=partition, asset_selection=chosen).success:
            raise SystemExit(1)

    def tick(self, sensor: str, daemon: Daemon | None = None) -> tuple[float, int]:
        """One tick as the daemon makes it: its seconds without what Dagster does after it."""
        daemon = daemon or self.daemon
        seconds, data = self.look(sensor, daemon)
        for event in data.asset_events:
            self.instance.report_runless_asset_event(event)
        daemon.cursors[sensor] = data.cursor
        return seconds, len(data.asset_events)

    def look(self, sensor: str, daemon: Daemon | None = None) -> tuple[float, Any]:
        """A tick of which nothing comes."""
        daemon = daemon or self.daemon
        found = daemon.definitions.resolve_sensor_def(sensor)
        resources = daemon.definitions.resources or {}
        context = dg.build_sensor_context(
            resources={key: resources[key] for key in found.required_resource_keys},
            instance=self.instance,
            cursor=daemon.cursors.get(sensor),
            definitions=daemon.definitions,
            sensor_name=sensor,
        )
        with context:
            started = time.perf_counter()
            data = found.evaluate_tick(context)
            return time.perf_counter() - started, data

    def ticks(self, sensor: str) -> tuple[float, int]:
        """The slowest tick, and how many it takes until no guard waits and nothing is written."""
        slowest, count = 0.0, 0
        while True:
            seconds, events = self.tick(sensor)
            slowest, count = max(slowest, seconds), count + 1
            waits = '"w":1' in (self.daemon.cursors[sensor] or "")
            if not waits and not events:
                return slowest, count

    def judge(self, *, bad: int) -> None:
        """New verdicts of every rule of every guard, the first few of them breaches."""
        for verdict, guards in [("breach", self.guards[:bad]), ("ok", self.guards[bad:])]:
            if not guards:
                continue
            self._judge(guards[0], verdict)
            self.copies.write(guards[0], guards[1:])

    def _judge(self, each: Guard, verdict: str) -> None:
        for rule in each.rules:
            key = check_key(each, rule)
            self.instance.report_runless_asset_event(
                dg.AssetCheckEvaluation(
                    asset_key=key.asset_key,
                    check_name=key.name,
                    passed=verdict == "ok",
                    metadata={
                        "aiguard/verdict": verdict,
                        "aiguard/as_of": dg.MetadataValue.timestamp(self.now + DAY),
                        "aiguard/reason": "as it is",
                    },
                )
            )


@contextmanager
def nothing_due() -> Iterator[None]:
    """Have the delta sensor find everything judged."""
    from aiguard_dagster.orchestration.deltas import DeltaEvaluator

    real = DeltaEvaluator.due
    DeltaEvaluator.due = lambda *_, **__: iter(())  # type: ignore[method-assign]
    try:
        yield
    finally:
        DeltaEvaluator.due = real  # type: ignore[method-assign]


def _asset(each: Guard) -> dg.AssetsDefinition:
    partitions = dg.DailyPartitionsDefinition("2026-01-01")

    @dg.asset(name=each.tables["predictions"].asset, partitions_def=partitions)
    def predictions() -> None: ...

    return predictions


def say(text: str) -> None:
    """Tell how far it is: whole runs take long."""
    print(f"{datetime.now(tz=UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)


def register(guards: Sequence[Guard], uri: str) -> None:
    """Make the models, their baselines and their champions."""
    client = connect(uri)
    experiment = client.create_experiment(f"bench {time.time()}")
    run = client.create_run(experiment).info
    accepted = {"predictions": rows(FIRST - 30 * DAY, 30)}
    for each in guards:
        if each.model is None:
            continue
        client.create_registered_model(each.model.name)
        client.create_model_version(each.model.name, f"runs:/{run.run_id}/model", run.run_id)
        record_baseline(each, version="1", data=accepted, tracking_uri=uri)
        registry = ModelRegistry(client, each.model)
        registry.promote("1", at=FIRST - DAY, by="bench", why="first")
    say(f"{len(guards)} models registered")


def measure(fleet: Fleet) -> Iterator[tuple[str, str, float, int]]:
    """Each kind of tick: sensor, kind, seconds of the slowest, how many."""
    known = fleet.daemon.cursors.pop(DELTAS)
    yield DELTAS, "first", fleet.look(DELTAS)[0], 1
    fleet.daemon.cursors[DELTAS] = known
    yield DELTAS, "still", *fleet.ticks(DELTAS)
    yield STOP_RULES, "first", *fleet.ticks(STOP_RULES)
    yield STOP_RULES, "still", *fleet.ticks(STOP_RULES)
    fleet.make_partition()
    fleet.copies.write(fleet.guards[0], fleet.guards[1:])
    yield DELTAS, "day", *fleet.ticks(DELTAS)
    yield STOP_RULES, "day", *fleet.ticks(STOP_RULES)
    fleet.judge(bad=max(1, len(fleet.guards) // 10))
    yield STOP_RULES, "bad", *fleet.ticks(STOP_RULES)
    yield NOTICES, "first", fleet.tick(NOTICES)[0], 1
    yield NOTICES, "still", fleet.tick(NOTICES)[0], 1


@contextmanager
def instance_at(url: str | None, folder: Path) -> Iterator[dg.DagsterInstance]:
    """A Dagster instance on SQLite, or on the Postgres at a URL, emptied first."""
    if url is None:
        with dg.DagsterInstance.local_temp(str(folder)) as instance:
            yield instance
        return
    parts = db.make_url(url)
    with db.create_engine(url).begin() as connection:
        connection.execute(db.text("DROP SCHEMA public CASCADE"))
        connection.execute(db.text("CREATE SCHEMA public"))
    postgres_db = {
        "scheme": "postgresql+psycopg2",
        "hostname": parts.host,
        "port": parts.port or 5432,
        "username": parts.username,
        "password": parts.password or "",
        "db_name": parts.database,
    }
    overrides = {"storage": {"postgres": {"postgres_db": postgres_db}}}
    with dg.DagsterInstance.local_temp(str(folder), overrides=overrides) as instance:
        yield instance


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--guards", type=int, nargs="*", default=[10, 100, 1_000])
    parser.add_argument("--days", type=int, nargs="*", default=[1, 30, 90])
    parser.add_argument("--postgres", help="URL of an empty database, postgresql+psycopg2://…")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    print("| guards | days |", " | ".join(f"{sensor}: {kind}" for sensor, kind in COLUMNS), "|")
    with tempfile.TemporaryDirectory() as name, mlflow_server(Path(name) / "mlflow") as uri:
        register([guard(number) for number in range(max(given.guards))], uri)
        for guards in given.guards:
            for days in given.days:
                folder = Path(name) / f"{guards}-{days}"
                (folder / "home").mkdir(parents=True)
                with instance_at(given.postgres, folder / "home") as instance:
                    fleet = Fleet(guards, instance, folder, uri)
                    fleet.live(days)
                    found = {(s, kind): (sec, n) for s, kind, sec, n in measure(fleet)}
                cells = [
                    f"{found[key][0]:.2f}" + (f" x {found[key][1]}" if found[key][1] > 1 else "")
                    for key in COLUMNS
                ]
                print(f"| {guards:,} | {days} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
