"""What all pieces of a guard share: frozen, and unknown keys are an error."""

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """Base of every piece of a guard."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        defer_build=True,  # Every code location imports this; most guards are built later.
    )
