"""Schema: are the columns there, and of their types?"""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from aiguard_dagster.core.spec.base import Spec
from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import DataSignal, Flag, Found, Layer, Limits

ColumnType = Literal[
    "int",
    "float",
    "decimal",
    "string",
    "boolean",
    "timestamp",
    "date",
    "time",
    "duration",
    "binary",
    "list",
    "struct",
    "map",
    "any",
]
Against = Literal["declared", "baseline", "previous", "signature"]


class DeclaredColumn(Spec):
    """What one column must be; ``int`` alone stands for ``{type: int}``."""

    type: ColumnType = "any"
    nullable: Flag = True
    """Whether it may hold nulls."""

    @model_validator(mode="before")
    @classmethod
    def _from_short_form(cls, value: object) -> object:
        return {"type": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Both forms, for editors."""
        return {"anyOf": [{"enum": list(get_args(ColumnType))}, handler(schema)]}


class Schema(DataSignal):
    """Columns that are missing, retyped, unexpected, null or out of order, counted."""

    layer: ClassVar[Layer] = Layer.FEATURES
    kind: Literal["schema"] = "schema"
    columns: Annotated[dict[str, DeclaredColumn], Field(min_length=1)] | None = None
    """Name to type: int, float, decimal, string, boolean, timestamp, date, time, duration, binary,
    list, struct, map, any; or to {type, nullable}."""
    against: Against | None = None
    """``declared`` columns, what the champion's ``baseline`` recorded, the ``previous`` batch that
    was ok, or the champion's ``signature`` in MLflow. Columns are declared where there are some,
    else it is the baseline."""
    allow_extra: Flag = True
    """Whether columns that are not named are welcome."""
    ordered: Flag = False
    """Whether the order of the columns counts."""

    @property
    def limits(self) -> Limits:
        """None."""
        return Limits(refused="any difference is a breach")

    @property
    def compared_with(self) -> Against:
        """What the columns are held against."""
        return self.against or ("declared" if self.columns else "baseline")

    @property
    def needs_model(self) -> str:
        """Unless the columns are declared, or those of the batch before."""
        match self.compared_with:
            case "baseline":
                return "without columns it compares with a model's baseline"
            case "signature":
                return "it compares with the champion's signature"
            case _:
                return ""

    def problems(self) -> Iterator[Found]:
        """Two things to compare with, or none."""
        if self.columns and self.against not in {None, "declared"}:
            what = f"columns are declared, and it compares with something else: {self.against}"
            yield ("against", what, "take out columns, or against.")
        if not self.columns and self.against == "declared":
            yield ("columns", "no columns are declared", "add columns: {name: type}.")

    def sentence(self, asset: str, limit: Limit | None) -> str:  # noqa: ARG002
        """What must hold."""
        named = {
            "baseline": "the columns and types that the champion's baseline recorded",
            "previous": "the columns and types of the last batch that was ok",
            "signature": "the columns and types that the champion takes as its input",
            "declared": f"the {len(self.columns or ())} declared columns, of their declared types",
        }[self.compared_with]
        if self.columns and len(self.columns) == 1:
            named = "the one declared column, of its declared type"
        order = ", in their order" if self.ordered else ""
        return f"{asset} must have {named}{order}{'' if self.allow_extra else ', and no other'}"
