"""What looks at every mirror that a test leaves finds what is wrong with it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import zlib
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import invariants
import pytest
from invariants import broken, broken_below
from mirrored_service import MirroredService

from mirror.files.byte_store import ByteStore
from mirror.store.database import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).parent
A_SECRET = b"a secret that was given out, of forty-eight letters"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MirroredService]:
    with MirroredService(tmp_path_factory.mktemp("whole"), conversations=3) as mirrored:
        assert mirrored.sync().error is None
        with Writer(mirrored.path) as writer:
            writer.checkpoint()
        yield mirrored


@pytest.fixture
def mirror(whole: MirroredService, tmp_path: Path) -> Path:
    return Path(shutil.copy(whole.path, tmp_path / "chats.db"))


A_LATER_RUN = "INSERT INTO sync_runs (id, started_at, command, exit_code) VALUES (9, '2026-01-01', 'import', 0)"
DAMAGES = {
    "UPDATE messages SET text = text || '!' WHERE rowid = 2": "differ from its payload (messages)",
    "UPDATE conversations SET message_count = 99 WHERE rowid = 2": "differ from its payload (message_count)",
    "DELETE FROM messages WHERE conversation_id = (SELECT min(id) FROM conversations)": "differ from its payload",
    "UPDATE _payloads SET body = x'00' WHERE rowid = 2": "does not unpack",
    "INSERT INTO messages_fts(rowid, text) VALUES (999, 'a ghost')": "messages_fts is out of step",
    "DROP TRIGGER messages_au": "the trigger messages_au is missing",
    "INSERT INTO changes (run_id, conversation_id, kind) VALUES (77, 'c', 'new')": "changes",
    "DELETE FROM _listed WHERE rowid = 1": "_listed",
    "UPDATE _listed SET stored_us = 1 WHERE rowid = 1": "ended with 0, and",
    f"{A_LATER_RUN}; UPDATE sync_runs SET finished_at = NULL, outcome = NULL WHERE id = 1": "run 1 has no end",
}


@pytest.mark.leaves_damage("which is what is looked for")
@pytest.mark.parametrize("damage", list(DAMAGES))
def test_what_breaks_an_invariant_is_found(mirror: Path, damage: str) -> None:
    assert broken(mirror) == []
    with closing(sqlite3.connect(mirror)) as conn:
        conn.executescript(damage)
    assert any(DAMAGES[damage] in line for line in broken(mirror)), broken(mirror)
    assert broken_below(mirror.parent) == [f"chats.db: {line}" for line in broken(mirror)]


@pytest.mark.leaves_damage("the file is overwritten, and its files are lost")
def test_what_is_lost_beside_the_rows_is_found(whole: MirroredService, mirror: Path) -> None:
    """Bytes of files, conversations that were reported as saved, and the whole file."""
    saved = whole.ids()
    assert broken(mirror, saved) == []
    assert broken(mirror, [*saved, "another"]) == ["another was saved and is gone"]
    with closing(sqlite3.connect(mirror)) as conn, conn:
        conn.execute(
            "INSERT INTO files (id, provider, kind, state, sha256, size, first_seen_at)"
            " VALUES ('f', 'chatgpt', 'document', 'stored', ?, 1, '2026-01-01T00:00:00.000Z')",
            ("0" * 64,),
        )
    assert f"the bytes {'0' * 64} are not whole" in broken(mirror)
    ByteStore(mirror).folder.mkdir()
    mirror.write_bytes(b"\xff" * 40_000)
    assert len(broken_below(mirror.parent)) == 1
    mirror.unlink()
    assert broken(mirror, saved) == ["chats.db is gone"]
    assert broken(mirror) == []


@pytest.mark.leaves_damage("a payload is exchanged")
@pytest.mark.parametrize(("table", "value"), [("_payloads", zlib.compress(A_SECRET)), ("_settings", A_SECRET.decode())])
def test_a_secret_in_a_value_is_found(mirror: Path, table: str, value: object) -> None:
    """Also where no search in the file's bytes could see it."""
    with closing(sqlite3.connect(mirror)) as conn, conn:
        column = "body" if table == "_payloads" else "value"
        conn.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = (SELECT min(rowid) FROM {table})", (value,))
    assert f"a secret is in the table {table}" in broken(mirror, secrets=[A_SECRET])
    assert not any("secret" in line for line in broken(mirror, secrets=[b"another one"]))


