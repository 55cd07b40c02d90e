"""Whose database it is, the tables and columns that this program knows, and what is not as they say.

SQLite lets any program rename a column, and stores any kind of value in it: a bit that flipped in a record's header
makes a text of a number.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from mirror.errors import DamagedError, ForeignDatabaseError, StorageError
from mirror.services import SERVICES
from mirror.store.columns import COLUMNS
from mirror.store.storage_errors import primary_code

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from mirror.errors import ChatmirrorError

# What this program knows: a database that has applied anything else was written by a newer one.
MIGRATIONS = (
    "m0001_initial",
    "m0002_cjk",
    "m0003_months",
    "m0004_tracking",
    "m0005_completeness",
    "m0006_skeletons",
    "m0007_lists",
    "m0008_row_hashes",
    "m0009_files",
    "m0010_texts",
    "m0011_drafts",
)
# A database is taken for a mirror by these tables, whatever its file is called.
_OWN_TABLES = frozenset({"conversations", "messages", "sync_runs", "_payloads"})
# When a value is of another kind than its column's, as SQL. Every sync looks at its tables so; to compare takes half
# the time of typeof: any number is smaller than any text, and any text than any BLOB; + keeps SQLite from comparing a
# number as the text that it would be in the column.
_WRONG_KIND = {
    "INTEGER": "typeof({0}) = 'real' OR +{0} >= ''",
    "REAL": "+{0} >= ''",
    "TEXT": "+{0} < '' OR +{0} >= x''",
    "BLOB": "typeof({0}) <> 'blob'",
}
# Of these tables the times are compared and shown by the program's own decisions; others are only shown.
_TIMED = frozenset({"_listed", "_scopes", "_payloads", "sync_runs"})
# What a setting holds, by the beginning of its key up to the first colon; others may hold any JSON.
_SETTINGS: Mapping[str, tuple[type, ...]] = {
    "normalizer": (int,),
    "cjk": (int,),
    "owner": (str,),
    "session_expires": (str, type(None)),
    "files_wanted": (bool,),
    "sync": (dict,),
    "source": (dict,),
    "not_read": (dict,),
}
WITHOUT_ROWID = frozenset({"_row_hashes", "_skeletons"})
# What the migrations make beside tables; the full-text indexes are tables to SQLite.
_OBJECTS = (
    "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE '%_sqlite_%'"
    " AND (type IN ('index', 'trigger', 'view') OR sql LIKE 'CREATE VIRTUAL TABLE%')"
)
# That keep the full-text indexes; their names stand here because to ask the migrations takes a quarter of a second.
TRIGGERS = frozenset(
    f"{table}_{when}" for table in ("conversations", "messages", "files", "file_texts") for when in ("ai", "ad", "au")
)
_FTS_TABLES = ("data", "idx", "content", "docsize", "config")
_KINDS = {"table": "search index", "index": "index", "trigger": "trigger", "view": "view"}


class DamagedValue(NamedTuple):
    """A value that cannot be what was stored. ``rowid``: of its row; ``column``: where it stands."""

    table: str
    rowid: int
    what: str
    column: str

    def __str__(self) -> str:
        """Return the finding as a sentence."""
        return f"{self.what} in row {self.rowid} of {self.table}"


class MadeObject(NamedTuple):
    """What the migrations make beside a table.

    ``kind``: in words; ``sql``: that makes it; ``tables``: in which FTS5 keeps a full-text index.
    """

    kind: str
    name: str
    sql: str
    tables: frozenset[str]


class DamagedObject(NamedTuple):
    """One of them that another program took away or altered."""

    made: MadeObject
    what: str

    def __str__(self) -> str:
        """Return the finding as a sentence."""
        return f"the {self.made.kind} {self.made.name} {self.what}"


def is_chatmirror(conn: sqlite3.Connection, database: str = "main") -> bool:
    """Tell whether a database is a mirror; False for what cannot be read. Takes a connection of any program.

    ``database``: its name on the connection, where it is attached to it.
    """
    with suppress(sqlite3.Error, UnicodeDecodeError):  # the message of a damaged schema may be no text
        return table_names(conn, database) >= _OWN_TABLES
    return False


def is_empty(conn: sqlite3.Connection, database: str = "main") -> bool:
    """Tell whether a database has no table at all."""
    return not table_names(conn, database)


def table_names(conn: sqlite3.Connection, database: str = "main") -> set[str]:
    """Return the names of a database's tables."""
    return {name for (name,) in conn.execute(f"SELECT name FROM {database}.sqlite_master WHERE type = 'table'")}


def is_outdated(conn: sqlite3.Connection) -> bool:
    """Whether a mirror was made by an older program and has not been brought to this one's tables yet."""
    return bool(set(MIGRATIONS) - applied_migrations(conn, table_names(conn)))


