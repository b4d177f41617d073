"""Start one rollback after another, each in a process that kills itself at one step.

    python killed_rollback.py URI MODEL=STEP MODEL=STEP ...

The parent imports what is slow and opens nothing, so that forking it is safe.
"""

import os
import signal
import sys
from functools import partial

import mlflow  # noqa: F401, TID253 - imported before the fork

from aiguard_dagster.adapters.mlflow.client import connect
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.adapters.mlflow.rollback import roll_back
from aiguard_dagster.core.spec import Model
from tests.adapters.mlflow.rollbacks import an_intent


def kill_self(deadly: str, step: str) -> None:
    if step == deadly:
        os.kill(os.getpid(), signal.SIGKILL)


def main(uri: str, *jobs: str) -> None:
    for job in jobs:
        name, _, deadly = job.rpartition("=")
        child = os.fork()
        if child == 0:
            registry = ModelRegistry(connect(uri), Model(name=name, alias="champion"))
            roll_back(registry, an_intent(), on_step=partial(kill_self, deadly))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            sys.exit(f"{name}: not killed {deadly}")


if __name__ == "__main__":
    main(*sys.argv[1:])
