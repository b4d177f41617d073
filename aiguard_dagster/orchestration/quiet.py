"""Dagster's word that a parameter may change is ours to heed, not our users'."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg


@contextmanager
def quiet() -> Iterator[None]:
    """Define something with parameters of Dagster's that are in preview or beta.

    We use partitions of checks (without them a check would load every partition) and resources that
    a definition brings along.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        warnings.simplefilter("ignore", dg.BetaWarning)
        yield
