"""How long a reader waits: ``python -m benchmarks.reading big.db`` prints the table.

A real Datasette serves the mirror (``benchmarks.library`` makes one of a million messages). Each line is a kind of
query; each query is run once with the file dropped from the system's cache (cold), and then again (warm). With
``--warm`` nothing is dropped, and only pages are measured.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from benchmarks.webserver import getter, median, percentile_95, serving, timed, warm
from mirror.store.known_queries import KNOWN_QUERIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WARM_HEAD = f"{'':<56}{'warm p50':>9}{'warm p95':>9}  ms"
HEAD = f"{'':<56}{'cold p50':>9}{'cold p95':>9}{'warm p50':>9}{'warm p95':>9}  ms"
MESSAGES, LONGEST = 60, 3_000  # of the conversations whose pages are measured


def queries(conn: sqlite3.Connection, times: int) -> dict[str, list[str]]:
    """Return queries by kind."""
    long = conn.execute("SELECT text FROM messages WHERE length(text) > 300 LIMIT ?", (times,))
    pairs = [[word for word in text.split() if word.isalpha()][-8:-6] for (text,) in long]
    few = "SELECT text FROM messages WHERE rowid IN (SELECT rowid FROM messages_cjk LIMIT ?)"
    runs = [text for (text,) in conn.execute(few, (times,))]
    characters = ["".join(c for c in text if "\u4e00" <= c <= "\u9fff") for text in runs]
    return {
        "a rare word": [f"rare{n}" for n in range(1, times + 1)],
        "two words": [" ".join(pair) for pair in pairs],
        "a rare word and the most common": [f"common rare{n}" for n in range(1, times + 1)],
        "a word in 60 % of the messages": ["common"] * max(3, times // 4),
        "three words that no message holds": [f"rare{n} rare{n + 1} {pair[0]}" for n, pair in enumerate(pairs, 1)],
        "two Chinese characters": [text[4:6] for text in characters if len(text) > 6],  # noqa: PLR2004 - inside a run
    }


def drop_from_cache(path: Path) -> None:
    """Drop a file from the system's cache."""
    file = os.open(path, os.O_RDONLY)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)


def line(path: Path, name: str, actions: list[Callable[[], None]]) -> str:
    """Run each query cold, then all of them warm, and return the line."""
    cold = []
    for action in actions:
        drop_from_cache(path)
        cold.append(timed(action))
    times = warm(actions)
    return f"{name:<56}{median(cold):>9.0f}{percentile_95(cold):>9.0f}{median(times):>9.0f}{percentile_95(times):>9.0f}"


def warm_line(name: str, actions: list[Callable[[], None]]) -> str:
    """Run each query once, then all of them three times, and return the line."""
    times = warm(actions)
    return f"{name:<56}{median(times):>9.0f}{percentile_95(times):>9.0f}"


def list_pages(conn: sqlite3.Connection) -> dict[str, str]:
    """Return the queries of the list of conversations, by kind."""
    sql = "SELECT title FROM conversations WHERE title LIKE '% %' ORDER BY message_count DESC LIMIT 1"
    word = conn.execute(sql).fetchone()[0].split()[-1]
    model = conn.execute("SELECT model FROM conversations GROUP BY model ORDER BY count(*) DESC LIMIT 1").fetchone()[0]
    return {
        "first page": "",
        "a word of a title": f"?q={quote(word)}",
        "the most used model": f"?model={quote(model)}",
        "archived": "?state=archived",
        "page 50": "?page=50",
    }


def runner(path: Path, words: str) -> Callable[[], None]:
    """Return a function that runs ``chatmirror search`` as a process."""
    command = [sys.executable, "-m", "mirror", "search", words, "-d", str(path)]

    def run() -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    return run


def sizes(conn: sqlite3.Connection) -> Iterator[str]:
    """Yield the indexes' sizes."""
    for table in ("messages_fts", "messages_cjk", "conversations_fts"):
        size = conn.execute(f"SELECT sum(length(block)) FROM {table}_data").fetchone()[0]
        rows = conn.execute(f"SELECT count(*) FROM {table}_docsize").fetchone()[0]
        yield f"{table}: {size / 1e6:,.0f} MB, {rows:,} rows"
    count, characters = conn.execute("SELECT count(*), sum(length(text)) FROM messages").fetchone()
    yield f"messages: {count:,}, {characters / 1e6:,.0f} million characters"


@click.command()
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--times", default=20, show_default=True, help="Queries of each kind.")
@click.option("--warm", "only_warm", is_flag=True, help="Only pages, from the system's cache.")
def main(path: Path, times: int, *, only_warm: bool) -> None:
    """Measure pages and searches of a mirror."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as conn:
        for text in sizes(conn):
            click.echo(text)
        by_kind = queries(conn, times)
        sql = "SELECT id FROM conversations ORDER BY abs(message_count - ?) LIMIT ?"
        ordinary = [row[0] for row in conn.execute(sql, (MESSAGES, times))]
        longest = [row[0] for row in conn.execute(sql, (LONGEST, 3))]
        lists = list_pages(conn)

    def measured(name: str, actions: list[Callable[[], None]]) -> None:
        click.echo(warm_line(name, actions) if only_warm else line(path, name, actions))

    click.echo(WARM_HEAD if only_warm else HEAD)
    with serving(path) as port:
        at = f"/{path.stem}/-"
        getter(port, f"{at}/search?q=warm+up")()
        for name, words in by_kind.items():
            measured(f"search page: {name}", [getter(port, f"{at}/search?q={quote(w)}") for w in words])
        for name, asked in lists.items():
            measured(
                f"list of conversations: {name}", [getter(port, f"{at}/conversations{asked}")] * max(3, times // 4)
            )
        for query in KNOWN_QUERIES:
            address = f"/{path.stem}/{query.name}" + ("?words=common" if ":words" in query.sql else "")
            measured(f"query: {query.name}", [getter(port, address)] * max(3, times // 4))
        pages = [getter(port, f"{at}/conversation/{key}") for key in ordinary]
        measured(f"a conversation of about {MESSAGES} messages", pages)
        pages = [getter(port, f"{at}/conversation/{key}?page=1") for key in longest]
        measured(f"a page of one of about {LONGEST} messages", pages)
        click.echo(f"home, counted for the first time {timed(getter(port, at + '/home')):>33.0f} ms")
        measured("home", [getter(port, f"{at}/home")] * 3)
    if only_warm:
        return
    for name, words in by_kind.items():
        click.echo(line(path, f"chatmirror search: {name}", [runner(path, w) for w in words[:8]]))


if __name__ == "__main__":
    main()
