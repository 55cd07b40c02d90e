"""One index that answers "newest first" and "how many by month, role and model" without reading a text."""

SCHEMA = """
DROP INDEX messages_created_at;
CREATE INDEX messages_created_at ON messages(created_at, role, model);
"""
