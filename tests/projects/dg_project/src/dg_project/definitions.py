"""The code location: all that is in the defs folder."""

from pathlib import Path

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    """Load the defs folder."""
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
