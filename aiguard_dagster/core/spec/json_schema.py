"""The JSON Schema of guard files, for editors that complete and check while one types."""

from datetime import timedelta
from typing import Any

from pydantic import JsonValue
from pydantic.json_schema import GenerateJsonSchema

from aiguard_dagster.core.durations import format_duration
from aiguard_dagster.core.spec.guard import Guard


class _Generator(GenerateJsonSchema):
    def encode_default(self, dft: Any) -> Any:  # noqa: ANN401 - pydantic's signature
        """Durations as guard files write them, not as ISO 8601 does."""
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def guard_schema() -> dict[str, JsonValue]:
    """The schema that :func:`parse_guard` checks first; what parts mean together is beyond it."""
    schema = Guard.model_json_schema(schema_generator=_Generator)
    for part in schema["$defs"].values():
        if "kind" in part.get("properties", {}):  # Guard files must name it, Python need not.
            part["required"] = list(dict.fromkeys(["kind", *part.get("required", [])]))
    return {"$schema": _Generator.schema_dialect, **schema}
