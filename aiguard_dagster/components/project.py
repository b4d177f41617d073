"""What the rest of a dg project defines, as a component of ours sees it."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import yaml

OURS = ("GuardComponent", "QualityComponent")


def rest_of_project(context: dg.ComponentLoadContext) -> dg.Definitions:
    """All that is defined outside components of ours."""
    return dg.Definitions.merge(*(context.build_defs(p) for p in _other_definitions(context)))


def component_name(context: dg.ComponentLoadContext) -> str:
    """A name that no other component of the project has: its way from the root."""
    return "_".join(context.path.relative_to(_root(context)).parts)


def _other_definitions(context: dg.ComponentLoadContext) -> Iterator[Path]:
    """The folders and modules of the project besides this component's, and no other of ours."""
    folder = _root(context)
    for part in (*context.path.relative_to(folder).parts, None):
        for child in sorted(folder.iterdir()):
            if child.name == part or child.name.startswith(("_", ".")):
                continue
            is_module = child.suffix == ".py"
            if (child.is_dir() or is_module) and folder != context.path and not _is_ours(child):
                yield child
        if part is not None:
            folder /= part


def _root(context: dg.ComponentLoadContext) -> Path:
    return context.component_tree.defs_module_path


def _is_ours(path: Path) -> bool:
    """Whether a folder holds a component of ours: two of them must not wait for each other."""
    file = path / "defs.yaml"
    if not file.is_file():
        return False
    kinds = [
        document.get("type", "") for document in yaml.safe_load_all(file.read_text()) if document
    ]
    return any(str(kind).endswith(OURS) for kind in kinds)
