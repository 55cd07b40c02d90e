"""One sync run: what to ask, in which order, what to believe, and how the run ends."""
