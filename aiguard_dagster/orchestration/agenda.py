"""Which guards a tick looks at: those with news, those whose time has come, and a few more.

A tick must end within seconds whatever the number of guards and the length of their history. So a
sensor's cursor remembers how far it has read the event log and, for each guard, when it must be
looked at again even without news. The cursor is a cache: without it every guard is looked at, a
tick's worth at a time.
"""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256

from aiguard_dagster.core.spec import Guard

ANYWAY = timedelta(hours=1)
"""Each guard is looked at once in this time, whatever the event log seems to say."""
PATIENCE_S = 7.0
"""How long a tick goes on to the next guard, from when it began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is remembered of one guard.

    Attributes:
        mark: Names its spec: a guard that was changed is new.
        looked: When it was last looked at.
        due: When it must be looked at again, news or not; None where nothing is waited for.
        calm: Whether nothing was going on, so that good news need no look.
        waits: Whether it had news that no tick had time for.
        note: A word of the sensor's own, such as a signature of what it has judged.
    """

    mark: str
    looked: datetime
    due: datetime | None = None
    calm: bool = False
    waits: bool = False
    note: str = ""


@dataclass(kw_only=True)
class Agenda:
    """The guards of one sensor, and what is remembered of them.

    Attributes:
        read: How far the event log was read, a storage id; None without a cursor.
        entries: What is remembered, by guard.
        now: The time of the wall.
        began: When the tick began, in seconds of a clock that only goes forward.
    """

    read: int | None
    entries: dict[str, Entry] = field(default_factory=dict)
    now: datetime
    began: float = field(default_factory=time.monotonic)

    @classmethod
    def from_cursor(cls, cursor: str | None, *, now: datetime) -> "Agenda":
        """What a cursor tells; one that cannot be read tells nothing."""
        try:
            document = json.loads(cursor or "")
            entries = {name: _entry(values) for name, values in document["guards"].items()}
            return cls(read=int(document["read"]), entries=entries, now=now)
        except (ValueError, KeyError, TypeError):
            return cls(read=None, now=now)

    def to_cursor(self) -> str:
        """The inverse of :meth:`from_cursor`."""
        guards = {name: _values(entry) for name, entry in self.entries.items()}
        return json.dumps({"read": self.read or 0, "guards": guards}, separators=(",", ":"))

    def has_time(self) -> bool:
        """Whether this tick goes on to another guard."""
        return time.monotonic() < self.began + PATIENCE_S

    def is_due(self, guard: Guard) -> bool:
        """Whether a guard must be looked at without news."""
        entry = self.entries.get(guard.name)
        if entry is None or entry.mark != mark_of(guard) or entry.waits:
            return True
        if entry.due is not None and entry.due <= self.now:
            return True
        # A clock that was set back must not keep a guard from being looked at.
        return not timedelta(0) <= self.now - entry.looked < ANYWAY

    def is_calm(self, guard: Guard) -> bool:
        """Whether good news about a guard may be left at that."""
        entry = self.entries.get(guard.name)
        return entry is not None and entry.calm

    def note(self, guard: Guard) -> str:
        """The sensor's own word on a guard; empty where there is none, or the guard was changed."""
        entry = self.entries.get(guard.name)
        return entry.note if entry and entry.mark == mark_of(guard) else ""

    def looked_at(
        self, guard: Guard, *, due: datetime | None = None, calm: bool = False, note: str = ""
    ) -> None:
        """Remember that a guard was looked at."""
        self.entries[guard.name] = Entry(
            mark=mark_of(guard), looked=self.now, due=due, calm=calm, note=note
        )

    def put_off(self, guard: Guard) -> None:
        """Remember that a guard must be looked at by the next tick."""
        entry = self.entries.get(guard.name) or Entry(mark="", looked=self.now)
        self.entries[guard.name] = replace(entry, waits=True)

    def failed(self, guard: Guard) -> None:
        """Remember that a guard must be looked at again, after the others have had their turn."""
        self.entries[guard.name] = Entry(mark=mark_of(guard), looked=self.now, waits=True)

    def oldest_first(self, guards: Iterable[Guard]) -> list[Guard]:
        """Guards in the order of their turn: who was not looked at for longest comes first."""
        never = datetime.min.replace(tzinfo=self.now.tzinfo)

        def turn(guard: Guard) -> datetime:
            entry = self.entries.get(guard.name)
            return entry.looked if entry and entry.mark else never

        return sorted(guards, key=turn)

    def keep(self, guards: Sequence[Guard]) -> None:
        """Forget the guards that are gone."""
        names = {guard.name for guard in guards}
        self.entries = {name: entry for name, entry in self.entries.items() if name in names}


def mark_of(guard: Guard) -> str:
    """A short name of all that a guard declares."""
    return sha256(guard.model_dump_json().encode()).hexdigest()[:8]


def _entry(values: Mapping[str, str | int]) -> Entry:
    due = values.get("d")
    return Entry(
        mark=str(values["m"]),
        looked=datetime.fromisoformat(str(values["l"])),
        due=datetime.fromisoformat(str(due)) if due else None,
        calm=bool(values.get("c")),
        waits=bool(values.get("w")),
        note=str(values.get("n", "")),
    )


def _values(entry: Entry) -> dict[str, str | int]:
    found: dict[str, str | int] = {"m": entry.mark, "l": entry.looked.isoformat("T", "seconds")}
    if entry.due is not None:
        found["d"] = entry.due.isoformat()
    if entry.calm:
        found["c"] = 1
    if entry.waits:
        found["w"] = 1
    if entry.note:
        found["n"] = entry.note
    return found
