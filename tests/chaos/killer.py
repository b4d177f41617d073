"""A daemon whose runs are processes, and are killed as a test wants it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import dagster as dg

from aiguard_dagster.adapters.mlflow.rollback import pending_intents
from aiguard_dagster.testing import Daemon
from tests.chaos.nursery import Children
from tests.chaos.place import Place, kinds_of
from tests.orchestration.project import STOP_RULES

MOST_TICKS = 6


@dataclass
class Killer(Daemon):
    """Starts each run that a sensor asks for in a child, with the next of some kills.

    Attributes:
        place: What the children are told.
        children: Who makes them.
        kills: How each run is killed; those after the last are left alone.
        meanwhile: Called while a child is at work.
        noticed: Whether Dagster notices that a run's process is gone, as its code server does.
    """

    place: Place = None
    children: Children = None
    kills: list[dict] = field(default_factory=list)
    noticed: bool = True
    meanwhile: Callable[[], object] = lambda: None
    killed: int = 0
    seconds: list[float] = field(default_factory=list)

    def _is_new(self, sensor, run_key):
        return True  # The runs on the instance tell.

    def _run(self, request):
        kill = self.kills.pop(0) if self.kills else {}
        tags = {**request.tags, "dagster/run_key": request.run_key}
        self.children.ask(
            "rollback",
            self.place,
            job=request.job_name,
            config=request.run_config,
            tags=tags,
            **kill,
        )
        self.meanwhile()
        ended = self.children.answer()
        self.seconds.append(ended["s"])
        self.killed += ended["killed"]
        if self.noticed:
            self.notice()
        return ended

    def notice(self) -> None:
        """Say of the runs whose process is gone that they have failed."""
        for run in self.unended():
            self.instance.report_run_failed(run)

    def unended(self) -> Sequence[dg.DagsterRun]:
        """The runs of this model that are left as if they went on."""
        name = f"{self.place.guard.name}_rollback"
        runs = self.instance.get_runs(dg.RunsFilter(job_name=name))
        return [run for run in runs if not run.is_finished]


def until_ended(killer: Killer) -> None:
    """Tick until nothing is asked for; what must hold at any time holds after each."""
    for _ in range(MOST_TICKS):
        ran = killer.tick(STOP_RULES)
        assert_sound(killer.place)
        if not ran:
            return


def assert_sound(place: Place) -> None:
    """What holds at any moment: no barred champion, and no move without an intent."""
    registry = place.registry
    champion = registry.champion()
    assert champion in {"1", "2"}
    assert not registry.is_quarantined(champion)


def assert_done_once(instance: dg.DagsterInstance, place: Place) -> None:
    """What holds in the end: one request, one rollback, one reign more, nothing left over."""
    assert kinds_of(instance, place) == ["request", "rollback"]
    assert_rolled_back(place)


def assert_rolled_back(place: Place) -> None:
    """What holds in the end of the registry."""
    registry = place.registry
    assert registry.champion() == "1"
    assert registry.is_quarantined("2")
    assert not registry.is_quarantined("1")
    assert [reign.version for reign in registry.reigns()] == ["1", "2", "1"]
    assert pending_intents(registry) == ()
