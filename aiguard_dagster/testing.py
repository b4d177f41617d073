"""For users' own tests and replays: a sensor tick as the daemon would do it, in this process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg


@dataclass
class Daemon:
    """Evaluates sensors against an instance: records their events and runs what they ask for.

    Attributes:
        definitions: The code location.
        instance: A Dagster instance.
        cursors: The sensors' cursors, as the real daemon would keep them.
        log_level: The least that runs print to the console.
    """

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    cursors: dict[str, str | None] = field(default_factory=dict)
    log_level: str = "INFO"
    _run_keys: set[tuple[str, str]] = field(default_factory=set)

    def tick(self, sensor: str) -> list[dg.ExecuteInProcessResult]:
        """Evaluate a sensor once; returns the runs that it asked for, which have ended."""
        data = self.evaluate(sensor)
        for event in data.asset_events:
            self.instance.report_runless_asset_event(event)
        self.cursors[sensor] = data.cursor
        return [
            self._run(request)
            for request in data.run_requests or ()
            if self._is_new(sensor, request.run_key)
        ]

    def evaluate(self, sensor: str) -> Any:  # noqa: ANN401 - Dagster has no public name for it
        """What a sensor says at its cursor; nothing of it is recorded or run."""
        found = self.definitions.resolve_sensor_def(sensor)
        available = self.definitions.resources or {}
        context = dg.build_sensor_context(
            resources={key: available[key] for key in found.required_resource_keys},
            instance=self.instance,
            cursor=self.cursors.get(sensor),
            definitions=self.definitions,
            sensor_name=sensor,
        )
        with context:
            return found.evaluate_tick(context)

    def _is_new(self, sensor: str, run_key: str | None) -> bool:
        if run_key is None:
            return True
        seen = (sensor, run_key) in self._run_keys
        self._run_keys.add((sensor, run_key))
        return not seen

    def run(
        self,
        job_name: str | None = None,
        *,
        partition_key: str | None = None,
        run_config: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        asset_selection: Sequence[dg.AssetKey] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """Run a job, or the given assets, to its end; a failure is in the result."""
        if job_name:
            job = self.definitions.resolve_job_def(job_name)
        else:
            job = self.definitions.resolve_implicit_global_asset_job_def()
        quiet = {"loggers": {"console": {"config": {"log_level": self.log_level}}}}
        return job.execute_in_process(
            instance=self.instance,
            run_config={**quiet, **(run_config or {})},
            tags=dict(tags or {}),
            partition_key=partition_key,
            asset_selection=asset_selection,
            raise_on_error=False,
        )

    def _run(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        return self.run(
            request.job_name,
            partition_key=request.partition_key,
            run_config=request.run_config,
            tags=request.tags,
            asset_selection=request.asset_selection,
        )
