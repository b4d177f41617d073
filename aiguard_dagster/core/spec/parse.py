"""Guard files to guards, with every problem of a file at once, in our words."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from aiguard_dagster.core.durations import UNITS
from aiguard_dagster.core.errors import Problem, SpecError
from aiguard_dagster.core.spec import signals
from aiguard_dagster.core.spec.guard import Guard, Model, Rule, Table
from aiguard_dagster.core.spec.limits import CHOICES, BaselineLimit, FalseAlarmLimit
from aiguard_dagster.core.spec.semantics import find_problems
from aiguard_dagster.core.spec.yaml_text import read_yaml

KINDS: dict[str, type[signals.SignalBase]] = {
    "freshness": signals.Freshness,
    "schema": signals.Schema,
    "completeness": signals.Completeness,
    "pandera": signals.Pandera,
    "drift": signals.Drift,
    "performance": signals.Performance,
    "cost": signals.Cost,
}
LIMITS = {"AbsoluteLimit", "BaselineLimit", "FalseAlarmLimit"}


def parse_guard(text: str, *, file: str) -> Guard:
    """Read one guard.

    Args:
        text: YAML.
        file: The name to report problems under.

    Raises:
        SpecError: With every problem that could be found.
    """
    document = read_yaml(text, file=file)
    if not isinstance(document, Mapping):
        what = f"a guard is a mapping, and this is a {type(document).__name__}"
        hint = "start with version: 1 and name:."
        raise SpecError([Problem(file=file, path="", what=what, hint=hint)])
    try:
        guard = Guard.model_validate(document)
    except ValidationError as error:
        raise SpecError(_problems(error, document, file)) from None
    problems = find_problems(guard, file=file)
    if problems:
        raise SpecError(problems)
    return guard


def _problems(error: ValidationError, document: Mapping[Any, Any], file: str) -> list[Problem]:
    found: dict[tuple[str, str], Problem] = {}
    details = error.errors(include_url=False)
    children = {detail["loc"][0] for detail in details if len(detail["loc"]) > 1}
    for detail in details:
        location = detail["loc"]
        if detail["type"] == "too_short" and location and location[0] in children:
            continue  # pydantic counts only the items that are right; the wrong ones are told.
        path = _path(location)
        what, hint = _words(detail, _owner(location, document))
        found.setdefault((path, what), Problem(file=file, path=path, what=what, hint=hint))
    return list(found.values())


def _path(location: tuple[int | str, ...]) -> str:
    """Pydantic's location as it stands in the file: ``rules[2].signal.window``."""
    path = ""
    for position, part in enumerate(location):
        if isinstance(part, int):
            path += f"[{part}]"
            continue
        before = location[position - 1] if position else None
        if before == "signal" and part in KINDS:
            continue  # The name of the union's member, not a key.
        if part in LIMITS or "function-before" in part or part == "[key]":
            continue
        path += f".{part}" if path else part
    return path


def _owner(location: tuple[int | str, ...], document: Mapping[Any, Any]) -> type[BaseModel] | None:
    """The model whose key the location names."""
    match location[:-1]:
        case ():
            return Guard
        case ("model",):
            return Model
        case ("tables", _):
            return Table
        case ("rules", int()):
            return Rule
        case ("rules", int(), "signal", str(kind)):
            return KINDS.get(kind)
        case _:
            return None


def _words(detail: Any, owner: type[BaseModel] | None) -> tuple[str, str]:  # noqa: ANN401, PLR0911 - pydantic's mapping; one line a kind of error
    kind, given, key = detail["type"], detail["input"], str((detail["loc"] or ("",))[-1])
    match kind:
        case "extra_forbidden":
            valid = _keys(owner)
            near = difflib.get_close_matches(key, valid, n=1)
            meant = f"did you mean {near[0]}? " if near else ""
            return "unknown key", f"{meant}The keys here are {', '.join(valid)}."
        case "missing":
            return "is missing", f"add {key}:."
        case "union_tag_invalid":
            return f"unknown signal {given.get('kind')!r}", f"the kinds are {', '.join(KINDS)}."
        case "union_tag_not_found":
            return "the signal says no kind", f"add kind:, one of {', '.join(KINDS)}."
        case "literal_error" | "enum":
            return f"{given!r} is not known here", f"choose {detail['ctx']['expected']}."
        case "value_error":
            return _split(str(detail["ctx"]["error"]), key)
        case "string_pattern_mismatch":
            return f"{given!r} does not fit", f"it must match {detail['ctx']['pattern']}."
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"{given!r} is no mapping", "write key: value pairs below it."
        case "tuple_type" | "list_type":
            return f"{given!r} is no list", "write a list, each item after a dash."
        case "too_short":
            return "must not be empty", "add at least one."
        case _:
            return f"{_shown(given)}: {_lower(detail['msg'])}", "see `aiguard schema`."


def _split(message: str, key: str) -> tuple[str, str]:
    """Our own messages carry what is right behind a semicolon."""
    what, _, hint = message.partition("; ")
    if hint:
        return what, f"{hint}."
    if key == "limit":
        return what, f"choose {CHOICES}."
    if "negative" in what or "zero" in what:
        return what, f"write a number and one of {', '.join(UNITS)}, such as 30m or 3d."
    return what, "see `aiguard schema`."


def _keys(owner: type[BaseModel] | None) -> list[str]:
    if owner is None:
        models: Iterable[type[BaseModel]] = (BaselineLimit, FalseAlarmLimit)
        return sorted(name for model in models for name in model.model_fields)
    return [field.alias or name for name, field in owner.model_fields.items()]


def _shown(given: object) -> str:
    text = repr(given)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
