"""Dagster's event log as our memory: verdicts and decisions go in and come out here."""
