"""Spend, tokens, agents and accelerators are counted on warehouses and Spark as they are here."""

import pytest

from tests.conformance.engines import as_spark
from tests.conformance.warehouses import as_ibis_on_duckdb
from tests.signals import test_accelerator, test_agents, test_cost, test_tokens
from tests.signals.ledgers import assert_counted_alike, signal_of

SIGNALS = {
    "cost": ({"kind": "cost"}, test_cost),
    "tokens": ({"kind": "tokens", "of": "over", "size": 2000}, test_tokens),
    **{
        f"agents, {of}": ({"kind": "agents", "of": of, "more_than": 1}, test_agents)
        for of in test_agents.OFS
    },
    **{
        f"accelerator, {of}": ({"kind": "accelerator", "of": of}, test_accelerator)
        for of in test_accelerator.OFS
    },
}
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
SPARK = pytest.param(as_spark, marks=[pytest.mark.spark, pytest.mark.filterwarnings("ignore")])


@pytest.mark.parametrize("engine", [as_ibis_on_duckdb, SPARK], ids=["ibis", "spark"])
@pytest.mark.parametrize("name", SIGNALS)
def test_rows_are_counted_where_they_are(name, engine):
    options, rows = SIGNALS[name]
    assert_counted_alike(signal_of(**options), rows.MESSY, rows.TABLE, engine)
