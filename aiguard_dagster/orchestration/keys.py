"""The names that a guard gives to what it adds to a Dagster project."""

import dagster as dg

from aiguard_dagster.core.spec import DeltaSignal, Guard, Rule

HOLD = "hold"
"""The name that a guard's own check takes among those of its rules."""


def guard_key(guard: Guard) -> dg.AssetKey:
    """The asset that carries the guard's decisions."""
    return dg.AssetKey([guard.name, "guard"])


def notices_key(guard: Guard) -> dg.AssetKey:
    """The asset that tells what was told to whom."""
    return dg.AssetKey([guard.name, "notices"])


def profile_key(guard: Guard, table: str) -> dg.AssetKey:
    """The asset that holds a table's profiles."""
    return dg.AssetKey([guard.name, f"{table}_profile"])


def queue_key(guard: Guard, table: str) -> dg.AssetKey:
    """The asset that holds a table's review queue."""
    return dg.AssetKey([guard.name, f"{table}_review_queue"])


def table_key(guard: Guard, table: str) -> dg.AssetKey:
    """The user's asset behind a table."""
    return dg.AssetKey(list(guard.tables[table].asset_path))


def check_name(guard: Guard, rule: Rule) -> str:
    """The name of a rule's check."""
    return f"{guard.name}__{rule.name}"


def check_key(guard: Guard, rule: Rule) -> dg.AssetCheckKey:
    """The check on the user's asset that a rule reports to."""
    return dg.AssetCheckKey(table_key(guard, rule.signal.table), check_name(guard, rule))


def profiled_tables(guard: Guard) -> list[str]:
    """The tables whose rows are profiled for rules that compare windows."""
    tables = {signal.table for _, signal in delta_rules(guard) if not signal.of_runs}
    return sorted(table for table in tables if guard.tables[table].traces is None)


def delta_rules(guard: Guard) -> list[tuple[Rule, DeltaSignal]]:
    """The rules that are measured on profiles."""
    return [(rule, rule.signal) for rule in guard.rules if isinstance(rule.signal, DeltaSignal)]


def repredict_job_name(guard: Guard, table: str) -> str:
    """The name of the job that makes partitions of predictions again."""
    return f"{guard.name}__{table}_repredict"


def hold_key(guard: Guard, table: str) -> dg.AssetCheckKey:
    """The check that tells on a table's asset whether predictions are held back."""
    return dg.AssetCheckKey(table_key(guard, table), f"{guard.name}__{HOLD}")
