"""A shop's project as its owners wrote it: one Definitions, their own checks, no guard."""
