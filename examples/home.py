"""Where the examples keep what they make; one folder, so that deleting it starts afresh."""

import contextlib
import logging
import os
import shutil
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ON_POSTGRES = bool(os.environ.get("AIGUARD_EXAMPLE_POSTGRES"))
HOME = Path(
    os.environ.get("AIGUARD_EXAMPLE_HOME", ROOT / (".demo-postgres" if ON_POSTGRES else ".demo"))
)
GUARDS = ROOT / "guards"
COMPUTE_LOGS = """\
compute_logs:  # The replay's runs print nothing worth keeping, and there are hundreds of them.
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
"""
DAGSTER_YAML = f"""\
telemetry:
  enabled: false
{COMPUTE_LOGS}"""


def prepare_home(example: str) -> None:
    """A folder for Dagster's and MLflow's state, without an earlier run of this example.

    The history of another example stays, for ``make ui`` to show both.
    """
    mark = HOME / f"{example}.played"
    if mark.exists() or not any(HOME.glob("*.played")):
        shutil.rmtree(HOME, ignore_errors=True)
    (HOME / "dagster").mkdir(parents=True, exist_ok=True)
    (HOME / "dagster" / "dagster.yaml").write_text(DAGSTER_YAML)
    mark.touch()
    os.environ["DAGSTER_HOME"] = str(HOME / "dagster")


def example_clock() -> datetime:
    """The time now, or the day that a replay stands at."""
    told = os.environ.get("AIGUARD_EXAMPLE_NOW")
    return datetime.fromisoformat(told) if told else datetime.now(tz=UTC)


@contextlib.contextmanager
def clock_at(now: datetime) -> Iterator[None]:
    """Set the examples' clock."""
    os.environ["AIGUARD_EXAMPLE_NOW"] = now.isoformat()
    try:
        yield
    finally:
        del os.environ["AIGUARD_EXAMPLE_NOW"]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' chatter off the screen; what fails is in the result."""
    logging.disable(logging.WARNING)
    with warnings.catch_warnings(), open(os.devnull, "w") as nowhere:  # noqa: PTH123
        warnings.simplefilter("ignore")
        with contextlib.redirect_stderr(nowhere):
            yield
    logging.disable(logging.NOTSET)
