"""Batches that engines are apt to count differently: rows, table and what is asked of them."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from aiguard_dagster.core.spec import Table

NAN, INF = float("nan"), float("inf")
ROWS = 200
RNG = np.random.default_rng(1)
NORMAL = RNG.normal(size=ROWS)
CHANGES = [datetime(2026, 3, 28, 22), datetime(2026, 10, 24, 22)]
"""Hours before clocks change in Europe: first they leave an hour out, then they show one twice."""
LETTERS = ["a", "A", "a ", " a", "ä", "a\u0308", "\U0001f600", "'", '"', "\\", "\n", "%", "", None]
AS_TEXT = ["1", "1.5", "1e5", "+3", ".5", "5.", " 7 ", "1_000", "0x10", "nan", "-inf", "", None]
ODD = ["z", "part", "rows", "v0", "f0", "a0", "time", "said", "x/0", "x", "*", "^x$", 'a"b', "a.b"]
CLASSES = Table(asset="t", prediction="said", label="label", score="score", model_version="v")


def filled(values):
    return (values * ROWS)[:ROWS]


def local_times():
    at = [change + timedelta(minutes=5 * row) for row in range(ROWS // 2) for change in CHANGES]
    return pl.DataFrame(
        {
            "at": at,
            "since": [time - timedelta(microseconds=1_001 * row) for row, time in enumerate(at)],
            "day": [time.date() for time in at],
            "there": pl.Series(at).dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Kolkata"),
        }
    )


def classes(said, label):
    score = RNG.random(ROWS)
    score[:4] = NAN, INF, 0.05, 1.0
    return pl.DataFrame(
        {
            "said": said,
            "label": label,
            "score": score,
            "v": pl.Series(filled([2.0, 2.7, -1.5, NAN, None, INF, 1e30])),
        }
    )


def numbers(values):
    return pl.DataFrame({"x": values})


def letters(values):
    return pl.DataFrame(
        {"c": filled(values), "said": NORMAL, "label": np.where(NORMAL > 1, NAN, -NORMAL)}
    )


PLAIN, BY_CATEGORY = Table(asset="t"), Table(asset="t", prediction="said", label="label")
BERLIN = Table(asset="t", time="at", time_zone="Europe/Berlin")
WHOLE = pl.Series(filled([0, 1, 2, None]))
FLOAT = pl.Series(filled([1.0, 0.0, 2.5, NAN, None]))
TEXT = pl.Series(filled(["1", "0", "cat", None]))
TRUTH = pl.Series(filled([True, False, None]))
BATCHES = {
    "local times": (local_times(), BERLIN, {}),
    "local times by day": (local_times(), BERLIN, {"by": "day"}),
    "times that are null": (
        local_times().with_columns(at=pl.when(pl.Series(NORMAL > 0)).then("at")),
        BERLIN,
        {"by": "day"},
    ),
    "times before 1970": (
        local_times().with_columns(pl.col("at", "since") - timedelta(days=30_000)),
        Table(asset="t", time="at"),
        {"by": "day"},
    ),
    "times with a zone": (
        local_times(),
        BERLIN.model_copy(update={"time": "there"}),
        {"by": "day"},
    ),
    "dates": (local_times(), BERLIN.model_copy(update={"time": "day"}), {"by": "day"}),
    "classes 1 and 1.0": (classes(WHOLE, FLOAT), CLASSES, {"classes": True}),
    "classes 1.0 and 1": (classes(FLOAT, WHOLE), CLASSES, {"classes": True}),
    "classes 1 and '1'": (classes(WHOLE, TEXT), CLASSES, {"classes": True}),
    "classes '1' and 1": (classes(TEXT, WHOLE), CLASSES, {"classes": True}),
    "classes true and 1": (classes(TRUTH, WHOLE), CLASSES, {"classes": True}),
    "classes true and 'true'": (
        classes(TRUTH, TRUTH.cast(pl.String)),
        CLASSES,
        {"classes": True, "residuals": ("score",)},
    ),
    "numbers far from the grid": (
        numbers(NORMAL + 1e6),
        PLAIN,
        {"baseline": numbers(NORMAL), "joint": True},
    ),
    "numbers as text": (numbers(filled(AS_TEXT)), PLAIN, {"baseline": numbers(NORMAL)}),
    "truths where numbers were": (numbers(TRUTH), PLAIN, {"baseline": numbers(NORMAL)}),
    "whole numbers that no float holds": (
        numbers(filled([2**53 + 1, 2**53 - 1, -(2**63), 2**63 - 1, 5])),
        PLAIN,
        {},
    ),
    "numbers next to nothing": (numbers(filled([5e-324, -5e-324, 0.0, -0.0, 1e-200])), PLAIN, {}),
    "numbers beyond measure": (
        numbers(filled([1e200, 1.0, 2.0, 3.0])),
        PLAIN,
        {"baseline": numbers(NORMAL), "joint": True},
    ),
    "categories to the letter": (letters(LETTERS), PLAIN, {}),
    "residuals by category": (
        letters([*LETTERS, "b", "c"]),
        BY_CATEGORY,
        {"baseline": letters(LETTERS), "grid_of": PLAIN, "residuals": ("c",)},
    ),
    "many categories": (
        letters([f"c{row % 150}" for row in range(ROWS)]),
        PLAIN,
        {"baseline": letters([f"c{row % 90}" for row in range(ROWS)])},
    ),
    "odd names": (
        pl.DataFrame({name: RNG.normal(size=ROWS) for name in ODD}),
        PLAIN,
        {"joint": True},
    ),
    "times as text": (
        pl.DataFrame({"note": [CHANGES[0] + timedelta(hours=row) for row in range(ROWS)]}),
        PLAIN,
        {"baseline": pl.DataFrame({"note": [f"text {row} {'x' * row}" for row in range(ROWS)]})},
    ),
    "floats as text": (
        pl.DataFrame({"note": filled([2.0, 1e20, 1e-7])}),
        PLAIN,
        {"baseline": pl.DataFrame({"note": [f"text {row} {'x' * row}" for row in range(ROWS)]})},
    ),
}
