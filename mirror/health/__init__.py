"""Whether the mirror is whole, complete and fresh."""
