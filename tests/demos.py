"""Plays a demo of the examples as a user plays it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def play(example: str, home: Path) -> tuple[dict[str, Any], str]:
    """Play a demo in a folder of its own.

    Returns:
        The story that it wrote, and what it printed.
    """
    file = home / "story.json"
    environment = {**os.environ, "AIGUARD_EXAMPLE_HOME": str(home / "state")}
    environment.pop("MLFLOW_TRACKING_URI", None)
    ended = subprocess.run(
        [sys.executable, "-m", f"examples.{example}.demo", "--json", str(file)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return json.loads(file.read_text()), ended.stdout
