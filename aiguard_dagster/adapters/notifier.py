"""Messages to where their owners read them, through Apprise; addresses stay in the environment."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiguard_dagster.adapters.apart import run_apart
from aiguard_dagster.core.messages import Heading, Message

PROGRAM = Path(__file__).parent / "programs" / "send_notice.py"
WITHIN_S = 20.0
"""How long one address may take for one message."""
KINDS: Mapping[Heading, str] = {
    Heading.OPENED: "warning",
    Heading.ACTED: "warning",
    Heading.REFUSED: "info",
    Heading.WAITING: "warning",
    Heading.ESCALATED: "failure",
    Heading.RESOLVED: "success",
}
"""Apprise's own kinds, which services show as colours or severities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of a message at one target.

    Attributes:
        accepted: Which of its addresses have taken the message, now or before, by their place.
        why: Why the first of the others has not; empty when all have.
    """

    accepted: tuple[int, ...]
    why: str = ""


def deliver(
    message: Message,
    variable: str,
    *,
    accepted: Sequence[int] = (),
    within_s: float = WITHIN_S,
) -> Delivery:
    """Send a message to the addresses that an environment variable holds.

    Args:
        message: What is told.
        variable: The variable: one Apprise URL, or several with blanks or line ends between them.
        accepted: Addresses that have it already, by their place.
        within_s: Seconds that each address may take.
    """
    urls = os.environ.get(variable, "").split()
    if not urls:
        return Delivery(
            accepted=tuple(accepted), why=f"the environment variable {variable} is not set"
        )
    taken, failures = [], []
    for place, url in enumerate(urls):
        why = "" if place in accepted else _send(message, url, within_s)
        if why:
            which = f"address {place + 1} of {len(urls)}: " if len(urls) > 1 else ""
            failures.append(f"{which}{why}")
        else:
            taken.append(place)
    return Delivery(accepted=tuple(taken), why=next(iter(failures), ""))


def _send(message: Message, url: str, within_s: float) -> str:
    """Why an address did not take a message; empty when it did."""
    answer = run_apart(
        PROGRAM,
        {
            "url": url,
            "title": message.title,
            "body": message.body,
            "kind": KINDS[message.heading],
        },
        within_s=within_s,
    )
    return "" if answer.get("sent") is True else str(answer.get("why"))
