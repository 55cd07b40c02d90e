"""Imported copies that an older version stored without judging them are judged by a rebuild, and then read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from archive_files import save
from mirrored_service import MirroredService, QuietReport, findings

from mirror import app
from mirror.health import freshness
from mirror.store import status as store
from mirror.store.database import open_reader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POOR = "the file leaves out tools, sources and other branches"


@pytest.fixture
def mirrored(tmp_path: Path) -> Iterator[MirroredService]:
    with MirroredService(tmp_path) as mirrored:
        yield mirrored


def exported(mirrored: MirroredService, key: str, *, poor: bool) -> dict[str, Any]:
    """A conversation as an export writes it; since June 2026 without the tree's children."""
    tree = mirrored.account.shown(key) | {"id": key}
    nodes = {name: dict(node) for name, node in tree["mapping"].items()}
    for node in nodes.values() if poor else ():
        node.pop("children")
    return {**tree, "mapping": nodes}


def store_as_an_older_version(mirrored: MirroredService, poor: int) -> None:
    """Import the account, some of it as poor copies, and trust all of it, as version 0.1.0 did."""
    chats = [exported(mirrored, key, poor=n < poor) for n, key in enumerate(mirrored.ids())]
    archive = save(mirrored.path.parent / "conversations.json", chats)
    app.import_archives(mirrored.path, [archive], mirrored.timing(), lambda *_: None)
    with closing(sqlite3.connect(mirrored.path)) as conn:
        conn.execute("UPDATE _payloads SET incomplete_reason = NULL")
        conn.execute("UPDATE conversations SET is_complete = 1, incomplete_reason = NULL")
        conn.execute("UPDATE _settings SET value = '1' WHERE key = 'normalizer:chatgpt'")
        conn.commit()
    assert mirrored.next_run() == 0
    assert mirrored.reads() == 0, "all of it was trusted"


def complete(mirrored: MirroredService) -> list[int]:
    return [row[0] for row in mirrored.rows("SELECT is_complete FROM conversations ORDER BY updated_at DESC")]


def status(mirrored: MirroredService) -> tuple[list[str], bool]:
    with closing(open_reader(mirrored.path)) as conn:
        state = store.read(conn)
    (service,) = freshness.as_json(state, mirrored.clock())["services"]
    return list(freshness.lines(state, mirrored.clock())), service["rebuild_needed"]


def rebuilt(mirrored: MirroredService) -> int:
    return app.rebuild(mirrored.path, mirrored.timing(), lambda *_: None)


def test_a_rebuild_judges_them_and_the_next_run_reads_them(mirrored: MirroredService) -> None:
    store_as_an_older_version(mirrored, 3)
    assert complete(mirrored) == [1] * 12
    lines, needed = status(mirrored)
    assert needed
    assert any("chatmirror rebuild" in line for line in lines)
    assert rebuilt(mirrored) == 3
    assert complete(mirrored) == [0] * 3 + [1] * 9
    assert mirrored.rows("SELECT incomplete_reason, count(*) FROM _payloads GROUP BY 1") == [(None, 9), (POOR, 3)]
    assert findings(mirrored) == []
    assert rebuilt(mirrored) == 0
    assert status(mirrored)[1] is False
    assert mirrored.next_run() == 0
    assert mirrored.reads() == 1
    assert complete(mirrored) == [1] * 12


def test_a_copy_that_the_service_confirmed_stays_complete(mirrored: MirroredService) -> None:
    """A poor file beside what the service gave takes nothing from it."""
    assert mirrored.next_run() == 0
    store_poor = save(
        mirrored.path.parent / "conversations.json", [exported(mirrored, key, poor=True) for key in mirrored.ids()]
    )
    app.import_archives(mirrored.path, [store_poor], mirrored.timing(), lambda *_: None)
    with closing(sqlite3.connect(mirrored.path)) as conn:
        conn.execute("UPDATE _payloads SET incomplete_reason = NULL")
        conn.commit()
    rebuilt(mirrored)
    assert complete(mirrored) == [1] * 12
    assert mirrored.next_run(report=QuietReport()) == 0
    assert mirrored.reads() == 0
