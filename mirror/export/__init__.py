"""Conversations as files in a folder: Markdown for notes, HTML for a browser, JSON for programs."""
