"""The demo account: the conversations of a made-up person, as data."""
