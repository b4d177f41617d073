"""From guards to Dagster definitions: checks, profiles, sensors, the rollback job."""
