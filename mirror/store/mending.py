"""Damaged values put right: as the hash of their row proves, or forgotten where they are learned or derived again.

A hash tells damage, and it also tells what was there before: of a row in which one bit has flipped, only one bit has to
be turned back until the hash matches. So rows that no payload and no list gives are mended without a backup.
"""

from __future__ import annotations

import sqlite3
import struct
from dataclasses import replace
from itertools import chain, islice, product
from typing import TYPE_CHECKING, Any

from mirror.services import SERVICES
from mirror.store import derived_hashes, payloads, row_hashes
from mirror.store.columns import COLUMNS
from mirror.store.conversations import add_references
from mirror.store.health import is_read_only
from mirror.store.row_hashes import HASHED
from mirror.store.schema import WITHOUT_ROWID, DamagedValue, delete_damaged, setting_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# What is forgotten of these, a sync learns again, or it is computed anew.
FORGETTABLE = frozenset(
    {"_settings", "_scopes", "_listed", "_skeletons", "_drift", "_file_fetches", "_row_hashes", "file_texts"}
)
# Of these, what a sync learns again by itself: not what changed once, nor hashes, without which no damage is found.
LEARNED_AGAIN = FORGETTABLE - {"_row_hashes", "file_texts", "_drift"}
# Settings that can be learned again without anybody's word: not whose the mirror is, nor which version made its rows.
_SETTINGS_LEARNED_AGAIN = frozenset({"sync", "source", "login", "not_read", "session_expires", "files_wanted", "cjk"})
# Columns that say which row it is; without one of them, the row as a whole is of no use.
_KEYS = {
    "_settings": {"key", "value"},
    "_scopes": {"account_id", "scope"},
    "_listed": {"conversation_id", "account_id", "provider"},
    "_file_fetches": {"file_id"},
}
# Tables whose rows are derived again from payloads; of a conversation's own row, these columns are not.
_DERIVED = frozenset({"messages", "links", "attachments"})
_NOT_DERIVED = frozenset({"id", "provider", "deleted_at", "missing_since", "last_seen_at"})
_REFERENCES = frozenset({"project_id", "gpt_id", "account_id"})  # to rows that have to be there
# What a list said of a conversation, and which of it is stored: without one of them, the conversation is read again.
_COMPARED = frozenset({"list_us", "stored_us", "list_mark", "stored_mark"})
# Rows of ``_listed`` that are stored for the lists, but of which there is no conversation.
_LOST = "stored_us IS NOT NULL AND conversation_id NOT IN (SELECT id FROM conversations)"
# What other rows name by its id, and as what: a row without more is made for it.
_NAMED_BY_ID = {"accounts": "account_id", "projects": "project_id", "gpts": "gpt_id"}
_LONG_AGO = "1970-01-01T00:00:00.000Z"
# Values that are tried for one: a time has 200 of one other bit, a setting of 2 KB has 16,000 (half a second). Smaller:
# long values are not mended; larger: a repair takes long where there is much damage.
MOST_TRIED = 20_000
MOST_HASHED = 20_000_000  # characters of rows that are hashed for one, a second; larger: a long row takes hours
MOST_TURNED = 400_000  # bits of a packed payload, some 20 seconds; of longer ones a sync or a backup has to bring it
MOST_MENDED = 100  # rows, each of which may take that long; where more differ, it is no flipped bit
_MOST_KNOWN = 100  # values of other rows that are tried


def put_right(conn: sqlite3.Connection, damaged: Sequence[DamagedValue]) -> list[DamagedValue]:
    """Mend what can be of some values, inside the caller's transaction; return those that are left.

    What no hash proves is forgotten where a sync learns it again or where it is derived again, which has to follow.
    """
    left = turn_values_back(conn, damaged)
    lost: list[DamagedValue] = []
    for value in left:
        if value.table == "_payloads" and value.column == "body":
            conn.execute("UPDATE _payloads SET body = CAST(body AS BLOB) WHERE id = ?", (value.rowid,))
        elif _is_derived(value):
            lost += [] if _derive_again(conn, value) else [value]
        elif value.table in FORGETTABLE:
            forget(conn, value)
        else:
            lost.append(value)
    return lost


