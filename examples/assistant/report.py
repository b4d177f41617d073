"""The replay as one object, read back from Dagster and MLflow."""

from typing import Any

import polars as pl

from aiguard_dagster.adapters.dagster.history import StoredEvaluation
from aiguard_dagster.core.decisions import Decision
from examples.assistant.pipeline import GUARD
from examples.assistant.replay import Replay
from examples.assistant.settings import BASELINE_START, DAY, FIRST, LAST, STRETCH, SWITCH
from examples.assistant.traced import traces_on_server
from examples.assistant.traffic import feedback, requests
from examples.tracking import TRACKING_URI

Json = dict[str, Any]


def collect(found: Replay) -> Json:
    """Timeline, actions and what the traces say; a day is the one that its ``as_of`` ends."""
    rows = [
        evaluation(rule.name, each)
        for rule in GUARD.rules
        for each in found.evaluations[rule.name]
        if each.point.as_of > FIRST
    ]
    return {
        "switch": f"{SWITCH:%Y-%m-%d}",
        "first": f"{FIRST:%Y-%m-%d}",
        "seconds_of_the_trace_in_a_day": DAY.total_seconds() / STRETCH,
        "timeline": sorted(rows, key=lambda row: str(row["day"])),
        "actions": [action(d) for d in found.decisions],
        "measured": measured(),
        "traces": traces(found),
        "failed_days": found.failed_runs,
    }


def evaluation(rule: str, stored: StoredEvaluation) -> Json:
    """One verdict with all that explains it."""
    point, told = stored.point, stored.metadata
    ends = (told.get("aiguard/interval_low"), told.get("aiguard/interval_high"))
    return {
        "day": f"{point.as_of - DAY:%Y-%m-%d}",
        "rule": rule,
        "verdict": point.verdict.value,
        "value": point.value,
        "limit": point.limit,
        "n": point.n,
        "coverage": told.get("aiguard/coverage"),
        "interval": None if None in ends else ends,
        "parts": [
            {"name": part["column"], "value": part["value"], "text": part["what"]}
            for part in told.get("aiguard/columns", ())
        ],
        "note": told.get("aiguard/note") or "",
        "reason": point.reason,
    }


def action(decision: Decision) -> Json:
    """One decision."""
    return {
        "day": f"{decision.at - DAY:%Y-%m-%d}",
        "action": decision.kind.value,
        "rule": decision.rule,
        "by": decision.actor,
        "reason": decision.reason,
    }


def measured() -> Json:
    """What the rows themselves say, before and after the switch, to hold the verdicts against."""
    usual, normal, code = (
        requests(start, end)
        for start, end in ((BASELINE_START, FIRST), (FIRST, SWITCH), (SWITCH, LAST + DAY))
    )
    return {
        name: {
            "requests": rows.height,
            "tokens_in": rows.get_column("tokens_in").mean(),
            "tokens_out": rows.get_column("tokens_out").mean(),
            "judged": rows.get_column("hallucination").count() / rows.height,
            "judged_wrong": (rows.get_column("hallucination") == "yes").mean(),
        }
        for name, rows in {"baseline": usual, "conversation": normal, "code": code}.items()
    }


def traces(found: Replay) -> Json:
    """What was logged, what the server gives back, and the same from the rows."""
    back = traces_on_server()
    shown = feedback(BASELINE_START, LAST + DAY)
    finished = back.filter(pl.col("state") == "OK").height
    return {
        "server": TRACKING_URI.partition(":")[0],
        "logged": found.logged,
        "read_back": back.height,
        "finished": finished,
        "median_ms": back.get_column("took_ms").median(),
        "median_ms_of_rows": shown.get_column("took_ms").median(),
        "people": shown.get_column("person").n_unique(),
    }
