"""Compliance: has a person or a system raised a stop?"""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from aiguard_dagster.core.spec.base import Column
from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import DataSignal, Flag, Found, Layer, Limits
from aiguard_dagster.core.spoken import joined


class Compliance(DataSignal):
    """How many stops stand that a person or a system has raised; one is enough."""

    layer: ClassVar[Layer] = Layer.USE
    kind: Literal["compliance"] = "compliance"
    by: Column | None = None
    """The column with who raised a stop; each row of the table is one."""
    why: Column | None = None
    """The column with the reason."""
    raised: Column | None = None
    """The column that says whether a row is a stop; all are when left out."""
    lifted: Column | None = None
    """The column with when the stop was lifted, or whether it was."""
    tag: Annotated[str, Field(min_length=1, max_length=250)] | None = None
    """A tag of the champion's version in MLflow; its text is ``who: why``."""
    events: Flag = False
    """Whether observations of the table's asset in Dagster raise stops: metadata ``stop`` and
    ``stop_by``, the newest counts, an empty ``stop`` lifts it."""

    @property
    def limits(self) -> Limits:
        """None may stand."""
        return Limits(refused="one stop is enough")

    @property
    def reads_rows(self) -> bool:
        """Whether the table holds stops."""
        return any((self.by, self.why, self.raised, self.lifted))

    @property
    def explains(self) -> bool:
        """A stop is no broken data: it explains no other breach."""
        return False

    @property
    def no_grace(self) -> str:
        """A stop is meant at once."""
        return "a stop is meant at once"

    @property
    def needs_all_rows(self) -> str:
        """A partition would forget the stops of those before it."""
        return "a stop stands until it is lifted" if self.reads_rows else ""

    @property
    def needs_model(self) -> str:
        """Where the tag is."""
        return "tag is of a model's version" if self.tag else ""

    def problems(self) -> Iterator[Found]:
        """Nothing to look at, or nobody to ask."""
        if not self.reads_rows and not self.tag and not self.events:
            yield ("", "nothing raises a stop", "add by and why, tag, or events: true.")
        for option, found in (("by", self.by), ("why", self.why)):
            if self.reads_rows and found is None:
                asked = "who raised it" if option == "by" else "the reason"
                yield (option, f"a stop tells {asked}", "add the column's name.")

    def sentence(self, asset: str, limit: Limit | None) -> str:  # noqa: ARG002
        """What must hold."""
        where = [f"in {asset}"] if self.reads_rows else []
        where += [f"in the tag {self.tag} of the champion's version"] if self.tag else []
        where += [f"in an observation of {asset}"] if self.events else []
        return f"No stop may stand {joined(where)}, whoever raised it"
