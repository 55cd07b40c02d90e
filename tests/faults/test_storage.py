"""What becomes of the file and of the place where it lies: cut, exchanged, moved, held, full, opened to others.

``CHATMIRROR_KILLS``: at how many points of each test (all of them: ``1000000``), ``CHATMIRROR_SEED`` which.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import stat
import subprocess
from contextlib import closing
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from archive_files import conversation, save
from commands import BIN, run_here
from invariants import broken
from mirrored_service import MirroredService, differences
from sqlite_utils import Database

from mirror.chatgpt.login import LOGIN_FORM
from mirror.credentials.login import Login
from mirror.credentials.stored import save_login
from mirror.errors import BusyError, ChatmirrorError, DamagedError, StorageError, UsageError
from mirror.migrations import migrations as all_migrations
from mirror.store import database, schema, storage_errors
from mirror.store.database import Writer, open_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mirror.simulator import ReceivedRequest

KILLS = int(os.environ.get("CHATMIRROR_KILLS", "2"))
SEED = int(os.environ.get("CHATMIRROR_SEED", "1"))
pytestmark = pytest.mark.timeout(3600)


def some(points: int, name: str) -> list[int]:
    """Return some of so many points, counted from 1."""
    return random.Random(f"{SEED} {name}").sample(range(1, points + 1), min(KILLS, points))


@pytest.fixture
def mirrored(tmp_path: Path) -> Iterator[MirroredService]:
    with MirroredService(tmp_path, conversations=4) as opened:
        yield opened


# -- the file is not what it was

COMMANDS = (("check",), ("status",), ("search", "river"), ("show", "last"), ("rebuild",), ("import", "export.json"))


def everything_is_refused(folder: Path, *commands: tuple[str, ...]) -> None:
    """Each command calls the file damaged, and leaves each byte of it."""
    before = (folder / "chats.db").read_bytes()
    for command in commands:
        with pytest.raises(ChatmirrorError) as caught:
            run_here(folder, *command)
        assert caught.value.exit_code == 9, (command, caught.value.message)
        assert (folder / "chats.db").read_bytes() == before, command


@pytest.mark.leaves_damage("the file is cut")
def test_a_file_cut_after_any_page_is_called_damaged_and_not_written_to(mirrored: MirroredService) -> None:
    """As a copy that was not finished, or a disk that lost the end of it."""
    assert mirrored.sync().error is None
    save(mirrored.path.parent / "export.json", [conversation(1)])
    whole = mirrored.path.read_bytes()
    size = int.from_bytes(whole[16:18], "big")
    pages = len(whole) // size
    rng = random.Random(SEED)
    for page in range(1, pages):
        mirrored.path.write_bytes(whole[: page * size])
        everything_is_refused(mirrored.path.parent, COMMANDS[0] if KILLS < 20 else rng.choice(COMMANDS))
    for command in COMMANDS:
        mirrored.path.write_bytes(whole[: rng.randrange(1, pages) * size])
        everything_is_refused(mirrored.path.parent, command)
    with pytest.raises(ChatmirrorError, match="damaged"):
        mirrored.next_run()


@pytest.mark.leaves_damage("the file is nothing but zeros")
def test_a_file_of_zeros_is_called_damaged_and_not_written_to(mirrored: MirroredService) -> None:
    """As a power cut leaves it on some file systems."""
    assert mirrored.sync().error is None
    save(mirrored.path.parent / "export.json", [conversation(1)])
    mirrored.path.write_bytes(bytes(mirrored.path.stat().st_size))
    everything_is_refused(mirrored.path.parent, *COMMANDS)


def a_log(mirrored: MirroredService) -> bytes:
    """Return the log of some changes, which are folded in only afterwards."""
    with closing(sqlite3.connect(mirrored.path)) as conn:
        conn.execute("UPDATE messages SET text = text || hex(zeroblob(20000))")
        conn.commit()
        return mirrored.path.with_name("chats.db-wal").read_bytes()


@pytest.mark.leaves_damage("the log is another mirror's")
@pytest.mark.parametrize("command", [("check",), ("rebuild",), ("import", "export.json"), ("sync",)])
def test_a_log_of_another_mirror_is_named_and_spoils_no_file(tmp_path: Path, command: tuple[str, ...]) -> None:
    """As after a copy over the file where a killed run left its log: SQLite would fold it in, and spoil the copy."""
    (tmp_path / "other").mkdir()
    with MirroredService(tmp_path / "other", conversations=9) as other:
        assert other.sync().error is None
        foreign = a_log(other)
    with MirroredService(tmp_path, conversations=4) as mirrored:
        assert mirrored.sync().error is None
        save(tmp_path / "export.json", [conversation(1)])
        before, log = mirrored.path.read_bytes(), tmp_path / "chats.db-wal"
        log.write_bytes(foreign)
        with pytest.raises(
            DamagedError, match=r"with its log chats\.db-wal is damaged .*; neither was changed"
        ) as caught:
            mirrored.sync() if command == ("sync",) else run_here(tmp_path, *command)
        assert "move chats.db-wal away" in caught.value.message
        assert "\n" not in caught.value.message
        assert (mirrored.path.read_bytes(), log.read_bytes()) == (before, foreign)
        log.rename(tmp_path / "away")
        assert broken(mirrored.path) == []


def test_an_index_that_lacks_rows_is_repaired_also_beside_a_log(mirrored: MirroredService) -> None:
    """A run that was killed leaves its own log, and what is wrong besides must keep no repair away."""
    assert mirrored.sync().error is None
    with closing(sqlite3.connect(mirrored.path)) as conn, conn:
        (sql,) = conn.execute("SELECT sql FROM sqlite_master WHERE name = 'messages_kind'").fetchone()
        for written in (f"{sql} WHERE rowid > 3", sql):
            conn.execute("PRAGMA writable_schema=ON")
            conn.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'messages_kind'", (written,))
            conn.execute("PRAGMA writable_schema=RESET")
            if written != sql:
                conn.execute("REINDEX messages_kind")
    before, log = mirrored.path.read_bytes(), mirrored.path.with_name("chats.db-wal")
    with closing(sqlite3.connect(mirrored.path)) as conn:
        conn.execute("CREATE TABLE notes_of_another_program (note TEXT)")
        conn.commit()
        left = log.read_bytes()
    assert left
    mirrored.path.write_bytes(before)
    log.write_bytes(left)
    with pytest.raises(DamagedError, match=r"Else run `chatmirror check --repair`"):
        mirrored.sync()
    assert run_here(mirrored.path.parent, "check", "--repair")[0] == 0
    assert mirrored.next_run() == 0


# -- the file is moved, replaced or removed during a run


def move(path: Path) -> None:
    path.rename(path.with_name("moved.db"))


def replace(path: Path) -> None:
    path.rename(path.with_name("moved.db"))
    shutil.copy(path.with_name("other.db"), path)


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("act", [move, replace, remove])
def test_a_file_that_goes_during_a_run_takes_nothing_more(
    mirrored: MirroredService, act: Callable[[Path], None]
) -> None:
    """At any request: it is said, what takes its place is left alone, and what was saved until then is whole."""
    empty = mirrored.path.with_name("other.db")
    shutil.copy(mirrored.path, empty)
    assert mirrored.sync(files=False).error is None
    requests = len(mirrored.service.requests)
    for at in some(requests, act.__name__):
        for left in mirrored.path.parent.glob("*.db*"):
            if left != empty:
                left.unlink()
        shutil.copy(empty, mirrored.path)
        seen = count(1)
        mirrored.behaviour.break_request = lambda _, seen=seen, at=at: act(mirrored.path) if next(seen) == at else None
        with pytest.raises(
            StorageError, match=r"moved or replaced during the run; nothing more is written\. Run again"
        ):
            mirrored.sync()
        mirrored.behaviour.break_request = None
        if act is replace:
            assert mirrored.path.read_bytes() == empty.read_bytes(), at
        if act is not remove:
            assert broken(mirrored.path.with_name("moved.db")) == [], at
    if act is remove:
        return
    mirrored.path.unlink(missing_ok=True)
    mirrored.path.with_name("moved.db").rename(mirrored.path)
    assert mirrored.next_run() == 0
    assert differences(mirrored) == []


# -- another program holds it


def test_a_program_that_holds_the_file_ends_the_run_and_costs_nothing(
    mirrored: MirroredService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From any request on, for longer than a run waits: whole conversations are there, and the next run completes."""
    defaults = Writer.__init__.__kwdefaults__ or {}
    monkeypatch.setattr(Writer.__init__, "__kwdefaults__", {**defaults, "busy_timeout": 0.05})
    assert mirrored.sync().error is None
    requests = len(mirrored.service.requests)
    for at in some(requests, "held"):
        mirrored.path.unlink()
        with closing(sqlite3.connect(mirrored.path, isolation_level=None, check_same_thread=False)) as other:
            Writer(mirrored.path).__enter__().__exit__()
            seen = count(1)

            def hold(_: ReceivedRequest, seen: count[int] = seen, other: sqlite3.Connection = other) -> None:
                if next(seen) == at:  # noqa: B023 - the run ends before the next one begins
                    other.execute("BEGIN IMMEDIATE")

            mirrored.behaviour.break_request = hold
            with pytest.raises(BusyError, match="Another program has held"):
                mirrored.sync()
            mirrored.behaviour.break_request = None
        assert broken(mirrored.path) == [], at
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []


