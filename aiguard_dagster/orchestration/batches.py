"""What rules that compare windows are judged on: batches of a table, in event time."""

from typing import NamedTuple

from aiguard_dagster.core.verdicts import Window


class Batch(NamedTuple):
    """One batch that was counted.

    Attributes:
        key: Its partition; of traces, when it began.
        window: The span of event time that it holds.
        mark: What tells this content from an earlier one: the storage id of its profile, or a
            digest of what was counted.
    """

    key: str
    window: Window
    mark: int | str
