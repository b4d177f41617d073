"""What can be measured: one model a kind, told apart by ``kind``."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from aiguard_dagster.core.durations import PositiveDuration, Ratio
from aiguard_dagster.core.spec.base import Spec
from aiguard_dagster.core.verdicts import Direction

IMPORT_PATTERN = r"^[\w.]+:[\w.]+$"
ColumnType = Literal["int", "float", "string", "boolean", "timestamp", "date", "any"]


class Layer(StrEnum):
    """Where a signal looks; a breach further up explains the breaches below it."""

    SOURCE = "source"
    PIPELINE = "pipeline"
    FEATURES = "features"
    METADATA = "metadata"
    MODEL = "model"
    USE = "use"


class SignalBase(Spec):
    """What every signal declares of itself besides its options."""

    layer: ClassVar[Layer]
    judges_data: ClassVar[bool]
    """True: measured in the run that writes the table. False: from profiles, by the sensor."""

    @property
    def direction(self) -> Direction:
        """The bad direction of the value."""
        return "high"


Share = Annotated[Ratio, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, strict=True)]
Columns = Annotated[tuple[str, ...], Field(min_length=1)]


class Freshness(SignalBase):
    """How old the newest row is, in seconds, at the end of the partition or now."""

    layer: ClassVar[Layer] = Layer.SOURCE
    judges_data: ClassVar[bool] = True
    kind: Literal["freshness"] = "freshness"
    table: str
    """One of the guard's tables."""
    max_age: PositiveDuration
    """The newest row may be this old, by the table's ``time`` column."""


class Schema(SignalBase):
    """Columns that are missing, retyped or unexpected, counted."""

    layer: ClassVar[Layer] = Layer.FEATURES
    judges_data: ClassVar[bool] = True
    kind: Literal["schema"] = "schema"
    table: str
    """One of the guard's tables."""
    columns: Annotated[dict[str, ColumnType], Field(min_length=1)] | None = None
    """Name to type: int, float, string, boolean, timestamp, date, any. What the champion's baseline
    recorded when left out."""
    allow_extra: Annotated[bool, Field(strict=True)] = True
    """Whether columns that are not named are welcome."""


class Completeness(SignalBase):
    """The worst of: rows against ``min_rows``, time slots filled, values not null. From 0 to 1."""

    layer: ClassVar[Layer] = Layer.PIPELINE
    judges_data: ClassVar[bool] = True
    kind: Literal["completeness"] = "completeness"
    table: str
    """One of the guard's tables."""
    min_rows: Count | None = None
    every: PositiveDuration | None = None
    """The table's time column should have at least one row in each slot of this length."""
    columns: Columns | None = None
    """Columns whose nulls count; all when left out."""

    @property
    def direction(self) -> Direction:
        """A smaller share is worse."""
        return "low"


class Pandera(SignalBase):
    """Failures of a pandera schema: values and columns that break it, counted."""

    layer: ClassVar[Layer] = Layer.FEATURES
    judges_data: ClassVar[bool] = True
    kind: Literal["pandera"] = "pandera"
    table: str
    """One of the guard's tables."""
    schema_: Annotated[str, Field(alias="schema", pattern=IMPORT_PATTERN)]
    """Import path of a DataFrameModel or DataFrameSchema, ``package.module:Name``."""


class Drift(SignalBase):
    """How far the columns have moved from the baseline; the worst column speaks."""

    layer: ClassVar[Layer] = Layer.FEATURES
    judges_data: ClassVar[bool] = False
    kind: Literal["drift"] = "drift"
    table: str
    """One of the guard's tables."""
    window: PositiveDuration
    """How much of the newest data is judged together, such as ``14d``."""
    columns: Columns | None = None
    """Columns to compare; all that the baseline profiled when left out."""
    min_samples: Count = 100
    """On fewer rows the rule is inconclusive."""
    min_coverage: Share = 0.8
    """Share of the window's partitions that must be there."""


RegressionMetric = Literal["mae", "rmse", "bias"]
ClassificationMetric = Literal["accuracy", "precision", "recall", "f1"]
LOWER_IS_BETTER = frozenset({"mae", "rmse", "bias"})


class Performance(SignalBase):
    """How well predictions meet the labels that have arrived."""

    layer: ClassVar[Layer] = Layer.MODEL
    judges_data: ClassVar[bool] = False
    kind: Literal["performance"] = "performance"
    table: str = "predictions"
    """One of the guard's tables."""
    metric: Literal[RegressionMetric, ClassificationMetric]
    """``bias`` is the mean error without its sign; precision, recall and f1 are macro means."""
    window: PositiveDuration
    """How much of the newest data is judged together, such as ``14d``."""
    min_samples: Count = 100
    """On fewer rows the rule is inconclusive."""
    min_coverage: Share = 0.8
    """Share of the window's partitions, and of its rows that have a label, that must be there."""

    @property
    def direction(self) -> Direction:
        """Errors are worse when high, scores when low."""
        return "high" if self.metric in LOWER_IS_BETTER else "low"


class Cost(SignalBase):
    """Spend per 1,000 predictions, in the currency of the cost column."""

    layer: ClassVar[Layer] = Layer.USE
    judges_data: ClassVar[bool] = False
    kind: Literal["cost"] = "cost"
    table: str = "predictions"
    """One of the guard's tables."""
    window: PositiveDuration
    """How much of the newest data is judged together, such as ``14d``."""
    min_samples: Count = 100
    """On fewer rows the rule is inconclusive."""
    min_coverage: Share = 0.8
    """Share of the window's partitions, and of its predictions with a cost, that must be there."""


Signal = Annotated[
    Freshness | Schema | Completeness | Pandera | Drift | Performance | Cost,
    Field(discriminator="kind"),
]
DataSignal = Freshness | Schema | Completeness | Pandera
DeltaSignal = Drift | Performance | Cost
