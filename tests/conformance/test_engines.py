"""One suite for every data signal: the same verdict and value whatever engine holds the rows."""

from dataclasses import replace
from datetime import UTC, timedelta

import polars as pl
import pytest

from aiguard_dagster.adapters.tables.rows import open_rows
from aiguard_dagster.core.spec import Rule, Table
from aiguard_dagster.core.spec.signals import DataSignal
from aiguard_dagster.core.verdicts import Verdict, Window
from aiguard_dagster.signals.batch import Asset, Batch
from aiguard_dagster.signals.measure import MEASURES, evaluate_batch
from tests.conformance.engines import LOCAL, as_spark
from tests.conformance.rules import RULES
from tests.conformance.tables import START, TABLES

TABLE = Table(asset="orders", time="at", key=("id",), label="name", prediction="name")
BEGIN = START.replace(tzinfo=UTC)
DAY = Window(start=BEGIN, end=BEGIN + timedelta(days=1))
ASSET = Asset(key="orders", owners=("team:shop",), columns={"id": "bigint", "x": "varchar"})
KINDS = {kind.model_fields["kind"].default for kind in MEASURES}
CASES = [
    pytest.param(kind, options, id=f"{kind}{number}")
    for kind, rules in RULES.items()
    if kind in KINDS
    for number, options in enumerate(rules)
]
KNOWN = {
    ("pandas", "pandera", "NaN"): "pandas has no NaN that is not missing; pandera on polars has",
    ("pandas", "pandera", "NaN and nulls"): "the same",
    ("spark", "expectations", "NaN"): "on Spark GX takes NaN for a value; here it gets pandas",
    ("spark", "expectations", "NaN and nulls"): "the same",
}
OTHERS = {
    "same": lambda rows: rows,
    "half": lambda rows: rows.head(len(rows) // 2),
    "shifted": lambda rows: rows.with_columns(pl.col("x") + 1),
}


def rule_of(kind, options):
    signal = {name: value for name, value in options.items() if name != "limit"}
    return Rule.model_validate(
        {"name": "rule", "signal": {"kind": kind, **signal}, "limit": options.get("limit")}
    )


def batch_of(rows, engine):
    opened = open_rows(engine(rows))
    batch = Batch(
        frame=opened.frame,
        native=opened.native,
        table=TABLE,
        window=DAY,
        now=DAY.end + timedelta(hours=1),
        asset=ASSET,
    )
    return replace(batch, other=lambda name: batch_of(OTHERS[name](rows), engine))


def said(evaluation):
    value = evaluation.measurement.value
    return (
        evaluation.verdict,
        None if value is None else pytest.approx(value),
        evaluation.measurement.n,
        evaluation.reason,
    )


def test_every_kind_is_in_the_suite():
    assert set(DataSignal.__subclasses__()) == set(MEASURES)
    assert set(RULES) == KINDS


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(("kind", "options"), CASES)
@pytest.mark.filterwarnings("ignore")
def test_local_engines_agree(kind, options, table):
    rule, rows = rule_of(kind, options), TABLES[table]()
    found = {name: evaluate_batch(rule, batch_of(rows, engine)) for name, engine in LOCAL.items()}
    expected = found.pop("polars")
    for name, evaluation in found.items():
        if (name, kind, table) in KNOWN:
            assert said(evaluation) != said(expected), "no longer a difference"
            continue
        assert (name, said(evaluation)) == (name, said(expected))


@pytest.mark.spark
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.filterwarnings("ignore")
def test_spark_agrees(table):
    rows = TABLES[table]()
    here, there = batch_of(rows, LOCAL["polars"]), batch_of(rows, as_spark)
    told = {}
    for case in CASES:
        rule = rule_of(*case.values)
        ours, theirs = said(evaluate_batch(rule, here)), said(evaluate_batch(rule, there))
        if ours != theirs and ("spark", case.values[0], table) not in KNOWN:
            told[case.id] = (ours, theirs)
    assert told == {}


ODD = ["a.b", "a `b`", "*", "^x$", 'a "b"', "größe", '"; DROP TABLE x; --', "it's", " "]
BY_NAME = ("completeness", "unique", "values", "reconcile", "skew")


def renamed(value, names):
    """An option with other names for the columns in it."""
    if isinstance(value, dict):
        return {names.get(k, k): renamed(v, names) for k, v in value.items()}
    if isinstance(value, list):
        return [renamed(v, names) for v in value]
    return names.get(value, value) if isinstance(value, str) else value


def disagreements(engine, name):
    """Rules on a column of this name, judged by an engine and by polars on a plain one."""
    rows, names = TABLES["nulls"](), {"id": name}
    told = {}
    for kind in BY_NAME:
        for number, options in enumerate(RULES[kind]):
            asked = {k: v if k == "entities" else renamed(v, names) for k, v in options.items()}
            plainly = evaluate_batch(rule_of(kind, options), batch_of(rows, LOCAL["polars"]))
            found = evaluate_batch(rule_of(kind, asked), batch_of(rows.rename(names), engine))
            if said(found)[:3] != said(plainly)[:3]:
                told[f"{kind}{number}"] = said(found)
    return told


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("engine", LOCAL.values(), ids=LOCAL)
@pytest.mark.filterwarnings("ignore")
def test_a_column_may_have_any_name(engine, name):
    assert disagreements(engine, name) == {}


@pytest.mark.spark
@pytest.mark.parametrize("name", ODD)
@pytest.mark.filterwarnings("ignore")
def test_a_column_may_have_any_name_on_spark(name):
    assert disagreements(as_spark, name) == {}


def test_the_suite_sees_every_verdict():
    seen = {
        evaluate_batch(rule_of(*case.values), batch_of(build(), LOCAL["polars"])).verdict
        for case in CASES
        for build in TABLES.values()
    }
    assert seen >= {Verdict.OK, Verdict.BREACH, Verdict.INCONCLUSIVE}
