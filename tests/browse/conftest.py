"""Real Datasette processes, of each version there is, over a small mirror."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import pytest
from mirrors import bakery

TRIES, PAUSE = 300, 0.1  # half a minute for a slow machine


def _installed() -> str:
    beside = Path(sys.executable).with_name("datasette")
    return str(beside) if beside.exists() else (shutil.which("datasette") or pytest.fail("datasette is not installed"))


def _newest() -> str:
    path = os.environ.get("CHATMIRROR_DATASETTE_PRE")
    if not path:
        pytest.skip("set CHATMIRROR_DATASETTE_PRE to the datasette of a second environment with the newest pre-release")
    return path


class Pages:
    """A running Datasette; ``get`` answers status and text, ``rows`` what a query returns."""

    def __init__(self, port: int) -> None:
        self.port = port

    def get(self, path: str) -> tuple[int, str]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def follow(self, path: str) -> str:
        """Return the text of a page that may have moved once."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            moved, text = answer.headers["location"], answer.read().decode()
        return self.get(moved)[1] if moved else text

    def rows(self, sql: str, database: str = "chats") -> list:
        path = f"/{database}.json?" + urlencode({"sql": sql, "_shape": "arrays"})
        status, text = self.get(path)
        if status == 302:  # 1.0 has moved queries
            status, text = self.get(f"/{database}/-/query.json?" + urlencode({"sql": sql, "_shape": "arrays"}))
        assert status == 200, text
        rows = json.loads(text)
        return rows["rows"] if isinstance(rows, dict) else rows


@pytest.fixture(scope="session", params=["installed", "newest"])
def datasette(request) -> str:
    """The command of one version."""
    return _installed() if request.param == "installed" else _newest()


@pytest.fixture(scope="session")
def serve(datasette, tmp_path_factory):
    """Start Datasette with arguments; all are stopped at the end."""
    running = []

    def start(*arguments: str) -> Pages:
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        home = tmp_path_factory.mktemp("home")
        log = (home / "log").open("w+")
        process = subprocess.Popen(
            [datasette, *arguments, "-p", str(port)],
            stdout=log,
            stderr=log,
            cwd=home,
            env={**os.environ, "HOME": str(home)},
        )
        running.append((process, log))
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
    for process, log in running:
        process.terminate()
        process.wait(30)
        log.close()


@pytest.fixture(scope="session")
def pages(serve, tmp_path_factory) -> Pages:
    """A mirror beside somebody else's database that has tables of the same names."""
    folder = tmp_path_factory.mktemp("mirror")
    bakery(folder / "chats.db")
    theirs = folder / "theirs.db"
    code = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2])"
    tables = "CREATE TABLE conversations (id TEXT PRIMARY KEY, updated_at, message_count INTEGER);"
    tables += (
        "INSERT INTO conversations VALUES ('a', 1, 5), ('b', 2, 6); CREATE TABLE messages (x); CREATE TABLE _own (x);"
    )
    subprocess.run([sys.executable, "-c", code, str(theirs), tables], check=True)
    return serve(str(folder / "chats.db"), str(theirs))
