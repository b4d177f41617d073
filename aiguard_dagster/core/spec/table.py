"""A table under guard: an asset, and what its columns mean."""

from typing import Annotated

from pydantic import Field, model_validator

from aiguard_dagster.core.spec.base import Column, Spec, Zone
from aiguard_dagster.core.spec.review import Review
from aiguard_dagster.core.spec.sources import (
    TRACE_COLUMNS,
    TRACE_VERSION,
    RowSource,
    Source,
    TraceSource,
)
from aiguard_dagster.core.words import with_hint

ASSET_PATTERN = r"^[^/\s][^/]*(/[^/]+)*$"


class Table(Spec):
    """An asset that the user already has, and what its columns mean."""

    asset: Annotated[str, Field(pattern=ASSET_PATTERN)]
    """Asset key, parts joined by ``/``."""
    time: Column | None = None
    """The event-time column; naive values are read in ``time_zone``."""
    key: tuple[Column, ...] = ()
    """Columns that name a row, to join predictions to features; the time column when left out."""
    prediction: Column | None = None
    label: Column | None = None
    """The outcome's column; null until it is known."""
    score: Column | None = None
    """The column with the score behind the prediction: the probability of the positive class, 0 to
    1; or of whatever was predicted, where a signal says so."""
    model_version: Column | None = None
    """The column that says which version made the prediction."""
    cost: Column | None = None
    """The column with the cost of each prediction."""
    latency: Column | None = None
    """The column with how long each prediction took, in any unit."""
    status: Column | None = None
    """The column with what became of each request, such as ``ok``, ``timeout`` or ``refused``."""
    request: Column | None = None
    """The column that names a request; calls, retries and steps of one request share it."""
    task: Column | None = None
    """The column that names the task an agent worked on; its requests, calls and steps share it."""
    step: Column | None = None
    """The column that names the step of a request or task; a step that is called again is a retry
    of it, or a loop."""
    tool: Column | None = None
    """The column with the tool that was called; null where the call is no tool's."""
    depth: Column | None = None
    """The column with how deep the call stands: 0 or 1 for the task's own, one more for each call
    within a call."""
    served_by: Column | None = None
    """The column with the model or tier that answered, which prices go by."""
    template: Column | None = None
    """The column with the prompt or template that was used."""
    caller: Column | None = None
    """The column with who asked: a team, a product, a route."""
    input_tokens: Column | None = None
    output_tokens: Column | None = None
    cached_tokens: Column | None = None
    """The column with how many of the input tokens were read from a cache."""
    currency: Column | None = None
    """The column with the currency of ``cost``; amounts of several are never added up."""
    user: Column | None = None
    """The column with the person who used the prediction; only hashes of it are kept."""
    decision: Column | None = None
    """The column with what the person did with it, such as ``accepted`` or ``overridden``; null
    where nobody said."""
    decided_at: Column | None = None
    """The column with when the person decided."""
    reviewed: Column | None = None
    """The column that says whether a person reviewed it: a truth, or the time of the review."""
    gpu_seconds: Column | None = None
    """The column with the accelerator seconds that a row stands for, used or not."""
    utilisation: Column | None = None
    """The column with the share of them that was used, 0 to 1."""
    queue: Column | None = None
    """The column with how long work waited for the accelerator, or how much of it did."""
    answered: Column | None = None
    """The column with how many predictions the accelerator made in the row's time."""
    review: Review | None = None
    """The confidence policy: which outputs a person must review, and within how long."""
    time_zone: Zone = "UTC"
    """Where naive times of the time column are meant, such as ``America/New_York``."""
    source: Source | None = None
    """Where the rows are; the asset's own IO manager loads them when left out."""
    schedule: Column | None = None
    """Cron times at which the checks on the data run by themselves, such as ``0 * * * *``. An asset
    that Dagster does not materialise is checked every hour when left out."""

    @model_validator(mode="after")
    def _columns_of_traces(self) -> "Table":
        """Traces have columns of their own, which nobody needs to name."""
        if not isinstance(self.source, TraceSource):
            return self
        known = dict(TRACE_COLUMNS)
        if self.source.by_version:
            known["model_version"] = TRACE_VERSION
        for name in sorted(self.model_fields_set - {"asset", "source"}):
            if getattr(self, name) not in {known.get(name), type(self).model_fields[name].default}:
                what = f"traces bring columns of their own, and {name} is none to name"
                raise ValueError(with_hint(what, "give only asset and source."))
        for name, column in known.items():
            object.__setattr__(self, name, column)
        return self

    @property
    def traces(self) -> TraceSource | None:
        """Where its traces are; None of a table of rows."""
        return self.source if isinstance(self.source, TraceSource) else None

    @property
    def row_source(self) -> RowSource | None:
        """Where its rows are, when they do not come through the asset's own IO manager."""
        return None if isinstance(self.source, TraceSource) else self.source

    @property
    def asset_path(self) -> tuple[str, ...]:
        """The asset key's parts."""
        return tuple(self.asset.split("/"))

    @property
    def row_key(self) -> tuple[str, ...]:
        """The columns that name a row."""
        return self.key or ((self.time,) if self.time else ())
