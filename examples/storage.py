"""Where the examples' assets are kept."""

import dagster as dg

from examples.home import HOME

STORAGE = dg.FilesystemIOManager(base_dir=str(HOME / "assets"))
