"""The file: private, locked, whole, of a schema we know."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading

import pytest

from mirror.errors import BusyError, DamagedError, ForeignDatabaseError, StorageError, UsageError
from mirror.health import integrity
from mirror.store import schema, storage_errors
from mirror.store.database import Writer, open_reader, upsert


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chats.db"


def test_only_the_owner_can_read_it(path):
    """Database, log and lock are 0600 whatever the umask."""
    before = os.umask(0)
    try:
        with Writer(path) as writer, writer.transaction() as conn:
            conn.execute("INSERT INTO _settings VALUES ('a', '1')")
            modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {0o600}


def test_a_new_file_has_every_migration_that_the_program_knows(path):
    """What a run applies is what the next one recognises."""
    with Writer(path) as writer:
        applied = [row[0] for row in writer.conn.execute("SELECT name FROM _sqlite_migrations ORDER BY id")]
    assert tuple(applied) == schema.MIGRATIONS
    open_reader(path).close()


def test_a_second_run_is_refused_at_once(path):
    """Two runs never write together."""
    with Writer(path), pytest.raises(BusyError), Writer(path):
        pass


def test_a_killed_run_leaves_no_lock(path):
    """After SIGKILL the next run starts at once."""
    code = (
        "import os, signal, sys; from pathlib import Path; from mirror.store.database import Writer\n"
        "w = Writer(Path(sys.argv[1])).__enter__(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    with Writer(path) as writer:
        assert writer.conn.execute("SELECT count(*) FROM conversations").fetchone()[0] == 0


def test_a_run_killed_while_it_made_the_tables_is_taken_up(path):
    """A file is never left half made, to be taken for another program's."""
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from mirror.migrations import migrations; from mirror.store.database import Writer\n"
        "migrations.pending = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "Writer(Path(sys.argv[1])).__enter__()"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == -signal.SIGKILL
    with Writer(path) as writer:
        assert writer.conn.execute("SELECT count(*) FROM conversations").fetchone()[0] == 0


@pytest.mark.parametrize("mode", ["delete", "wal"])
@pytest.mark.parametrize("tables", [True, False])
@pytest.mark.parametrize("lock", ["BEGIN; SELECT count(*) FROM sqlite_master", "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_a_run_waits_for_who_holds_the_file_for_a_moment(path, mode, tables, lock):
    """A reader or writer of another program, whatever it holds, delays the opening and never ends it."""
    if tables:
        Writer(path).__enter__().__exit__()
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute(f"PRAGMA journal_mode={mode}")
    for statement in lock.split(";"):
        other.execute(statement).fetchall()
    release = threading.Timer(0.3, other.rollback)
    release.start()
    with Writer(path) as writer:
        assert writer.conn.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        with writer.transaction() as conn:
            conn.execute("INSERT INTO _settings VALUES ('a', '1')")
    release.join()
    other.close()


def test_a_newer_database_is_refused_and_not_touched(path):
    """A schema that this program does not know is left byte for byte."""
    with Writer(path) as writer:
        writer.conn.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('chatmirror', 'm9999_future', '')"
        )
        writer.checkpoint()
    before = path.read_bytes()
    with pytest.raises(ForeignDatabaseError, match="newer"), Writer(path):
        pass
    with pytest.raises(ForeignDatabaseError):
        open_reader(path)
    assert path.read_bytes() == before


def test_somebody_elses_database_is_refused_and_not_touched(path):
    """A database of another program gets no table of ours."""
    conn = sqlite3.connect(path)
    conn.execute("CREATE TABLE theirs (x)")
    conn.commit()
    conn.close()
    before = path.read_bytes()
    with pytest.raises(ForeignDatabaseError, match="not made by chatmirror"), Writer(path):
        pass
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"not a database at all, but a letter to my aunt" * 50, b"SQLite format 3\x00" + b"\xff" * 4000]
)
@pytest.mark.leaves_damage("the file is no mirror")
def test_a_damaged_file_is_refused_and_not_touched(path, content):
    """What is no database is said to be damaged, and stays as it is."""
    path.write_bytes(content)
    with pytest.raises(DamagedError), Writer(path):
        pass
    assert path.read_bytes() == content


def test_a_moved_database_takes_no_more_writes(path):
    """Writes to a file that was replaced under the run are not counted as saved."""
    with Writer(path) as writer:
        path.rename(path.with_name("moved.db"))
        with pytest.raises(StorageError, match="moved or replaced"), writer.transaction() as conn:
            conn.execute("INSERT INTO _settings VALUES ('a', '1')")


def fail_after(_):
    raise ZeroDivisionError


def test_a_failed_transaction_leaves_nothing(path):
    """An exception in the middle rolls everything back."""
    with Writer(path) as writer:
        with pytest.raises(ZeroDivisionError), writer.transaction() as conn:
            fail_after(conn.execute("INSERT INTO _settings VALUES ('a', '1')"))
        assert writer.conn.execute("SELECT count(*) FROM _settings").fetchone()[0] == 0


