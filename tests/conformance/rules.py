"""One rule a kind, or several where it counts in several ways; some tables break each limit."""

SCHEMA = {"id": "int", "at": "timestamp", "x": "float", "name": "string", "ok": "boolean"}
RULES = {
    "freshness": [{"max_age": "2h"}],
    "schema": [
        {"columns": SCHEMA},
        {"columns": SCHEMA, "allow_extra": False, "ordered": True},
        {"columns": {"x": {"type": "float", "nullable": False}}},
    ],
    "completeness": [
        {"columns": ["x", "name"], "limit": 1},
        {"every": "1h", "min_rows": 20, "columns": ["id"], "limit": 0.9},
        {"limit": 0.99},
        {"entities": {"column": "name", "expected": ["a", "b", "c"]}, "limit": 0.5},
    ],
    "unique": [{"columns": ["id"]}, {"columns": ["name", "x"], "limit": 0.5}],
    "values": [
        {"columns": {"x": {"min": 0, "max": 2.5}, "name": {"one_of": ["a", "b"]}}, "limit": 0.2},
        {"columns": {"x": {"max": 10}, "id": {"varies": True}}},
    ],
    "pandera": [{"schema": "tests.conformance.schemas:Plain"}],
    "expectations": [
        {
            "suite": [
                {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "x"}},
                {
                    "type": "expect_column_values_to_be_between",
                    "kwargs": {"column": "id", "min_value": 0, "max_value": 22},
                },
            ]
        }
    ],
    "reconcile": [
        {"other": "half", "sums": ["id"]},
        {"other": "same", "sums": ["id"], "keys": ["id"], "by": ["ok"]},
    ],
    "skew": [
        {"reference": "shifted", "keys": ["id"], "columns": ["x", "ok"], "limit": 0.1},
        {"reference": "same", "keys": ["id"], "columns": ["x", "name", "ok"]},
    ],
    "labels": [
        {"max_missing": 0.1, "classes": ["a", "b", "ß"], "max_share": 0.5},
        {"max_missing": 0.0, "due_after": "3h"},
    ],
    "compliance": [
        {"by": "name", "why": "name"},
        {"by": "name", "why": "id", "raised": "ok", "lifted": "at"},
        {"by": "name", "why": "x", "raised": "x"},
    ],
    "metadata": [{"require": ["owner", "columns"]}],
    "custom": [{"function": "tests.conformance.schemas:rows_of", "limit": 20}],
}
