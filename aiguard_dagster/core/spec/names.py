"""Names, and the few words that a guard's YAML may choose between."""

import re
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from aiguard_dagster.core.words import with_hint

NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9_]{0,63}$"
ALIAS_PATTERN = r"^[A-Za-z0-9_-]{1,255}$"
RESERVED_ALIAS = r"^(?:[lL][aA][tT][eE][sS][tT]|[vV][0-9]+)$"
"""MLflow reads these in a model URI as a version: ``latest``, ``v3``."""
Name = Annotated[str, Field(pattern=NAME_PATTERN)]


def _not_reserved(alias: str) -> str:
    if re.match(RESERVED_ALIAS, alias):
        what = f"{alias!r} is reserved: MLflow reads it as a version"
        raise ValueError(with_hint(what, "choose another name, such as champion."))
    return alias


Alias = Annotated[
    str,
    Field(pattern=ALIAS_PATTERN, json_schema_extra={"not": {"pattern": RESERVED_ALIAS}}),
    AfterValidator(_not_reserved),
]


class Mode(StrEnum):
    """``observe`` measures only, ``propose`` asks the owner, ``enforce`` acts."""

    OBSERVE = "observe"
    PROPOSE = "propose"
    ENFORCE = "enforce"


class Action(StrEnum):
    """What a rule that fires asks for."""

    NOTIFY = "notify"
    HOLD = "hold"
    ROLLBACK = "rollback"
