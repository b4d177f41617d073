"""Who decides and by when, where a rollback goes, and how often the guard may act by itself."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, WithJsonSchema, model_validator

from aiguard_dagster.core.durations import PositiveDuration
from aiguard_dagster.core.spec.base import Spec
from aiguard_dagster.core.spec.names import Action, Alias
from aiguard_dagster.core.spec.signals.base import ImportPath
from aiguard_dagster.core.words import shown, with_hint


class Decide(Spec):
    """How long the owner has for an answer, and what happens without one."""

    within: PositiveDuration = timedelta(hours=4)
    """Time on the clock from when the owner was asked."""
    otherwise: Action = Action.NOTIFY
    """``notify`` escalates to the owner and does nothing; ``hold`` holds the predictions back;
    ``rollback`` goes ahead as if approved."""


VERSION_PATTERN = r"^[1-9][0-9]*$"
VersionNumber = Annotated[
    str,
    Field(pattern=VERSION_PATTERN, coerce_numbers_to_str=True),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": VERSION_PATTERN},
            ]
        }
    ),
]


class Target(Spec):
    """A fixed place to roll back to."""

    alias: Alias | None = None
    """The version that bears this alias."""
    version: VersionNumber | None = None
    """This version."""

    @model_validator(mode="after")
    def _one(self) -> "Target":
        if (self.alias is None) == (self.version is None):
            what = "a rollback goes to one place"
            raise ValueError(with_hint(what, "give alias or version, one of them."))
        return self


def _form(value: object) -> str:
    """Which form a place to roll back to has."""
    return "place" if isinstance(value, dict | Target) else "word"


def _known(value: object) -> object:
    if value != "last_known_good":
        what = f"{shown(value)} is no place to go back to"
        hint = "write last_known_good, {alias: NAME} or {version: NUMBER}."
        raise ValueError(with_hint(what, hint))
    return value


Destination = Annotated[
    Annotated[Literal["last_known_good"], BeforeValidator(_known), Tag("word")]
    | Annotated[Target, Tag("place")],
    Discriminator(_form),
]


class OnInconclusive(StrEnum):
    """What a rollback does when nobody can tell whether the candidate would do better."""

    ASK = "ask"
    GO = "go"
    HOLD = "hold"


class Tell(Spec):
    """A service that is told of a rollback, such as one that must load the model again."""

    webhook: Annotated[str, Field(min_length=1)] | None = None
    """The environment variable that holds the address: JSON is posted to it."""
    call: ImportPath | None = None
    """A function, as ``package.module:name``; it is called with what would be posted, a dict."""
    within: PositiveDuration = timedelta(seconds=10)
    """How long one of three attempts may take."""

    @model_validator(mode="after")
    def _one(self) -> "Tell":
        if (self.webhook is None) == (self.call is None):
            what = "a service is told in one way"
            raise ValueError(with_hint(what, "give webhook or call, one of them."))
        return self


class Rollback(Spec):
    """Where a rollback goes, what it needs to know, and what follows it."""

    to: Destination = "last_known_good"
    """``last_known_good`` is the newest earlier champion that served without a lasting breach."""
    on_inconclusive: OnInconclusive = OnInconclusive.ASK
    """``ask`` the owner, ``go`` ahead, or ``hold`` the predictions back."""
    at_most: Annotated[int, Field(ge=1)] = 3
    """Rollbacks that the guard makes by itself within ``per``; after that it tells the owner."""
    per: PositiveDuration = timedelta(days=30)
    """The span of event time that ``at_most`` speaks of."""
    load_within: PositiveDuration = timedelta(minutes=5)
    """How long the candidate may take to load and to predict, in a process of its own."""
    repredict: Literal["since_incident"] | None = None
    """``since_incident``: partitions of the predictions since the incident are made again with the
    restored version."""
    confirm_within: PositiveDuration = timedelta(days=2)
    """When predictions do not carry the restored version by then, the owner is told."""
    tell: Tell | None = None
    """A service that is told once the model has moved."""

    @property
    def place(self) -> str:
        """Where it goes, in words."""
        if not isinstance(self.to, Target):
            return "the last known good version"
        if self.to.version:
            return f"version {self.to.version}"
        return f"the version with the alias {self.to.alias}"
