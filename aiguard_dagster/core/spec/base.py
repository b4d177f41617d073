"""What all pieces of a guard share: frozen, and unknown keys are an error."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from aiguard_dagster.core.calendars import zone_of
from aiguard_dagster.core.errors import MeasurementError


def _known(zone: str) -> str:
    try:
        zone_of(zone)
    except MeasurementError as error:
        raise ValueError(str(error)) from None
    return zone


Zone = Annotated[str, AfterValidator(_known)]
"""A time zone of the tz database."""
Column = Annotated[str, Field(min_length=1)]
"""A column's name."""


class Spec(BaseModel):
    """Base of every piece of a guard."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        defer_build=True,  # Every code location imports this; most guards are built later.
    )
