"""YAML text to plain values: bounded, and whatever is more than plain values is a problem.

Values are built here from the parser's events, one scalar at a time, so no tag ever reaches a
constructor. PyYAML itself does not tell of a key given twice, and follows aliases without bound.
"""

from contextlib import suppress
from dataclasses import dataclass

import yaml

from aiguard_dagster.core.errors import Problem, SpecError
from aiguard_dagster.core.words import LONGEST, shown

Place = tuple[int | str, ...]
"""Where a value stands: keys and positions from the top."""

MOST_CHARACTERS = 1_000_000
MOST_NESTED = 40
MOST_VALUES = 20_000
PLAIN = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a file holds.

    Attributes:
        value: Mappings, lists, text, numbers, booleans and None.
        problems: What is wrong with the text though the rest of it could be read.
        spoiled: Where those problems left None in place of a value; judge nothing there.
    """

    value: object
    problems: tuple[Problem, ...]
    spoiled: frozenset[Place]


def read_yaml(text: str, *, file: str) -> Document:
    """Plain values from YAML.

    Raises:
        SpecError: The text is empty, too long, nested too deep, or no YAML.
    """
    if len(text) > MOST_CHARACTERS:
        what = f"{len(text):,} characters, and a guard has at most {MOST_CHARACTERS:,}"
        raise _unreadable(file, what, "write one guard a file.")
    try:
        return _Builder(text, file).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        why = error.problem or error.context or "it ends too early"
        raise _unreadable(file, f"not YAML{where}: {why}", "mend the YAML there.") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        character = text[error.position : error.position + 1]
        what = f"not YAML, line {line}: the character {character!r} is not allowed"
        raise _unreadable(file, what, "write the guard as plain text.") from None


class _Builder:
    def __init__(self, text: str, file: str) -> None:
        self.loader = yaml.SafeLoader(text)
        self.file = file
        self.problems: list[Problem] = []
        self.spoiled: set[Place] = set()
        self.count = 0
        self.aliased = False

    def document(self) -> Document:
        self.take()
        if not isinstance(self.take(), yaml.DocumentStartEvent):
            raise _unreadable(self.file, "the file is empty", "start with version: 1 and name:.")
        value = self.build(())
        self.take()
        if isinstance(self.peek(), yaml.DocumentStartEvent):
            what = f"{_line(self.peek())}: a second document begins"
            raise _unreadable(self.file, what, "write one guard a file.")
        spoiled = frozenset(self.spoiled)
        return Document(value=value, problems=tuple(self.problems), spoiled=spoiled)

    def peek(self) -> yaml.Event:
        event: yaml.Event = self.loader.peek_event()  # type: ignore[no-untyped-call]
        return event

    def take(self) -> yaml.Event:
        event: yaml.Event = self.loader.get_event()  # type: ignore[no-untyped-call]
        return event

    def build(self, place: Place) -> object:
        event = self.take()
        self.count += 1
        if self.count > MOST_VALUES:
            what = f"{_line(event)}: more than {MOST_VALUES:,} values"
            raise _unreadable(self.file, what, "a guard needs a few hundred.")
        if len(place) > MOST_NESTED:
            what = f"{_line(event)}: nested more than {MOST_NESTED} levels deep"
            raise _unreadable(self.file, what, "a guard needs five.")
        match event:
            case yaml.MappingStartEvent():
                value: object = self.mapping(place)
            case yaml.SequenceStartEvent():
                value = self.sequence(place)
            case yaml.ScalarEvent(tag=None):
                value = self.scalar(event, place)
            case _:
                value = None
        if isinstance(event, yaml.AliasEvent):
            self.alias(place, event)
        elif tag := getattr(event, "tag", None):
            short = tag.replace("tag:yaml.org,2002:", "!!")
            what = f"the tag {shown(short)} asks for more than plain values"
            self.spoil(
                place, event, what, "leave it out; a guard holds text, numbers, lists and mappings."
            )
            return None
        return value

    def mapping(self, place: Place) -> dict[str, object]:
        """Keys are text as it is written, so that ``on`` is a key like any other."""
        found: dict[str, object] = {}
        while not isinstance(self.peek(), yaml.MappingEndEvent):
            event, before = self.peek(), len(self.problems)
            self.build((*place, "?"))
            if not isinstance(event, yaml.ScalarEvent) or event.tag is not None:
                self.build((*place, "?"))
                del self.problems[before:]
                self.spoil(place, event, "a key is no plain text", "write key: value pairs.")
                continue
            if event.value in found:
                what = f"{_line(event)}: the key is given twice"
                self.tell((*place, event.value), what, "keep one of them.")
            found.setdefault(event.value, self.build((*place, event.value)))
        self.take()
        return found

    def sequence(self, place: Place) -> list[object]:
        found: list[object] = []
        while not isinstance(self.peek(), yaml.SequenceEndEvent):
            found.append(self.build((*place, len(found))))
        self.take()
        return found

    def scalar(self, event: yaml.ScalarEvent, place: Place) -> object:
        tag = self.loader.resolve(yaml.ScalarNode, event.value, event.implicit)  # type: ignore[no-untyped-call]
        if tag not in PLAIN:
            return event.value
        if len(event.value) <= LONGEST:
            with suppress(ValueError):
                value: object = self.loader.construct_object(yaml.ScalarNode(tag, event.value))
                return value
        what = f"{shown(event.value)} is too long or too odd for a number"
        self.spoil(place, event, what, "write it in a few decimal digits.")
        return None

    def alias(self, place: Place, event: yaml.AliasEvent) -> None:
        """Only the first is told of: a file that has one may have thousands."""
        if not self.aliased:
            what = f"the alias *{event.anchor} repeats another part"
            self.spoil(place, event, what, "guards have no aliases; write the part out.")
        self.spoiled.add(place)
        self.aliased = True

    def spoil(self, place: Place, event: yaml.Event, what: str, hint: str) -> None:
        self.spoiled.add(place)
        self.tell(place, f"{_line(event)}: {what}", hint)

    def tell(self, place: Place, what: str, hint: str) -> None:
        path = format_place(place)
        self.problems.append(Problem(file=self.file, path=path, what=what, hint=hint))


def _line(event: yaml.Event) -> str:
    return f"line {event.start_mark.line + 1 if event.start_mark else 1}"


def format_place(place: Place) -> str:
    """A place as messages write it.

    >>> format_place(("rules", 2, "signal", "window"))
    'rules[2].signal.window'
    """
    path = ""
    for part in place:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            plain = part.isprintable() and len(part) <= LONGEST and not set(part) & set(" .:[]'")
            path += f".{part if plain and part else shown(part)}"
    return path.removeprefix(".")


def _unreadable(file: str, what: str, hint: str) -> SpecError:
    return SpecError([Problem(file=file, path="", what=what, hint=hint)])
