"""Everything outside: tables, MLflow, Dagster's event log, files."""
