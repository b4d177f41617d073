"""The assistant's assets in daily partitions, under guard."""

import dagster as dg
import polars as pl

from aiguard_dagster import MLflowResource, ProfileStore, build_guard_definitions, load_guards
from examples.assistant.settings import BASELINE_START, DAY, LAST
from examples.assistant.traffic import feedback, requests
from examples.home import GUARDS, HOME, example_clock
from examples.storage import STORAGE
from examples.tracking import TRACKING_URI

DAYS = dg.DailyPartitionsDefinition(
    start_date=f"{BASELINE_START:%Y-%m-%d}", end_date=f"{LAST + DAY:%Y-%m-%d}"
)
GUARD = load_guards(GUARDS / "assistant.yaml")[0]

assistant_logs = dg.AssetSpec(
    "assistant_logs", group_name="assistant", description="Tokens, judgements and decisions."
)


@dg.asset(deps=[assistant_logs], partitions_def=DAYS, group_name="assistant")
def assistant_requests(context: dg.AssetExecutionContext) -> pl.DataFrame:
    """The requests of one day: tokens, template, and people's judgement of every fourth answer."""
    day = context.partition_time_window
    return requests(day.start, day.end)


@dg.asset(deps=[assistant_logs], partitions_def=DAYS, group_name="assistant")
def assistant_feedback(context: dg.AssetExecutionContext) -> pl.DataFrame:
    """The suggestions shown on one day, and who accepted or rejected them."""
    day = context.partition_time_window
    return feedback(day.start, day.end)


daily = dg.define_asset_job(
    "assistant_daily",
    # With the guard's profiles in the same run; left out, the delta sensor asks for them.
    selection=dg.AssetSelection.assets(
        "assistant_requests",
        "assistant_feedback",
        "assistant/requests_profile",
        "assistant/feedback_profile",
    )
    - dg.AssetSelection.checks(
        *(
            dg.AssetCheckKey(
                dg.AssetKey(GUARD.tables[rule.signal.table].asset), f"assistant__{rule.name}"
            )
            for rule in GUARD.rules
            if rule.signal.table != "traffic"
        )
    ),
)

defs = build_guard_definitions(
    guards=[GUARD],
    definitions=dg.Definitions(
        assets=[assistant_logs, assistant_requests, assistant_feedback],
        jobs=[daily],
        schedules=[dg.build_schedule_from_partitioned_job(daily)],
        resources={"io_manager": STORAGE},
    ),
    mlflow=MLflowResource(tracking_uri=TRACKING_URI),
    profiles=ProfileStore(path=str(HOME / "profiles")),
    name="assistant",
    clock=example_clock,
)
