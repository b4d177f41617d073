"""Suites that tests name by their import path."""

import great_expectations as gx  # noqa: TID253 - imported only by the test that needs it
from great_expectations import expectations as gxe  # noqa: TID253

HOURS = [gxe.ExpectColumnValuesToBeBetween(column="hr", min_value=0, max_value=23)]
Hours = gx.ExpectationSuite(name="hours", expectations=HOURS)
Empty = gx.ExpectationSuite(name="empty")
NotASuite = 7
