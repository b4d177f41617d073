"""Starts the process that forks children, and talks to it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from aiguard_dagster.adapters.mlflow import rollback as transaction
from tests.chaos.place import Place

ROOT = Path(__file__).resolve().parents[2]
MOMENTS = (
    "after preflight",
    *(f"{when} {step}" for step in transaction.STEPS for when in ("before", "after")),
    "before decision",
    "after decision",
)
"""Where a rollback run can be told to die."""


class Children:
    """Children that do one thing each and may be killed while they do it."""

    def __init__(self, warm_models: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.children", warm_models],
            cwd=ROOT,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def ask(self, do: str, place: Place, **task) -> None:
        """Start a child; ``answer`` waits for its end."""
        print(json.dumps({"do": do, "place": place.told(), **task}), file=self.process.stdin)
        self.process.stdin.flush()

    def answer(self) -> dict:
        """How the child ended: its signal, and how long it took in seconds."""
        return json.loads(self.process.stdout.readline())

    def do(self, do: str, place: Place, **task) -> dict:
        """Start a child and wait for its end."""
        self.ask(do, place, **task)
        return self.answer()

    def end(self) -> None:
        """End the process that forks; its children have ended."""
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()
