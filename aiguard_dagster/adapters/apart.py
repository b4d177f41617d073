"""A small program in a process of its own: it may hang or print what it likes, and is ended."""

import json
import subprocess
import sys
from pathlib import Path
from typing import IO

from pydantic import JsonValue

TIMED_OUT = "no answer in time"
BROKE_OFF = "broke off"


def run_apart(
    program: Path,
    given: dict[str, JsonValue],
    *,
    within_s: float,
    errors: int | IO[str] | None = subprocess.DEVNULL,
) -> dict[str, JsonValue]:
    """Give a program a document on its standard input; what it prints last is its answer.

    What is secret goes in by standard input only: other users of a machine can see arguments.

    Args:
        program: A file of Python that imports nothing of ours.
        given: The document.
        within_s: Seconds until it is killed.
        errors: Where its standard error goes; nowhere by default, for it may quote what is secret.

    Returns:
        Its answer; ``{"why": …}`` where it gave none.
    """
    # -P: the folder of the program has packages that bear the names of others.
    command = [sys.executable, "-P", str(program)]
    process = subprocess.Popen(  # noqa: S603 - our own program
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
    )
    try:
        said, _ = process.communicate(json.dumps(given), timeout=within_s)
    except subprocess.TimeoutExpired:
        return {"why": TIMED_OUT}
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
    try:
        answer = json.loads(said.splitlines()[-1])
    except (IndexError, ValueError):
        return {"why": BROKE_OFF}
    return answer if isinstance(answer, dict) else {"why": BROKE_OFF}
