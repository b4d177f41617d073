"""The rows of a batch as a pandas frame, for libraries that want one."""

from typing import TYPE_CHECKING

from aiguard_dagster.signals.batch import Batch

if TYPE_CHECKING:
    import pandas as pd


def pandas_rows(batch: Batch, *, keep_index: bool = False) -> "pd.DataFrame":
    """The batch as pandas: the user's own frame where it is one, else converted.

    Args:
        batch: The batch; what is kept in Spark or a database is fetched.
        keep_index: Leave the index of the user's frame alone. Without it a named index becomes
            columns, and one without a name, which may repeat, is counted anew.
    """
    import pandas as pd

    if not isinstance(batch.native, pd.DataFrame):
        return batch.frame.collect().to_pandas()
    if keep_index:
        return batch.native
    named = list(batch.native.index.names) != [None]
    return batch.native.reset_index(drop=not named)
