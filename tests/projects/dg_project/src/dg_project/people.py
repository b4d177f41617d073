"""A component of the project's own."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import polars as pl


class Wages(dg.Component, dg.Model, dg.Resolvable):
    """Makes one asset."""

    name: str

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Make it."""

        @dg.asset(name=self.name)
        def wages() -> pl.DataFrame:
            return pl.DataFrame({"at": [datetime.now(UTC) - timedelta(hours=1)]})

        return dg.Definitions(assets=[wages])
