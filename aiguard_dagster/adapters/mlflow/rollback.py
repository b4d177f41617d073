"""The rollback transaction: crash-safe, idempotent, and a person who moved the pointer wins.

MLflow has no compare-and-swap. The gap between reading the pointer and moving it is as small as
it can be made, but a move that falls into it is overwritten.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aiguard_dagster.adapters.mlflow.intents import (
    RollbackIntent,
    RollbackState,
    StoredIntent,
    intent_key,
    intent_to_json,
    state_key,
    stored_intents,
)
from aiguard_dagster.adapters.mlflow.person_tags import pin_of
from aiguard_dagster.adapters.mlflow.registry import FOUND, ModelRegistry
from aiguard_dagster.core.champions import UNKNOWN
from aiguard_dagster.core.errors import ActionError

__all__ = [
    "STEPS",
    "RollbackIntent",
    "RollbackState",
    "pending_intents",
    "roll_back",
]

STEPS = ("intent", "move", "verify", "quarantine", "record", "done")
FINAL = frozenset({RollbackState.DONE, RollbackState.SUPERSEDED})


def _no_op(_name: str) -> None:
    """Do nothing between the steps."""


def roll_back(
    registry: ModelRegistry,
    intent: RollbackIntent,
    *,
    on_step: Callable[[str], None] = _no_op,
) -> RollbackState:
    """Put the target back in production and the bad version in quarantine.

    Run again with the same intent after a crash anywhere, it does what is left and ends in the
    same place. Run again after the end, it does nothing and says how it ended.

    Args:
        registry: The model and the pointer that marks its champion.
        intent: What was decided. An id that was used before keeps its first reason and time.
        on_step: Called with ``before NAME`` and ``after NAME`` around each of ``STEPS``.

    Returns:
        ``DONE``, or ``SUPERSEDED`` when a person has moved the pointer elsewhere meanwhile, or has
        pinned the version that it should leave.

    Raises:
        ActionError: The target does not exist or is in quarantine, the id was used for another
            rollback, or MLflow refused. Nothing is lost: run it again.
    """

    @contextmanager
    def step(name: str) -> Iterator[None]:
        on_step(f"before {name}")
        yield
        on_step(f"after {name}")

    champion = registry.champion()  # before the intent is read: whoever moved it wrote one first
    stored = _find(registry, intent)
    if stored is None:
        _check(registry, intent)
        with step("intent"):
            _write(registry, intent, already_there=champion == intent.to_version)
        stored = _find(registry, intent)
        if stored is None:
            raise _lost(registry, intent)
    intent = stored.intent
    if stored.state in FINAL:
        return stored.state

    with step("move"):
        pinned = pin_of(registry.version(intent.from_version)) is not None
        champion = registry.champion()
        if champion == intent.from_version and stored.state is RollbackState.INTENT:
            if pinned:
                return _supersede(registry, intent, champion)
            registry.require_fit(intent.to_version)
            registry.point_to(intent.to_version)
        elif champion != intent.to_version:
            return _supersede(registry, intent, champion)

    with step("verify"):
        champion = registry.champion()
        if champion == intent.from_version and stored.state is RollbackState.INTENT:
            raise _did_not_move(registry, intent)
        if champion != intent.to_version:
            return _supersede(registry, intent, champion)
        _mark(registry, intent, RollbackState.MOVED, champion)

    with step("quarantine"):
        registry.quarantine(
            intent.from_version, reason=intent.reason, at=intent.at, by=intent.actor
        )
    with step("record"):
        registry.record_reign(
            intent.to_version,
            at=intent.at,
            by=UNKNOWN if stored.already_there else intent.actor,
            why=FOUND if stored.already_there else intent.reason,
        )
    with step("done"):
        _mark(registry, intent, RollbackState.DONE, champion)
    return RollbackState.DONE


def pending_intents(registry: ModelRegistry) -> tuple[RollbackIntent, ...]:
    """Rollbacks begun and not ended, oldest decision first; pass each to ``roll_back`` again."""
    stored = stored_intents(registry.versions(), registry.pointer)
    pending = [each.intent for each in stored if each.state not in FINAL]
    return tuple(sorted(pending, key=lambda intent: (intent.at, intent.id)))


def _find(registry: ModelRegistry, intent: RollbackIntent) -> StoredIntent | None:
    """The intent as the registry has it, refusing an id that was used for another rollback."""
    for stored in stored_intents(registry.versions(), registry.pointer):
        if stored.intent.id != intent.id:
            continue
        before = (stored.intent.from_version, stored.intent.to_version)
        if before != (intent.from_version, intent.to_version):
            msg = (
                f"{registry.name}: rollback {intent.id} from version {intent.from_version} to "
                f"{intent.to_version}: this id was used to go from {before[0]} to {before[1]}.\n\n"
                "Hint: give a new decision a new id."
            )
            raise ActionError(msg)
        return stored
    return None


def _check(registry: ModelRegistry, intent: RollbackIntent) -> None:
    """Refuse what could never be carried out, before anything is written."""
    if intent.from_version == intent.to_version:
        msg = (
            f"{registry.name}: rollback {intent.id}: version {intent.to_version} cannot replace "
            "itself.\n\nHint: choose an earlier champion."
        )
        raise ActionError(msg)
    registry.version(intent.from_version)
    registry.require_fit(intent.to_version)


def _write(registry: ModelRegistry, intent: RollbackIntent, *, already_there: bool) -> None:
    registry.set_record(
        intent.from_version,
        intent_key(registry.pointer, intent.id),
        intent_to_json(intent, already_there=already_there),
    )


def _mark(
    registry: ModelRegistry, intent: RollbackIntent, state: RollbackState, champion: str | None
) -> None:
    registry.set_record(
        intent.from_version,
        state_key(registry.pointer, intent.id, state),
        {"champion": champion, "run_id": intent.run_id},
    )


def _supersede(
    registry: ModelRegistry, intent: RollbackIntent, champion: str | None
) -> RollbackState:
    _mark(registry, intent, RollbackState.SUPERSEDED, champion)
    return RollbackState.SUPERSEDED


def _did_not_move(registry: ModelRegistry, intent: RollbackIntent) -> ActionError:
    msg = (
        f"{registry.name}: rollback {intent.id}: {registry.pointer} still marks version "
        f"{intent.from_version} after it was moved to {intent.to_version}.\n\n"
        "Hint: see who else moves it, then run the rollback again."
    )
    return ActionError(msg)


def _lost(registry: ModelRegistry, intent: RollbackIntent) -> ActionError:
    msg = (
        f"{registry.name}: rollback {intent.id}: the intent written on version "
        f"{intent.from_version} cannot be read back, so nothing was moved.\n\n"
        "Hint: see that MLflow stores tags, then run the rollback again."
    )
    return ActionError(msg)
