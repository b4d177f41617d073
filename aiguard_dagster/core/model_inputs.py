"""Which types a model's MLflow signature takes: MLflow converts only what loses nothing."""

from aiguard_dagster.core.columns import UNKNOWN

OPTIONAL = "?"
"""Ends the type of an input that the model can do without."""
SMALL = frozenset({"int8", "int16", "uint8", "uint16"})
WHOLE = SMALL | {"int32", "int64", "uint32", "uint64"}
REAL = frozenset({"float16", "float32", "float64", "decimal"})
TAKES = {
    "int32": SMALL | {"int32"},
    "int64": SMALL | {"int32", "int64", "uint32"},
    "float32": frozenset({"float16", "float32"}),
    "float64": SMALL | {"int32", "uint32"} | REAL,
    "binary": frozenset({"binary", "string"}),
    "timestamp": frozenset({"timestamp", "date"}),
    "list": frozenset({"list", "array"}),
    "map": frozenset({"map", "struct"}),
    "int": WHOLE,
    "float": WHOLE | REAL,
}
"""What else than itself; ``int`` and ``float`` without a width are tensors', which MLflow casts."""


def is_optional(wanted: str) -> bool:
    """Whether the model can do without this input."""
    return wanted.endswith(OPTIONAL)


def takes(wanted: str, found: str) -> bool:
    """Whether MLflow gives a column of type ``found`` to a model that wants ``wanted``.

    Args:
        wanted: The type in the signature, such as ``int64`` or ``float32?``.
        found: The type of the column, with its width.

    >>> takes("float64", "int32"), takes("float64", "int64"), takes("int64?", "int32")
    (True, False, True)
    """
    wanted = wanted.removesuffix(OPTIONAL)
    return found in TAKES.get(wanted, (wanted,)) or wanted == "any" or UNKNOWN in {wanted, found}


def holds_nulls(wanted: str) -> bool:
    """Whether a column of this type may hold nulls; with them, whole numbers become floats."""
    return wanted.removesuffix(OPTIONAL) not in {"int", "int32", "int64"}


def holds_as_flags(wanted: str, found: str) -> bool:
    """Whether MLflow takes the column all the same as long as it holds only 0 and 1."""
    return found == "int64" and wanted.removesuffix(OPTIONAL) in {"float32", "float64"}
