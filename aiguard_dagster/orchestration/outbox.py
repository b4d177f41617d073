"""What one guard has to tell, rebuilt from its event log."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import dagster as dg

from aiguard_dagster.adapters.dagster.notices import (
    Ledger,
    StoredDecision,
    ledger_event,
    read_attempts,
    read_decisions_after,
    read_ledger,
)
from aiguard_dagster.core.decisions import proposals
from aiguard_dagster.core.messages import message_of, owner_of
from aiguard_dagster.core.outbox import (
    OLD,
    Attempt,
    Notice,
    notice_id,
    settled_through,
    still_open,
)
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.orchestration.keys import guard_key, notices_key


@dataclass(kw_only=True)
class Box:
    """What one guard has to tell, as its event log says it.

    Attributes:
        guard: The guard.
        ledger: How far the telling has come.
        is_new: Whether that stands nowhere yet.
        places: Every decision that was read.
        notices: Those that somebody must hear of.
        attempts: What was tried before.
    """

    guard: Guard
    ledger: Ledger
    is_new: bool = False
    places: list[int] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)

    def refresh(self, instance: dg.DagsterInstance) -> None:
        """Read once more what was tried."""
        key = notices_key(self.guard)
        self.attempts = list(read_attempts(instance, key, after=self.ledger.start))

    def write(
        self, instance: dg.DagsterInstance, attempts: Sequence[Attempt], names: Sequence[str]
    ) -> None:
        """Record attempts, and how far they have led."""
        self.attempts += attempts
        now = attempts[0].at
        settled = settled_through(self.places, self.notices, self.attempts, names, now=now)
        ledger = Ledger(
            begun=self.ledger.begun,
            open=self.ledger.open,
            settled=max(settled, self.ledger.settled),
        )
        event = ledger_event(notices_key(self.guard), ledger, attempts)
        instance.report_runless_asset_event(event)


def read_box(instance: dg.DagsterInstance, guard: Guard, *, now: datetime) -> Box:
    """What a guard has to tell."""
    known = read_ledger(instance, notices_key(guard))
    start = known.start if known else 0
    stored = read_decisions_after(instance, guard_key(guard), after=start)
    ledger = known or _beginning(stored, now=now)
    box = Box(guard=guard, ledger=ledger, is_new=known is None and bool(stored))
    asked = proposals([each.decision for each in stored]).values()
    # Nobody needs to answer what has been answered before the question was sent.
    seen = {notice_id(proposal) for proposal, answer in asked if answer is not None}
    for each in stored:
        box.places.append(each.place)
        name = notice_id(each.decision)
        if name in seen or (each.place <= ledger.begun and name not in ledger.open):
            continue
        seen.add(name)  # A decision that a run has recorded twice is one event.
        message = message_of(each.decision, guard)
        if message:
            box.notices.append(
                Notice(
                    id=name,
                    place=each.place,
                    guard=guard.name,
                    owner=owner_of(each.decision, guard),
                    written=each.written,
                    message=message,
                )
            )
    if box.notices and known:
        box.refresh(instance)
    return box


def _beginning(stored: Sequence[StoredDecision], *, now: datetime) -> Ledger:
    """Where telling begins: what is a day old by then is history.

    Of history only that is told which still asks something of a person.
    """
    past = [each for each in stored if now - each.written > OLD]
    asking = {notice_id(d) for d in still_open([each.decision for each in stored])}
    return Ledger(
        begun=max((each.place for each in past), default=0),
        open=tuple(sorted(asking & {notice_id(each.decision) for each in past})),
    )
