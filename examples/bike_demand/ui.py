"""``make ui``: the example in ``dagster dev``, with the history of the last demo."""

import os
import subprocess
import sys

from examples.bike_demand.demo import DAGSTER_YAML
from examples.bike_demand.settings import HOME, ROOT


def main() -> int:
    """Start Dagster's UI and daemon on the example's own folder."""
    home = HOME / "dagster"
    if not (HOME / "mlflow.db").exists():
        print("Nothing to show yet: run `make demo` first for the history.")
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        (home / "dagster.yaml").write_text(DAGSTER_YAML)
    command = [sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml", *sys.argv[1:]]
    environment = {**os.environ, "DAGSTER_HOME": str(home)}
    try:
        return subprocess.call(command, cwd=ROOT, env=environment)  # noqa: S603
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