def applied_migrations(conn: sqlite3.Connection, tables: set[str]) -> set[str]:
    """Return which of our migrations a database has applied. ``tables``: the names of its tables."""
    if "_sqlite_migrations" not in tables:
        return set()
    query = "SELECT name FROM _sqlite_migrations WHERE migration_set = 'chatmirror'"
    return {name for (name,) in conn.execute(query)}


@cache
def made_objects() -> Mapping[str, MadeObject]:
    """Return the full-text indexes, indexes, triggers and views by their names, as the migrations make them.

    Takes a quarter of a second, so only what looks at a whole database may call it.
    """
    from sqlite_utils import Database  # noqa: PLC0415 - takes a while, and few who read need it

    from mirror.migrations import migrations  # noqa: PLC0415 - see above

    with closing(sqlite3.connect(":memory:")) as conn:
        migrations.apply(Database(conn, execute_plugins=False))
        rows = conn.execute(_OBJECTS).fetchall()
        return {name: MadeObject(_KINDS[kind], name, sql, _tables_of(conn, name)) for kind, name, sql in rows}


def _tables_of(conn: sqlite3.Connection, index: str) -> frozenset[str]:
    """Return the tables in which FTS5 keeps an index (https://www.sqlite.org/fts5.html#fts5_data_structures)."""
    return frozenset(name for name in table_names(conn) if name in {f"{index}_{part}" for part in _FTS_TABLES})


def lacks_triggers(conn: sqlite3.Connection) -> bool:
    """Whether what is stored now would not be found; ``object_findings`` says why."""
    return not {row[0] for row in conn.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")} >= TRIGGERS


def object_findings(conn: sqlite3.Connection) -> list[DamagedObject]:
    """Return which full-text indexes, indexes, triggers and views are not there, or not as the migrations make them."""
    present = {
        row[0]: _comparable(row[1]) for row in conn.execute("SELECT name, sql FROM sqlite_master WHERE sql <> ''")
    }
    found = []
    for made in made_objects().values():
        if made.name not in present:
            found.append(DamagedObject(made, "is missing"))
        elif present[made.name] != _comparable(made.sql) or not made.tables <= present.keys():
            found.append(DamagedObject(made, "was altered"))
    return found


def _comparable(sql: str) -> str:
    """Return SQL without what SQLite itself may write otherwise, where a column or table was renamed."""
    return " ".join(sql.replace('"', "").split())


def make_again(conn: sqlite3.Connection, damaged: Sequence[DamagedObject]) -> None:
    """Make objects again as the migrations do; full-text indexes first, empty, because triggers write to them."""
    for found in sorted(damaged, key=lambda one: one.made.kind != _KINDS["table"]):
        _drop(conn, found.made)
        conn.execute(found.made.sql)


def _drop(conn: sqlite3.Connection, made: MadeObject) -> None:
    """Drop what has an object's name, and the tables of a full-text index, also where FTS5 cannot open it any more."""
    for kind, name in conn.execute("SELECT type, name FROM sqlite_master WHERE name = ?", (made.name,)).fetchall():
        try:
            conn.execute(f"DROP {kind} {name}")
        except sqlite3.DatabaseError:
            if not made.tables:
                raise
            conn.execute("PRAGMA writable_schema=ON")
            conn.execute("DELETE FROM sqlite_master WHERE name = ?", (name,))
            conn.execute("PRAGMA writable_schema=RESET")
    for table in made.tables:
        conn.execute(f"DROP TABLE IF EXISTS {table}")


def schema_findings(conn: sqlite3.Connection) -> list[str]:
    """Return which tables and columns are not there, as sentences: another program took them away, or renamed them."""
    found = []
    for table, columns in COLUMNS.items():
        present = {row["name"] for row in conn.execute(f"PRAGMA table_info({table})")}
        if not present:
            found.append(f"it has no table {table}")
        else:
            found += [f"the table {table} has no column {column}" for column in columns if column not in present]
    return found


def value_findings(conn: sqlite3.Connection, tables: Collection[str] | None = None) -> list[DamagedValue]:
    """Return values of another kind than their column's, times, keys and services that are none, and odd settings.

    ``tables``: those that are looked at, if not all.
    """
    chosen = COLUMNS if tables is None else {name: COLUMNS[name] for name in sorted(tables)}
    found = [value for table, columns in chosen.items() for value in _wrong_kinds(conn, table, columns)]
    return found or list(_wrong_settings(conn))


def _wrong_kinds(conn: sqlite3.Connection, table: str, columns: Mapping[str, str]) -> Iterator[DamagedValue]:
    wrong = _wrong(conn, table, columns)
    rowid = "0" if table in WITHOUT_ROWID else "rowid"
    told = ", ".join(f"({condition}) AS {column}" for column, condition in wrong.items())
    services = {"services": json.dumps(list(SERVICES))}
    rows = conn.execute(f"SELECT {rowid} AS _row, {told} FROM {table} WHERE {' OR '.join(wrong.values())}", services)
    for row in rows:
        yield from (DamagedValue(table, row["_row"], f"{name} is damaged", name) for name in wrong if row[name])


def _wrong(conn: sqlite3.Connection, table: str, columns: Mapping[str, str]) -> dict[str, str]:
    """Return for each column of a table, as SQL, when its value is damaged; ``:services`` stands for those known."""
    keys = {row["name"] for row in conn.execute(f"PRAGMA table_info({table})") if row["pk"]}
    found = {}
    for column, kind in columns.items():
        wrong = _WRONG_KIND[kind].format(column)
        if table in _TIMED and column.endswith(("_at", "_since")):
            wrong += f" OR {column} NOT GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:*'"
        wrong += f" OR {column} IS NULL" if column in keys else ""
        wrong += f" OR {column} NOT IN (SELECT value FROM json_each(:services))" if column == "provider" else ""
        found[column] = wrong
    return found


def _wrong_settings(conn: sqlite3.Connection) -> Iterator[DamagedValue]:
    for row in conn.execute("SELECT rowid AS id, key, value FROM _settings"):
        if not _makes_sense(row["key"], row["value"]):
            yield DamagedValue("_settings", row["id"], f"{setting_name(row['key'])} is damaged", "value")


def _makes_sense(key: str, text: str | None) -> bool:
    try:
        value: Any = json.loads(text or "")
    except ValueError:
        return False
    return isinstance(value, _SETTINGS.get(key.partition(":")[0], object))


def setting_name(key: str) -> str:
    """Return a setting's key without what belongs to a person."""
    return key.partition(":")[0]


# What a value of another type than its column's ends in, wherever it is read or shown.
UNFORESEEN = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError)