def _is_derived(value: DamagedValue) -> bool:
    return value.table in _DERIVED or (value.table == "conversations" and value.column not in _NOT_DERIVED)


def turn_values_back(conn: sqlite3.Connection, damaged: Sequence[DamagedValue]) -> list[DamagedValue]:
    """Write the values that the hashes of their rows prove; return the damaged values that are left."""
    rows: dict[tuple[str, int], list[DamagedValue]] = {}
    for value in damaged:
        rows.setdefault((value.table, value.rowid), []).append(value)
    left: list[DamagedValue] = []
    for (table, rowid), values in islice(rows.items(), MOST_MENDED):
        if not _turn_row_back(conn, table, rowid, [value.column for value in values]):
            left += values
    return left + [value for values in islice(rows.values(), MOST_MENDED, None) for value in values]


def can_be_put_right(conn: sqlite3.Connection, damaged: Sequence[DamagedValue]) -> bool:
    """Whether ``put_right`` would leave none of them; changes nothing. Of a file that cannot be written: True."""
    if is_read_only(conn):
        return True
    conn.execute("SAVEPOINT tried")
    try:
        return not put_right(conn, damaged)
    finally:
        conn.execute("ROLLBACK TO tried")
        conn.execute("RELEASE tried")


def turn_rows_back(conn: sqlite3.Connection) -> None:
    """Mend rows that differ from their hashes in one value, by one bit or as another row has it."""
    for table, rowid in islice(row_hashes.differing_rows(conn), MOST_MENDED):
        any(_turn_row_back(conn, table, rowid, [column]) for column in COLUMNS[table])


def empty_skeletons(conn: sqlite3.Connection) -> None:
    """Empty the table of what answers were made of: its rows are their own index, and a sync learns them again."""
    conn.execute("DELETE FROM _skeletons")


def mend_references(conn: sqlite3.Connection) -> list[str]:
    """Mend references to rows that are not there; what is derived from payloads has to be derived again then.

    Returns, as sentences, which rows are gone and were made anew, so that nothing tells any more what they said.

    A conversation of which a payload is left gets a row again, if a hash tells that it had one. What goes with a row by
    the schema goes now: links and attachments come back with their message, the changes of a run that is gone do not.
    A workspace, project or GPT that was there gets a row without its name, which a sync brings. Other references are
    emptied. A payload stays, whatever it names.
    """
    made = (
        "INSERT INTO conversations (id, url, provider)"
        " SELECT DISTINCT p.conversation_id, p.conversation_id, coalesce(l.provider, o.provider, ?) FROM _payloads p"
        " LEFT JOIN _listed l ON l.conversation_id = p.conversation_id"
        " LEFT JOIN (SELECT provider FROM conversations GROUP BY 1 ORDER BY count(*) DESC LIMIT 1) o"
        " WHERE p.conversation_id = ?"
    )
    gone = row_hashes.keys_gone(conn, "conversations")
    conn.executemany(made, [(next(iter(SERVICES)), conversation_id) for conversation_id in gone])
    named = {table: set(row_hashes.keys_gone(conn, table)) for table in _NAMED_BY_ID}
    made_anew: dict[str, None] = {}
    for row in conn.execute("PRAGMA foreign_key_check").fetchall():
        table, rowid = row["table"], row["rowid"]
        keys = conn.execute(f"PRAGMA foreign_key_list({table})")
        key = next(key for key in keys if key["id"] == row["fkid"])
        if table == "messages":
            _bring_home(conn, rowid)
        elif table == "_payloads":
            continue
        elif (id_ := _value(conn, table, key["from"], rowid)) in named.get(row["parent"], ()):
            add_references(conn, next(iter(SERVICES)), **{_NAMED_BY_ID[row["parent"]]: id_})
            made_anew[f"row {id_} of {row['parent']} is gone"] = None
        elif key["on_delete"] == "CASCADE":
            conn.execute(f"DELETE FROM {table} WHERE rowid = ?", (rowid,))
        else:
            conn.execute(f"UPDATE {table} SET {key['from']} = NULL WHERE rowid = ?", (rowid,))
    return list(made_anew)


def _value(conn: sqlite3.Connection, table: str, column: str, rowid: int) -> Any:
    return conn.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (rowid,)).fetchone()[0]


