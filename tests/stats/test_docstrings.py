"""The examples in docstrings hold."""

import doctest
import importlib
import pkgutil

import pytest

from aiguard_dagster import stats

MODULES = [found.name for found in pkgutil.iter_modules(stats.__path__, "aiguard_dagster.stats.")]


@pytest.mark.parametrize("module", MODULES)
def test_its_examples_hold(module):
    assert doctest.testmod(importlib.import_module(module)).failed == 0


def test_there_are_examples_to_hold():
    tried = [doctest.testmod(importlib.import_module(module)).attempted for module in MODULES]
    assert sum(tried) > 20
