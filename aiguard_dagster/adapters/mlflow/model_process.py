"""The process that loads a candidate and asks it, run as a script.

A model may hang, exit, print, leak or take all memory, so it is kept out of the process that
decides. Nothing of this package is imported here: what is measured is the model's own start.

It is told what to do as JSON on its standard input. Rows, predictions and how far it has come go
through open files without a name, so that nothing is left behind whoever is killed.
"""

import contextlib
import json
import os
import re
import sys
import traceback
from pathlib import Path
from typing import Any

GONE = re.compile(
    r"no such (?:artifact|file|key)|nosuchkey|does[ _]not[ _]exist"
    r"|(?:code|status|error|http)[\W_]{0,3}404|404 (?:client error|not found)",
    re.IGNORECASE,
)
SILENT = re.compile(r"max retries|timed out|connection|unreachable", re.IGNORECASE)
DIE_WITH_PARENT, KILL = 1, 9
STAGES = ("fetch", "load", "predict", "done")


def main() -> None:
    """Fetch, load, predict; each is told before it is begun."""
    asked = json.load(sys.stdin)
    end_with(asked["parent"])
    sys.path[:] = asked["sys_path"]
    with os.fdopen(asked["told"], "w", buffering=1) as told:
        stage = ""

        def tell(**what: object) -> None:
            told.write(f"{json.dumps(what)}\n")
            told.flush()

        try:
            tell(stage=(stage := "fetch"))
            path = fetch(asked["artifact_uri"], asked["folder"], asked["tracking_uri"])
            tell(stage=(stage := "load"))
            model = load(path)
            if asked["rows"] is not None:
                tell(stage=(stage := "predict"))
                predict(model, asked["rows"], asked["said"])
        except BaseException as error:  # noqa: BLE001 - a model may raise anything, SystemExit too
            # What a model says of rows may quote them, so only what it says before is passed on.
            words = "" if stage == "predict" else str(error)
            tell(
                error=type(error).__name__,
                text=words,
                gone=tells_of_absence(words),
                place=place_of(error),
            )
        else:
            tell(stage="done")
    # Threads that the model has left running must not keep the process.
    sys.stderr.flush()
    os._exit(0)


def end_with(parent: int) -> None:
    """Die when the parent dies, and before it when memory runs out, where Linux can do that."""
    if sys.platform != "linux":
        return
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, KILL)
    if os.getppid() != parent:
        os._exit(1)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def fetch(artifact_uri: str, folder: str, tracking_uri: str) -> str:
    """Bring the model's files here."""
    from mlflow.artifacts import download_artifacts

    return str(
        download_artifacts(artifact_uri=artifact_uri, dst_path=folder, tracking_uri=tracking_uri)
    )


def load(path: str) -> Any:  # noqa: ANN401 - a pyfunc
    """Load a pyfunc."""
    from mlflow.pyfunc import load_model

    return load_model(path)


def predict(model: Any, rows: int, said: int) -> None:  # noqa: ANN401 - a pyfunc
    """Predict the rows of one open file into another."""
    import numpy as np
    import pyarrow as pa

    with os.fdopen(rows, "rb") as source, pa.ipc.open_file(source) as reader:
        frame = reader.read_all().to_pandas()
    found = model.predict(frame)
    if isinstance(found, dict) and len(found) == 1:
        (found,) = found.values()
    values = np.asarray(found)
    if values.dtype == object:
        numbers = all(isinstance(value, int | float) for value in values.reshape(-1))
        values = values.astype(float if numbers else str)
    with os.fdopen(said, "wb") as file:
        np.save(file, values, allow_pickle=False)


def tells_of_absence(words: str) -> bool:
    """Whether an error says that what was looked for is not there, not that nobody answers.

    >>> tells_of_absence("No such artifact: 'model'"), tells_of_absence("HTTP 404")
    (True, True)
    >>> tells_of_absence("Max retries exceeded with url: /artifacts?path=404/model")
    False
    """
    return bool(GONE.search(words)) and not SILENT.search(words)


def place_of(error: BaseException) -> str:
    """Where it was raised: function, file and line."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    return f"{frames[-1].name}, {Path(frames[-1].filename).name}:{frames[-1].lineno}"


if __name__ == "__main__":
    main()
