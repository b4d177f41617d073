"""What was tried and what became of it: the table that `make chaos` prints."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Row:
    """One fault: how often it was tried, and how often all was well in the end."""

    tried: int = 0
    survived: int = 0

    @property
    def lost(self) -> int:
        return self.tried - self.survived


@dataclass
class Table:
    """Faults in the order in which they were first tried."""

    rows: dict[str, Row] = field(default_factory=dict)

    @contextmanager
    def trying(self, fault: str, *, times: int = 1) -> Iterator[None]:
        """Count a fault; it is survived when the block ends without an error."""
        row = self.rows.setdefault(fault, Row())
        row.tried += times
        try:
            yield
        except KeyboardInterrupt:
            row.tried -= times
            raise
        row.survived += times

    def lines(self) -> list[str]:
        """The table in Markdown, with a last line of sums."""
        rows = [(name, row.tried, row.survived, row.lost) for name, row in self.rows.items()]
        sums = [sum(column) for column in list(zip(*rows, strict=True))[1:]]
        head = ["| fault | tried | survived | lost |", "|---|---:|---:|---:|"]
        cells = [*rows, ("all", *sums)]
        return head + [f"| {' | '.join(map(str, cell))} |" for cell in cells]
