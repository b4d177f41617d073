"""What people say in tags on a model version: an answer to a proposal, or a pin.

MLflow keeps neither who set a tag nor when, so an answer is known by its text: one that was taken,
or that stood there before the proposal was made, is not taken again.
"""

import hashlib
from collections.abc import Sequence

from aiguard_dagster.adapters.mlflow.tags import PREFIX, Version
from aiguard_dagster.core.stops import Stop, stop_of_text

ANSWER, PIN = f"{PREFIX}.answer", f"{PREFIX}.pin"


def pin_of(version: Version) -> Stop | None:
    """Who pinned a version and why; None where it is not pinned.

    The tag is the pin, whatever it says: ``who: why`` is asked for, and a pin without a name holds.
    """
    if PIN not in version.tags:
        return None
    where = f"the tag {PIN} of v{version.version}"
    return stop_of_text(version.tags[PIN], where) or Stop(by="", why="", where=where)


def answer_keys(rule: str) -> tuple[str, str]:
    """The tags that may answer a rule's proposal: the one for this rule goes before the other."""
    return f"{ANSWER}.{rule}", ANSWER


def said(version: Version, key: str) -> str:
    """What a tag says; empty where it is not there."""
    return version.tags.get(key, "").strip()


def mark_of(version: Version, key: str) -> str:
    """What a tag's text is known by, together with where it stands."""
    text = f"{version.version}:{key}={said(version, key)}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def marks_of(version: Version, rule: str) -> str:
    """What is said to a rule already, for a proposal to remember."""
    return ",".join(mark_of(version, key) for key in answer_keys(rule) if said(version, key))


def new_answers(version: Version, rule: str, known: Sequence[str]) -> list[str]:
    """The tags that say something new to a rule, the one that names it first."""
    keys = [key for key in answer_keys(rule) if said(version, key)]
    return [key for key in keys if mark_of(version, key) not in known]
