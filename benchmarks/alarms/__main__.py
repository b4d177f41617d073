"""Measures the alarms of drift and prints tables.

Run: ``python -m benchmarks.alarms synthetic power real --data FOLDER``; ``peers`` is slow.
"""

import argparse
import sys
from pathlib import Path

PARTS = ("check", "synthetic", "power", "peers", "real")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all but peers if none")
    parser.add_argument("--data", type=Path, help="the folder with the real data sets")
    parser.add_argument("--seeds", type=int, default=16, help="baselines of each synthetic case")
    parser.add_argument("--windows", type=int, default=10, help="windows that peers judge a case")
    asked = parser.parse_args()
    parts = asked.parts or [part for part in PARTS if part != "peers"]
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        parser.error(f"there is no part {unknown[0]!r}, only {', '.join(PARTS)}")
    failed = [_run(part, asked) for part in parts]
    sys.exit(any(failed))


def _run(part: str, asked: argparse.Namespace) -> bool:
    """Run one part; each imports what it needs."""
    print(f"\n## {part}", flush=True)
    match part:
        case "check":
            from benchmarks.alarms import check

            return check.main()
        case "synthetic":
            from benchmarks.alarms import synthetic

            return synthetic.main(asked.seeds)
        case "power":
            from benchmarks.alarms import power

            return power.main(asked.seeds)
        case "peers":
            from benchmarks.alarms import peers

            return peers.main(asked.windows)
        case _:
            from benchmarks.alarms import real

            return real.main(asked.data)


if __name__ == "__main__":
    main()
