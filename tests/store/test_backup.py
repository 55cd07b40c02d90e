"""Backup and restore: nothing good is ever replaced by something worse, whatever was left by killed runs."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from mirrored_service import MirroredService
from mirrors import bakery

from mirror.cli.group import cli
from mirror.errors import ChatmirrorError
from mirror.store.database import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator

CHATS = "SELECT count(*) FROM conversations"


def chatmirror(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """A command on the folder's ``chats.db``: exit code, stdout and stderr."""
    found = CliRunner().invoke(cli, arguments, env={"CHATMIRROR_DB": str(folder / "chats.db")})
    if isinstance(found.exception, ChatmirrorError):
        return found.exception.exit_code, found.stdout, f"{found.stderr}{found.exception.message}\n"
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.exit_code, found.stdout, found.stderr


def value(path: Path, sql: str = CHATS) -> object:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as conn:
        return conn.execute(sql).fetchone()[0]


def names(folder: Path) -> set[str]:
    """What is in the folder, without locks and the login's folder."""
    beside = (".lock", "chats.db-wal", "chats.db-shm")  # what reading leaves beside the database itself
    return {path.name for path in folder.iterdir() if path.is_file() and not path.name.endswith(beside)}


@pytest.fixture
def mirrored(tmp_path: Path) -> Iterator[MirroredService]:
    """A mirror after one sync."""
    with MirroredService(tmp_path) as opened:
        opened.sync()
        yield opened


@pytest.fixture
def folder(mirrored: MirroredService) -> Path:
    return mirrored.path.parent


