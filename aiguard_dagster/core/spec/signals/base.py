"""What every kind of signal declares of itself besides its options."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from aiguard_dagster.core.durations import PositiveDuration, Ratio
from aiguard_dagster.core.spec.base import Spec
from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.verdicts import Direction

IMPORT_PATTERN = r"^[\w.]+:[\w.]+$"
Share = Annotated[Ratio, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Columns = Annotated[tuple[str, ...], Field(min_length=1)]
ImportPath = Annotated[str, Field(pattern=IMPORT_PATTERN)]
Found = tuple[str, str, str]
"""Path below the signal, what is wrong, hint."""


class Layer(StrEnum):
    """Where a signal looks; a breach further up explains the breaches below it."""

    SOURCE = "source"
    PIPELINE = "pipeline"
    FEATURES = "features"
    METADATA = "metadata"
    MODEL = "model"
    USE = "use"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Which limits a kind takes.

    Attributes:
        refused: Why it takes none; empty when it takes some.
        default: The absolute limit in force when the guard names none; None when it must.
        relative: Whether it may be relative to a value of the baseline.
        budget: Whether it may be calibrated to a false-alarm budget.
        events: What its value is a share of, where those are good or bad one by one, so that it may
            have an error budget; empty where it is no such share.
        share: Whether the value lies in 0 to 1.
        percentage: Whether a percentage says something all the same.
        against: Why it is not relative to a baseline; empty where nothing is to be said.
        choices: What a hint offers.
    """

    refused: str = ""
    default: float | None = None
    relative: bool = False
    budget: bool = False
    events: str = ""
    share: bool = False
    percentage: bool = False
    against: str = ""
    choices: str = "a value"

    @property
    def offered(self) -> str:
        """What a hint offers, error budgets too."""
        return f"{self.choices}; or objective and period" if self.events else self.choices


class SignalBase(Spec):
    """Base of all kinds."""

    layer: ClassVar[Layer]
    judges_data: ClassVar[bool]
    """True: measured on the rows of a batch. False: from the profiles of a window."""

    kind: str
    table: str = ""
    """One of the guard's tables; may be left out where there is but one."""

    @property
    def direction(self) -> Direction:
        """The bad direction of the value."""
        return "high"

    @property
    def limits(self) -> Limits:
        """Which limits it takes."""
        return Limits()

    @property
    def subject(self) -> str:
        """What messages call its value."""
        return self.kind

    @property
    def needs(self) -> tuple[str, ...]:
        """The fields of its table that it cannot do without: ``time``, or ``task or request``."""
        return ()

    @property
    def reads_rows(self) -> bool:
        """Whether it looks at the rows of a batch; some only ask Dagster."""
        return self.judges_data

    @property
    def of_runs(self) -> bool:
        """Whether it looks at the runs that made a table, and at nothing in it."""
        return False

    @property
    def explains(self) -> bool:
        """Whether a breach of it explains breaches further down."""
        return self.judges_data and self.layer is not Layer.METADATA

    @property
    def others(self) -> dict[str, str]:
        """Other tables of the guard that it reads, by the option that names them."""
        return {}

    @property
    def needs_model(self) -> str:
        """Why the guard must have a model; empty when it need not."""
        return ""

    @property
    def needs_time_partitions(self) -> str:
        """The option that asks about partitions in time; empty when none does."""
        return ""

    @property
    def no_grace(self) -> str:
        """Why its rule has no grace window; empty when it may have one."""
        return ""

    @property
    def needs_all_rows(self) -> str:
        """Why its table must have no partitions; empty when it may have some."""
        return ""

    @property
    def imports(self) -> dict[str, str]:
        """Import paths of the user's own code, by the option that names them."""
        return {}

    def problems(self) -> Iterator[Found]:
        """What is wrong between its own options."""
        return iter(())

    def sentence(self, asset: str, limit: Limit | None) -> str:
        """What must hold, for people."""
        raise NotImplementedError


class DataSignal(SignalBase):
    """Base of the kinds that are measured on the rows of a batch."""

    judges_data: ClassVar[bool] = True


class DeltaSignal(SignalBase):
    """Base of the kinds that compare a window of profiles with the baseline."""

    judges_data: ClassVar[bool] = False
    counted: ClassVar[str]
    """What ``min_samples`` counts."""

    window: PositiveDuration
    """How much of the newest data is judged together, such as ``14d``."""
    min_samples: Count = 100
    """On fewer the rule is inconclusive."""
    min_coverage: Share = 0.8
    """Share of the window that must be there: of its partitions, and of its rows that have what is
    measured."""

    @property
    def samples(self) -> str:
        """What a rule says that it has too few of."""
        return self.counted

    @property
    def needs_model(self) -> str:
        """The baseline belongs to a model."""
        return f"{self.kind} compares with a model's baseline"
