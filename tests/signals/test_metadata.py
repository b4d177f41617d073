"""What the definition of an asset leaves out, and what it says wrongly."""

import pytest

from aiguard_dagster.core.verdicts import Verdict
from aiguard_dagster.signals.batch import Asset
from tests.signals.batches import judged, rows_of

OK, BREACH, INCONCLUSIVE, ERROR = Verdict
DAY = rows_of("2012-05-01").select("timestamp", "hr", "temp", "holiday")
COLUMNS = {"timestamp": "datetime64[us]", "hr": "bigint", "temp": "double precision"}
WHOLE = Asset(
    key="hourly_features",
    owners=("team:forecasting",),
    description="Weather and calendar of each hour.",
    tags={"domain": "bikes"},
    columns=COLUMNS,
    descriptions=dict.fromkeys(COLUMNS, "said"),
    upstream=("weather",),
)
EVERYTHING = ["owner", "description", "tags", "columns", "column_descriptions", "lineage"]


def told(asset=WHOLE, rows=DAY, **options):
    signal = {"kind": "metadata", "require": EVERYTHING, **options}
    return judged(signal, rows, asset=asset)


def test_a_definition_that_says_everything_is_quiet():
    found = told(tags=["domain"])
    assert (found.verdict, found.measurement.value) == (OK, 0)
    assert found.measurement.n == len(EVERYTHING) + 1 + len(COLUMNS)


def test_all_that_is_missing_is_named():
    found = told(Asset(key="a"), tags=["domain"])
    names = [part.name for part in found.measurement.parts]
    assert names == [
        "owner",
        "description",
        "tags",
        "columns",
        "column descriptions",
        "lineage",
        "tag domain",
    ]
    assert found.reason.startswith("7 > 0 (n=7); worst: owner (not declared)")


@pytest.mark.parametrize(
    ("declared", "name", "text"),
    [
        ({**COLUMNS, "price": "decimal(5,2)"}, "price", "declared, and not in the rows"),
        ({**COLUMNS, "hr": "varchar"}, "hr", "declared varchar, and holds int"),
        ({**COLUMNS, "temp": "int64"}, "temp", "declared int64, and holds float"),
        ({**COLUMNS, "timestamp": "text"}, "timestamp", "declared text, and holds timestamp"),
    ],
)
def test_a_declaration_that_the_rows_do_not_keep_is_a_breach(declared, name, text):
    asset = Asset(key="a", columns=declared)
    found = told(asset, require=["columns"])
    assert found.verdict is BREACH
    assert [(part.name, part.text) for part in found.measurement.parts] == [(name, text)]


def test_a_type_of_an_unknown_name_is_not_compared():
    asset = Asset(key="a", columns={"hr": "hour of the day"})
    assert told(asset, require=["columns"]).verdict is OK


def test_a_column_without_a_description_is_named():
    asset = Asset(key="a", columns=COLUMNS, descriptions={"hr": "said"})
    found = told(asset, require=["column_descriptions"])
    assert [part.name for part in found.measurement.parts] == ["timestamp", "temp"]


def test_nothing_known_of_the_asset_is_an_error():
    assert told(None).reason == "nothing is known of the asset's definition"
