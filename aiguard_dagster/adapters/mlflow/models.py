"""What a registered model says of rows, asked in a process of its own, with a time limit."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from aiguard_dagster.adapters.mlflow import model_process
from aiguard_dagster.adapters.mlflow.client import PATIENCE
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.durations import format_duration
from aiguard_dagster.core.errors import ActionError, MeasurementError
from aiguard_dagster.core.words import with_hint

KEPT = 600
"""Characters of the end of its standard error that are told."""
DOING = {
    "": "starting Python",
    "fetch": "fetching its files",
    "load": "loading",
    "predict": "predicting",
}
SECRET = re.compile(r"(?<=://)[^/@\s]+@")


class UnfitModelError(ActionError):
    """The version cannot serve: it is gone, does not load, or cannot predict today's rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    """How the process ended.

    Attributes:
        stage: The last thing that it began; ``done`` when it did all.
        error: What was raised, as the process told it.
        code: Its exit code; negative for a signal; None where its time was over.
        tail: The end of its standard error, unless it had seen rows by then.
    """

    stage: str
    error: dict[str, Any]
    code: int | None
    tail: str


def is_gone(error: Exception) -> bool:
    """Whether what was looked for is not there, rather than that nobody answers."""
    return model_process.tells_of_absence(f"{error} {error.__cause__}")


def predict_apart(
    registry: ModelRegistry,
    version: str,
    rows: Any,  # noqa: ANN401 - a pandas frame
    *,
    within: timedelta,
) -> NDArray[np.generic]:
    """Load a version in a fresh Python process, and have it predict.

    The process is killed with all that it has started when its time is over, and dies with this
    one. Only a process that the model puts into a session of its own gets away.

    Args:
        registry: The model.
        version: Its version.
        rows: A pandas frame of its inputs; None to load it only.
        within: How long it may take to fetch, load and predict.

    Returns:
        Predictions, shape ``(n,)``, or ``(n, k)`` of a model that gives several values a row;
        empty where there are no rows.

    Raises:
        UnfitModelError: Its files are gone, it does not load, or it cannot predict these rows: it
            raises, exits, is killed, or takes too long.
        MeasurementError: It gives another number of predictions than there are rows.
        ActionError: MLflow, its artifact store or this machine does not let it be tried.
    """
    uri = registry.model_uri(version)
    with contextlib.ExitStack() as stack:
        try:
            # ignore_cleanup_errors: what a killed process was writing must not be our error.
            folder = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="aiguard-", ignore_cleanup_errors=True)
            )
            given, said, told = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
            if rows is not None:
                _write(rows, given)
            asked = {
                "artifact_uri": registry.artifact_uri(version),
                "tracking_uri": registry.client.tracking_uri,
                "folder": folder,
                "sys_path": sys.path,
                "parent": os.getpid(),
                "told": told.fileno(),
                "rows": None if rows is None else given.fileno(),
                "said": said.fileno(),
            }
            ended = _run(asked, [f.fileno() for f in (given, said, told)], told, within)
        except OSError as error:
            msg = f"{uri} could not be tried: {type(error).__name__}: {error.strerror}"
            raise ActionError(msg) from error
        if ended.stage != "done":
            raise _failure(uri, ended, within)
        if rows is None:
            return np.array([])
        said.seek(0)
        found: NDArray[np.generic] = np.load(said, allow_pickle=False)
    if found.ndim > 1 and found.shape[1:] == (1,):
        found = found.reshape(-1)
    if found.shape[:1] != (len(rows),):
        msg = f"v{version} gave predictions of shape {found.shape} for {len(rows)} rows"
        raise MeasurementError(msg)
    return found


def _write(rows: Any, file: IO[bytes]) -> None:  # noqa: ANN401 - a pandas frame
    """Rows as an Arrow file, from which the same pandas frame is read."""
    import pyarrow as pa

    table = pa.Table.from_pandas(rows, preserve_index=False)
    with pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    file.flush()
    file.seek(0)


def _start(asked: dict[str, Any], files: list[int]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own script, by our own Python
        [sys.executable, "-P", str(Path(model_process.__file__))],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=files,
        start_new_session=True,
        env=_environment(asked),
    )


def _run(asked: dict[str, Any], files: list[int], told: IO[bytes], within: timedelta) -> _Ended:
    process = _start(asked, files)
    tail: deque[int] = deque(maxlen=4 * KEPT)
    reader = threading.Thread(target=_drain, args=(process.stderr, tail), daemon=True)
    reader.start()
    code: int | None = None
    try:
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
                stdin.write(json.dumps(asked).encode())
        code = process.wait(within.total_seconds())
    except subprocess.TimeoutExpired:
        pass
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        reader.join(timeout=1.0)
    told.seek(0)
    stage = ""
    error: dict[str, Any] = {}
    for line in told.read().decode(errors="replace").splitlines():
        with contextlib.suppress(ValueError):
            what = json.loads(line)
            stage = what.get("stage", stage)
            error = what if "error" in what else error
    # From here on it has seen rows, and may have printed them.
    words = "" if stage in {"predict", "done"} else bytes(tail).decode(errors="replace")
    return _Ended(stage=stage, error=error, code=code, tail=_end_of(words))


def _drain(pipe: IO[bytes], tail: "deque[int]") -> None:
    """Keep the end of what it prints, however much that is."""
    with contextlib.suppress(OSError, ValueError), pipe:
        while chunk := os.read(pipe.fileno(), 65_536):
            tail.extend(chunk[-(tail.maxlen or 0) :])


def _environment(asked: dict[str, Any]) -> dict[str, str]:
    """Ours, with little patience for MLflow, and with temporary files that are removed."""
    return {
        **PATIENCE,
        **os.environ,
        "TMPDIR": asked["folder"],
        "MLFLOW_TRACKING_URI": asked["tracking_uri"],
    }


def _failure(uri: str, ended: _Ended, within: timedelta) -> ActionError:
    """Which error tells how it ended: unfit from its loading on, or if its files are gone."""
    doing, error = DOING[ended.stage], ended.error
    if error:
        where = f" in {error['place']}" if ended.stage == "predict" and error["place"] else ""
        text = _end_of(str(error["text"]))
        why = f"{error['error']}{where}{f': {text}' if text else ''}"
    elif ended.code is None:
        why = f"it was still {doing} after {format_duration(within)}"
    elif ended.code < 0:
        known = {each.value: each.name for each in signal.Signals}
        name = known.get(-ended.code, f"signal {-ended.code}")
        memory = ", as happens when memory runs out" if name == "SIGKILL" else ""
        why = f"its process was killed by {name} while {doing}{memory}"
    else:
        why = f"its process ended with code {ended.code} while {doing}"
    if ended.tail and not error:
        why = f"{why}; the last it said: {ended.tail}"
    if ended.stage == "predict":
        what = f"{uri} cannot predict today's rows: {why}"
    else:
        what = f"{uri} cannot be loaded: {why}"
    if ended.code is None:
        what = with_hint(what, "give it longer by rollback.load_within.")
    is_unfit = ended.stage in {"load", "predict"} or bool(error.get("gone"))
    return UnfitModelError(what) if is_unfit else ActionError(what)


def _end_of(text: str) -> str:
    """The last of some lines, as one, without the secrets of addresses."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return SECRET.sub("***@", " | ".join(lines))[-KEPT:]
