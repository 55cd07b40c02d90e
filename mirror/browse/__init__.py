"""The mirror in the browser: a Datasette plugin."""
