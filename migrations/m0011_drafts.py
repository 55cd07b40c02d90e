"""Drafts in an answer, such as a mail to send, apart from what is said about them."""

SCHEMA = """
ALTER TABLE messages ADD COLUMN drafts TEXT;  -- JSON: a list of objects with kind, title and text; NULL for none
"""
