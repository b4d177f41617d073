"""What the rest of a dg project defines, as a component of ours sees it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from dagster.components.core.defs_module import ComponentPath

OURS = ("GuardComponent", "QualityComponent")
FILES = ("defs.yaml", "defs.yml", "component.yaml")


@dataclass(frozen=True)
class RestOfProject:
    """All that is defined outside components of ours, the same for each of them.

    Attributes:
        parts: The definitions of each folder, module or component.
    """

    parts: tuple[dg.Definitions, ...]
    _claimed: dict[dg.AssetCheckKey, str] = field(default_factory=dict)

    @cached_property
    def definitions(self) -> dg.Definitions:
        """All of it."""
        return dg.Definitions.merge(*self.parts)

    @cached_property
    def graph(self) -> Any:  # noqa: ANN401 - Dagster's asset graph
        """Its asset graph, without jobs: they may name checks that we are about to add."""
        rest = self.definitions
        return dg.Definitions(
            assets=rest.assets, asset_checks=rest.asset_checks, resources=rest.resources
        ).resolve_asset_graph()

    def taken(self, place: str) -> Mapping[dg.AssetCheckKey, str]:
        """The checks that are there already, and the component of ours that claims each."""
        claimed = {key: file for key, file in self._claimed.items() if file != place}
        return {**dict.fromkeys(self.graph.asset_check_keys, ""), **claimed}

    def claim(self, checks: Iterable[dg.AssetCheckKey], place: str) -> None:
        """Note the checks that a component of ours adds."""
        self._claimed.update((key, place) for key in checks)


class _Loading:
    """The project that is being loaded."""

    tree: object = None
    places: Sequence[Path | ComponentPath] = ()
    rest = RestOfProject(())


def rest_of_project(context: dg.ComponentLoadContext) -> RestOfProject:
    """All that is defined outside components of ours.

    A project may have hundreds of them: its folders are walked once, and its graph is made once.
    """
    if _Loading.tree is not context.component_tree:
        _Loading.tree, _Loading.places = context.component_tree, list(_others(_root(context)))
    parts = tuple(context.build_defs(place) for place in _Loading.places)
    if [id(part) for part in parts] != [id(part) for part in _Loading.rest.parts]:
        _Loading.rest = RestOfProject(parts)
    return _Loading.rest


def component_name(context: dg.ComponentLoadContext) -> str:
    """A name that no other component of the project has: its way from the root."""
    place = context.component_path
    parts = place.file_path.relative_to(_root(context)).parts
    return "_".join((*parts, str(place.instance_key)) if place.instance_key else parts)


def component_place(context: dg.ComponentLoadContext) -> str:
    """Its file, and which of its documents it is, where there are several."""
    kinds, number = _kinds(context.path), context.component_path.instance_key
    file = next((context.path / name for name in FILES if (context.path / name).is_file()), None)
    if isinstance(number, int) and len(kinds) > 1:
        return f"{file}, document {number + 1}"
    return str(file)


def _others(folder: Path) -> Iterator[Path | ComponentPath]:
    """The modules, folders and components below a folder that are none of ours."""
    for child in sorted(folder.iterdir()):
        if child.name.startswith(("_", ".")):
            continue
        if child.suffix == ".py":
            yield child
        elif child.is_dir() and _defines(child):
            kinds = _kinds(child)
            if not any(_is_ours(kind) for file in _files(child) for kind in _kinds(file.parent)):
                yield child
            elif any(_is_ours(kind) for kind in kinds):
                theirs = (i for i, kind in enumerate(kinds) if not _is_ours(kind))
                yield from (ComponentPath.from_path(child, i) for i in theirs)
            else:
                yield from _others(child)


def _defines(folder: Path) -> bool:
    """Whether there is anything that Dagster loads; it refuses a folder where there is not."""
    return any(folder.rglob("*.py")) or any(_files(folder))


def _files(folder: Path) -> Iterator[Path]:
    """The files of components in a folder and below."""
    return (file for name in FILES for file in folder.rglob(name))


def _kinds(folder: Path) -> list[str]:
    """The types of the components that a folder's file declares."""
    file = next((folder / name for name in FILES if (folder / name).is_file()), None)
    documents = yaml.safe_load_all(file.read_text()) if file else ()
    return [str(document.get("type", "")) for document in documents if document]


def _is_ours(kind: str) -> bool:
    """Whether a component is ours: two of them must not wait for each other."""
    return kind.endswith(OURS)


def _root(context: dg.ComponentLoadContext) -> Path:
    return context.component_tree.defs_module_path
