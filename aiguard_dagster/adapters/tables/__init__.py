"""Tables of the user, one engine a file."""
