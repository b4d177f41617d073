"""A Postgres of the tests' own."""

import pytest


@pytest.fixture(scope="session")
def postgres(postgres_server):
    """The URL of an empty database."""
    postgres_server.run("CREATE DATABASE tables")
    return postgres_server.url("tables")
