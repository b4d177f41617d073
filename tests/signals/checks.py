"""Functions that a user might write."""

from datetime import UTC, datetime

import numpy as np

from aiguard_dagster.core.verdicts import Measurement, Window

NO_FUNCTION = 3
AT = datetime(2012, 5, 2, tzinfo=UTC)


def riders(table, *, least=0):
    return sum(count for count in table["cnt"].to_list() if count >= least)


def riders_add_up(table):
    return (table["casual"] + table["registered"] == table["cnt"]).all()


def is_whole(table):
    return len(table) == 24


def share_as_numpy(table):
    return np.float64(len(table) / 24)


def nothing(table):
    return None


def not_a_number(table):
    return float("nan")


def text(table):
    return "fine"


def fails(table):
    raise ValueError(str(table["cnt"][0]))


def measured(table):
    return Measurement(value=7.0, n=3, window=Window(start=AT, end=AT), as_of=AT)
