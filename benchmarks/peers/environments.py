"""One virtual environment for each peer, so that no peer's pins reach the project's own.

Run: ``python -m benchmarks.peers.environments``. They lie below ``.bench/`` in the repo, or where
``AIGUARD_BENCH_ENVS`` says, and are made once: a stamp holds the requirements they were made from.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

PeerName = Literal["evidently", "nannyml"]

# Both on pandas 2: on pandas 3 Evidently does not import, and NannyML takes 1.7 times the CPU time.
REQUIREMENTS: dict[PeerName, tuple[str, ...]] = {
    "evidently": ("evidently==0.7.23", "pandas>=2.3,<3", "pyarrow>=18"),
    # NannyML imports statsmodels without asking for it.
    "nannyml": ("nannyml==0.13.1", "pandas>=2.3,<3", "pyarrow>=18", "statsmodels>=0.14"),
}
TELEMETRY_OFF = {
    "DO_NOT_TRACK": "1",
    "ITERATIVE_DO_NOT_TRACK": "1",
    "NML_DISABLE_USAGE_LOGGING": "1",
}
TAIL_LINES = 20
TOO_NEW = (3, 13)  # NannyML installs on Python 3.12 at most.


class PeerError(RuntimeError):
    """A peer could not be installed, imported or run; the end of what it said is in the message."""


def python_of(peer: PeerName) -> Path:
    """Returns the interpreter of the peer's environment, which is made first when it is missing."""
    home = _envs() / peer
    python, stamp = home / "bin" / "python", home / ".installed"
    wanted = "\n".join(REQUIREMENTS[peer])
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    shutil.rmtree(home, ignore_errors=True)
    command([_interpreter(), "-m", "venv", str(home)], what=f"{peer}: make an environment")
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    command([*pip, "install", *REQUIREMENTS[peer]], what=f"{peer}: install")
    command([str(python), "-c", f"import {peer}"], what=f"{peer}: import", env=clean_environment())
    stamp.write_text(wanted)
    return python


def clean_environment() -> dict[str, str]:
    """What a peer sees of ours: where to find things, never our settings; its telemetry is off."""
    kept = {name: os.environ[name] for name in ("HOME", "PATH", "TMPDIR") if name in os.environ}
    return {**kept, **TELEMETRY_OFF, "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def command(
    arguments: Sequence[str],
    *,
    what: str,
    env: dict[str, str] | None = None,
    timeout: float | None = None,
) -> str:
    """Runs a program and returns what it printed.

    Raises:
        PeerError: When it fails or takes longer than `timeout` seconds.
    """
    try:
        done = subprocess.run(
            arguments, check=True, capture_output=True, text=True, env=env, timeout=timeout
        )
    except subprocess.CalledProcessError as failed:
        tail = "\n".join(failed.stderr.splitlines()[-TAIL_LINES:])
        message = f"{what} failed with exit code {failed.returncode}:\n{tail}"
        raise PeerError(message) from failed
    except subprocess.TimeoutExpired as late:
        message = f"{what} took longer than {timeout:g} seconds."
        raise PeerError(message) from late
    return done.stdout


def _envs() -> Path:
    below_repo = Path(__file__).resolve().parents[2] / ".bench"
    return Path(os.environ.get("AIGUARD_BENCH_ENVS", below_repo)).absolute()


def _interpreter() -> str:
    if sys.version_info < TOO_NEW:
        return sys.executable
    found = shutil.which("python3.12") or shutil.which("python3.11")
    if found is None:
        message = "NannyML needs Python 3.11 or 3.12.\n\nHint: put python3.11 on the path."
        raise PeerError(message)
    return found


if __name__ == "__main__":
    for name in get_args(PeerName):
        print(python_of(name))
