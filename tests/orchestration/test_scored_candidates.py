"""A candidate is held against the champion on scores only where it gives scores."""

from datetime import timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Performance, Table
from aiguard_dagster.orchestration.preflight import positives_of, require_answers, scores_of

TABLE = Table(asset="p", time="at", prediction="said", label="label", score="score")


def auc(**more):
    return Performance(metric="auc", window=timedelta(days=1), **more)


@pytest.mark.parametrize(
    "said",
    [
        np.array([0.2, 0.9]),
        np.array([[0.8, 0.2], [0.1, 0.9]]),
        pd.Series([0.2, 0.9]),
        pd.DataFrame({"no": [0.8, 0.1], "yes": [0.2, 0.9]}),
    ],
    ids=["scores", "both classes", "a series", "a frame"],
)
def test_scores_are_taken_in_whatever_form_a_model_gives_them(said):
    assert scores_of(said, "auc").tolist() == [0.2, 0.9]


@pytest.mark.parametrize(
    "said", [np.array([0, 1]), np.array(["yes", "no"]), np.array([0.5, 3.0]), np.array([0.0, 1.0])]
)
def test_a_candidate_that_predicts_classes_is_refused(said):
    with pytest.raises(MeasurementError, match="it predicts classes, and auc is of scores"):
        scores_of(said, "auc")


@pytest.mark.parametrize(
    ("label", "positive"),
    [
        ([1, 0], None),
        ([1.0, 0.0], None),
        ([True, False], None),
        (["1", "0"], None),
        (["yes", "no"], "yes"),
        ([2, 1], 2),
        ([False, True], False),
    ],
)
def test_the_positive_class_is_found_whatever_the_label_s_type(label, positive):
    rows = pl.DataFrame({"label": label})
    assert positives_of(rows, TABLE, auc(positive=positive)).tolist() == [1.0, 0.0]


def test_a_candidate_that_answers_only_what_it_likes_is_not_scored_on_that():
    said = np.ones(200)
    said[:2] = np.nan
    require_answers(said, "1")
    said[2] = np.inf
    with pytest.raises(MeasurementError, match="v1 gives no number for 3 of 200 rows"):
        require_answers(said, "1")


def test_classes_are_answers():
    require_answers(np.array(["yes", "no"]), "1")
    require_answers(np.array([1, 0]), "1")
