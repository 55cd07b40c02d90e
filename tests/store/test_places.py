"""One database under several names, in places that cannot be written, and with readers that stay."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mirrors import add_conversation, add_message, bakery, open_mirror

from mirror.errors import BusyError, UsageError
from mirror.store.database import Writer, open_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.leaves_damage("its rows are written by hand, from no payload")
CHATMIRROR = str(Path(sys.executable).with_name("chatmirror"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    bakery(tmp_path / "chats.db")
    with Writer(tmp_path / "chats.db"):
        pass
    return tmp_path / "chats.db"


def symbolic(path: Path) -> Path:
    (path.parent / "link.db").symlink_to(path)
    return path.parent / "link.db"


def symbolic_folder(path: Path) -> Path:
    (path.parent / "folder").symlink_to(path.parent)
    return path.parent / "folder" / path.name


def relative(path: Path) -> Path:
    return Path(os.path.relpath(path))


def roundabout(path: Path) -> Path:
    (path.parent / "sub").mkdir()
    return path.parent / "sub" / ".." / path.name


@pytest.mark.parametrize("name", [symbolic, symbolic_folder, relative, roundabout])
def test_two_runs_exclude_each_other_by_whatever_name(path: Path, name: Callable[[Path], Path]) -> None:
    other = name(path)
    with Writer(path), pytest.raises(BusyError), Writer(other):
        pass
    with Writer(other), pytest.raises(BusyError), Writer(path):
        pass
    with Writer(other) as writer, writer.transaction() as conn:
        conn.execute("UPDATE conversations SET title = 'By another name'")
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("SELECT DISTINCT title FROM conversations").fetchall() == [("By another name",)]


def test_a_file_with_two_names_is_refused_by_both(path: Path) -> None:
    """SQLite would keep a log beside each of them."""
    other = path.parent / "hard.db"
    other.hardlink_to(path)
    for name in (path, other):
        with pytest.raises(UsageError, match="hard link"), Writer(name):
            pass
    other.unlink()
    with Writer(path):
        pass


def test_rows_in_the_log_of_another_name_are_not_overlooked(path: Path) -> None:
    """What a killed run left there is not seen by this name, so the other one is named; at rest both read the same."""
    other = path.parent / "hard.db"
    other.hardlink_to(path)
    with closing(open_reader(path)):
        pass
    with closing(sqlite3.connect(other)) as conn:
        conn.execute("PRAGMA journal_mode=WAL")
        conn.execute("UPDATE conversations SET title = 'only in the log'")
        conn.commit()
        with pytest.raises(UsageError, match=r"its newest rows are in hard\.db-wal.*Give -d .*hard\.db"):
            open_reader(path)
        with closing(open_reader(other)) as reader:
            assert reader.execute("SELECT title FROM conversations").fetchone()[0] == "only in the log"
    with closing(open_reader(path)) as reader:  # closing it folded the log in
        assert reader.execute("SELECT title FROM conversations").fetchone()[0] == "only in the log"


def test_every_commit_waits_for_the_disk(path: Path) -> None:
    """With less than FULL a power cut takes what was reported as saved."""
    with Writer(path) as writer:
        found = [writer.conn.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")]
    assert found == [2, "wal"]


def test_a_reader_that_stays_costs_no_run_its_wait(path: Path) -> None:
    """It holds up the folding of the log, which a later run does; nothing is lost."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM conversations").fetchone()
        before = time.monotonic()
        with Writer(path) as writer:
            with writer.transaction() as conn:
                conn.execute("UPDATE conversations SET title = 'While somebody reads'")
            writer.checkpoint()
        assert time.monotonic() - before < 10
    with Writer(path) as writer:
        assert writer.conn.execute("PRAGMA busy_timeout").fetchone()[0] == 30_000
        writer.checkpoint()
        assert writer.conn.execute("SELECT DISTINCT title FROM conversations").fetchone()[0] == "While somebody reads"


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A mirror in a place that cannot be written, of which the newest conversation stands in the log only."""
    program = (
        "import os, sqlite3, sys\n"
        "conn = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "conn.execute('PRAGMA journal_mode=WAL'); conn.execute('PRAGMA wal_autocheckpoint=0')\n"
        "conn.execute(\"UPDATE conversations SET title = 'Newest rye'\")\n"
        "os._exit(0)\n"
    )
    made, place = tmp_path / "made.db", tmp_path / "place"
    with closing(open_mirror(made)) as conn:
        add_message(conn, add_conversation(conn, "c1", "Old"), "n1", "How do I feed a rye starter?")
    subprocess.run([sys.executable, "-c", program, str(made)], check=True)
    place.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{made}{suffix}", place / f"chats.db{suffix}")
    yield place
    place.chmod(0o700)


def run_there(place: Path, *arguments: str) -> tuple[int, str, str]:
    """Run chatmirror where it cannot write: by permission, or, for root, on a read-only mount of its own."""
    command = [CHATMIRROR, *arguments, "-d", str(place / "chats.db")]
    if os.geteuid() == 0:
        if shutil.which("unshare") is None or subprocess.run(["unshare", "-m", "true"], check=False).returncode:
            pytest.skip("root can write everywhere, and this system mounts nothing read-only for a test")
        mount = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
        command = ["unshare", "-m", "sh", "-c", mount, str(place), *command]
    else:
        place.chmod(0o500)
    found = subprocess.run(command, capture_output=True, check=False, timeout=60)
    return found.returncode, found.stdout.decode(), found.stderr.decode()


def test_what_is_newest_is_read_also_where_nothing_can_be_written(read_only: Path) -> None:
    """It stands in the log that a killed run left."""
    code, out, err = run_there(read_only, "search", "rye", "--json")
    assert (code, err) == (0, "")
    assert "Newest rye" in out
    assert sorted(path.name for path in read_only.iterdir()) == ["chats.db", "chats.db-wal"]


def test_check_needs_no_permission_to_write(read_only: Path) -> None:
    """It compares the indexes, too; that the title is not what its payload says, it finds."""
    code, _, err = run_there(read_only, "check")
    assert code == 9
    assert "differ from its payload (title" in err
    values = "title = 'Old', message_count = 0, created_at = NULL, updated_at = NULL, model = NULL"
    write(read_only, f"UPDATE conversations SET {values}; DELETE FROM messages")
    assert run_there(read_only, "check") == (0, "", "")
    write(read_only, "INSERT INTO messages_fts(rowid, text) VALUES (77, 'a ghost')")
    code, _, err = run_there(read_only, "check")
    assert (code, "messages_fts is out of step" in err) == (9, True), err


def write(place: Path, statements: str) -> None:
    place.chmod(0o700)
    with Writer(place / "chats.db") as writer:
        with writer.transaction() as conn:
            for sql in statements.split("; "):
                conn.execute(sql)
        writer.checkpoint()
