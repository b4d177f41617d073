"""Evidently's default drift check of some files against a reference, a JSON line for each.

Run by Evidently's own interpreter: ``PYTHON evidently_drift.py REFERENCE CURRENT [CURRENT ...]``.
The first line tells the seconds to import and to read the reference. ``seconds`` of a file holds
the latter too: what its check alone would take from both parquet files. ``peak_rss_mb`` is the
process's peak so far, in 10^6 bytes.
"""

import argparse
import json
import os
import resource
import time
import warnings
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

KIB = 1024


def read(path: str) -> "pd.DataFrame":
    import pandas as pd

    return pd.read_parquet(path).drop(columns="timestamp", errors="ignore")


def check(current: "pd.DataFrame", reference: "pd.DataFrame") -> tuple[list[str], bool]:
    """Returns the columns whose drift test failed, and whether the one on their share did."""
    from evidently import Report
    from evidently.presets import DataDriftPreset

    report = Report([DataDriftPreset()], include_tests=True)
    flagged, dataset_drift = [], False
    # With the tests, Evidently itself says which side of a threshold is drift.
    for test in report.run(current, reference).dict()["tests"]:
        failed = test["status"].lower() == "fail"
        column = test["metric_config"]["params"].get("column")
        if column is None:
            dataset_drift = failed
        elif failed:
            flagged.append(column)
    return sorted(flagged), dataset_drift


def peak_rss_mb() -> float:
    """The peak of this program alone; ``getrusage`` would count that of the one that started it."""
    status = Path("/proc/self/status")
    if not status.exists():  # macOS, which counts in bytes
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * KIB / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference")
    parser.add_argument("current", nargs="+")
    arguments = parser.parse_args()
    os.environ["DO_NOT_TRACK"] = os.environ["ITERATIVE_DO_NOT_TRACK"] = "1"
    warnings.simplefilter("ignore")

    started = time.perf_counter()
    for module in ("evidently.presets", "pyarrow.parquet"):
        import_module(module)
    imported = time.perf_counter()
    reference = read(arguments.reference)
    once = time.perf_counter() - imported
    print(json.dumps({"import_seconds": imported - started, "reference_seconds": once}), flush=True)
    for file in arguments.current:
        started = time.perf_counter()
        flagged, dataset_drift = check(read(file), reference)
        line = {
            "file": file,
            "seconds": once + time.perf_counter() - started,
            "peak_rss_mb": peak_rss_mb(),
            "flagged": flagged,
            "dataset_drift": dataset_drift,
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