def _bring_home(conn: sqlite3.Connection, rowid: int) -> None:
    """Give a message of no conversation back to the one that it is taken from, as the hash of that one proves.

    Otherwise it goes only where the same message is in another place, as after it was derived again.
    """
    lost = conn.execute("SELECT id, parent_id, text FROM messages WHERE rowid = ?", (rowid,)).fetchone()
    homes = (
        "SELECT id FROM conversations c WHERE NOT EXISTS"
        " (SELECT 1 FROM messages WHERE conversation_id = c.id AND id = :id)"
        " AND (id IN (SELECT conversation_id FROM messages WHERE id = :parent_id OR parent_id = :id)"
        " OR id NOT IN (SELECT conversation_id FROM messages))"
    )
    for row in conn.execute(homes, {"id": lost["id"], "parent_id": lost["parent_id"]}).fetchall():
        conn.execute("SAVEPOINT home")
        conn.execute("UPDATE messages SET conversation_id = ? WHERE rowid = ?", (row["id"], rowid))
        is_home = derived_hashes.is_untouched(conn, row["id"])
        conn.execute("RELEASE home" if is_home else "ROLLBACK TO home")
        if is_home:
            return
    twin = "SELECT 1 FROM messages m JOIN conversations c ON c.id = m.conversation_id WHERE m.id = ? AND m.text = ?"
    if conn.execute(twin, (lost["id"], lost["text"])).fetchone() is not None:
        conn.execute("DELETE FROM messages WHERE rowid = ?", (rowid,))


def turn_payloads_back(conn: sqlite3.Connection, conversation_id: str) -> bool:
    """Mend a conversation's payloads of which one bit has flipped; return whether it has some and all are whole."""
    versions = payloads.load(conn, conversation_id)
    for version in versions:
        if version.is_whole:
            continue
        turned = (replace(version, packed=packed) for packed in _turned(version.packed, MOST_TURNED))
        whole = next((version for version in turned if version.is_whole), None)
        if whole is None:
            return False
        conn.execute("UPDATE _payloads SET body = ? WHERE id = ?", (whole.packed, whole.id))
    return bool(versions)


def make_readable(conn: sqlite3.Connection) -> None:
    """Put U+FFFD in the place of bytes that are no UTF-8, in every table.

    Where a payload or a list has the text, it comes back from there; otherwise the rest of it is kept so.
    """
    for table, columns in COLUMNS.items():
        for column in (name for name, kind in columns.items() if kind == "TEXT" and table not in WITHOUT_ROWID):
            # In Python and not as a function of SQLite's, whose Ctrl-C would end as an error of SQLite's.
            texts = conn.execute(f"SELECT rowid, CAST({column} AS BLOB) FROM {table} WHERE typeof({column}) = 'text'")
            wrong = [(raw.decode(errors="replace"), rowid) for rowid, raw in texts if not _is_utf8(raw)]
            conn.executemany(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", wrong)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def lost_conversations(conn: sqlite3.Connection) -> list[str]:
    """Return the ids of conversations that had a row, as its hash tells, and have none any more, by whatever it went.

    Without that hash it may be one that its owner shows to nobody else: for the lists it counts as stored.
    """
    hashed = "SELECT 1 FROM _row_hashes WHERE table_name = 'conversations' AND row_key = conversation_id"
    sql = f"SELECT conversation_id FROM _listed WHERE {_LOST} AND EXISTS ({hashed})"
    return [row["conversation_id"] for row in conn.execute(sql)]


def read_lost_again(conn: sqlite3.Connection) -> None:
    """Let a sync read again what the lists show and what is not there any more."""
    conn.execute(f"UPDATE _listed SET stored_us = NULL, stored_mark = NULL WHERE {_LOST}")


def is_learned_again(conn: sqlite3.Connection, damaged: DamagedValue) -> bool:
    """Whether a sync may forget a damaged value without being asked, because it learns it again."""
    if damaged.table == "_settings":
        row = conn.execute("SELECT key FROM _settings WHERE rowid = ?", (damaged.rowid,)).fetchone()
        is_text = row is not None and isinstance(row["key"], str)
        return is_text and setting_name(row["key"]) in _SETTINGS_LEARNED_AGAIN
    if damaged.column not in _KEYS.get(damaged.table, ()):
        return damaged.table in LEARNED_AGAIN
    # A whole row of a list is learned again only while the list shows it. A row of ``_scopes`` may be all that is known
    # of a workspace.
    shown = "SELECT 1 FROM _listed WHERE rowid = ? AND missing_since IS NULL"
    is_shown = damaged.table == "_listed" and conn.execute(shown, (damaged.rowid,)).fetchone() is not None
    return is_shown or damaged.table == "_file_fetches"


def forget(conn: sqlite3.Connection, damaged: DamagedValue) -> None:
    """Forget a damaged value in one of the FORGETTABLE tables, so that a sync learns it again.

    The rest of its row stays, unless the value says which row it is.
    """
    table, column = damaged.table, damaged.column
    if table == "_listed":  # the conversation's own row may have been made with it
        about = conn.execute("SELECT conversation_id FROM _listed WHERE rowid = ?", (damaged.rowid,)).fetchone()
        derived_hashes.forget(conn, about["conversation_id"] if about else "")
    if table in WITHOUT_ROWID:
        delete_damaged(conn, table, column)
    elif column in _KEYS.get(table, COLUMNS[table]):
        conn.execute(f"DELETE FROM {table} WHERE rowid = ?", (damaged.rowid,))
    else:
        conn.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (_unknown(conn, table, column), damaged.rowid))
    if table == "_listed" and column in _COMPARED:
        conn.execute("UPDATE _listed SET list_us = 0, stored_us = NULL WHERE rowid = ?", (damaged.rowid,))
    if table in {"_listed", "_scopes"}:  # so that the next sync reads every list to its end
        conn.execute("UPDATE _scopes SET watermark_us = NULL, listed = NULL, read_to_end_at = NULL")


