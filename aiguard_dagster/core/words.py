"""How messages quote what somebody wrote, and how they name the choices."""

from collections.abc import Iterable
from difflib import get_close_matches

LONGEST = 60
HINT = "\n\nHint: "


def shown(value: object) -> str:
    """A value as a message quotes it: short, on one line, and never a whole list or mapping.

    >>> shown("14 days")
    "'14 days'"
    >>> shown({"kind": "drift"})
    'a mapping'
    """
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case str() if len(value) > LONGEST:
            return f"{value[:LONGEST]!r}..."
        case _:
            return repr(value)


THOUSAND, QUADRILLION = 1e3, 1e15


def figure(value: float, *, sign: str = "") -> str:
    """A number with four digits that count, and without an exponent while it can be read.

    Args:
        value: The number.
        sign: ``+`` to write it in front of positive numbers too.

    >>> figure(0.12345), figure(24_934.2), figure(12.3, sign="+")
    ('0.1234', '24,934', '+12.3')
    """
    large = THOUSAND <= abs(value) < QUADRILLION
    return format(value, f"{sign},.0f" if large else f"{sign}.4g")


def with_hint(what: str, hint: str) -> str:
    """The text of an error that says what is wrong and what would mend it."""
    return f"{what}{HINT}{hint}"


def split_hint(text: str) -> tuple[str, str]:
    """The two halves of a text made by :func:`with_hint`; the hint is empty when there is none."""
    what, _, hint = text.partition(HINT)
    return what, hint


def first_paragraph(text: str) -> str:
    r"""A message without its hint, and without a full stop.

    >>> first_paragraph("it is gone.\n\nHint: look for it.")
    'it is gone'
    """
    return text.partition("\n\n")[0].rstrip(". ")


def did_you_mean(word: object, choices: Iterable[str], hint: str) -> str:
    """The hint, after a question that names the closest choice when one is close.

    >>> did_you_mean("drfit", ["cost", "drift"], "the kinds are cost, drift.")
    'did you mean drift? The kinds are cost, drift.'
    """
    meant = str(word)[:LONGEST]
    by_lower = {choice.lower(): choice for choice in choices}
    close = [by_lower[found] for found in get_close_matches(meant.lower(), list(by_lower))]
    close.sort(
        key=lambda choice: sorted(choice.lower()) != sorted(meant.lower())
    )  # Swapped letters are commonest.
    return f"did you mean {close[0]}? {hint[:1].upper()}{hint[1:]}" if close else hint
