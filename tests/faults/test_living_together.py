"""A mirror as it lives: synced and killed, read by Datasette and by a long query, written to by another program.

``CHATMIRROR_SOAK``: for how many seconds (the long run: 1800), ``CHATMIRROR_SEED`` what happens. What each of these
meets alone, and a full disk, a moved database and an older program on a newer file, have tests of their own in
``tests/store`` and ``tests/faults/test_kills.py``.
"""

from __future__ import annotations

import os
import random
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from commands import started
from mirrored_service import MirroredService, differences
from scenarios import violations
from served import Pages

from mirror.simulator import ManualClock, generated_account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = float(os.environ.get("CHATMIRROR_SOAK", "3"))
SEED = int(os.environ.get("CHATMIRROR_SEED", "1"))
BIN = Path(sys.executable).parent
ENDINGS = {0, 3, 11, -9}  # current; something is left; another program held the file; killed
READ = ("/", "/chats", "/chats/-/home", "/chats/-/search?q=the", "/chats/messages?_search=the", "/chats/recent_changes")


@pytest.mark.timeout(6 * 3600)
def test_everything_at_once_for_a_while(tmp_path: Path, free_port: int) -> None:
    """Readers get whole answers, each run ends as documented, and one clean run reaches the state of the account."""
    rng = random.Random(SEED)
    account = generated_account(ManualClock(time.time()), 30, 4)
    with MirroredService(tmp_path, account) as mirrored:
        assert mirrored.sync().error is None
        with (
            served(mirrored.path, free_port) as pages,
            at_once(reading(pages), querying(mirrored), writing(mirrored, rng)),
        ):
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                live(mirrored, rng)
                code, said = sync(mirrored, rng)
                assert code in ENDINGS, said
        mirrored.clock.advance(86_400)
        assert mirrored.sync().error is None
        assert differences(mirrored) == []
        assert violations(mirrored.path) == []
        assert mirrored.value("SELECT count(*) FROM notes_of_another_program") > 0


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def live(mirrored: MirroredService, rng: random.Random) -> None:
    """Let the person use the service."""
    key = rng.choice(mirrored.ids())
    rng.choice((mirrored.person.new_message, mirrored.person.star, mirrored.person.archive))(key)
    mirrored.person.new_conversation("Another one")
    mirrored.clock.seconds = max(mirrored.clock.seconds, time.time())


def sync(mirrored: MirroredService, rng: random.Random) -> tuple[int, str]:
    """Sync in a process, which is killed at any moment, or not; return how it ended and what it said."""
    process = subprocess.Popen(
        [str(BIN / "chatmirror"), "sync"],
        cwd=mirrored.path.parent,
        env={**os.environ, **mirrored.environ, "CHATMIRROR_WAIT_SCALE": "0", "CHATMIRROR_DB": str(mirrored.path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        said = process.communicate(timeout=rng.choice((0.4, 0.8, 1.6, 120)))[1]
    except subprocess.TimeoutExpired:
        process.kill()
        said = process.communicate()[1]
    return process.returncode, said


@contextmanager
def served(path: Path, port: int) -> Iterator[Pages]:
    """Datasette with this mirror, once it answers."""
    command = (str(BIN / "datasette"), str(path), "--port", str(port))
    with started(*command, cwd=path.parent, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        pages, end = Pages(port), time.monotonic() + 60
        while True:
            try:
                pages.get("/")
            except OSError:
                assert time.monotonic() < end
                time.sleep(0.1)
            else:
                break
        yield pages


@contextmanager
def at_once(*acts: Callable[[], None]) -> Iterator[None]:
    """Do things again and again meanwhile, each in a thread; what one of them raises fails the test."""
    is_over, errors = threading.Event(), []

    def again(act: Callable[[], None]) -> None:
        while not is_over.is_set():
            try:
                act()
            except BaseException as error:  # noqa: BLE001 - shown where the test ends
                errors.append(error)
                return

    threads = [threading.Thread(target=again, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert errors == []


def reading(pages: Pages) -> Callable[[], None]:
    """Ask Datasette for all kinds of pages."""

    def act() -> None:
        for path in READ:
            status, text = pages.get(path)
            assert status in {200, 302}, (path, text[-500:])

    return act


def querying(mirrored: MirroredService) -> Callable[[], None]:
    """Read for a while in one transaction: the same all the time, and every conversation whole."""

    def act() -> None:
        with closing(sqlite3.connect(f"file:{mirrored.path}?mode=ro", uri=True, isolation_level=None)) as conn:
            conn.execute("BEGIN")
            sql = "SELECT conversation_id, count(*) FROM messages GROUP BY 1"
            before = conn.execute(sql).fetchall()
            time.sleep(1.5)
            assert conn.execute(sql).fetchall() == before
            assert not conn.execute(
                "SELECT id FROM conversations WHERE id NOT IN (SELECT conversation_id FROM messages)"
            ).fetchall()

    return act


def writing(mirrored: MirroredService, rng: random.Random) -> Callable[[], None]:
    """Write to a table of another program in the same file, as sqlite-utils would."""

    def act() -> None:
        with closing(sqlite3.connect(mirrored.path, timeout=60)) as conn:
            conn.execute("CREATE TABLE IF NOT EXISTS notes_of_another_program (note TEXT)")
            conn.execute("INSERT INTO notes_of_another_program VALUES ('a note')")
            time.sleep(rng.random() / 5)
            conn.commit()
        time.sleep(rng.random() / 5)

    return act
