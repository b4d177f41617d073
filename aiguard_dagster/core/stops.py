"""A stop that a person or a system raised: by whom, why and since when."""

import json
from dataclasses import dataclass
from datetime import datetime

LONGEST = 200
"""Characters of a name or a reason that are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One stop that stands.

    Attributes:
        by: Who raised it; empty where nobody is named.
        why: The reason; empty where none is given.
        where: Where it stands, such as ``the tag stop of v3``; empty for a row of a table.
        since: When it was raised, aware; None where that is not known.
        version: The model version that it is about; empty for all.
    """

    by: str
    why: str
    where: str = ""
    since: datetime | None = None
    version: str = ""

    @property
    def who(self) -> str:
        """Who raised it, as one says it."""
        return short(self.by) or "nobody named"

    @property
    def told(self) -> str:
        """Why, about what, since when and where, as one says it."""
        said = [short(self.why) or "no reason given"]
        said += [f"about v{self.version}"] if self.version else []
        said += [f"since {self.since:%Y-%m-%d %H:%M} UTC"] if self.since else []
        said += [f"in {self.where}"] if self.where else []
        return ", ".join(said)


def short(text: str) -> str:
    """A name or a reason on one line, and no longer than it need be."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"


def stop_of_text(text: str, where: str) -> Stop | None:
    """The stop that a tag's text raises; None of no text.

    The text is JSON with ``by`` and ``why``, or ``who: why``, or but a reason.

    >>> stop_of_text("Ann Lee: unlicensed data", "a tag").by
    'Ann Lee'
    >>> stop_of_text('{"by": "audit-bot", "why": "PII found"}', "a tag").why
    'PII found'
    >>> stop_of_text("recalled", "a tag").who
    'nobody named'
    """
    if not text.strip():
        return None
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if isinstance(document, dict):
        by, why = (str(document.get(key) or "") for key in ("by", "why"))
        return Stop(by=by, why=why, where=where)
    by, colon, why = text.partition(":")
    return Stop(by=by.strip() if colon else "", why=(why if colon else text).strip(), where=where)
