"""The project's one Definitions."""

import dagster as dg

from tests.projects.plain_project import assets

nightly = dg.define_asset_job("nightly", selection=["customers", "orders", "refunds", "revenue"])
defs = dg.Definitions(
    assets=[assets.customers, assets.ledger, assets.stock, assets.revenue, assets.weather],
    asset_checks=[assets.has_rows],
    jobs=[nightly],
    schedules=[dg.ScheduleDefinition(job=nightly, cron_schedule="0 3 * * *")],
)
