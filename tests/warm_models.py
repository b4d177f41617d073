"""Trials of models in processes that are forked from one that has imported MLflow already.

A fresh Python takes five seconds to import it, which tests of what follows a trial need not wait
for. ``tests/adapters/mlflow/test_models.py`` tries models as users do.

    python -m tests.warm_models PATH     serves at a Unix socket until its standard input ends
"""

import array
import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from aiguard_dagster.adapters.mlflow import model_process, models

MOST_BYTES = 1 << 20
OUT_OF_THE_WAY = 100
SLOW = (
    "mlflow.pyfunc",
    "mlflow.artifacts",
    "mlflow.store.artifact.mlflow_artifacts_repo",
    "mlflow.store.tracking.rest_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "pyarrow.pandas_compat",
    "tests.orchestration.linear_model",
)


class WarmModels:
    """The server, as the tests hold it."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "warm")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.warm_models", self.path],
            cwd=Path(__file__).resolve().parents[1],
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self.process.stdout.readline()  # It listens.

    def end(self) -> None:
        """End it."""
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()


class Trial:
    """What :func:`aiguard_dagster.adapters.mlflow.models._start` gives, as far as it is used."""

    def __init__(self, path: str, asked: dict, files: list[int]) -> None:
        taken, stdin = os.pipe()
        stderr, said = os.pipe()
        self.stdin, self.stderr = os.fdopen(stdin, "wb"), os.fdopen(stderr, "rb", buffering=0)
        self._answers = socket.socket(socket.AF_UNIX)
        self._answers.connect(path)
        told = json.dumps({"files": files, "env": models._environment(asked)}).encode()
        socket.send_fds(self._answers, [told], [taken, said, *files])
        os.close(taken)
        os.close(said)
        self.pid = self._answer()
        self._code: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code."""
        if self._code is None:
            self._answers.settimeout(timeout)
            try:
                self._code = self._answer()
            except TimeoutError as error:
                raise subprocess.TimeoutExpired(self.pid, timeout or 0) from error
            self._answers.close()
        return self._code

    def _answer(self) -> int:
        number = array.array("i")
        number.frombytes(self._answers.recv(number.itemsize))
        return number[0]


def main() -> None:
    for name in SLOW:
        import_module(name)
    packages = import_module("mlflow.utils.requirements_utils")
    packages._init_packages_to_modules_map()  # as MLflow does when it first loads a model
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(sys.argv[1])
        server.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while sys.stdin not in select.select([server, sys.stdin], [], [])[0]:
            connection, _ = server.accept()
            with connection:
                if os.fork() == 0:
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    try:
                        serve(connection)
                    finally:
                        os._exit(0)


def serve(connection: socket.socket) -> None:
    """Fork a child for one trial, and tell how it ended; whoever asked may die before."""
    told, files, _, _ = socket.recv_fds(connection, MOST_BYTES, 16)
    task = json.loads(told)
    child = os.fork()
    if child == 0:
        become(task, files)
    answer(connection, child)
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            answer(connection, os.waitstatus_to_exitcode(status))
            return
        if connection in select.select([connection], [], [], 0.005)[0]:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return


def become(task: dict, files: list[int]) -> None:
    """Be the process that a trial would have started, with its files under their numbers."""
    os.setsid()
    aside = [fcntl.fcntl(file, fcntl.F_DUPFD, OUT_OF_THE_WAY) for file in files]
    for file, number in zip(aside, [0, 2, *task["files"]], strict=True):
        os.dup2(file, number)
    os.environ.update(task["env"])
    sys.stdin = os.fdopen(0)
    model_process.end_with = lambda _: None
    with contextlib.suppress(BaseException):
        model_process.main()
    os._exit(1)


def answer(connection: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(array.array("i", [number]).tobytes())


if __name__ == "__main__":
    main()
