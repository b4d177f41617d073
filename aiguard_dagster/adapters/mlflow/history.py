"""The champion's history as tags: each version bears the record of its own accessions."""

from collections.abc import Iterable, Sequence

from pydantic import JsonValue

from aiguard_dagster.adapters.mlflow.tags import Version, from_tag, tag_key, unreadable
from aiguard_dagster.core.champions import Accession, accession_from_json, accession_to_json


def history_key(pointer: str) -> str:
    """The tag that holds a version's accessions; each alias or stage has a history of its own."""
    return tag_key("reigns", *pointer.split(":", 1))


def read_history(versions: Iterable[Version], pointer: str) -> tuple[Accession, ...]:
    """The accessions that all versions bear, in no order.

    Raises:
        ActionError: A tag was edited by hand and is no record any more.
    """
    key = history_key(pointer)
    found: list[Accession] = []
    for version in versions:
        document = from_tag(version, key)
        if document is None:
            continue
        records = document.get("accessions")
        try:
            found += [accession_from_json(record) for record in _dicts(records)]
        except (KeyError, TypeError, ValueError):
            raise unreadable(version, key) from None
    return tuple(found)


def history_to_json(records: Sequence[Accession]) -> dict[str, JsonValue]:
    """What the tag of one version holds."""
    return {"accessions": [accession_to_json(record) for record in records]}


def _dicts(value: JsonValue) -> list[dict[str, JsonValue]]:
    if not isinstance(value, list):
        raise TypeError
    dicts = [each for each in value if isinstance(each, dict)]
    if len(dicts) < len(value):
        raise TypeError
    return dicts
