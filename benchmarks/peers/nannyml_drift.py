"""NannyML's default drift check of some files against a reference, a JSON line for each.

Run by NannyML's own interpreter: ``PYTHON nannyml_drift.py REFERENCE CURRENT [CURRENT ...]``.
The reference is split into 10 chunks, whose spread sets the limits; a current file is one chunk,
or as many as ``--chunks`` says, and a column is flagged when it is in any. A limit fits chunks of
the reference's chunk size only, so a fair reference has ten times the rows of a current chunk.

The first line tells the seconds to import and to read and fit the reference. ``seconds`` of a file
holds the latter too: what its check alone would take from both parquet files. ``peak_rss_mb`` is
the process's peak so far, in 10^6 bytes.
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
    import nannyml as nml
    import pandas as pd

KIB = 1024
REFERENCE_CHUNKS = 10


def read(path: str) -> "pd.DataFrame":
    import pandas as pd

    return pd.read_parquet(path).drop(columns="timestamp", errors="ignore")


def fit(reference: "pd.DataFrame") -> "nml.UnivariateDriftCalculator":
    import nannyml as nml
    from nannyml.chunk import CountBasedChunker

    # Appended, a few rows left over do not become a chunk of their own and spoil the limits.
    chunker = CountBasedChunker(REFERENCE_CHUNKS, incomplete="append")
    return nml.UnivariateDriftCalculator(list(reference.columns), chunker=chunker).fit(reference)


def check(
    calculator: "nml.UnivariateDriftCalculator", current: "pd.DataFrame", *, chunks: int
) -> list[str]:
    """Returns the columns with an alert in any chunk of the current file."""
    from nannyml.chunk import CountBasedChunker

    calculator.chunker = CountBasedChunker(chunks, incomplete="append")
    result = calculator.calculate(current).filter(period="analysis").to_df()
    alerts = result.xs("alert", axis="columns", level=2).droplevel(1, axis="columns")
    unknown = alerts.columns[alerts.isna().any()]
    if len(unknown):  # NannyML logs its errors and goes on: not flagged would read as no drift.
        message = f"NannyML could not tell the drift of {', '.join(unknown)}."
        raise RuntimeError(message)
    return sorted(alerts.columns[alerts.astype(bool).any()])


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
    parser.add_argument("--chunks", type=int, default=1)
    arguments = parser.parse_args()
    os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"
    warnings.simplefilter("ignore")

    started = time.perf_counter()
    for module in ("nannyml.chunk", "pyarrow.parquet"):
        import_module(module)
    imported = time.perf_counter()
    calculator = fit(read(arguments.reference))
    once = time.perf_counter() - imported
    print(json.dumps({"import_seconds": imported - started, "reference_seconds": once}), flush=True)
    for file in arguments.current:
        started = time.perf_counter()
        flagged = check(calculator, read(file), chunks=arguments.chunks)
        line = {
            "file": file,
            "seconds": once + time.perf_counter() - started,
            "peak_rss_mb": peak_rss_mb(),
            "flagged": flagged,
            "dataset_drift": None,
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
