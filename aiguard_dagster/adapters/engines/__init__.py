"""Profiles where the rows are: one engine a file, the same counts from each."""
