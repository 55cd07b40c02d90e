"""A person's login: what it holds, how it is pasted, and the private file that keeps it."""
