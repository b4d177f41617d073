"""A server that lives no longer than whoever started it, however that one ends.

Between the two stands this file, run as a program. Its standard input is the tie: the kernel closes
it with the starter, even after ``kill -9``, and the server is then asked to stop, and made to.
"""

import os
import pwd
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

STARTS_WITHIN_S = 180
ENDS_WITHIN_S = 20
"""How long a server may take to stop before it is killed."""


@contextmanager
def tied(
    command: Sequence[str],
    *,
    log: Path,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    stop: signal.Signals = signal.SIGTERM,
    user: str = "",
    ends_within_s: float = ENDS_WITHIN_S,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server for as long as the block, or this process, lasts.

    Args:
        command: The server and its arguments.
        log: Where its output goes.
        folder: Its working directory.
        environment: Its environment; this process's own when left out.
        stop: The signal that asks it to stop.
        user: The user to run it as; this one when left out.
        ends_within_s: How long it may take to stop before it is killed.

    Yields:
        The process between the two: it ends when the server has ended.
    """
    with log.open("wb") as out:
        between = subprocess.Popen(  # noqa: S603 - our own file
            [sys.executable, "-I", __file__, str(int(stop)), user, str(ends_within_s), *command],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the starter, who then lets go of the tie.
        )
    with between:  # Closes the tie and waits for the end.
        yield between


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(
    answers: Callable[[], object], *, server: subprocess.Popen[bytes], name: str, log: Path
) -> None:
    """Return once a server answers without an error.

    Raises:
        RuntimeError: It has ended, or is silent; the end of its log is in the message.
    """
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            answers()
        except Exception:  # noqa: BLE001 - what a client raises before its server is there
            time.sleep(0.05)
        else:
            return
    message = f"{name} did not start:\n{log.read_text(errors='replace')[-4_000:]}"
    raise RuntimeError(message)


def main(stop: str, user: str, ends_within_s: str, *command: str) -> int:
    """Run the server until it ends or the tie does; returns its exit code."""
    server = subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.DEVNULL, start_new_session=True, **as_user(user)
    )

    def end(*_: object) -> None:
        asked = (server, int(stop), float(ends_within_s))
        threading.Thread(target=_stop, args=asked, daemon=True).start()

    for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(sign, end)
    threading.Thread(target=_hold, args=(end,), daemon=True).start()
    try:
        return int(server.wait())
    finally:
        _signal(server, signal.SIGKILL)  # What it started and left behind.


def as_user(user: str) -> dict[str, Any]:
    """Options of ``subprocess`` that run a program as a user, in that one's group alone."""
    if not user:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def _hold(end: Callable[[], None]) -> None:
    while os.read(0, 1_024):
        pass
    end()


def _stop(server: subprocess.Popen[bytes], stop: int, ends_within_s: float) -> None:
    _signal(server, stop)
    try:
        server.wait(timeout=ends_within_s)
    except subprocess.TimeoutExpired:
        _signal(server, signal.SIGKILL)


def _signal(server: subprocess.Popen[bytes], sign: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(server.pid, sign)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
