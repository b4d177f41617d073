"""Our records on model versions: tag keys, and JSON values that name the version they speak of."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from aiguard_dagster.core.errors import ActionError

PREFIX = "aiguard"
LONGEST_PART = 80
"""MLflow takes keys of 250 characters; ours have up to three names in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What we need to know of one model version.

    Attributes:
        model: The registered model's name.
        version: Its number, always as text.
        source: Where the model's files came from, as it was registered.
        run_id: The run that made it, if the registry knows.
        tags: All of its tags.
    """

    model: str
    version: str
    source: str
    run_id: str | None
    tags: Mapping[str, str]


def quote(name: str) -> str:
    """A name made fit for tag keys and artifact paths: other characters become ``.`` and hex.

    >>> quote("bike_demand"), quote("bike's v1.0")
    ('bike_demand', 'bike.27s.20v1.2E0')
    """
    quoted = re.sub(
        r"[^A-Za-z0-9_-]",
        lambda match: "".join(f".{byte:02X}" for byte in match.group().encode()),
        name,
    )
    if len(quoted) <= LONGEST_PART:
        return quoted
    return f"{quoted[: LONGEST_PART - 17]}.{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def tag_key(*parts: str) -> str:
    """The key of one of our tags."""
    return ".".join((PREFIX, *map(quote, parts)))


def to_tag(model: str, version: str, document: Mapping[str, JsonValue]) -> str:
    """A tag value that says which version it speaks of.

    ``copy_model_version`` copies tags too; a copy must not inherit what its original lived through.
    """
    return json.dumps({"model": model, "number": version, **document})


def from_tag(version: Version, key: str) -> dict[str, JsonValue] | None:
    """The record under ``key``; None where there is none, or one that was copied with a version.

    Raises:
        ActionError: Somebody edited the tag and it is no record any more.
    """
    document = parse_tag(version, key)
    if document is None or document.get("model") != version.model:
        return None
    return document if document.get("number") == version.version else None


def parse_tag(version: Version, key: str) -> dict[str, JsonValue] | None:
    """The record under ``key``, whichever version it was written for."""
    if key not in version.tags:
        return None
    try:
        document = json.loads(version.tags[key])
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise unreadable(version, key)
    return document


def unreadable(version: Version, key: str) -> ActionError:
    """The error for a tag that is no record of ours any more."""
    msg = (
        f"{version.model}: version {version.version}: tag {key} is not what was written there.\n\n"
        "Hint: it was edited by hand; restore its value in MLflow, or delete the tag."
    )
    return ActionError(msg)
