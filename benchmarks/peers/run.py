"""Runs a peer's drift check in the peer's own environment and reads what it printed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers.environments import PeerError, PeerName, clean_environment, command, python_of


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerResult:
    """What a peer said of one current file, and what that took."""

    file: Path
    seconds: float  # both files read and compared, without imports
    peak_rss_mb: float  # of the process so far: the largest of this file and those before it
    flagged: tuple[str, ...]
    dataset_drift: bool | None  # None where a peer gives no verdict on the whole


def run_peer(
    peer: PeerName,
    reference: Path,
    currents: Sequence[Path],
    *,
    chunks: int | None = None,
    timeout: float = 3600,
) -> list[PeerResult]:
    """Runs a peer's default drift check of each current file against the reference.

    Args:
        peer: Which one; its environment is made first when it is missing.
        reference: A parquet file: floats, strings for categories; `timestamp` is ignored.
        currents: Parquet files of the same columns.
        chunks: Into how many NannyML splits a current file; one when not given.
        timeout: Seconds for all of the files together.

    Raises:
        PeerError: When the peer fails, takes too long or leaves a file out.
    """
    if chunks is not None and peer != "nannyml":
        message = f"{peer} knows no chunks: only nannyml does."
        raise ValueError(message)
    script = Path(__file__).with_name(f"{peer}_drift.py")
    split = [] if chunks is None else [f"--chunks={chunks}"]
    printed = command(
        [str(python_of(peer)), "-I", str(script), *split, str(reference), *map(str, currents)],
        what=f"{peer}: check {len(currents)} files against {reference.name}",
        env=clean_environment(),
        timeout=timeout,
    )
    # The peers print now and then, and so may their libraries: only our lines are JSON objects.
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    results = [_result(line) for line in lines if "file" in line]
    if [result.file for result in results] != list(currents):
        message = f"{peer} reported {len(results)} of {len(currents)} files:\n{printed}"
        raise PeerError(message)
    return results


def _result(line: dict[str, Any]) -> PeerResult:
    return PeerResult(
        file=Path(line["file"]),
        seconds=line["seconds"],
        peak_rss_mb=line["peak_rss_mb"],
        flagged=tuple(line["flagged"]),
        dataset_drift=line["dataset_drift"],
    )
