"""A stop as an observation of an asset, which a person or a system reports to Dagster."""

from datetime import UTC, datetime

import dagster as dg

from aiguard_dagster.core.stops import Stop

STOP, STOP_BY = "stop", "stop_by"
PAGE = 1_000


def observed_stop(instance: dg.DagsterInstance, key: dg.AssetKey) -> Stop | None:
    """The stop in the newest observation that speaks of one; None where it was lifted.

    Metadata ``stop`` is the reason and ``stop_by`` who raised it; an empty ``stop`` lifts it.
    """
    cursor = None
    while True:
        page = instance.fetch_observations(key, limit=PAGE, cursor=cursor)
        for record in page.records:
            event = record.asset_observation
            metadata = event.metadata if event else {}
            if STOP not in metadata:
                continue
            why = str(metadata[STOP].value or "")
            by = str(metadata[STOP_BY].value or "") if STOP_BY in metadata else ""
            since = datetime.fromtimestamp(record.timestamp, tz=UTC)
            where = f"an observation of {key.to_user_string()}"
            return Stop(by=by, why=why, since=since, where=where) if why.strip() else None
        if not page.has_more:
            return None
        cursor = page.cursor