def test_what_is_no_business_of_ours_is_left_alone(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program's database, a newer or older program's mirror, an empty file, one that is in use."""
    monkeypatch.setattr(invariants, "IS_LONG", True)
    folder = mirror.parent
    for name in ("newer.db", "older.db", "busy.db"):
        shutil.copy(mirror, folder / name)
    (folder / "empty.db").touch()
    (folder / "letter.db").write_text("Dear aunt, " * 99)
    with closing(sqlite3.connect(folder / "theirs.db")) as conn:
        conn.execute("CREATE TABLE messages (text)")
    for name, sql in (
        ("newer", "INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('chatmirror', 'm9999_future')"),
        ("older", "DELETE FROM _sqlite_migrations WHERE id = (SELECT max(id) FROM _sqlite_migrations)"),
        ("busy", "UPDATE messages SET text = 'damaged'"),
    ):
        with closing(sqlite3.connect(folder / f"{name}.db")) as conn, conn:
            conn.execute(sql)
    before = {path.name: path.read_bytes() for path in folder.glob("*.db") if path.name != "busy.db"}
    with Writer(folder / "busy.db"):
        assert broken_below(folder) == []
    assert {path.name: path.read_bytes() for path in folder.glob("*.db") if path.name != "busy.db"} == before
    assert len(broken_below(folder)) > 1
    (folder / "busy.db").unlink()


# Tests that leave a mirror: whole, damaged, and damaged as they say.
LEAVING = """
import shutil, sqlite3, pytest
from contextlib import closing
def leave(folder, sql):
    (folder / "deep").mkdir()
    shutil.copy({mirror!r}, folder / "deep" / "chats.db")
    with closing(sqlite3.connect(folder / "deep" / "chats.db")) as conn, conn:
        conn.execute(sql)
def test_whole(tmp_path):
    leave(tmp_path, "SELECT 1")
def test_damaged(tmp_path):
    leave(tmp_path, "UPDATE messages SET text = 'forged'")
@pytest.mark.leaves_damage("a text is forged")
def test_damaged_and_says_so(tmp_path):
    leave(tmp_path, "UPDATE messages SET text = 'forged'")
def test_of_a_changed_program(tmp_path, monkeypatch):
    leave(tmp_path, "SELECT 1")
    monkeypatch.setattr("invariants.integrity.check", None)
"""
LEAVE = ("-p", "conftest", "test_leaving.py")


def test_a_test_that_leaves_a_broken_mirror_fails(mirror: Path, tmp_path: Path) -> None:
    """At its end, with what is wrong, unless it says that it means to; its changes of the program are undone."""
    (tmp_path / "test_leaving.py").write_text(LEAVING.format(mirror=str(mirror)))
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS / "faults"), str(TESTS.parent)])}
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", str(TESTS.parent / "pyproject.toml"), "--rootdir", ".", *LEAVE],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "4 passed, 1 error" in found.stdout, found.stdout
    assert "ERROR at teardown of test_damaged _" in found.stdout
    assert "what the test left: deep/chats.db: the rows of conversation" in found.stdout


def test_some_large_mirrors_are_looked_at_and_all_where_asked(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name of the test, so that the same ones are looked at each time."""
    looked: list[str] = []
    monkeypatch.setattr(invariants, "_size", lambda _: 1000)

    def look(path: Path, **_: object) -> list[str]:
        looked.append(path.name)
        return []

    monkeypatch.setattr(invariants, "broken", look)
    monkeypatch.setattr(invariants, "_was_whole", lambda _: False)
    for _ in range(2):
        for number in range(100):
            broken_below(mirror.parent, name=f"test {number}")
    assert 20 < len(looked) < 80
    assert len(looked) % 2 == 0
    looked.clear()
    monkeypatch.setattr(invariants, "IS_LONG", True)
    broken_below(mirror.parent, name="test")
    assert looked == ["chats.db"]
