"""What is read and written here is in memory, or on Postgres."""

import pytest


@pytest.fixture(autouse=True)
def _stored(dagster_storage):
    """Every test has a place for its instances."""
