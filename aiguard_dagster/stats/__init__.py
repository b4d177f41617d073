"""Grids, profiles, distances, calibration, comparison: numpy and scipy only."""
