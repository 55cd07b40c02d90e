"""Real Datasette processes, of each version there is, over a small mirror."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from commands import started
from mirrors import bakery
from served import BUILDERS, SETTINGS, Pages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from served import Serve

TRIES, PAUSE = 1_200, 0.1  # two minutes for a busy machine


def _installed() -> str:
    beside = Path(sys.executable).with_name("datasette")
    return str(beside) if beside.exists() else (shutil.which("datasette") or pytest.fail("datasette is not installed"))


def _newest() -> str:
    path = os.environ.get("CHATMIRROR_DATASETTE_PRE")
    if not path:
        pytest.skip("set CHATMIRROR_DATASETTE_PRE to the datasette of a second environment with the newest pre-release")
    return path


@pytest.fixture(scope="session", params=["installed", "newest"])
def datasette(request: pytest.FixtureRequest) -> str:
    """The command of one version."""
    return _installed() if request.param == "installed" else _newest()


@pytest.fixture(scope="session")
def serve(datasette: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Start Datasette with arguments; all are stopped at the end."""
    with ExitStack() as stack:

        def start(*arguments: str) -> Pages:
            with closing(socket.socket()) as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            home = tmp_path_factory.mktemp("home")
            log = stack.enter_context((home / "log").open("w+"))
            environ = {**os.environ, "HOME": str(home), "TMPDIR": str(home)}  # for the files of Datasette itself
            command = (datasette, *arguments, "-p", str(port))
            process = stack.enter_context(started(*command, cwd=home, env=environ, stdout=log, stderr=log))
            for _ in range(TRIES):
                if process.poll() is not None:
                    break
                with closing(socket.socket()) as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        return Pages(port)
                time.sleep(PAUSE)
            log.seek(0)
            return pytest.fail(f"datasette does not answer: {log.read()[-2000:]}")

        yield start


@pytest.fixture(scope="session")
def pages(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """A mirror beside somebody else's database that has tables of the same names."""
    folder = tmp_path_factory.mktemp("mirror")
    bakery(folder / "chats.db")
    theirs = folder / "theirs.db"
    with closing(sqlite3.connect(theirs)) as conn:
        conn.executescript(
            "CREATE TABLE conversations (id TEXT PRIMARY KEY, updated_at, message_count INTEGER);"
            "INSERT INTO conversations VALUES ('a', 1, 5), ('b', 2, 6);"
            "CREATE TABLE messages (x); CREATE TABLE _own (x);"
        )
    return serve(str(folder / "chats.db"), str(theirs))


@pytest.fixture(scope="session")
def many(serve: Serve, datasette: str, tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """One Datasette over the mirrors that ``served_as`` registered."""
    folder = tmp_path_factory.mktemp("many")
    for name, build in BUILDERS.items():
        build(folder / f"{name}.db")
    (folder / "metadata.json").write_text(json.dumps({"title": "Mine", "databases": SETTINGS}))
    arguments = [*map(str, sorted(folder.glob("*.db"))), "-m", str(folder / "metadata.json")]
    if datasette != _installed():  # 1.0 takes somebody's own queries from its configuration only
        stated = {name: {"queries": own["queries"]} for name, own in SETTINGS.items() if "queries" in own}
        (folder / "datasette.json").write_text(json.dumps({"databases": stated}))
        arguments += ["-c", str(folder / "datasette.json")]
    return serve(*arguments)
