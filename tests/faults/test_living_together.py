"""A mirror as it lives: synced and killed, read by Datasette and by a long query, written to by another program.

``CHATMIRROR_SOAK``: for how many seconds (the long run: 1800), ``CHATMIRROR_SEED`` what happens,
``CHATMIRROR_DATASETTE_PRE`` the program of a second Datasette that reads it at the same time. What each of these meets
alone, and an older program on a newer file, have tests of their own in ``tests/store``; a full disk in
``test_kills.py``, a file that is moved or replaced during a run in ``test_storage.py``.
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
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from commands import started
from invariants import broken
from mirrored_service import MirroredService, differences
from served import Pages

from mirror.simulator import ManualClock, generated_account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = float(os.environ.get("CHATMIRROR_SOAK", "3"))
SEED = int(os.environ.get("CHATMIRROR_SEED", "1"))
BIN = Path(sys.executable).parent
NEWEST = os.environ.get("CHATMIRROR_DATASETTE_PRE")
IS_THERE = pytest.mark.skipif(
    not NEWEST, reason="set CHATMIRROR_DATASETTE_PRE to the datasette of a second environment"
)
STABLE = str(BIN / "datasette")
DATASETTES = [pytest.param([STABLE, NEWEST or ""], marks=IS_THERE, id="both Datasettes")]
DATASETTES += [] if NEWEST else [pytest.param([STABLE], id="the stable Datasette")]
NAMES = ("{0}", "link.db", "./chats.db", "{0.parent}/../{0.parent.name}/chats.db")
ENDINGS = {0, 3, 11, -9}  # current; something is left; another program held the file; killed
READ = ("/", "/chats", "/chats/-/home", "/chats/-/search?q=the", "/chats/messages?_search=the", "/chats/recent_changes")


@pytest.mark.timeout(6 * 3600)
@pytest.mark.parametrize("datasettes", DATASETTES)
def test_everything_at_once_for_a_while(tmp_path: Path, datasettes: list[str]) -> None:
    """Readers get whole answers, each run ends as documented, and one clean run reaches the state of the account.

    Both Datasettes read it, where a second one is named, and the runs use several names of the file.
    """
    rng = random.Random(SEED)
    account = generated_account(ManualClock(time.time()), 30, 4)
    with MirroredService(tmp_path, account) as mirrored, ExitStack() as stack:
        assert mirrored.sync().error is None
        (tmp_path / "link.db").symlink_to(mirrored.path)
        readers = [reading(stack.enter_context(served(mirrored.path, program))) for program in datasettes]
        with at_once(*readers, querying(mirrored), writing(mirrored, rng)):
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                live(mirrored, rng)
                for code, said in syncs(mirrored, rng):
                    assert code in ENDINGS, said
        mirrored.clock.advance(86_400)
        assert mirrored.sync().error is None
        assert differences(mirrored) == []
        assert broken(mirrored.path) == []
        assert mirrored.value("SELECT count(*) FROM notes_of_another_program") > 0


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def live(mirrored: MirroredService, rng: random.Random) -> None:
    """Let the person use the service."""
    key = rng.choice(mirrored.ids())
    rng.choice((mirrored.person.new_message, mirrored.person.star, mirrored.person.archive))(key)
    mirrored.person.new_conversation("Another one")
    mirrored.clock.seconds = max(mirrored.clock.seconds, time.time())


def syncs(mirrored: MirroredService, rng: random.Random) -> list[tuple[int, str]]:
    """Sync in a process, or in two at once, each by any name of the file; return how each ended and what it said."""
    processes = [start(mirrored, rng.choice(NAMES)) for _ in range(rng.choice((1, 2)))]
    return [end(process, rng.choice((0.4, 0.8, 1.6, 120))) for process in processes]


def start(mirrored: MirroredService, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(BIN / "chatmirror"), "sync", "-d", name.format(mirrored.path)],
        cwd=mirrored.path.parent,
        env={**os.environ, **mirrored.environ, "CHATMIRROR_WAIT_SCALE": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str], seconds: float) -> tuple[int, str]:
    """Wait for the end of a run, and kill it where it takes longer."""
    try:
        said = process.communicate(timeout=seconds)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        said = process.communicate()[1]
    return process.returncode, said


@contextmanager
def served(path: Path, program: str) -> Iterator[Pages]:
    """Datasette with this mirror, once it answers."""
    port = free_port()
    command = (program, str(path), "--port", str(port))
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
