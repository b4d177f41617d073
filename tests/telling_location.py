"""The code location of the daemon's test of notifications: one guard that tells its owner."""

import dagster as dg

from aiguard_dagster import NotifierResource, build_guard_definitions
from tests.orchestration.telling import ENV, guard

defs = build_guard_definitions(
    guards=[guard()],
    definitions=dg.Definitions(assets=[dg.AssetSpec("demand_features")]),
    notifier=NotifierResource(variables=ENV),
    minimum_interval_seconds=1,
)
