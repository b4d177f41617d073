"""The three families of errors, and the shape of every message: where, what, why, hint."""

from collections.abc import Sequence
from dataclasses import dataclass


class AIGuardError(Exception):
    """Any error that this package raises on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with a guard, where it stands, and what would mend it.

    Attributes:
        file: The file as the user named it, or ``<python>`` for a guard written in code.
        path: The place inside the file, such as ``rules[2].limit``; empty for the whole file.
        what: What is wrong and why, one sentence without a full stop needed.
        hint: What to do, with the valid choices where there are some.
    """

    file: str
    path: str
    what: str
    hint: str

    def __str__(self) -> str:
        where = f"{self.file}: {self.path}: " if self.path else f"{self.file}: "
        return f"{where}{self.what}\n\nHint: {self.hint}"


class SpecError(AIGuardError):
    """A guard is written wrongly. Holds every problem found, not only the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n\n".join(str(problem) for problem in self.problems))


class MeasurementError(AIGuardError):
    """The data, or what was recorded about it, cannot be measured."""


class ActionError(AIGuardError):
    """The world refused: a registry, a store or a notifier did not do what it was asked to."""