def leave_log(path: Path, title: str) -> None:
    """Be killed after a commit: what was written last stands in the log only."""
    program = (
        "import os, sqlite3, sys\n"
        "conn = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "conn.execute('PRAGMA journal_mode=WAL'); conn.execute('PRAGMA wal_autocheckpoint=0')\n"
        "conn.execute('UPDATE conversations SET title = ?', (sys.argv[2],))\n"
        "os._exit(9)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path), title], check=False)
    assert path.with_name(f"{path.name}-wal").stat().st_size > 0


def damage(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as conn:
        conn.execute(sql)
        conn.commit()
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


SPOIL_PAYLOAD = "UPDATE _payloads SET body = zeroblob(20) WHERE id = (SELECT min(id) FROM _payloads)"


def test_a_backup_replaces_an_older_one_of_the_same_mirror(mirrored: MirroredService, folder: Path) -> None:
    assert chatmirror(folder, "backup", str(folder / "bk.db")) == (0, "", "")
    mirrored.person.new_conversation("Newer", "question", "answer")
    mirrored.next_run()
    assert chatmirror(folder, "backup", str(folder / "bk.db")) == (0, "", "")
    assert value(folder / "bk.db") == value(mirrored.path) == 13
    assert names(folder) == {"chats.db", "bk.db"}


def test_a_log_that_a_killed_run_left_spoils_no_backup(folder: Path) -> None:
    """The backup's own log is gone before another file has its name."""
    chatmirror(folder, "backup", str(folder / "bk.db"))
    leave_log(folder / "bk.db", "left in the log")
    for suffix in ("-journal", "-shm"):
        (folder / f"bk.db{suffix}").touch()
    assert chatmirror(folder, "backup", str(folder / "bk.db")) == (0, "", "")
    assert names(folder) == {"chats.db", "bk.db"}
    assert value(folder / "bk.db", "PRAGMA integrity_check") == "ok"
    assert value(folder / "bk.db", f"{CHATS} WHERE title = 'left in the log'") == 0


@pytest.mark.parametrize("kind", ["text", "other account", "later", "other program", "more chats", "damaged", "pipe"])
@pytest.mark.leaves_damage("a text takes the place of a mirror")
def test_nothing_but_an_older_backup_is_replaced(folder: Path, tmp_path: Path, kind: str) -> None:
    """Whatever else has the name, stays as it is, byte for byte."""
    target = folder / "target.db"
    if kind == "text":
        target.write_text("Years of notes.\n" * 100)
    elif kind == "other program":
        with closing(sqlite3.connect(target)) as conn:
            conn.execute("CREATE TABLE photos(id)")
    elif kind == "other account":
        (tmp_path / "other").mkdir()
        with MirroredService(tmp_path / "other", conversations=3) as other:
            other.account.user_id = "user-other"
            other.sync()
        shutil.copy(other.path, target)
    else:
        chatmirror(folder, "backup", str(target))
        if kind == "later":
            damage(target, "INSERT INTO sync_runs (started_at, command) VALUES ('2030-01-01T00:00:00.000Z', 'sync')")
        elif kind == "more chats":
            with Writer(target) as writer, writer.transaction() as conn:
                values = "('c-more', 'More', 'https://chatgpt.com/c/c-more', 'chatgpt')"
                conn.execute(f"INSERT INTO conversations (id, title, url, provider) VALUES {values}")
        elif kind == "damaged":
            target.write_bytes(target.read_bytes()[:4096] + b"\xff" * 200_000)
        else:
            target.unlink()
            os.mkfifo(target)
    before = target.read_bytes() if target.is_file() else b""
    code, out, err = chatmirror(folder, "backup", str(target))
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert str(target) in err
    assert before == (target.read_bytes() if target.is_file() else b"")


@pytest.mark.parametrize("kind", ["payload", "row", "index", "page", "nothing", "empty"])
@pytest.mark.leaves_damage("the mirror is damaged")
def test_a_damaged_or_empty_mirror_never_replaces_a_good_backup(
    mirrored: MirroredService, folder: Path, kind: str
) -> None:
    chatmirror(folder, "backup", str(folder / "bk.db"))
    before = (folder / "bk.db").read_bytes()
    if kind == "payload":
        damage(mirrored.path, SPOIL_PAYLOAD)
    elif kind == "row":
        damage(mirrored.path, "UPDATE messages SET role = 'tool' WHERE rowid = 3")
    elif kind == "index":
        damage(mirrored.path, "INSERT INTO messages_fts(messages_fts) VALUES ('delete-all')")
    elif kind == "page":
        content = mirrored.path.read_bytes()
        mirrored.path.write_bytes(content[:40_960] + b"\xff" * 8192 + content[49_152:])
    else:
        mirrored.path.unlink()
        mirrored.path.touch()
        if kind == "empty":
            with Writer(mirrored.path):
                pass
    code, _, err = chatmirror(folder, "backup", str(folder / "bk.db"))
    assert (code, err.count("\n")) == (2 if kind in {"nothing", "empty"} else 9, 1)
    assert (folder / "bk.db").read_bytes() == before
    assert not [name for name in names(folder) if "copy" in name]


def test_a_mirror_in_use_is_no_target(mirrored: MirroredService, folder: Path) -> None:
    shutil.copy(mirrored.path, folder / "live.db")
    with Writer(folder / "live.db"):
        assert chatmirror(folder, "backup", str(folder / "live.db"))[0] == 11
        assert chatmirror(folder, "restore", "-d", str(folder / "live.db"), str(mirrored.path))[0] == 11


def test_what_a_killed_backup_left_is_gone_after_the_next(folder: Path) -> None:
    for name in (".bk.db.copy-abcd1234", ".bk.db.copy-abcd1234-journal", ".bk.db-abcd1234", ".other.db.copy-abcd1234"):
        (folder / name).write_text("private")
    assert chatmirror(folder, "backup", str(folder / "bk.db"))[0] == 0
    assert names(folder) == {"chats.db", "bk.db", ".other.db.copy-abcd1234"}


FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
from mirror.cli import main
sys.argv = ["chatmirror", "backup", "bk.db"]
main()
"""


def test_a_disk_that_is_full_under_the_backup_is_named(folder: Path) -> None:
    (folder / "bk.db").touch()
    found = subprocess.run([sys.executable, "-c", FULL], cwd=folder, capture_output=True, check=False)
    assert (found.returncode, found.stderr.count(b"\n")) == (8, 1)
    assert b"bk.db" in found.stderr
    assert b"chats.db" not in found.stderr
    assert names(folder) == {"chats.db", "bk.db"}


def test_a_backup_is_on_the_disk_before_it_has_its_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is synced, then renamed, then the folder is synced."""
    seen: list[str] = []
    real_sync, real_replace = os.fsync, os.replace

    def sync(handle: int) -> None:
        seen.append(f"sync {Path(f'/proc/self/fd/{handle}').readlink().name[:12]}")
        real_sync(handle)

    def replace(old: str, new: str) -> None:
        seen.append(f"rename to {Path(new).name}")
        real_replace(old, new)

    if not Path("/proc/self/fd").exists():
        pytest.skip("only Linux tells a handle's name")
    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(os, "rename", replace)
    chatmirror(folder, "backup", str(folder / "bk.db"))
    assert seen == ["sync .bk.db.copy-", "rename to bk.db", f"sync {folder.name[:12]}"]


@pytest.mark.parametrize("kind", ["lost", "log", "damaged", "truncated", "zeros", "newer", "log and damaged"])
def test_a_backup_can_be_restored(mirrored: MirroredService, folder: Path, kind: str) -> None:
    """Whatever has become of the database and its log: the backup is in its place, and what was there is kept."""
    chatmirror(folder, "backup", str(folder / "bk.db"))
    mirrored.person.new_conversation("Newer", "question", "answer")
    mirrored.next_run()
    if "log" in kind:
        leave_log(mirrored.path, "left in the log")
    content = mirrored.path.read_bytes()
    spoilt = {"damaged": b"\xff", "truncated": b"", "zeros": b"\x00", "log and damaged": b"\xff"}
    if kind in spoilt:
        mirrored.path.write_bytes(spoilt[kind] * 4096 + content[4096 : 20_000 if kind == "truncated" else None])
    if kind == "lost":
        mirrored.path.unlink()
    before = mirrored.path.read_bytes() if mirrored.path.exists() else None
    code, out, err = chatmirror(folder, "restore", str(folder / "bk.db"))
    assert (code, err) == (0, "")
    assert "next: chatmirror sync" in out
    assert chatmirror(folder, "check") == (0, "", "")
    assert value(mirrored.path) == 12
    kept = folder / "chats.db.before-restore"
    assert kept.exists() == (before is not None)
    if kind == "log":
        assert value(kept, f"{CHATS} WHERE title = 'left in the log'") == 13
    if kind in {"damaged", "truncated", "zeros"}:
        assert kept.read_bytes() == before
    assert mirrored.next_run() == 0
    assert value(mirrored.path) == 13
    assert chatmirror(folder, "backup", str(folder / "bk.db")) == (0, "", "")


@pytest.mark.parametrize(("is_replicated", "is_open", "ends"), [(True, True, 11), (True, False, 0), (False, True, 0)])
def test_no_file_is_replaced_that_litestream_goes_on_copying(
    mirrored: MirroredService, folder: Path, is_replicated: bool, is_open: bool, ends: int
) -> None:
    """It would copy the old one and say nothing; a program that only reads may have the database open."""
    chatmirror(folder, "backup", str(folder / "bk.db"))
    mirrored.person.new_conversation("Newer", "question", "answer")
    mirrored.next_run()
    with closing(sqlite3.connect(mirrored.path, isolation_level=None)) as conn:
        if is_replicated:  # the tables of Litestream 0.3 and 0.5
            conn.execute("CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)")
            conn.execute("CREATE TABLE _litestream_lock (id INTEGER)")
        conn.execute("BEGIN")
        conn.execute(CHATS).fetchone()
        if not is_open:
            conn.close()
        code, _, err = chatmirror(folder, "restore", str(folder / "bk.db"))
        assert (code, "Litestream" in err, err.count("\n")) == (ends, ends == 11, int(ends == 11))
    assert value(mirrored.path) == (13 if ends else 12)
    assert (folder / "chats.db.before-restore").exists() == (ends == 0)
    assert chatmirror(folder, "check")[0] == 0


def test_restoring_twice_keeps_both(mirrored: MirroredService, folder: Path) -> None:
    chatmirror(folder, "backup", str(folder / "bk.db"))
    for _ in range(2):
        assert chatmirror(folder, "restore", str(folder / "bk.db"))[0] == 0
    assert {"chats.db.before-restore", "chats.db.before-restore-2"} < names(folder)
    assert mirrored.path.stat().st_nlink == 1


@pytest.mark.parametrize("kind", ["payload", "text", "empty", "no file", "itself", "other account"])
@pytest.mark.leaves_damage("the backup is damaged")
def test_what_is_no_whole_backup_is_not_restored(
    mirrored: MirroredService, folder: Path, tmp_path: Path, kind: str
) -> None:
    """The database is then as it was, also where it is damaged itself."""
    backup = folder / "bk.db"
    chatmirror(folder, "backup", str(backup))
    if kind == "payload":
        damage(backup, SPOIL_PAYLOAD)
    elif kind == "text":
        backup.write_text("Years of notes.\n" * 100)
    elif kind == "empty":
        backup.write_bytes(b"")
    elif kind == "no file":
        backup.unlink()
    elif kind == "itself":
        backup = mirrored.path
    else:
        (tmp_path / "other").mkdir()
        with MirroredService(tmp_path / "other", conversations=3) as other:
            other.account.user_id = "user-other"
            other.sync()
        backup = other.path
    before = mirrored.path.read_bytes()
    code, out, err = chatmirror(folder, "restore", str(backup))
    assert (out, err.count("\n")) == ("", 1)
    assert code == {"payload": 9, "text": 9}.get(kind, 2)
    assert mirrored.path.read_bytes() == before
    assert "chats.db.before-restore" not in names(folder)


def test_a_backup_that_an_older_version_made_can_be_copied_and_restored(tmp_path: Path) -> None:
    """Its tables are the older version's until a command of this one reads it."""
    bakery(tmp_path / "old.db")
    with closing(sqlite3.connect(tmp_path / "old.db")) as conn:
        conn.execute("DELETE FROM _sqlite_migrations WHERE name = 'm0005_completeness'")
        conn.execute("DROP INDEX conversations_incomplete")
        conn.execute("ALTER TABLE conversations DROP COLUMN is_complete")
        conn.commit()
    assert chatmirror(tmp_path, "backup", "-d", str(tmp_path / "old.db"), str(tmp_path / "bk.db")) == (0, "", "")
    assert chatmirror(tmp_path, "restore", str(tmp_path / "bk.db"))[0] == 0
    assert value(tmp_path / "chats.db") == 2


@pytest.mark.parametrize("stop", ["fsync", "replace", "link", "unlink"])
@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_kill_at_any_step_leaves_both_files_whole(
    mirrored: MirroredService, folder: Path, command: str, stop: str
) -> None:
    """Killed at each call in turn that the command makes of one kind; the next run ends what was begun."""
    chatmirror(folder, "backup", str(folder / "bk.db"))
    for n in range(1, 9):
        leave_log(folder / "bk.db" if command == "backup" else mirrored.path, "left in the log")
        arguments = [sys.executable, "-c", KILLED, stop, str(n), command, "bk.db"]
        code = subprocess.run(arguments, cwd=folder, capture_output=True, check=False).returncode
        assert code in {0, 99}
        assert (value(folder / "bk.db"), value(mirrored.path)) == (12, 12)
        is_new = value(mirrored.path, TITLE) != "left in the log"
        assert chatmirror(folder, "check")[0] == (0 if is_new else 9)  # opens it to write, as every next run does
        assert not [name for name in names(folder) if name.startswith(".chats.db")]
        assert mirrored.path.stat().st_nlink == 1
        if code == 0:
            return
    pytest.fail("never came to an end")


TITLE = "SELECT title FROM conversations LIMIT 1"
KILLED = """
import os, sys
stop, n, *arguments = sys.argv[1:]
real, calls = getattr(os, stop), []
def killing(*values, **how):
    calls.append(1)
    if len(calls) == int(n):
        os._exit(99)
    return real(*values, **how)
setattr(os, stop, killing)
sys.argv = ["chatmirror", *arguments]
from mirror.cli import main
main()
"""