def test_a_savepoint_that_ctrl_c_left_open_spoils_no_transaction(path):
    """A look at the database begins one; what is written after it is written as always."""
    with Writer(path) as writer:
        writer.conn.execute("SAVEPOINT asked")
        writer.conn.execute("DELETE FROM _settings WHERE 0")
        with writer.transaction() as conn:
            conn.execute("INSERT INTO _settings VALUES ('a', '1')")
        assert not writer.conn.in_transaction
    with open_reader(path) as conn:
        assert conn.execute("SELECT value FROM _settings WHERE key = 'a'").fetchone()["value"] == "1"


def test_a_full_disk_is_said_and_what_was_saved_is_whole(path):
    """SQLITE_FULL becomes exit 8, and earlier rows are there."""
    with Writer(path) as writer:
        with writer.transaction() as conn:
            conn.execute("INSERT INTO _settings VALUES ('kept', '1')")
        pages = writer.conn.execute("PRAGMA page_count").fetchone()[0]
        writer.conn.execute(f"PRAGMA max_page_count = {pages + 1}")
        with pytest.raises(StorageError, match="full"), writer.transaction() as conn:
            conn.execute("INSERT INTO _settings VALUES ('big', ?)", ("x" * 100_000,))
        assert [row[0] for row in writer.conn.execute("SELECT key FROM _settings")] == ["kept"]


@pytest.mark.parametrize("name", ["missing/chats.db", "."])
def test_impossible_places_are_refused(tmp_path, name):
    """A folder that is not there, or that is the database, is a usage error."""
    with pytest.raises(UsageError), Writer(tmp_path / name):
        pass


def test_reading_needs_a_database(path):
    """A reading command on nothing says what to do first."""
    with pytest.raises(UsageError, match="sync"):
        open_reader(path)


def test_upserts_write_only_what_differs(path):
    """The same row again is no write."""
    with Writer(path) as writer, writer.transaction() as conn:
        assert upsert(conn, "_settings", ("key",), {"key": "a", "value": "1"}) == 1
        assert upsert(conn, "_settings", ("key",), {"key": "a", "value": "1"}) == 0
        assert upsert(conn, "_settings", ("key",), {"key": "a", "value": "2"}) == 1


def test_a_busy_database_is_not_called_damaged(path):
    """While another program writes, a check says so; it does not send anybody to a backup."""
    with Writer(path, busy_timeout=0.05) as writer:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BusyError), storage_errors.translated(path):
            integrity.check(writer.conn, lambda *_: None)
        other.close()
        assert integrity.check(writer.conn, lambda *_: None).all == []


@pytest.mark.leaves_damage("a ghost is in the index")
def test_an_index_out_of_step_is_found(path):
    """What another tool did behind the triggers' back is seen, although SQLite's own check is content."""
    with Writer(path) as writer:
        writer.conn.execute("INSERT INTO messages_fts(rowid, text) VALUES (7, 'a ghost')")
        assert writer.conn.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert integrity.check(writer.conn, lambda *_: None).indexes == ["the search index messages_fts is out of step"]


class _NewerSQLite:
    """Answers ``PRAGMA integrity_check`` as SQLite does from 3.44 on, which this Python may not have."""

    def __init__(self, *rows, error=None):
        self.rows, self.error = rows, error

    def execute(self, _sql):
        if self.error:
            raise self.error
        return [(row,) for row in self.rows]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (_NewerSQLite("ok"), []),
        (_NewerSQLite("malformed inverted index for FTS5 table main.messages_fts"), []),
        (_NewerSQLite('fts5: corruption found reading blob 10 from table "messages_fts"'), []),
        (_NewerSQLite("unable to validate the inverted index for FTS5 table main.files_fts: disk"), []),
        (_NewerSQLite(error=sqlite3.OperationalError("vtable constructor failed: messages_fts")), []),
        (
            _NewerSQLite("wrong # of entries in index x", "malformed inverted index for FTS5 table main.messages_fts"),
            ["wrong # of entries in index x"],
        ),
        (_NewerSQLite("*** in database main ***\nTree 5 page 7: btreeInitPage() returns error code 11"), None),
    ],
)
def test_a_damaged_full_text_index_is_no_damage_of_the_file(said, found):
    """It can be made anew, and is found by comparison with its table; else only a backup would help."""
    expected = ["Tree 5 page 7: btreeInitPage() returns error code 11"] if found is None else found
    assert storage_errors.damage_of_file(said) == expected


def test_other_errors_of_the_check_are_told():
    with pytest.raises(sqlite3.OperationalError):
        storage_errors.damage_of_file(_NewerSQLite(error=sqlite3.OperationalError("disk I/O error")))  # type: ignore[arg-type] # all that it is asked for
