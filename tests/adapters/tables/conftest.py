"""A Postgres of the tests' own."""

import itertools

import pytest

numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres(postgres_server):
    """The URL of an empty database."""
    name = f"tables_{next(numbers)}"  # Several folders have this fixture, and one server.
    postgres_server.run(f"CREATE DATABASE {name}")
    return postgres_server.url(name)
