"""What the tests of engines share with those of tables."""

from tests.adapters.tables.conftest import postgres

__all__ = ["postgres"]
