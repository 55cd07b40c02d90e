"""The demo's data: the conversations of one invented person, by topic (see ``demo_account``)."""
