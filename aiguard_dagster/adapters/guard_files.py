"""Guards from files: one, or all of a folder."""

from pathlib import Path

from aiguard_dagster.core.errors import Problem, SpecError
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.core.spec.parse import parse_guard
from aiguard_dagster.core.spec.semantics import find_problems_between
from aiguard_dagster.core.spec.yaml_text import MOST_CHARACTERS

SUFFIXES = {".yaml", ".yml"}


def load_guards(path: str | Path) -> tuple[Guard, ...]:
    """Load the guards of a file, or of all YAML files in a folder.

    Args:
        path: A file, or a folder; its sub-folders and hidden files are left alone.

    Raises:
        SpecError: With every problem of every file, and those between them.
    """
    loaded: list[tuple[Guard, str]] = []
    problems: list[Problem] = []
    for file in guard_files(Path(path)):
        try:
            loaded.append((parse_guard(_read(file), file=str(file)), str(file)))
        except SpecError as error:
            problems += error.problems
    problems += find_problems_between(loaded)
    if problems:
        raise SpecError(problems)
    return tuple(guard for guard, _ in loaded)


def guard_files(path: Path) -> list[Path]:
    """The files that a path stands for.

    Raises:
        SpecError: There is nothing there, or a folder holds no YAML.
    """
    if path.is_dir():
        files = [f for f in path.iterdir() if f.suffix in SUFFIXES and not f.name.startswith(".")]
        if not files:
            raise _problem(path, "the folder holds no guard", "add a .yaml file.")
        return sorted(files)
    if not path.exists():
        raise _problem(path, "there is no such file or folder", "check the path.")
    return [path]


def _read(file: Path) -> str:
    try:
        size = file.stat().st_size
        if size > 4 * MOST_CHARACTERS:
            what = f"{size:,} bytes, and a guard has at most {MOST_CHARACTERS:,} characters"
            raise _problem(file, what, "write one guard a file.")
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise _problem(file, "not text in UTF-8", "save it as UTF-8 text.") from None
    except OSError as error:
        raise _problem(file, f"cannot be read: {error.strerror}", "check its rights.") from None


def _problem(path: Path, what: str, hint: str) -> SpecError:
    return SpecError([Problem(file=str(path), path="", what=what, hint=hint)])
