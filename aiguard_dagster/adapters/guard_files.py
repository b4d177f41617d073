"""Guards from files: one, or all of a folder."""

from collections.abc import Iterable
from dataclasses import dataclass
from os.path import realpath
from pathlib import Path

from aiguard_dagster.core.errors import Problem, SpecError
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.core.spec.parse import parse_guard
from aiguard_dagster.core.spec.semantics import find_problems_between
from aiguard_dagster.core.spec.yaml_text import MOST_CHARACTERS

SUFFIXES = {".yaml", ".yml"}
MOST_BYTES = 4 * MOST_CHARACTERS


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardFiles:
    """What was found in files.

    Attributes:
        guards: The guards that are right in themselves, each with its file.
        problems: Everything that is wrong in the files and between the guards.
    """

    guards: tuple[tuple[Guard, str], ...]
    problems: tuple[Problem, ...]


def load_guards(path: str | Path) -> tuple[Guard, ...]:
    """Load the guards of a file, or of all YAML files in a folder.

    Args:
        path: A file, or a folder; its sub-folders and hidden files are left alone.

    Raises:
        SpecError: With every problem of every file, and those between them.
    """
    found = read_guards([Path(path)])
    if found.problems:
        raise SpecError(found.problems)
    return tuple(guard for guard, _ in found.guards)


def read_guards(paths: Iterable[Path]) -> GuardFiles:
    """Read the guards of files and folders together; a file that is named twice is read once."""
    loaded: list[tuple[Guard, str]] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    for path in paths:
        try:
            files = guard_files(path)
        except SpecError as error:
            problems += error.problems
            continue
        for file in files:
            if realpath(file) in seen:
                continue
            seen.add(realpath(file))
            try:
                loaded.append((parse_guard(_read(file), file=str(file)), str(file)))
            except SpecError as error:
                problems += error.problems
    problems += find_problems_between(loaded)
    return GuardFiles(guards=tuple(loaded), problems=tuple(problems))


def guard_files(path: Path) -> list[Path]:
    """The files that a path stands for.

    Raises:
        SpecError: There is nothing there, or a folder holds no YAML.
    """
    try:
        if path.is_dir():
            files = [file for file in path.iterdir() if _is_guard(file)]
            if not files:
                raise _problem(path, "the folder holds no guard", "add a .yaml file.")
            return sorted(files)
        if not path.exists() and not path.is_symlink():
            raise _problem(path, "there is no such file or folder", "check the path.")
    except OSError as error:
        raise _problem(path, f"cannot be read: {error.strerror}", "check its rights.") from None
    return [path]


def _is_guard(file: Path) -> bool:
    return file.suffix in SUFFIXES and not file.name.startswith(".") and not file.is_dir()


def _read(file: Path) -> str:
    try:
        if file.exists() and not file.is_file():
            raise _problem(file, "neither a file nor a folder", "name a file of YAML.")
        with file.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            what = f"a guard has at most {MOST_CHARACTERS:,} characters, and this is longer"
            raise _problem(file, what, "write one guard a file.")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _problem(file, "not text in UTF-8", "save it as UTF-8 text.") from None
    except OSError as error:
        raise _problem(file, f"cannot be read: {error.strerror}", "check its rights.") from None


def _problem(path: Path, what: str, hint: str) -> SpecError:
    return SpecError([Problem(file=str(path), path="", what=what, hint=hint)])
