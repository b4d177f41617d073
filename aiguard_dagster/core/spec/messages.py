"""What pydantic found, in our words: the place as the file writes it, and the valid choices."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from aiguard_dagster.core.errors import Problem
from aiguard_dagster.core.spec.base import Spec
from aiguard_dagster.core.spec.error_budget import ErrorBudgetLimit
from aiguard_dagster.core.spec.limits import (
    CHOICES,
    AbsoluteLimit,
    BaselineLimit,
    FalseAlarmLimit,
)
from aiguard_dagster.core.spec.names import ALIAS_PATTERN, NAME_PATTERN
from aiguard_dagster.core.spec.places import kinds_of, locate
from aiguard_dagster.core.spec.policy import VERSION_PATTERN
from aiguard_dagster.core.spec.signals import IMPORT_PATTERN, Signal
from aiguard_dagster.core.spec.sources import Source
from aiguard_dagster.core.spec.table import ASSET_PATTERN
from aiguard_dagster.core.spec.yaml_text import Place, format_place
from aiguard_dagster.core.words import did_you_mean, shown, split_hint

UNIONS: Mapping[object, Sequence[str]] = {
    "signal": sorted(kinds_of(Signal)),
    "source": sorted(kinds_of(Source)),
}
LIMITS: Mapping[str, type[Spec]] = {
    "absolute": AbsoluteLimit,
    "baseline": BaselineLimit,
    "false_alarm": FalseAlarmLimit,
    "error_budget": ErrorBudgetLimit,
}
LIMIT_KEYS = [name for model in LIMITS.values() for name in model.model_fields]
PATTERNS = {
    NAME_PATTERN: (
        "is no name",
        "begin with a letter; letters, digits and underscores follow, 64 at most.",
    ),
    ALIAS_PATTERN: ("is no alias", "letters, digits, underscores and hyphens only."),
    ASSET_PATTERN: ("is no asset key", "join its parts with /, such as bikes/hourly_features."),
    IMPORT_PATTERN: ("is no import path", "write package.module:Name."),
    VERSION_PATTERN: ("is no version of a model", "write its number, such as 3."),
}
WANTED = {
    "string": ("text", "write text, in quotes if it looks like a number."),
    "int": ("a whole number", "write a whole number, such as 100."),
    "bool": ("true or false", "choose true or false."),
    "float": ("a number", "write a number, such as 0.95."),
    "date": ("a day", "write it as 2026-03-31."),
    "tuple": ("a list", "write [a, b], or each item after a dash."),
    "dict": ("a mapping", "write key: value pairs."),
    "model": ("a mapping", "write key: value pairs."),
}
OTHER_NAMES = {
    "str": "string",
    "text": "string",
    "integer": "int",
    "bool": "boolean",
    "double": "float",
    "number": "float",
    "datetime": "timestamp",
    "object": "any",
}
"""What others call the types of columns."""
BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}


def problems_of(error: ValidationError, *, file: str, spoiled: Iterable[Place]) -> list[Problem]:
    """Every error as a problem, without those that only follow from another.

    Args:
        error: From ``Guard.model_validate``.
        file: The name to report problems under.
        spoiled: Places that have been reported before.
    """
    found: dict[str, Problem] = {}
    known = set(spoiled)
    for detail in error.errors(include_url=False):
        place, owner = locate(detail)
        if detail["type"] == "too_short" and detail["input"]:
            continue  # Pydantic counts the items that are right; the wrong ones are told.
        if any(place[:end] in known for end in range(len(place) + 1)):
            continue
        path = format_place(place)
        what, hint = _words(detail, owner)
        found.setdefault(path, Problem(file=file, path=path, what=what, hint=hint))
    return list(found.values())


def _words(detail: ErrorDetails, owner: type[Spec]) -> tuple[str, str]:
    """What is wrong, and the hint."""
    given, context = detail["input"], detail.get("ctx", {})
    match detail["type"]:
        case "extra_forbidden":
            return _unknown_key(detail, owner)
        case "missing":
            return "is missing", _add(detail, owner)
        case "union_tag_invalid" | "union_tag_not_found":
            return _no_member(detail)
        case "literal_error" | "enum":
            expected = str(context["expected"])
            choices = expected.replace("'", "").replace(" or ", ", ").split(", ")
            meant = OTHER_NAMES.get(str(given).lower(), given)
            hint = did_you_mean(
                meant if meant in choices else given, choices, f"choose {_listed(choices)}."
            )
            if len(choices) == 1:
                hint = f"write {choices[0]}, without quotes."
            return f"{shown(given)} is no choice here", hint
        case "string_pattern_mismatch":
            what, hint = PATTERNS[str(context["pattern"])]
            return f"{shown(given)} {what}", hint
        case "value_error":
            what, hint = split_hint(str(context["error"]))
            return what, hint or "see `aiguard schema`."
        case kind:
            return _measure(kind, given, context)


def _measure(kind: str, given: object, context: Mapping[str, object]) -> tuple[str, str]:
    """The wrong type, too little or too much."""
    if kind in {"too_short", "string_too_short"}:
        return "is empty", "give at least one." if kind == "too_short" else "write its name."
    if kind == "string_too_long":
        return f"is longer than {context['max_length']} characters", "shorten it."
    if kind in BOUNDS:
        key, words = BOUNDS[kind]
        whole = ", that is 100%" if key == "le" else ""
        return f"{shown(given)} is out of range", f"give {words} {context[key]}{whole}."
    wanted, hint = WANTED.get(
        kind.partition("_")[0], ("what belongs here", "see `aiguard schema`.")
    )
    return f"{shown(given)} is not {wanted}", hint


def _unknown_key(detail: ErrorDetails, owner: type[Spec]) -> tuple[str, str]:
    choices = [field.alias or name for name, field in owner.model_fields.items()]
    own = owner is ErrorBudgetLimit and detail["loc"][-1] not in LIMIT_KEYS
    if owner in LIMITS.values() and not own:
        what, hint = "a limit has one form", f"choose one of {_listed(LIMIT_KEYS)}."
        return ("unknown key" if detail["loc"][-1] not in LIMIT_KEYS else what), hint
    hint = f"the keys here are {_listed(choices)}."
    return "unknown key", did_you_mean(detail["loc"][-1], choices, hint)


def _add(detail: ErrorDetails, owner: type[Spec]) -> str:
    key = str(detail["loc"][-1])
    for name, field in owner.model_fields.items():
        if key not in {name, field.alias}:
            continue
        if get_origin(field.annotation) is Literal:
            return f"add {key}, one of {_listed(get_args(field.annotation))}."
        if field.description:
            return f"add {key}. {field.description.replace('``', '')}"
    return f"add {key}."


def _no_member(detail: ErrorDetails) -> tuple[str, str]:
    """A signal or a source of no known kind, or a limit of no known form."""
    given, union = detail["input"], detail["loc"][-1]
    if union in UNIONS:
        kinds = _listed(UNIONS[union])
        if detail["type"] == "union_tag_not_found":
            return "is missing", f"add kind, one of {kinds}."
        kind = given.get("kind") if isinstance(given, dict) else given
        hint = did_you_mean(kind, UNIONS[union], f"the kinds are {kinds}.")
        return f"{shown(kind)} is no kind of {union}", hint
    word = next(iter(given), given) if isinstance(given, dict) else given
    return f"{shown(word)} is no limit", did_you_mean(word, LIMIT_KEYS, f"choose {CHOICES}.")


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)
