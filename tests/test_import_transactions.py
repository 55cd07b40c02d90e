"""Several conversations a transaction: what was counted is committed, and each conversation is whole or absent."""

from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from archive_files import conversation, save
from commands import run, run_here, started, wait_until

from mirror import app
from mirror.errors import DamagedError
from mirror.timing import Timing

PADDING = "x" * 3_000_000  # three of them fill a transaction


def stored(path: Path) -> list[str]:
    """The ids that another connection sees."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as conn:
        return [key for (key,) in conn.execute("SELECT id FROM conversations ORDER BY rowid")]


def test_progress_tells_of_what_is_committed(tmp_path: Path) -> None:
    """Whenever progress is made, all that it counts can be read by others, and stays whatever comes after."""
    export = save(tmp_path / "conversations.json", [conversation(n, more=PADDING) for n in range(5)])
    db, seen = tmp_path / "chats.db", []

    def progress(done: int, total: int) -> None:
        seen.append((done / total > 0.9, len(stored(db))))

    result = app.import_archives(db, [export], Timing(), progress)
    assert [count for _, count in seen] == [3, 5]
    assert (result.new, result.total) == (5, 5)


def test_an_interruption_costs_at_most_what_was_not_counted(tmp_path: Path) -> None:
    """What was committed before Ctrl-C stays; the next run has the rest."""
    export = save(tmp_path / "conversations.json", [conversation(n, more=PADDING) for n in range(5)])
    db = tmp_path / "chats.db"

    def interrupt(_: int, __: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        app.import_archives(db, [export], Timing(), interrupt)
    assert stored(db) == ["id-0", "id-1", "id-2"]
    again = app.import_archives(db, [export], Timing(), lambda *_: None)
    assert (again.new, again.unchanged) == (2, 3)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_a_kill_leaves_whole_conversations_only(tmp_path: Path) -> None:
    """SIGKILL at several moments: the file is whole, and the same import completes it."""
    nodes = {f"n{n}": {"parent": f"n{n - 1}" if n else None, "message": said(n)} for n in range(80)}
    many = [conversation(n, mapping=nodes, current_node="n79", more=PADDING[:400_000]) for n in range(60)]
    save(tmp_path / "conversations.json", many)
    db = tmp_path / "chats.db"
    for least in (1, 30):
        command = (sys.executable, "-m", "mirror", "import", "conversations.json")
        with started(*command, cwd=tmp_path, env={**os.environ, "CHATMIRROR_DB": str(db)}) as process:
            wait_until(partial(holds, db, least), process)
            process.kill()
        with closing(sqlite3.connect(db)) as conn:
            messages = "SELECT count(*) FROM messages GROUP BY conversation_id"
            assert {count for (count,) in conn.execute(messages)} == {80}
        assert run(tmp_path, "chatmirror", "check", "-d", str(db)) == (0, "", "")
    assert run(tmp_path, "chatmirror", "import", "-d", str(db), "conversations.json") == (0, "", "")
    assert len(stored(db)) == 60


def said(n: int) -> dict[str, object]:
    """A message of an export."""
    return {"id": f"n{n}", "author": {"role": "user"}, "content": {"content_type": "text", "parts": [f"text {n}"]}}


def holds(db: Path, least: int) -> bool:
    """Whether another connection sees so many conversations; there may be no tables yet."""
    try:
        return len(stored(db)) >= least
    except sqlite3.OperationalError:
        return False


@pytest.mark.leaves_damage("a payload is damaged")
def test_damage_in_what_is_stored_costs_only_that_conversation(tmp_path: Path) -> None:
    """A newer copy of a conversation whose stored bytes are damaged is named; those beside it are stored."""
    db = tmp_path / "chats.db"
    app.import_archives(db, [save(tmp_path / "old.json", [conversation(1)])], Timing(), lambda *_: None)
    with closing(sqlite3.connect(db)) as conn, conn:
        conn.execute("UPDATE _payloads SET body = x'00'")
    newer = [conversation(0), conversation(1, "more", update_time=1800000000), conversation(2)]
    result = app.import_archives(db, [save(tmp_path / "new.json", newer)], Timing(), lambda *_: None)
    assert (result.new, len(result.damages)) == (2, 1)
    assert sorted(stored(db)) == ["id-0", "id-1", "id-2"]


@pytest.mark.parametrize("order", [(0, 2), (0, 1, 2, 0)])
def test_the_same_conversation_twice_in_one_transaction(tmp_path: Path, order: tuple[int, ...]) -> None:
    """The second copy is compared with the first one, which is not committed yet; its messages have a link."""
    copies = [conversation(1, text, update_time=1700000001.5 + n) for n, text in enumerate(("hi", "hi", "hi again"))]
    for copy in copies:
        cited = {"metadata": {"title": "Rye", "url": "https://example.org/rye"}}
        copy["mapping"]["m"]["message"]["metadata"] = {"citations": [cited]}
    export = save(tmp_path / "conversations.json", json.loads(json.dumps([copies[n] for n in order])))
    result = app.import_archives(tmp_path / "chats.db", [export], Timing(), lambda *_: None)
    assert (result.new, result.total) == (1, len(order))
    with closing(sqlite3.connect(tmp_path / "chats.db")) as conn:
        assert conn.execute("SELECT text FROM messages").fetchall() == [("hi again",)]
        assert conn.execute("SELECT url FROM links").fetchall() == [("https://example.org/rye",)]


@pytest.mark.parametrize("is_one_file", [True, False])
@pytest.mark.leaves_damage("messages are deleted")
def test_messages_that_come_later_are_hashed_as_they_are_written(tmp_path: Path, *, is_one_file: bool) -> None:
    """Else a check would trust rows that are lost: the first copy has none of the messages."""
    db = tmp_path / "chats.db"
    empty, full = conversation(1, mapping={}, current_node=None), conversation(1, update_time=1800000000)
    files = [[empty, conversation(2), full]] if is_one_file else [[empty], [full]]
    for n, ones in enumerate(files):
        app.import_archives(db, [save(tmp_path / f"{n}.json", ones)], Timing(), lambda *_: None)
    assert run_here(tmp_path, "check") == (0, "", "")
    with closing(sqlite3.connect(db)) as conn, conn:
        conn.execute("DELETE FROM messages WHERE conversation_id = 'id-1'")
    with pytest.raises(DamagedError):
        run_here(tmp_path, "check")


@pytest.mark.skipif(sys.platform != "linux", reason="the files that are open are counted in /proc")
def test_more_files_than_a_program_may_open_are_imported(tmp_path: Path) -> None:
    """One after the other: somebody who saved each chat by itself has thousands."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    paths = [save(tmp_path / f"{n}.json", [conversation(n)]) for n in range(120)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + 60, most))
    try:
        result = app.import_archives(tmp_path / "chats.db", paths, Timing(), lambda *_: None)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert (result.new, result.error) == (len(paths), None)
