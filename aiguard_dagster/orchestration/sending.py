"""Sends what is due, with each attempt on record before it is made and when it has ended."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from aiguard_dagster.adapters.dagster.notices import ledger_event
from aiguard_dagster.adapters.notifier import deliver
from aiguard_dagster.core.messages import Message
from aiguard_dagster.core.outbox import (
    Attempt,
    Parcel,
    State,
    claimed,
    due,
    given_up,
    in_messages,
)
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.orchestration.clock import Clock
from aiguard_dagster.orchestration.keys import notices_key
from aiguard_dagster.orchestration.outbox import Box, read_box

LONGEST_RUN_S = 240.0
"""After this a run begins no other message; the next run goes on."""


def send_due(
    instance: dg.DagsterInstance,
    guards: Sequence[Guard],
    variables: dict[str, str],
    *,
    run: str,
    clock: Clock,
    log: dg.DagsterLogManager,
) -> list[str]:
    """Send what is due, and record each attempt before and after it is made.

    Returns:
        What could not be told: a guard that cannot be read, and what was given up, said once.
    """
    names = list(variables)
    boxes: dict[str, Box] = {}
    parcels: list[Parcel] = []
    lost: list[str] = []
    for guard in guards:
        try:
            box = read_box(instance, guard, now=clock())
        except Exception as error:  # noqa: BLE001 - whatever happens to one guard stays with it
            lost.append(f"{guard.name}: {type(error).__name__}: {error}")
            continue
        found = due(box.notices, box.attempts, names, now=clock())
        if found and box.is_new:
            instance.report_runless_asset_event(ledger_event(notices_key(guard), box.ledger))
        boxes[guard.name] = box
        parcels += found
    until = time.monotonic() + LONGEST_RUN_S
    for target in sorted({parcel.target for parcel in parcels}):
        mine = [parcel for parcel in parcels if parcel.target == target]
        work = _Sender(instance, boxes, names, run=run, clock=clock, until=until)
        ended = work.send(mine, variables[target])
        if ended.why:
            log.warning("%s: %s", target, ended.why)
        if ended.sent:
            log.info("%s: %d sent", target, ended.sent)
        if ended.lost:
            lost.append(f"{target}: {ended.lost} events could not be told: {ended.why}")
    return lost


@dataclass
class Ended:
    """What became of the messages to one target."""

    sent: int = 0
    lost: int = 0
    why: str = ""


class _Sender:
    """Sends to one target after another, with what was tried recorded around each message."""

    def __init__(
        self,
        instance: dg.DagsterInstance,
        boxes: dict[str, Box],
        names: Sequence[str],
        *,
        run: str,
        clock: Clock,
        until: float,
    ) -> None:
        self.instance, self.boxes, self.names = instance, boxes, names
        self.run, self.clock, self.until = run, clock, until

    def send(self, parcels: Sequence[Parcel], variable: str) -> Ended:
        """Send one message after the other; the first that fails fails for those behind it."""
        ended = Ended()
        for message, inside in in_messages(parcels, now=self.clock()):
            if time.monotonic() > self.until:
                break
            mine = inside if ended.why else self._claim(inside)
            if not mine:
                continue
            accepted: tuple[int, ...] = ()
            if not ended.why:
                accepted, ended.why = self._try(message, mine, variable)
            state = State.FAILED if ended.why else State.SENT
            self._write(mine, state, why=ended.why, accepted=accepted)
            ended.sent += len(mine) if state is State.SENT else 0
            ended.lost += sum(given_up(parcel, state) for parcel in mine)
        return ended

    def _try(
        self, message: Message, parcels: Sequence[Parcel], variable: str
    ) -> tuple[tuple[int, ...], str]:
        had = set.intersection(*(set(parcel.accepted) for parcel in parcels))
        found = deliver(message, variable, accepted=sorted(had))
        return found.accepted, found.why

    def _claim(self, parcels: Sequence[Parcel]) -> tuple[Parcel, ...]:
        """Begin an attempt; of two runs that begin the same one, the first goes on."""
        self._write(parcels, State.SENDING)
        for name in {parcel.notice.guard for parcel in parcels}:
            self.boxes[name].refresh(self.instance)
        return tuple(
            parcel
            for parcel in parcels
            if claimed(parcel, self.run, self.boxes[parcel.notice.guard].attempts)
        )

    def _write(
        self,
        parcels: Sequence[Parcel],
        state: State,
        *,
        why: str = "",
        accepted: tuple[int, ...] = (),
    ) -> None:
        now = self.clock()
        for name in sorted({parcel.notice.guard for parcel in parcels}):
            attempts = [
                Attempt(
                    notice=parcel.notice.id,
                    target=parcel.target,
                    number=parcel.number,
                    state=state,
                    at=now,
                    run=self.run,
                    why=why,
                    accepted=accepted,
                )
                for parcel in parcels
                if parcel.notice.guard == name
            ]
            self.boxes[name].write(self.instance, attempts, self.names)
