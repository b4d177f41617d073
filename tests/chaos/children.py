"""Forks one child after another, which does one thing and may be killed while it does.

Reads a task a line from standard input and answers with how the child ended. It imports what is
slow and opens nothing, so that forking it is safe and costs next to nothing.
"""

import json
import os
import resource
import select
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from importlib import import_module

from aiguard_dagster.adapters.mlflow import models
from aiguard_dagster.adapters.mlflow import rollback as transaction
from aiguard_dagster.core.people import Answer
from aiguard_dagster.orchestration import preflight, stop_rules  # noqa: F401
from aiguard_dagster.orchestration import rollback as rollback_job
from aiguard_dagster.orchestration.people import record_answer
from aiguard_dagster.testing import Daemon
from tests.chaos.place import Place
from tests.orchestration import linear_model  # noqa: F401
from tests.orchestration.project import STOP_RULES
from tests.warm_models import Trial

LONGEST_S = 300
SLOW = (
    "mlflow.pyfunc",
    "mlflow.store.model_registry.rest_store",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.rest_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.artifact.mlflow_artifacts_repo",
    "dagster._daemon",
    "pyarrow.pandas_compat",
    "fsspec.core",
    "rich.console",
)
"""What a run would import by and by."""


def main() -> None:
    for name in SLOW:
        import_module(name)
    packages = import_module("mlflow.utils.requirements_utils")
    packages._init_packages_to_modules_map()  # as MLflow does when it first loads a model
    models._start = lambda asked, files: Trial(sys.argv[1], asked, files)
    for line in sys.stdin:
        task = json.loads(line)
        sys.stdout.write(json.dumps(in_a_child(task)) + "\n")
        sys.stdout.flush()


def in_a_child(task: dict) -> dict:
    """Fork, and kill the child when its time has come."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    begun, announced = os.pipe()
    started = os.times().elapsed
    pid = os.fork()
    if pid == 0:
        ended = 1
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            os.dup2(2, 1)
            WORK[task["do"]](task, lambda: os.write(announced, b"."))
            ended = 0
        except BaseException as error:  # noqa: BLE001 - a child must not come back from here
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
        finally:
            os._exit(ended)
    os.close(announced)
    if task.get("from") == "intent":
        select.select([begun], [], [], LONGEST_S)
    announced_at = os.times().elapsed
    signal.sigtimedwait({signal.SIGCHLD}, task.get("kill_after_s", LONGEST_S))
    if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    os.close(begun)
    code = os.waitstatus_to_exitcode(status)
    ended = os.times().elapsed
    return {
        "killed": code == -signal.SIGKILL,
        "code": code,
        "s": ended - started,
        "s_after": ended - announced_at,
    }


def run_rollback(task: dict, announce: Callable[[], object]) -> None:
    """One run of a rollback job, as Dagster would start it."""
    place = Place(**task["place"])
    limit_files(task.get("limit"))
    call_at_moments(task.get("kill_at"), announce)
    with place.instance() as instance:
        daemon = Daemon(place.definitions(), instance, log_level="CRITICAL")
        daemon.run(task["job"], run_config=task["config"], tags=task["tags"])


def run_transaction(task: dict, announce: Callable[[], object]) -> None:
    """The transaction alone, which is where the registry is written to."""
    place = Place(**task["place"])
    registry = place.registry
    registry.champion()  # connects
    announce()
    transaction.roll_back(registry, place.intent)


def tick(task: dict, _announce: Callable[[], object]) -> None:
    """A daemon of its own, which ticks and runs what is asked for."""
    place = Place(**task["place"])
    limit_files(task.get("limit"))
    with place.instance() as instance:
        daemon = Daemon(place.definitions(), instance, log_level="CRITICAL")
        for _ in range(task.get("times", 1)):
            daemon.tick(task.get("sensor", STOP_RULES))


def answer(task: dict, _announce: Callable[[], object]) -> None:
    """What a person decides of a proposal."""
    place = Place(**task["place"])
    with place.instance() as instance:
        record_answer(
            instance,
            place.guard,
            Answer(task["answer"]),
            by=task["by"],
            why="looked at it",
            now=datetime.fromisoformat(place.now),
            via="a test",
        )


def limit_files(most: int | None) -> None:
    """No file may grow beyond so many bytes: writes fail as on a disk that is full."""
    if most:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


def call_at_moments(deadly: str | None, announce: Callable[[], object]) -> None:
    """Let the job of this process say where it is, and die at one moment."""

    def at(moment: str) -> None:
        if moment == "before intent":
            announce()
        if moment == deadly:
            os.kill(os.getpid(), signal.SIGKILL)

    import dagster as dg

    score, event, log = (
        preflight.run_preflight,
        rollback_job.decision_event,
        dg.OpExecutionContext.log_event,
    )

    def scored(*args, **options):
        found = score(*args, **options)
        at("after preflight")
        return found

    def told(*args):
        at("before decision")
        return event(*args)

    def logged(context, each):
        log(context, each)
        at("after decision")

    preflight.run_preflight = scored
    rollback_job.decision_event = told
    dg.OpExecutionContext.log_event = logged
    rollback_job.roll_back = lambda registry, intent: transaction.roll_back(
        registry, intent, on_step=at
    )


WORK = {"answer": answer, "rollback": run_rollback, "tick": tick, "transaction": run_transaction}


if __name__ == "__main__":
    main()
