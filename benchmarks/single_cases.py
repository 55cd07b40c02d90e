"""Single cases that a total hides: very long, very large, very often. Each is a line, beside what it aims at."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.made_export import BEGIN, ExportMaker, Scale, write_export
from benchmarks.measured import MB, Cost, NotRun, best, cells, chatmirror, run, size_of
from benchmarks.syncs import CHANGES, AccountSize, account_served, requests_of_last_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HEAD = ["", "CPU s", "wall s", "memory MB", "measured", "aim"]
SHORT = Scale(question=(2.0, 0.5), answer=(3.0, 0.5))  # words: what counts are the messages, not their text


class CaseSizes(NamedTuple):
    """How large the cases are."""

    messages: int = 100_000  # of the longest conversation
    text: int = 50_000_000  # bytes of the largest message
    account: int = 1_000  # conversations of 30 messages that are synced
    growing: int = 3_000  # messages of the conversation that gains two
    export: int = 16_500  # conversations that come to 1 GB


def lines(folder: Path, sizes: CaseSizes, *, gigabyte: bool) -> Iterator[list[str]]:
    """Yield the lines of the table; ``gigabyte``: with the export of that size, which takes minutes."""
    yield _imported(folder, "a conversation of {:,} messages", write_long(sizes.messages), "8 s of CPU")
    yield _imported(folder, "a message of {:,} bytes", write_large(sizes.text), "200 MB of memory")
    if gigabyte:
        yield _imported(folder, "an export of {:,} messages", write_whole(sizes.export), "150 MB of memory")
    else:
        yield ["`import` of an export of 1 GB: left out, `--gigabyte` adds it", "", "", "", "", "150 MB of memory"]
    yield from synced(folder / "account", AccountSize(sizes.account))
    yield from grown(folder / "growing", AccountSize(0, long=sizes.growing))


def _imported(folder: Path, name: str, write: Callable[[Path], int], aim: str) -> list[str]:
    export, path = folder / "case.json", folder / "case.db"
    count = write(export)
    cost = best(1, lambda: run(chatmirror("import", str(export), "-d", str(path)), folder))
    size = size_of(export) / MB
    for file in folder.glob("case.*"):
        file.unlink()
    return [*cells(f"`import` of {name.format(count)}", cost), f"{size:,.0f} MB of JSON", aim]


def write_long(messages: int) -> Callable[[Path], int]:
    """Return what writes one conversation of about that many messages, and returns how many."""

    def write(path: Path) -> int:
        maker = ExportMaker(scale=SHORT)
        made = maker.conversation(BEGIN, maker.latin, round(messages / 2.1))  # one answer in ten is given twice
        path.write_text(json.dumps([made]), encoding="utf-8")
        return len(made["mapping"]) - 1

    return write


def write_large(size: int) -> Callable[[Path], int]:
    """Return what writes a conversation with one answer of that many bytes, and returns how many."""

    def write(path: Path) -> int:
        maker = ExportMaker()
        made = maker.conversation(BEGIN, maker.latin, 1)
        answer = made["mapping"][made["current_node"]]["message"]["content"]
        text = maker.latin.prose(60_000) + "\n\n"  # longer than what zlib looks back: it packs like other text
        answer["parts"] = [text * (size // len(text) + 1)]
        path.write_text(json.dumps([made]), encoding="utf-8")
        return len(answer["parts"][0])

    return write


def write_whole(conversations: int) -> Callable[[Path], int]:
    """Return what writes an export, and returns how many messages it holds."""
    return lambda path: write_export(path, conversations)


def synced(folder: Path, size: AccountSize) -> Iterator[list[str]]:
    """Yield a first sync of an account, one without changes, and one with a few."""
    folder.mkdir()
    with account_served(size) as account:
        first = best(1, lambda: account.sync(folder))
        requests = _requests(folder, first)
        quiet = best(1, lambda: account.sync(folder))
        name = f"first `sync` of {size.every:,} conversations of {size.messages} messages"
        yield [*cells(name, first), _each(first, quiet, size.every) + requests, "5 ms of CPU a conversation"]
        yield [*cells("`sync` without changes", quiet), _requests(folder, quiet), "0.25 s of CPU"]
        account.ask(CHANGES)
        cost = best(1, lambda: account.sync(folder))
        yield [*cells(f"`sync` with {CHANGES} changed conversations", cost), _requests(folder, cost), ""]


def _each(first: Cost | NotRun, quiet: Cost | NotRun, conversations: int) -> str:
    """Say what each conversation took, with and without what every run takes, such as the start of the program."""
    if isinstance(first, NotRun) or isinstance(quiet, NotRun):
        return ""
    each, alone = (1000 * cpu / conversations for cpu in (first.cpu, first.cpu - quiet.cpu))
    return f"{each:.1f} ms a conversation, {alone:.1f} without what a run without changes takes, "


def _requests(folder: Path, cost: Cost | NotRun) -> str:
    return "" if isinstance(cost, NotRun) else f"{requests_of_last_run(folder):,} requests"


def grown(folder: Path, size: AccountSize) -> Iterator[list[str]]:
    """Yield a sync of a long conversation that gained a question and its answer."""
    folder.mkdir()
    with account_served(size) as account:
        cost = best(1, lambda: account.sync(folder))
        if isinstance(cost, Cost):
            account.ask(1)
            cost = best(1, lambda: account.sync(folder))
        measured = (
            ""
            if isinstance(cost, NotRun)
            else f"{cost.written / packed(folder):.2f} x its packed payload written, log and file"
        )
    name = f"`sync` where a conversation of {size.long:,} messages gains two"
    yield [*cells(name, cost), measured, "0.5 s of CPU, 2.5 x"]


def packed(folder: Path) -> int:
    """Return the bytes of the newest payload as the folder's mirror stores it."""
    with closing(sqlite3.connect(folder / "chats.db")) as conn:
        return int(conn.execute("SELECT length(body) FROM _payloads ORDER BY rowid DESC LIMIT 1").fetchone()[0])
