"""How to run guards in production: files to copy, and the same started from wheels."""
