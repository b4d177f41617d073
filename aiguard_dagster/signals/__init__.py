"""Signals: how each kind is measured, one file a kind."""
