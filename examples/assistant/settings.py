"""What the example is made of, and how its published data are laid out in time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

MODEL = "assistant"
"""The registered model, and the experiment with its traces."""
SERVED_BY = "assistant-large"
DATA = Path(__file__).parent / "data"
DAY = timedelta(days=1)

TRACE_START = datetime(2023, 11, 16, 18, 16)  # noqa: DTZ001 - the trace tells no time zone
"""The first whole minute of conversations in the published hour."""
CODE_START = datetime(2023, 11, 16, 18, 35)  # noqa: DTZ001
"""Where the longest run of minutes with code requests begins: what is played after the switch."""
STRETCH = 1440
"""A minute of that hour is a day here."""
BASELINE_START = datetime(2023, 11, 17, tzinfo=UTC)
"""The day that stands for the first minute; v1's baseline begins."""
FIRST = BASELINE_START + 28 * DAY
"""The first day in production."""
SWITCH = FIRST + 14 * DAY
"""From here on the assistant is used for code."""
LAST = SWITCH + 9 * DAY
"""The last day."""
JUDGED_EVERY = 4
"""One in so many answers was judged by people."""
