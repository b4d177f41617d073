"""The pure core: guards, verdicts, the lifecycle, decisions. No I/O, no clock, no Dagster."""
