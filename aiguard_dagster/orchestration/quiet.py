"""Dagster's word that a parameter may change is ours to heed, not our users'."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg


@contextmanager
def quiet() -> Iterator[None]:
    """Define something with parameters of Dagster's that are in preview, in beta or deprecated.

    We use partitions of checks (without them a check would load every partition), resources that a
    definition brings along, and partitions of jobs (Dagster infers them from assets, not checks).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        yield
