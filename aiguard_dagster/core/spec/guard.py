"""The guard: everything declared for one production model."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from aiguard_dagster.core.durations import Duration, PositiveDuration
from aiguard_dagster.core.spec.base import Spec
from aiguard_dagster.core.spec.limits import LimitField
from aiguard_dagster.core.spec.names import Action, Alias, Mode, Name
from aiguard_dagster.core.spec.policy import Decide, Rollback
from aiguard_dagster.core.spec.signals import DeltaSignal, Signal
from aiguard_dagster.core.spec.table import Table
from aiguard_dagster.core.words import with_hint


class Model(Spec):
    """The registered model under guard, and what marks its champion."""

    name: Annotated[str, Field(min_length=1, max_length=255)]
    """Its name in the registry."""
    alias: Alias | None = None
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


class Rule(Spec):
    """A stop rule: signal, limit, grace window and action, with an owner."""

    name: Name
    """It names the rule's check, such as ``forecast_error``."""
    signal: Signal
    """What is measured: ``kind`` and its options."""
    limit: LimitField | None = None
    grace: Duration = timedelta(0)
    """How long a breach must persist, in event time, before the rule fires."""
    resolve_after: Duration = timedelta(0)
    """How long it must then be ``ok``, in event time, before the breach counts as over."""
    action: Action = Action.NOTIFY
    owner: str | None = None
    """Who decides on this rule; the guard's owner when left out."""

    @property
    def takes(self) -> timedelta:
        """How long it takes from sound data until the rule could fire: its window and grace."""
        window = self.signal.window if isinstance(self.signal, DeltaSignal) else timedelta(0)
        return window + self.grace

    def on(self, table: str) -> "Rule":
        """The same rule on another table."""
        return self.model_copy(update={"signal": self.signal.model_copy(update={"table": table})})


class Guard(Spec):
    """Everything declared for one production model."""

    version: Literal[1] = 1
    name: Name
    """It names the guard in Dagster, such as ``bike_demand``."""
    owner: Annotated[str, Field(min_length=1)]
    """Who is told and decides, such as ``team:forecasting``."""
    mode: Mode = Mode.OBSERVE
    model: Model | None = None
    """The registered model; a guard on data alone has none."""
    tables: dict[Name, Table] = Field(min_length=1)
    """The assets that rules look at, each under a name of the guard's own."""
    rules: tuple[Rule, ...] = Field(min_length=1)
    """What is measured, which limits matter, and what happens when one is crossed."""
    decide: Decide = Decide()
    """How long the owner has for an answer, and what happens without one."""
    rollback: Rollback = Rollback()
    """Where a rollback goes, what it needs to know, and what follows it."""
    initial_delay: Duration = timedelta(0)
    """After a promotion, breaches of the new champion do not count for this long."""
    recovery_window: PositiveDuration | None = None
    """A rule that no rollback, retrain or new version has brought back by then is structural: the
    guard stops acting on the model and the owner is told. Twice the rule's window and grace, and 14
    days at least, when left out."""
    cooldown: Duration = timedelta(days=7)
    """After an action on the model, no further one for this long, in event time."""
    silence: PositiveDuration = timedelta(days=3)
    """A rule that has had no ``ok`` and no ``breach`` for this long is escalated to the owner."""

    @field_validator("rules")
    @classmethod
    def _only_table(cls, rules: tuple[Rule, ...], info: ValidationInfo) -> tuple[Rule, ...]:
        """Where there is one table, rules need not name it."""
        tables = list(info.data.get("tables", ()))
        if len(tables) != 1:
            return rules
        return tuple(rule if rule.signal.table else rule.on(tables[0]) for rule in rules)

    @property
    def tables_to_record(self) -> tuple[str, ...]:
        """The tables that a baseline must hold: those that a rule compares with it."""
        needed = {
            rule.signal.table
            for rule in self.rules
            if rule.signal.needs_model and not rule.signal.of_runs
        }
        return tuple(name for name in self.tables if name in needed)

    @property
    def tables_by_version(self) -> tuple[str, ...]:
        """The tables of rows that are profiled and name the version that made each: predictions."""
        windows = [rule.signal for rule in self.rules if isinstance(rule.signal, DeltaSignal)]
        profiled = {signal.table for signal in windows if not signal.of_runs}
        return tuple(
            name
            for name, table in self.tables.items()
            if name in profiled and table.model_version and table.traces is None
        )

    def recovery_window_of(self, rule: Rule) -> timedelta:
        """How long a new champion has to bring a rule back."""
        return self.recovery_window or max(2 * rule.takes, timedelta(days=14))

    def owner_of(self, rule: Rule) -> str:
        """Who decides on this rule."""
        return rule.owner or self.owner
