"""A small dg project under guard."""
