"""YAML text to plain values: safe, bounded, and with errors that name line and column."""

from collections.abc import Hashable
from typing import Any

import yaml

from aiguard_dagster.core.errors import Problem, SpecError

MOST_CHARACTERS = 1_000_000
MOST_NESTED = 40


class _Loader(yaml.SafeLoader):
    """Safe values only, and no key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable) or key in seen:
                what = "is given twice" if isinstance(key, Hashable) else "is no key"
                raise yaml.MarkedYAMLError(
                    problem=f"{key!r} {what}", problem_mark=key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def read_yaml(text: str, *, file: str) -> object:
    """Plain values from YAML.

    Raises:
        SpecError: The text is empty, too long, nested too deep, uses aliases, asks for objects of
            Python's, gives a key twice, or is no YAML.
    """
    if len(text) > MOST_CHARACTERS:
        what = f"{len(text):,} characters, and a guard has at most {MOST_CHARACTERS:,}"
        raise _problem(file, what, "write one guard a file.")
    try:
        _bound(text, file)
        found = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = error.problem or error.context or "not YAML"
        if "could not determine a constructor" in problem:
            tag = problem.rpartition("'")[0].rpartition("'")[2]
            what = f"{where}the tag {tag!r} asks for more than plain values"
            raise _problem(file, what, "write text, numbers, lists and mappings only.") from None
        raise _problem(file, f"{where}{problem}", "mend the YAML there.") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise _problem(file, f"not YAML: {error}", "write the guard as YAML text.") from None
    if found is None:
        raise _problem(file, "the file is empty", "start with version: 1 and name:.")
    return found


def _bound(text: str, file: str) -> None:
    """Walk the events, which takes no stack and no memory, before anything is built."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            where = f"line {_line(event)}: "
            what = f"{where}the alias *{event.anchor} repeats another part"
            raise _problem(file, what, "guards have no aliases; write the part out.")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MOST_NESTED:
            where = f"line {_line(event)}: "
            what = f"{where}nested more than {MOST_NESTED} levels deep"
            raise _problem(file, what, "a guard needs five.")


def _problem(file: str, what: str, hint: str) -> SpecError:
    return SpecError([Problem(file=file, path="", what=what, hint=hint)])


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0