def _unknown(conn: sqlite3.Connection, table: str, column: str) -> str | int | None:
    """Return what stands in a column as long as nothing is known."""
    info = next(row for row in conn.execute(f"PRAGMA table_info({table})") if row["name"] == column)
    if not info["notnull"]:
        return None
    return int(info["dflt_value"]) if info["dflt_value"] is not None else _LONG_AGO


def _derive_again(conn: sqlite3.Connection, damaged: DamagedValue) -> bool:
    """Make a value of a derived table one that can be read; what it should be is compared with its payload next.

    Its bytes stay, as far as they are text: if the payload is damaged, too, they are all that is left. Return whether
    that could be done.
    """
    table, column = damaged.table, damaged.column
    with row_hashes.any_text(conn):
        found = conn.execute(f"SELECT {column} AS value FROM {table} WHERE rowid = ?", (damaged.rowid,)).fetchone()
    value = found["value"] if found is not None else None
    readable = 0 if is_number(table, column) else value.decode(errors="replace") if isinstance(value, bytes) else ""
    fit = None if column in _REFERENCES else readable
    try:
        conn.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (fit, damaged.rowid))
    except sqlite3.IntegrityError:  # of a value that says which row it is
        return False
    return True


def is_number(table: str, column: str) -> bool:
    """Whether a column holds numbers."""
    return COLUMNS[table][column] in {"INTEGER", "REAL"}


# -- what a hash proves


