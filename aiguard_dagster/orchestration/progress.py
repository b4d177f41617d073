"""How far a guard's batches have been judged, as the delta sensor's cursor remembers it.

With it a tick looks at what is new only, however long the history. It is a cache: without it all
batches are looked at, and what has been judged before is found in the event log.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a guard's batches have been judged.

    Attributes:
        frame: All that they were judged by.
        newest: The newest of them, a storage id.
        batches: How many there were.
    """

    frame: str = ""
    newest: int = 0
    batches: int = 0

    def __str__(self) -> str:
        """As a sensor's cursor keeps it."""
        return f"{self.frame}:{self.newest}:{self.batches}"

    @classmethod
    def parse(cls, text: str) -> "Progress":
        """The inverse; nothing where there was none."""
        frame, _, numbers = text.partition(":")
        newest, _, batches = numbers.partition(":")
        if not (numbers.isascii() and newest.isdigit() and batches.isdigit()):
            return cls()
        return cls(frame=frame, newest=int(newest), batches=int(batches))


@dataclass(frozen=True, slots=True)
class Note:
    """What the sensor remembers of a guard.

    Attributes:
        champion: The champion at the time.
        signature: All that was judged; empty while something is left.
        progress: How far batches had been judged when nothing was left.
    """

    champion: str
    signature: str
    progress: Progress

    def __str__(self) -> str:
        """As the agenda keeps it."""
        return f"{self.champion} {self.signature} {self.progress}"

    @classmethod
    def parse(cls, text: str) -> "Note":
        """The inverse; nothing where there was none."""
        champion, _, rest = text.partition(" ")
        signature, _, progress = rest.partition(" ")
        return cls(champion, signature, Progress.parse(progress))
