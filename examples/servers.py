"""The servers of the examples: none, or with ``POSTGRES=1`` those of the production setup."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from examples.home import COMPUTE_LOGS, HOME, ON_POSTGRES


@contextmanager
def servers() -> Iterator[None]:
    """Run them for as long as the block lasts, and tell this process where they are.

    Raises:
        RuntimeError: One did not start.
    """
    if not ON_POSTGRES:
        yield
        return
    from deploy.local import production

    with production(HOME, more=COMPUTE_LOGS) as environment:
        os.environ.update(environment, MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT="true")
        yield