def _turn_row_back(conn: sqlite3.Connection, table: str, rowid: int, columns: Sequence[str]) -> bool:
    """Give a row the values of some columns with which its hash matches; return whether there are such."""
    if table not in HASHED or not set(columns) <= set(row_hashes.hashed_columns(table)):
        return False
    names = ", ".join(row_hashes.hashed_columns(table))
    with row_hashes.any_text(conn):
        row = conn.execute(f"SELECT {names} FROM {table} WHERE rowid = ?", (rowid,)).fetchone()
    if row is None:
        return False
    size = sum(len(value) for value in row if isinstance(value, str | bytes))
    most = min(MOST_TRIED, MOST_HASHED // (size + 1))
    told = _told(conn, table, rowid, columns)
    candidates = (
        list(_candidates(conn, table, column, row[column], told.get(column, ()), alone=len(columns) == 1))
        for column in columns
    )
    tried = (dict(zip(columns, values, strict=True)) for values in islice(product(*candidates), most))
    is_as_written = row_hashes.proof(table, row, row_hashes.stored(conn, table))
    # What it is now is what is wrong.
    others = (values for values in tried if any(row[column] != value for column, value in values.items()))
    right = next(filter(is_as_written, others), None)
    if right is None:
        return False
    sets = ", ".join(f"{column} = ?" for column in right)
    try:
        conn.execute(f"UPDATE {table} SET {sets} WHERE rowid = ?", (*right.values(), rowid))
    except sqlite3.IntegrityError:  # another row is that one
        return False
    return True


def _told(conn: sqlite3.Connection, table: str, rowid: int, columns: Sequence[str]) -> dict[str, Sequence[Any]]:
    """Return what else tells what some values may have been: keys of rows that are gone, and what a payload is of."""
    told: dict[str, Sequence[Any]] = {}
    key = HASHED[table][0]
    if len(HASHED[table]) == 1 and key in columns:
        gone = row_hashes.keys_gone(conn, table)
        told[key] = [int(text) for text in gone if text.isdecimal()] if is_number(table, key) else gone
    if table == "_payloads" and "conversation_id" in columns:
        told["conversation_id"] = payloads.conversations_without(conn)
    if table == "_payloads" and {"size", "sha256"} & set(columns):
        told["size"], told["sha256"] = payloads.measured(conn, rowid)
    return told


def _candidates(
    conn: sqlite3.Connection, table: str, column: str, value: Any, told: Sequence[Any], *, alone: bool
) -> Iterator[Any]:
    """Yield what a value may have been: as text or number, as other rows have it or tell it, and with one other bit.

    ``alone``: whether only this value is damaged, so that all of its bits can be tried.
    """
    of_number = is_number(table, column)
    readings = [value, *_numbers(value)] if of_number else [value, *_texts(value)]
    others = f"SELECT {column} AS value FROM {table} GROUP BY 1 ORDER BY count(*) DESC LIMIT {_MOST_KNOWN}"
    with row_hashes.any_text(conn):
        known = [row["value"] for row in conn.execute(others)]
    flipped = chain.from_iterable(map(_flipped, readings)) if alone else ()
    yield from _fit(chain(readings, [None, *([0, 1] if of_number else [])], known, told, flipped), of_number=of_number)


def _fit(values: Iterable[Any], *, of_number: bool) -> Iterator[Any]:
    """Yield those that the column can hold."""
    for value in values:
        is_fit = value is None or (isinstance(value, int | float) if of_number else _is_text(value))
        if is_fit:
            yield value


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and row_hashes.is_utf8(value)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, bytes):
        yield value.decode(errors="surrogateescape")
    elif isinstance(value, int | float):
        yield str(value)


def _numbers(value: Any) -> Iterator[int | float]:
    """Yield the numbers that the same bytes are as another type."""
    if isinstance(value, float):
        yield int.from_bytes(struct.pack(">d", value), signed=True)
    elif isinstance(value, int):
        yield struct.unpack(">d", value.to_bytes(8, signed=True))[0]
    elif isinstance(value, bytes | str):
        raw = value if isinstance(value, bytes) else value.encode(errors="surrogateescape")
        if 0 < len(raw) <= 8:  # noqa: PLR2004 - the longest number of SQLite
            yield int.from_bytes(raw, signed=True)


def _flipped(value: Any) -> Iterator[Any]:
    """Yield a value with each of its bits turned, as far as it is one of its kind then."""
    if isinstance(value, str):
        raw = value.encode(errors="surrogateescape")
        yield from (turned.decode(errors="surrogateescape") for turned in _turned(raw))
    elif isinstance(value, int):
        yield from (int.from_bytes(turned, signed=True) for turned in _turned(value.to_bytes(8, signed=True)))
    elif isinstance(value, float):
        yield from (struct.unpack(">d", turned)[0] for turned in _turned(struct.pack(">d", value)))


def _turned(raw: bytes, most: int = MOST_TRIED) -> Iterator[bytes]:
    if len(raw) * 8 > most:
        return
    for at, bit in product(range(len(raw)), range(8)):
        yield raw[:at] + bytes([raw[at] ^ (1 << bit)]) + raw[at + 1 :]
