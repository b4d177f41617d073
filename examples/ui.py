"""``make ui``: the examples in ``dagster dev``, with the history of the last demos."""

import os
import subprocess
import sys

from examples.home import DAGSTER_YAML, HOME, ROOT
from examples.servers import servers


def main() -> int:
    """Start Dagster's UI and daemon on the examples' own folder."""
    home = HOME / "dagster"
    if not any(HOME.glob("*.played")):
        print(
            "Nothing to show yet: run `make demo` or `make demo-assistant` first for the history."
        )
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        (home / "dagster.yaml").write_text(DAGSTER_YAML)
    command = [sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml", *sys.argv[1:]]
    os.environ["DAGSTER_HOME"] = str(home)
    with servers():
        try:
            return subprocess.call(command, cwd=ROOT)  # noqa: S603
        except KeyboardInterrupt:
            return 0


if __name__ == "__main__":
    sys.exit(main())
