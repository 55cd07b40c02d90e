"""A hash of each row that no payload gives, so that damage to it can be seen.

The program writes them in the transaction that writes the row; no trigger could, for SQLite has no hash function.
"""

SCHEMA = """
CREATE TABLE _row_hashes (
  table_name TEXT NOT NULL,
  row_key TEXT NOT NULL,   -- the row's primary key as text; of several columns, joined by U+001F
  hash BLOB NOT NULL,      -- the first 16 bytes of the SHA-256 of its values
  PRIMARY KEY (table_name, row_key)
) WITHOUT ROWID;
"""
