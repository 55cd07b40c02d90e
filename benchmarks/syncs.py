"""Syncs against the simulated service, which runs in a process of its own, so that its work is not counted."""

from __future__ import annotations

import json
import multiprocessing
import sqlite3
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.made_export import ExportMaker
from benchmarks.measured import Cost, chatmirror, environment, run
from mirror.simulator import Behaviour, SimulatedAccount, Simulator, generated_account
from mirror.simulator.trees import empty_conversation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

CHANGES = 10  # conversations that change between two syncs
LEFT_OUT = {"status", "recipient", "metadata", "weight", "end_turn"}  # of a message, by exports since June 2026


class AccountSize(NamedTuple):
    """An account: so many conversations with so many messages each; ``long``: one more, with so many of real length.

    ``latency``: seconds before every answer.
    """

    conversations: int
    archived: int = 0
    messages: int = 30
    long: int = 0
    latency: float = 0.0

    @property
    def every(self) -> int:
        """All conversations."""
        return self.conversations + self.archived + bool(self.long)


class ServedAccount:
    """An account that is served; each of its syncs is a ``chatmirror sync`` process with a mirror in some folder."""

    def __init__(self, pipe: Connection, scale: str) -> None:
        self._pipe = pipe
        url, cookie = pipe.recv()
        self._settings = {
            "CHATMIRROR_BASE_URL": url,
            "CHATGPT_SESSION_TOKEN": cookie,
            "CHATMIRROR_WAIT_SCALE": scale,
        }

    def ask(self, wish: int | Path) -> None:
        """Change so many conversations, or write an export of all to a path."""
        self._pipe.send(wish)
        self._pipe.recv()

    def sync(self, folder: Path) -> Cost:
        """Run ``chatmirror sync`` in a folder."""
        return run(chatmirror("sync"), folder, environment(folder, **self._settings))


@contextmanager
def account_served(size: AccountSize, scale: str = "0") -> Iterator[ServedAccount]:
    """Serve an account; ``scale``: of the waits between requests, "0" for none and "1" for those that a user gets."""
    ours, theirs = multiprocessing.Pipe()
    service = multiprocessing.Process(target=serve, args=(theirs, size), daemon=True)
    service.start()
    try:
        yield ServedAccount(ours, scale)
    finally:
        service.terminate()
        service.join()


def serve(pipe: Connection, size: AccountSize) -> None:
    """Run the service, and do what is asked for through the pipe until the process is ended."""
    shift = [0.0]

    def clock() -> float:
        return time.time() + shift[0]

    account = generated_account(clock, size.conversations, size.messages, archived=size.archived)
    if size.long:
        account.add(long_conversation(clock(), size.long))
    with Simulator(account, Behaviour(latency=size.latency)) as service:
        pipe.send((service.url, service.session_cookie))
        while True:
            wish = pipe.recv()
            shift[0] += 60
            if isinstance(wish, Path):
                wish.write_text(json.dumps([as_of_june(account.shown(key)) for key in account.conversations]))
            else:
                change(service, account, wish)
            pipe.send(wish)


def change(service: Simulator, account: SimulatedAccount, count: int) -> None:
    """Ask something more in so many conversations."""
    for key in list(account.conversations)[:count]:
        service.person.new_message(key)


def long_conversation(now: float, messages: int) -> dict[str, Any]:
    """Return a conversation of at least so many messages, whose last is new."""
    maker = ExportMaker()
    made = maker.conversation(now, maker.latin, messages // 2)
    listed = empty_conversation(made["conversation_id"], made["title"], now, "")  # keys that an export lacks
    return listed | made | {"create_time": now - 86_400, "update_time": now - 60}


def as_of_june(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a conversation as an export of June 2026 keeps it: nodes without children, messages without their fate."""
    mapping = {}
    for key, node in tree["mapping"].items():
        message = {name: value for name, value in (node["message"] or {}).items() if name not in LEFT_OUT}
        mapping[key] = {"id": key, "parent": node["parent"], "message": message or None}
    return {**tree, "mapping": mapping}


def requests_of_last_run(folder: Path) -> int:
    """Return how many requests the newest run of the folder's mirror sent."""
    with closing(sqlite3.connect(folder / "chats.db")) as conn:
        return int(conn.execute("SELECT requests FROM sync_runs ORDER BY id DESC LIMIT 1").fetchone()[0])
