"""Services that must be told of a rollback: by a post, or by a function of the user's."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from aiguard_dagster.adapters.apart import run_apart
from aiguard_dagster.core.spec import Tell

PROGRAM = Path(__file__).parent / "programs" / "tell_service.py"
PAUSES_S = (1.0, 5.0)
"""Seconds before the second and the third attempt."""
START_UP_S = 10.0
"""What a process may take to begin, on top of the time that an attempt has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Whether a service was told, and if not, why, without its address."""

    why: str = ""
    attempts: int = 1


def tell_service(
    tell: Tell,
    document: dict[str, JsonValue],
    *,
    key: str,
    sleep: Callable[[float], None] = time.sleep,
) -> Told:
    """Tell a service, in three attempts at most; it may be told more than once.

    Args:
        tell: How it is told.
        document: What it is told.
        key: The same for every attempt, so that a service may know it again.
        sleep: Waits between attempts.
    """
    given: dict[str, JsonValue] = {"document": document}
    if tell.call is not None:
        given |= {"call": tell.call, "path": list[JsonValue](sys.path)}
    else:
        url = os.environ.get(str(tell.webhook), "").strip()
        if not url:
            return Told(why=f"the environment variable {tell.webhook} is not set")
        given |= {"url": url, "within_s": tell.within.total_seconds(), "key": key}
    # What the user's own function writes is the user's to read, in the log of the run.
    errors = {} if tell.call is None else {"errors": None}
    for attempt, pause in enumerate((0.0, *PAUSES_S), start=1):
        sleep(pause)
        within_s = tell.within.total_seconds() + START_UP_S
        answer = run_apart(PROGRAM, given, within_s=within_s, **errors)
        if answer.get("told") is True:
            break
        if answer.get("again") is False:
            return Told(why=str(answer.get("why")), attempts=attempt)
    else:
        return Told(why=str(answer.get("why")), attempts=attempt)
    return Told(attempts=attempt)
