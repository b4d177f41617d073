"""Where an error of pydantic stands: its place in the file, and the model that has the key."""

from collections.abc import Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import Tag
from pydantic_core import ErrorDetails

from aiguard_dagster.core.spec.base import Spec
from aiguard_dagster.core.spec.guard import Guard
from aiguard_dagster.core.spec.limits import AbsoluteLimit
from aiguard_dagster.core.spec.yaml_text import Place

NO_UNION_MEMBER = ("union_tag_invalid", "union_tag_not_found")


def locate(detail: ErrorDetails) -> tuple[Place, type[Spec]]:
    """The place as the file has it, and the model that holds the last key.

    Pydantic's own location names each member of a union that it tried, which the file does not.
    """
    here: Any = Guard
    owner: type[Spec] = Guard
    place: list[str | int] = []
    for part in detail["loc"]:
        members = dict(_members(here))
        if len({id(member) for member in members.values()}) > 1:
            here = members.get(str(part))
            continue
        here = next(iter(members.values()))
        if isinstance(here, type) and issubclass(here, Spec):
            owner = here
        if part != "[key]":
            place.append(part)
        here = _below(here, part)
    if owner is AbsoluteLimit and detail["type"] != "extra_forbidden" and place[-1:] == ["value"]:
        place.pop()  # A limit stands for itself.
    if detail["type"] in NO_UNION_MEMBER and place[-1:] != ["limit"]:
        place.append("kind")
    return tuple(place), owner


def kinds_of(union: Any) -> Iterator[str]:  # noqa: ANN401 - any annotation
    """The kinds that a union tells its members by."""
    return (kind for kind, _ in _members(union))


def _members(annotation: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - any annotation
    """The types that a value may have, by what pydantic calls them; one where it is no union."""
    metadata: Sequence[object] = ()
    if get_origin(annotation) is Annotated:
        annotation, *metadata = get_args(annotation)
    if get_origin(annotation) in {Union, UnionType}:
        for member in get_args(annotation):
            if member is not NoneType:
                yield from _members(member)
        return
    tags = [mark.tag for mark in metadata if isinstance(mark, Tag)] or _kinds(annotation)
    yield from ((tag, annotation) for tag in tags or [getattr(annotation, "__name__", "")])


def _kinds(annotation: Any) -> list[str]:  # noqa: ANN401 - any annotation
    if not (isinstance(annotation, type) and issubclass(annotation, Spec)):
        return []
    kind = annotation.model_fields.get("kind")
    return list(get_args(kind.annotation)) if kind and _is_literal(kind.annotation) else []


def _is_literal(annotation: Any) -> bool:  # noqa: ANN401 - any annotation
    return get_origin(annotation) is Literal


def _below(here: Any, part: str | int) -> Any:  # noqa: ANN401 - any annotation
    """The annotation of what stands at a key or an index."""
    if isinstance(here, type) and issubclass(here, Spec):
        fields = here.model_fields
        found = (field for name, field in fields.items() if part in {name, field.alias})
        return getattr(next(found, None), "annotation", None)
    match get_origin(here):
        case origin if origin in {list, tuple}:
            return get_args(here)[0]
        case origin if origin in {dict, Mapping}:
            return get_args(here)[1]
        case _:
            return None
