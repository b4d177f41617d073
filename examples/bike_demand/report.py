"""The replay as one object, read back from Dagster and MLflow."""

from datetime import timedelta
from typing import Any

import dagster as dg
import polars as pl

from aiguard_dagster import Guard
from aiguard_dagster.core.decisions import Decision
from aiguard_dagster.core.lifecycle import in_order
from examples.bike_demand.errors import first_drift_breach, mean_errors, served_rows
from examples.bike_demand.replay import Replay, champion_on
from examples.bike_demand.serving import predictions_by
from examples.bike_demand.settings import FEATURES
from examples.bike_demand.training import rentals

ACTIONS = ("hold", "release", "notify", "refuse", "rollback")
DAY = timedelta(days=1)
Json = dict[str, Any]


def collect(
    guard: Guard, defs: dg.Definitions, instance: dg.DagsterInstance, found: Replay
) -> Json:
    """Timeline, actions, champions and errors; a day is the one that its ``as_of`` ends."""
    served = served_rows(defs, instance)
    return {
        "timeline": timeline(guard, found),
        "actions": [action(d) for d in found.decisions if d.kind.value in ACTIONS],
        "champions": [
            {
                "version": reign.version,
                "from": reign.start.isoformat(),
                "to": reign.end.isoformat() if reign.end else None,
                "why": reign.why,
                "by": reign.by,
            }
            for reign in (found.registry.reigns() if found.registry else ())
        ],
        "errors": mean_errors(served, first_drift_breach(in_order(found.points["feature_drift"]))),
        "after_rollback": after_rollback(served, found),
        "hours_served": served.height,
        "held_days": found.failed_runs,
    }


def timeline(guard: Guard, found: Replay) -> list[Json]:
    """One row for each day and rule."""
    decided: dict[tuple[str, str], list[str]] = {}
    for decision in found.decisions:
        day = f"{decision.at - DAY:%Y-%m-%d}"
        decided.setdefault((day, decision.rule), []).append(decision.kind.value)
    rows = []
    for rule in guard.rules:
        for point in in_order(found.points[rule.name]):
            day = f"{point.as_of - DAY:%Y-%m-%d}"
            rows.append(
                {
                    "day": day,
                    "rule": rule.name,
                    "verdict": point.verdict.value,
                    "value": point.value,
                    "limit": point.limit,
                    "n": point.n,
                    "decision": ", ".join(decided.get((day, rule.name), [])) or None,
                    "champion": champion_on(found, point.as_of),
                    "reason": point.reason,
                }
            )
    return sorted(rows, key=lambda row: str(row["day"]))


def action(decision: Decision) -> Json:
    """One decision."""
    return {
        "day": f"{decision.at - DAY:%Y-%m-%d}",
        "action": decision.kind.value,
        "rule": decision.rule,
        "by": decision.actor,
        "incident": decision.incident,
        "reason": decision.reason,
        "evidence": dict(decision.evidence),
    }


def after_rollback(served: pl.DataFrame, found: Replay) -> Json | None:
    """What was served after the last rollback, beside what the replaced version would have said."""
    rollbacks = [d for d in found.decisions if d.kind.value == "rollback"]
    if not rollbacks:
        return None
    last = rollbacks[-1]
    rows = served.filter(pl.col("timestamp") >= last.at.replace(tzinfo=None))
    if rows.is_empty():
        return None
    replaced = str(last.evidence["champion"])
    first, final = rows.get_column("timestamp").min(), rows.get_column("timestamp").max()
    inputs = rentals(first, final + timedelta(hours=1)).select("timestamp", *FEATURES)  # type: ignore[operator, arg-type]
    would = predictions_by(replaced, rows.select("timestamp").join(inputs, on="timestamp"))
    actual = rows.get_column("cnt")
    return {
        "champion": str(rows.get_column("model_version")[0]),
        "replaced": replaced,
        "served": float((rows.get_column("predicted") - actual).abs().mean()),  # type: ignore[arg-type]
        "would_have_been": float((would - actual).abs().mean()),  # type: ignore[arg-type]
        "hours": rows.height,
    }
