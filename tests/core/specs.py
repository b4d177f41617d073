"""The good and bad guard files, and shortcuts to judge a guard that is one rule away from good."""

from pathlib import Path

import yaml

from aiguard_dagster.core.errors import Problem, SpecError
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.core.spec.parse import parse_guard

SPECS = Path(__file__).parents[1] / "specs"
GOOD = sorted((SPECS / "good").glob("*.yaml"))
BAD = sorted((SPECS / "bad").glob("*.yaml"))
MODEL = {"name": "scorer"}
TABLES = {
    "features": {"asset": "features", "time": "seen_at"},
    "predictions": {
        "asset": "scores",
        "time": "seen_at",
        "prediction": "said",
        "label": "was",
        "cost": "price",
    },
}
FRESH = {"kind": "freshness", "table": "features", "max_age": "2h"}
SCHEMA = {"kind": "schema", "table": "features", "columns": {"amount": "float"}}
PANDERA = {"kind": "pandera", "table": "features", "schema": "checks:Features"}
COMPLETE = {"kind": "completeness", "table": "features", "every": "1h"}
DRIFT = {"kind": "drift", "table": "features", "window": "14d"}
MAE = {"kind": "performance", "metric": "mae", "window": "7d"}
RECALL = {"kind": "performance", "metric": "recall", "window": "7d"}
COST = {"kind": "cost", "window": "7d"}


def guard_of(*rules, model=MODEL, tables=TABLES, **rest) -> Guard:
    named = [{"name": f"rule_{number}", **rule} for number, rule in enumerate(rules)]
    document = {"name": "scorer", "owner": "team:ml", "model": model, "tables": tables}
    return Guard.model_validate({**document, "rules": named, **rest})


def problems_in(text: str) -> tuple[Problem, ...]:
    try:
        parse_guard(text, file="guard.yaml")
    except SpecError as error:
        return error.problems
    return ()


def written(document: object) -> str:
    return yaml.safe_dump(document, sort_keys=False)
