"""What the guards cost, as ratios within one run."""
