"""A guard file's text to a guard, with every problem of the file at once."""

from collections.abc import Iterable, Mapping

from pydantic import ValidationError

from aiguard_dagster.core.errors import Problem, SpecError
from aiguard_dagster.core.spec.guard import Guard
from aiguard_dagster.core.spec.messages import problems_of
from aiguard_dagster.core.spec.places import locate
from aiguard_dagster.core.spec.semantics import find_problems
from aiguard_dagster.core.spec.yaml_text import Place, read_yaml
from aiguard_dagster.core.words import shown

APART = {"version", "mode", "cooldown", "silence"}
"""Keys of a guard that no check across its parts looks at."""


def parse_guard(text: str, *, file: str) -> Guard:
    """Read one guard.

    Args:
        text: YAML.
        file: The name to report problems under.

    Raises:
        SpecError: With every problem that could be found.
    """
    document = read_yaml(text, file=file)
    value, problems = document.value, list(document.problems)
    if not isinstance(value, Mapping):
        if not problems:
            what = f"a guard is a mapping, and this is {shown(value)}"
            hint = "start with version: 1 and name:."
            problems.append(Problem(file=file, path="", what=what, hint=hint))
        raise SpecError(problems)
    return _build(value, file=file, problems=problems, spoiled=document.spoiled)


def read_guard(value: Mapping[str, object], *, file: str) -> Guard:
    """Read one guard that somebody else has taken out of a file.

    Args:
        value: What stood there.
        file: The name to report problems under.

    Raises:
        SpecError: With every problem that could be found.
    """
    return _build(value, file=file, problems=[], spoiled=())


def _build(
    value: Mapping[str, object], *, file: str, problems: list[Problem], spoiled: Iterable[Place]
) -> Guard:
    broken = set(spoiled)
    try:
        guard = Guard.model_validate(value)
    except ValidationError as error:
        problems += problems_of(error, file=file, spoiled=broken)
        broken |= {locate(detail)[0] for detail in error.errors(include_url=False)}
    if not broken:
        problems += find_problems(guard, file=file)
    else:
        problems += _problems_of_the_rest(value, broken, file)
    if problems:
        raise SpecError(problems)
    return guard


def _problems_of_the_rest(
    value: Mapping[str, object], broken: set[Place], file: str
) -> list[Problem]:
    """What :func:`find_problems` says of the rules that can be read, if enough else can be.

    A rule is left out when it, or the table it looks at, is broken: what would be said of it could
    be but a consequence.
    """
    rules, tables = value.get("rules"), value.get("tables")
    if not isinstance(rules, list) or not isinstance(tables, dict):
        return []
    bad_rules, bad_tables, left_out = set(), set(), {"rules", "tables"}
    for place in broken:
        match place:
            case ("rules",):
                pass  # The items are told of one by one.
            case ("rules", int(position), *_):
                bad_rules.add(position)
            case ("tables", str(name), *_):
                bad_tables.add(name)
            case (str(key),) if key in APART:
                left_out.add(key)
            case _:
                return []
    whole = [i for i in range(len(rules)) if i not in bad_rules]
    kept = [i for i in whole if rules[i]["signal"].get("table", "predictions") not in bad_tables]
    rest = {key: part for key, part in value.items() if key not in left_out}
    rest["rules"] = [rules[i] for i in kept]
    rest["tables"] = tables | {name: {"asset": "unknown"} for name in bad_tables}
    try:
        guard = Guard.model_validate(rest)
    except ValidationError:
        return []
    return find_problems(guard, file=file, positions=kept)