@contextmanager
def diagnosed(conn: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Name the database's own state, where that explains an error which nobody foresaw."""
    try:
        yield
    except (sqlite3.Error, *UNFORESEEN) as error:
        if (found := explanation(conn, path)) is not None:
            raise found from error
        raise
    except StorageError as error:
        if primary_code(error.__cause__) not in {
            sqlite3.SQLITE_ERROR,
            sqlite3.SQLITE_CONSTRAINT,
        }:  # of a statement, not the disk
            raise
        if (found := explanation(conn, path)) is not None:
            raise found from error.__cause__
        raise


def explanation(conn: sqlite3.Connection, path: Path) -> ChatmirrorError | None:
    """Return what is wrong with a database's tables or values, None: nothing is, or it cannot be looked at."""
    with suppress(sqlite3.Error):
        if is_outdated(conn):
            return None  # its tables could not be made or updated, which is said elsewhere: nobody altered the file
        if tables := schema_findings(conn):
            return altered(path, tables)
        if objects := object_findings(conn):
            return DamagedError(
                f"{path} was altered by another program: {summary([*map(str, objects)])}. No chat is lost; run"
                " `chatmirror check --repair`."
            )
        if values := value_findings(conn):
            return DamagedError(f"{path} is damaged: {summary([*map(str, values)])}. Run `chatmirror check --repair`.")
        if dangling := dangling_references(conn):
            return DamagedError(
                f"{path} is damaged: {summary(dangling)}. Run `chatmirror check`, which says what to do."
            )
    return None


def dangling_references(conn: sqlite3.Connection) -> list[str]:
    """Return the rows that name a row which is not there, as sentences."""
    rows = conn.execute("PRAGMA foreign_key_check").fetchall()
    return [f"{row['table']} row {row['rowid']} points to nothing" for row in rows]


def altered(path: Path, found: Sequence[str]) -> ForeignDatabaseError:
    """Say that another program took tables or columns away."""
    return ForeignDatabaseError(
        f"{path} was altered by another program: {summary(found)}. It was not changed now; undo that, or restore a"
        " backup: `chatmirror restore BACKUP`."
    )


def summary(found: Sequence[str]) -> str:
    """Return the first finding, and how many more there are."""
    return f"{found[0]}{f' and {len(found) - 1:,} more' if len(found) > 1 else ''}"


def delete_damaged(conn: sqlite3.Connection, table: str, column: str) -> None:
    """Delete the rows of a table whose value of a column is damaged."""
    wrong = _wrong(conn, table, COLUMNS[table])[column]
    conn.execute(f"DELETE FROM {table} WHERE {wrong}", {"services": json.dumps(list(SERVICES))})
