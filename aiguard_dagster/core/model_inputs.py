"""Which types a model's MLflow signature takes: MLflow converts only what loses nothing."""

from collections.abc import Collection, Mapping

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


def serves(wanted: str, found: str, *, before: str | None, is_flag: bool = False) -> bool:
    """Whether a service that feeds its model from this column can feed another one that wants it.

    It can where MLflow takes the column as it is, where whole numbers become floats, and where the
    champion wants the same type: then the service makes it of that column already.

    Args:
        wanted: The type in the other model's signature.
        found: The type of the column, with its width.
        before: The type in the champion's signature; None where it has no such input.
        is_flag: Whether the column holds only 0 and 1.

    >>> serves("float64", "int64", before=None), serves("float64", "string", before=None)
    (True, False)
    >>> serves("float64", "string", before="float64?")
    True
    """
    kind = wanted.removesuffix(OPTIONAL)
    return (
        takes(wanted, found)
        or (kind == "float64" and found in WHOLE | {"boolean"})
        or (is_flag and holds_as_flags(wanted, found))
        or (before is not None and before.removesuffix(OPTIONAL) == kind)
    )


def misfits(
    wanted: Mapping[str, str],
    found: Mapping[str, str],
    *,
    before: Mapping[str, str],
    flags: Collection[str] = (),
) -> list[str]:
    """The inputs of a model that today's columns are not, each with what is wrong.

    Args:
        wanted: The model's inputs and their types, as its signature tells them.
        found: Today's columns and their types.
        before: The champion's inputs, likewise; empty where it has no signature.
        flags: Columns that hold only 0 and 1.

    >>> misfits({"load": "float64", "who": "int64"}, {"who": "string"}, before={})
    ['load (float64) is in none of the tables', 'who is string, not int64']
    """
    told = []
    for name, kind in wanted.items():
        if name not in found:
            if not is_optional(kind):
                told.append(f"{name} ({kind}) is in none of the tables")
        elif not serves(kind, found[name], before=before.get(name), is_flag=name in flags):
            told.append(f"{name} is {found[name]}, not {kind.removesuffix(OPTIONAL)}")
    return told
