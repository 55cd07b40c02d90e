"""chatmirror: a complete, incremental mirror of one person's own ChatGPT account in one SQLite file."""

__version__ = "0.1.0"
