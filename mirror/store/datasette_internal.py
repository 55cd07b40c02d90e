"""What Datasette 1.0 remembers of our tables in its own internal database, which can outlive it (``--internal``).

Descriptions stand there beside a mark with the same text, so that the next start can tell ours from those that
somebody wrote or changed, and replace what an older version said. The tables are those of Datasette 1.0a41.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirror.store.descriptions import table_descriptions

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

SOURCE = "chatmirror"  # of our stored queries
_MARK = "chatmirror_description"
_KEYS = {
    "metadata_resources": ("database_name", "resource_name"),
    "metadata_columns": ("database_name", "resource_name", "column_name"),
}
# Rules for Datasette's permissions: database and query of those that somebody may not use, as JSON.
DENIED_QUERIES = (
    "SELECT json_extract(value, '$[0]') AS parent, json_extract(value, '$[1]') AS child, 0 AS allow,"
    " 'it reads tables that may not be viewed' AS reason FROM json_each(:chatmirror_denied)"
)


def state_descriptions(conn: sqlite3.Connection, databases: Iterable[str]) -> None:
    """Describe the tables and columns of these databases, except where there is a description already.

    Takes back what an earlier start said of any database.
    """
    for table, keys in _KEYS.items():
        _forget(conn, table, keys)
    for database in databases:
        for table, described in table_descriptions().items():
            _state(conn, "metadata_resources", (database, table), described.text)
            for column, meaning in described.columns.items():
                _state(conn, "metadata_columns", (database, table, column), meaning)


def _forget(conn: sqlite3.Connection, table: str, keys: tuple[str, ...]) -> None:
    same = " AND ".join(f"mark.{key} = {table}.{key}" for key in keys)
    conn.execute(
        f"DELETE FROM {table} WHERE key = 'description' AND value ="
        f" (SELECT mark.value FROM {table} AS mark WHERE {same} AND mark.key = ?)",
        (_MARK,),
    )
    conn.execute(f"DELETE FROM {table} WHERE key = ?", (_MARK,))


def _state(conn: sqlite3.Connection, table: str, name: tuple[str, ...], text: str) -> None:
    keys = _KEYS[table]
    where = " AND ".join(f"{key} = ?" for key in keys)
    stated = f"SELECT 1 FROM {table} WHERE {where} AND key IN ('description', 'description_html')"
    if text and conn.execute(stated, name).fetchone() is None:
        marks = ", ".join("?" * (len(keys) + 2))
        insert = f"INSERT INTO {table} ({', '.join(keys)}, key, value) VALUES ({marks})"
        conn.executemany(insert, [(*name, "description", text), (*name, _MARK, text)])


def forget_queries(conn: sqlite3.Connection) -> None:
    """Take back the queries that an earlier start added."""
    conn.execute("DELETE FROM queries WHERE source = ?", (SOURCE,))