# -- there is no room, or no SQLite that will do


def test_a_run_that_would_meet_a_full_disk_does_not_begin(
    mirrored: MirroredService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says how much is needed; the file is as it was, and the service is not asked."""
    before = mirrored.path.read_bytes()
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _: SimpleNamespace(total=10**12, free=storage_errors.FREE_SPACE - 1)
    )
    with pytest.raises(StorageError, match=r"Less than 64 MB are free in .*; nothing was done. Free space, run again"):
        mirrored.sync()
    assert mirrored.path.read_bytes() == before
    assert mirrored.service.requests == []


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="only Linux has /proc")
def test_a_place_that_holds_no_files_is_called_so() -> None:
    """It is not short of room."""
    with pytest.raises(UsageError, match="no files can be kept"), Writer(Path("/proc/x.db")):
        pass


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")
@pytest.mark.timeout(30)
def test_what_is_no_file_is_no_database(tmp_path: Path) -> None:
    """A pipe or a device is no failing disk, and is not waited for."""
    os.mkfifo(tmp_path / "chats.db")
    with pytest.raises(UsageError, match="not a database file"), Writer(tmp_path / "chats.db"):
        pass


def test_a_full_folder_for_temporary_files_is_named(
    mirrored: MirroredService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There, a check makes each index anew; the database's own disk may have all the room there is."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("SQLITE_TMPDIR", str(temporary))
    free = {str(temporary): 0, str(tmp_path): 10**12}
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(total=10**12, free=free[str(folder)]))
    said = rf"temporary files \({temporary}\) is full; .*chats\.db is intact .* set TMPDIR"
    with Writer(mirrored.path) as writer:
        writer.conn.execute("CREATE TEMP TABLE some (text)")
        writer.conn.execute("PRAGMA temp.max_page_count=3")
        with pytest.raises(StorageError, match=said), writer.transaction() as conn:
            conn.execute("INSERT INTO some VALUES (?)", ("x" * 1_000_000,))
        free[str(temporary)] = 10**13
        with pytest.raises(StorageError, match=r"The disk is full; "), writer.transaction() as conn:
            conn.execute("INSERT INTO some VALUES (?)", ("x" * 1_000_000,))


def test_an_sqlite_that_is_too_old_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    with pytest.raises(UsageError, match=r"chatmirror needs 3\.35 or newer"):
        Writer(tmp_path / "chats.db").__enter__()
    assert list(tmp_path.iterdir()) == []


def test_an_sqlite_without_full_text_search_is_named(tmp_path: Path) -> None:
    """As some systems build it."""
    with (
        closing(sqlite3.connect(":memory:")) as conn,
        pytest.raises(UsageError, match="chatmirror needs one with FTS5"),
        storage_errors.translated(tmp_path / "chats.db"),
    ):
        conn.execute("CREATE VIRTUAL TABLE found USING fts5_as_if_it_were_missing(text)")


# -- who may read what is written

EVERYTHING = "umask {0}; {1} import export.json && {1} backup copy.db && {1} export vault && {1} report report.json"


@pytest.mark.parametrize("umask", ["000", "277"] if KILLS < 20 else ["000", "022", "077", "277"])
def test_whatever_the_umask_nobody_else_can_read_what_is_written(tmp_path: Path, umask: str) -> None:
    """Databases, logs, locks, copies, exported files and reports 0600, folders 0700."""
    save(tmp_path / "export.json", [conversation(1)])
    (tmp_path / "export.json").chmod(0o600)
    command = EVERYTHING.format(umask, BIN / "chatmirror")
    subprocess.run(["bash", "-c", command], cwd=tmp_path, env={"HOME": str(tmp_path)}, check=True, timeout=60)
    made = [path for path in tmp_path.rglob("*") if path.name != "export.json"]
    assert {path.name for path in made} >= {"chats.db", "copy.db", "vault", "report.json", "chats.db.lock"}
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in made}
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o007])
def test_whatever_the_umask_the_login_is_its_owners_to_read_and_write(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        path = save_login(Login({"x": "secret"}), {"CHATMIRROR_CONFIG_DIR": str(tmp_path / "new" / "er")}, LOGIN_FORM)
    finally:
        os.umask(before)
    assert [stat.S_IMODE(found.stat().st_mode) for found in (path, path.parent)] == [0o600, 0o700]


# -- an update of the schema is killed


def older(path: Path, migrations: int) -> None:
    """Write a mirror as a program left it that knew so many migrations, with rows that each of them had."""
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA journal_mode=WAL")
        all_migrations.apply(Database(conn, execute_plugins=False), stop_before=(*schema.MIGRATIONS, None)[migrations])
        conn.execute(
            "INSERT INTO _listed (conversation_id, provider, title, listed_at) VALUES ('c1', 'chatgpt', 'T',"
            " '2026-01-01T00:00:00.000Z')"
        )
        conn.execute("INSERT INTO sync_runs (started_at, command) VALUES ('2026-01-01T00:00:00.000Z', 'sync')")
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


@pytest.mark.parametrize("migrations", range(1, len(schema.MIGRATIONS)))
def test_an_update_killed_at_any_statement_is_old_or_new_and_is_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, migrations: int
) -> None:
    """From every past version: what a kill leaves is what is on the disk at that moment."""
    path, connect = tmp_path / "chats.db", database.connect
    statements = count(1)
    at: set[int] = set()

    def on_statement(_: str) -> None:
        if (number := next(statements)) in at:
            for end in ("", "-wal"):
                shutil.copy(f"{path}{end}", f"{tmp_path / f'at-{number}.db'}{end}")

    def connected(path: Path, busy_timeout: float) -> sqlite3.Connection:
        conn = connect(path, busy_timeout)
        conn.set_trace_callback(on_statement)
        return conn

    monkeypatch.setattr(database, "connect", connected)
    older(path, migrations)
    Writer(path).__enter__().__exit__()
    total = next(statements)
    at |= {*random.Random(f"{SEED} {migrations}").sample(range(1, total), min(KILLS, total - 1))}
    statements = count(1)
    older(path, migrations)
    Writer(path).__enter__().__exit__()
    monkeypatch.undo()
    found = sorted(tmp_path.glob("at-*.db"))
    assert found
    for one in found:
        with closing(open_reader(one)) as conn:
            applied = schema.applied_migrations(conn, schema.table_names(conn))
        assert len(applied) in {migrations, len(schema.MIGRATIONS)}, one.name
        assert broken(one) == [], one.name
        with closing(open_reader(one)) as conn:
            assert not schema.is_outdated(conn)
            assert conn.execute("SELECT title FROM _listed").fetchall()[0][0] == "T"
