"""What people read of a guard."""
