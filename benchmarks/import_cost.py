"""What ``import aiguard_dagster`` adds to ``import dagster``, as a ratio of fresh processes.

Run: ``make bench``. The two alternate, so that a machine that slows down slows both.
"""

import statistics
import subprocess
import sys
import time

ROUNDS = 9
LIMIT = 1.3


def seconds(module: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return time.perf_counter() - started


def main() -> None:
    seconds("aiguard_dagster")
    pairs = [(seconds("dagster"), seconds("aiguard_dagster")) for _ in range(ROUNDS)]
    ratio = statistics.median(ours / theirs for theirs, ours in pairs)
    theirs, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"import dagster          {theirs:.2f} s (median of {ROUNDS})")
    print(f"import aiguard_dagster  {ours:.2f} s")
    print(f"ratio                   {ratio:.2f} (at most {LIMIT})")
    sys.exit(0 if ratio <= LIMIT else 1)


if __name__ == "__main__":
    main()
