"""Seconds of one tick of the delta sensor over traces, by how many an MLflow server holds.

    python -m benchmarks.traces [1000 10000 100000]

A real server on sqlite, over HTTP; the traces of three days, all of which a tick counts: two rules
with windows of a day, judged on the newest 48 hours. They are put into its database at once, for no
tick takes part in that. ``first`` is a tick that has judged nothing before, ``hour`` the one after
another hour, ``still`` one when nothing has come, as most are. What Dagster needs to write the
evaluations down after the tick is told apart. The least of three, for others use the machine too.
"""

import contextlib
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from aiguard_dagster import Guard, MLflowResource, ProfileStore, build_guard_definitions
from aiguard_dagster.adapters.mlflow.client import connect
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.adapters.mlflow.traces import Asked, TraceBook, counts
from aiguard_dagster.testing import Daemon
from tests.mlflow_server import mlflow_at, mlflow_server
from tests.traces import Said, experiment, insert_traces, logged_model

SIZES = (1_000, 10_000, 100_000)
SPAN, HOUR = timedelta(days=3), timedelta(hours=1)
ROUNDS = 3
START = datetime(2026, 1, 1, tzinfo=UTC)
ALL = frozenset({"requests", "latency", "tokens", "cost", "feedback"})
RULES = [
    {"name": "slow", "signal": {"kind": "latency", "window": "1d"}, "limit": 5_000},
    {"name": "failing", "signal": {"kind": "errors", "window": "1d"}, "limit": "10%"},
]
QUIET = {"telemetry": {"enabled": False}}


def traces(size: int, model: str) -> Iterator[Said]:
    number = random.Random(size)  # noqa: S311 - no secret
    statuses, prices = ["OK"] * 30 + ["ERROR"], [0.01] * 19 + [None]
    for n in range(size):
        yield Said(
            at=START + (SPAN + HOUR) * n / size,
            milliseconds=int(number.lognormvariate(6, 1)),
            state=number.choice(statuses),
            name=number.choice(["chat", "search"]),
            model=model,
            tokens=(number.randint(50, 2_000), number.randint(5, 500)),
            calls=[("gpt", number.choice(prices))],
            feedback=[("thumb", number.choice([True, False]))] if n % 5 == 0 else [],
        )


class Clock:
    """Tells what it is set to."""

    def __init__(self) -> None:
        self.now = START + SPAN + timedelta(minutes=5)

    def __call__(self) -> datetime:
        """The time."""
        return self.now


def measure(uri: str, folder: Path, size: int) -> Sequence[str]:
    name = f"assistant_{size}"
    found = experiment(uri, name)
    model = logged_model(uri, found)
    insert_traces(f"sqlite:///{folder / 'mlflow.db'}", found, traces(size, model), seed=size)
    client = connect(uri)
    client.create_registered_model(name)
    with mlflow_at(uri):
        client.create_model_version(name, f"models:/{model}", model_id=model)
    source = {"kind": "traces", "experiment": name}
    guard = Guard.model_validate(
        {
            "name": name,
            "owner": "team:assistant",
            "model": {"name": name},
            "tables": {"predictions": {"asset": "assistant_traces", "source": source}},
            "rules": RULES,
        }
    )
    ModelRegistry(client, guard.model).promote("1", at=START, by="benchmark", why="accepted")
    rounds = [ticks(guard, uri, folder) for _ in range(ROUNDS)]
    everything = Asked(
        start=START, end=START + SPAN, every=HOUR, model=model, pieces=ALL, names=True
    )
    start = time.perf_counter()
    TraceBook(uri, name).read(everything)
    least = [min(each) for each in zip(*rounds, strict=True)]
    return [f"{size:,}", *(f"{s:.2f}" for s in [*least, time.perf_counter() - start])]


def ticks(guard: Guard, uri: str, folder: Path) -> tuple[float, ...]:
    """Seconds of a first tick, of writing it down, of one an hour later, and of an idle one."""
    counts._kept.clear()  # noqa: SLF001 - as in a new process
    clock = Clock()
    with dg.DagsterInstance.local_temp(overrides=QUIET) as instance:
        definitions = build_guard_definitions(
            guards=[guard],
            mlflow=MLflowResource(tracking_uri=uri),
            profiles=ProfileStore(path=str(folder / "profiles")),
            clock=clock,
        )
        daemon = Daemon(definitions, instance)
        first, written = timed(daemon)
        clock.now += HOUR
        return first, written, timed(daemon)[0], timed(daemon)[0]


def timed(daemon: Daemon) -> tuple[float, float]:
    """Seconds of a tick, and of writing down what it found."""
    write, spent = daemon.instance.report_runless_asset_event, [0.0]

    def timed_write(event: dg.AssetCheckEvaluation) -> None:
        start = time.perf_counter()
        write(event)
        spent[0] += time.perf_counter() - start

    daemon.instance.report_runless_asset_event = timed_write  # type: ignore[method-assign]
    start = time.perf_counter()
    daemon.tick("aiguard_deltas")
    seconds = time.perf_counter() - start
    daemon.instance.report_runless_asset_event = write  # type: ignore[method-assign]
    return seconds - spent[0], spent[0]


def main(sizes: Sequence[int]) -> None:
    import mlflow.tracing.client  # noqa: F401 - not a tick's doing, but the process's

    print(
        "| traces | first (s) | its 96 evaluations written (s) | hour (s) | still (s) | all (s) |"
    )
    print("|---:|---:|---:|---:|---:|---:|")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        uri = stack.enter_context(mlflow_server(folder))
        measure(uri, folder, 100)  # the server's own first answers
        for size in sizes:
            print(f"| {' | '.join(measure(uri, folder, size))} |", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\nThe process that ticks: {peak:,.0f} MB at most.")


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or SIZES)
