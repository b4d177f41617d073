"""Evaluations and decisions as Dagster metadata, and back."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any

import dagster as dg

from aiguard_dagster.adapters.charts import histograms
from aiguard_dagster.core.decisions import Decision, DecisionKind
from aiguard_dagster.core.lifecycle import Point
from aiguard_dagster.core.verdicts import Evaluation, Part, Verdict

Metadata = dict[str, dg.MetadataValue[Any]]


def evaluation_metadata(evaluation: Evaluation) -> Metadata:
    """What is recorded with a check evaluation; numbers plot in Dagster's UI."""
    measurement, threshold = evaluation.measurement, evaluation.threshold
    found: Metadata = {
        "aiguard/verdict": dg.MetadataValue.text(evaluation.verdict.value),
        "aiguard/reason": dg.MetadataValue.text(evaluation.reason),
        "aiguard/n": dg.MetadataValue.int(measurement.n),
        "aiguard/coverage": dg.MetadataValue.float(float(measurement.coverage)),
        "aiguard/as_of": dg.MetadataValue.timestamp(measurement.as_of),
        "aiguard/window_start": dg.MetadataValue.timestamp(measurement.window.start),
    }
    if measurement.value is not None and isfinite(measurement.value):
        found["aiguard/value"] = dg.MetadataValue.float(float(measurement.value))
    if measurement.interval is not None:
        low, high = measurement.interval
        found["aiguard/interval_low"] = dg.MetadataValue.float(float(low))
        found["aiguard/interval_high"] = dg.MetadataValue.float(float(high))
    if threshold is not None:
        found["aiguard/limit"] = dg.MetadataValue.float(float(threshold.value))
    if threshold is not None and threshold.source:
        found["aiguard/limit_source"] = dg.MetadataValue.text(threshold.source)
    if measurement.note:
        found["aiguard/note"] = dg.MetadataValue.text(measurement.note)
    if measurement.facts:
        found["aiguard/facts"] = dg.MetadataValue.json(dict(measurement.facts))
    return found | _origin_metadata(evaluation) | _parts_metadata(measurement.parts)


def _origin_metadata(evaluation: Evaluation) -> Metadata:
    """Whom and what an evaluation speaks of."""
    found: Metadata = {}
    if evaluation.series:
        found["aiguard/series"] = dg.MetadataValue.text(evaluation.series)
    if evaluation.subject is not None:
        found["aiguard/champion"] = dg.MetadataValue.text(evaluation.subject)
    if evaluation.in_force_since is not None:
        since = evaluation.in_force_since
        found["aiguard/champion_since"] = dg.MetadataValue.timestamp(since)
    if evaluation.fingerprint:
        found["aiguard/fingerprint"] = dg.MetadataValue.text(evaluation.fingerprint)
    return found


def _parts_metadata(parts: Sequence[Part]) -> Metadata:
    """The columns that explain a measurement, and how the worst of them looked then and now."""
    if not parts:
        return {}
    table = dg.MetadataValue.table(
        records=[
            dg.TableRecord({"column": p.name, "value": float(f"{p.value:.4g}"), "what": p.text})
            for p in parts
        ],
        schema=dg.TableSchema(
            columns=[
                dg.TableColumn("column", "string"),
                dg.TableColumn("value", "float"),
                dg.TableColumn("what", "string"),
            ]
        ),
    )
    drawn = histograms(parts)
    charts: Metadata = {"aiguard/histograms": dg.MetadataValue.md(drawn)} if drawn else {}
    return {"aiguard/columns": table, **charts}


def point_from_metadata(metadata: Mapping[str, dg.MetadataValue[Any]]) -> Point | None:
    """The verdict that a check evaluation recorded; None where it is not one of ours."""
    if "aiguard/verdict" not in metadata or "aiguard/as_of" not in metadata:
        return None
    as_of = _time(metadata["aiguard/as_of"])
    start = metadata.get("aiguard/window_start")
    since = metadata.get("aiguard/champion_since")
    return Point(
        as_of=as_of,
        start=_time(start) if start else as_of,
        verdict=Verdict(_plain(metadata, "aiguard/verdict")),
        subject=_plain(metadata, "aiguard/champion"),
        in_force_since=_time(since) if since else None,
        reason=str(_plain(metadata, "aiguard/reason") or ""),
        value=_plain(metadata, "aiguard/value"),
        limit=_plain(metadata, "aiguard/limit"),
        n=_plain(metadata, "aiguard/n") or 0,
        series=str(_plain(metadata, "aiguard/series") or ""),
        facts=_plain(metadata, "aiguard/facts") or {},
    )


def decision_metadata(decision: Decision) -> Metadata:
    """What is recorded with a decision."""
    return {
        "aiguard/decision": dg.MetadataValue.text(decision.kind.value),
        "aiguard/as_of": dg.MetadataValue.timestamp(decision.at),
        "aiguard/incident": dg.MetadataValue.text(decision.incident),
        "aiguard/rule": dg.MetadataValue.text(decision.rule),
        "aiguard/reason": dg.MetadataValue.text(decision.reason),
        "aiguard/actor": dg.MetadataValue.text(decision.actor),
        "aiguard/evidence": dg.MetadataValue.json(json.loads(json.dumps(dict(decision.evidence)))),
    }


def decision_from_metadata(metadata: Mapping[str, dg.MetadataValue[Any]]) -> Decision | None:
    """The inverse of :func:`decision_metadata`; None where it is no decision."""
    if "aiguard/decision" not in metadata:
        return None
    return Decision(
        kind=DecisionKind(_plain(metadata, "aiguard/decision")),
        at=_time(metadata["aiguard/as_of"]),
        incident=_plain(metadata, "aiguard/incident"),
        rule=_plain(metadata, "aiguard/rule"),
        reason=_plain(metadata, "aiguard/reason"),
        actor=_plain(metadata, "aiguard/actor"),
        evidence=_plain(metadata, "aiguard/evidence"),
    )


def _plain(metadata: Mapping[str, dg.MetadataValue[Any]], key: str) -> Any:  # noqa: ANN401
    found = metadata.get(key)
    return found.value if found is not None else None


def _time(value: dg.MetadataValue[Any]) -> datetime:
    return datetime.fromtimestamp(float(value.value), tz=UTC)
