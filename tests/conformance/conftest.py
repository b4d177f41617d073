"""What the suites of all engines share."""

from tests.adapters.tables.conftest import postgres

__all__ = ["postgres"]
