"""The guard: everything declared for one production model."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, model_validator

from aiguard_dagster.core.durations import Duration, PositiveDuration
from aiguard_dagster.core.spec.base import Spec
from aiguard_dagster.core.spec.limits import LimitField
from aiguard_dagster.core.spec.signals import Signal
from aiguard_dagster.core.words import with_hint

NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9_]{0,63}$"
ALIAS_PATTERN = r"^[A-Za-z0-9_-]{1,255}$"
ASSET_PATTERN = r"^[^/\s][^/]*(/[^/]+)*$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]


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


class Model(Spec):
    """The registered model under guard, and what marks its champion."""

    name: Annotated[str, Field(min_length=1, max_length=255)]
    alias: Annotated[str, Field(pattern=ALIAS_PATTERN)] | None = None
    """The alias that marks the champion; ``champion`` when neither alias nor stage is given."""
    stage: Literal["Production", "Staging"] | None = None
    """The registry stage that marks the champion, for registries that still use stages."""

    @model_validator(mode="after")
    def _alias_or_stage(self) -> "Model":
        if self.alias is not None and self.stage is not None:
            what = "one mark tells the champion, not two"
            raise ValueError(with_hint(what, "give alias or stage, not both."))
        if self.alias is None and self.stage is None:
            object.__setattr__(self, "alias", "champion")
        return self


class Table(Spec):
    """An asset that the user already has, and what its columns mean."""

    asset: Annotated[str, Field(pattern=ASSET_PATTERN)]
    """Asset key, parts joined by ``/``."""
    time: str | None = None
    """The event-time column; naive values are read as UTC."""
    key: tuple[str, ...] = ()
    """Columns that name a row, to join predictions to features; the time column when left out."""
    prediction: str | None = None
    label: str | None = None
    """The outcome's column; null until it is known."""
    model_version: str | None = None
    """The column that says which version made the prediction."""
    cost: str | None = None
    """The column with the cost of each prediction."""

    @property
    def asset_path(self) -> tuple[str, ...]:
        """The asset key's parts."""
        return tuple(self.asset.split("/"))

    @property
    def row_key(self) -> tuple[str, ...]:
        """The columns that name a row."""
        return self.key or ((self.time,) if self.time else ())


class Rule(Spec):
    """A stop rule: signal, limit, grace window and action, with an owner."""

    name: Name
    signal: Signal
    limit: LimitField | None = None
    grace: Duration = timedelta(0)
    """How long a breach must persist, in event time, before the rule fires."""
    action: Action = Action.NOTIFY
    owner: str | None = None
    """Who decides on this rule; the guard's owner when left out."""


class Guard(Spec):
    """Everything declared for one production model."""

    version: Literal[1] = 1
    name: Name
    owner: Annotated[str, Field(min_length=1)]
    mode: Mode = Mode.OBSERVE
    model: Model | None = None
    """The registered model; a guard on data alone has none."""
    tables: dict[Name, Table] = Field(min_length=1)
    rules: tuple[Rule, ...] = Field(min_length=1)
    cooldown: Duration = timedelta(days=7)
    """After an action on the model, no further one for this long, in event time."""
    silence: PositiveDuration = timedelta(days=3)
    """A rule that has had no ``ok`` and no ``breach`` for this long is escalated to the owner."""

    def owner_of(self, rule: Rule) -> str:
        """Who decides on this rule."""
        return rule.owner or self.owner
