"""The jobs that the fault tests interrupt, each from the same start to the same end.

A scenario prepares a mirror, and does one job on it: the program's own code in this process, or the command in a
process of its own. What an uninterrupted job leaves is what an interrupted one must reach when it is run again.
"""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from archive_files import conversation
from direct_wire import DirectWire
from files.file_service import png
from mirrored_service import MirroredService, QuietReport

from mirror import app
from mirror.health import integrity
from mirror.health.stored_bytes import check_bytes
from mirror.migrations import CJK, INITIAL, MONTHS
from mirror.simulator import Behaviour, ManualClock, SimulatedFile, generated_account
from mirror.store.database import Writer
from mirror.sync.options import SyncOptions
from mirror.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mirror.simulator import SimulatedAccount

Content = dict[str, list[tuple[Any, ...]]]
START = 1_700_000_000.0  # long ago: what the commands do now comes after it
DAY = 86_400.0
CONVERSATIONS = 5
# What an interrupted and an uninterrupted job must agree on: all that does not say when or in which run it came.
CONTENT = {
    "conversations": "SELECT id, title, url, provider, created_at, updated_at, message_count, model, project_id,"
    " gpt_id, account_id, is_archived, is_starred, current_node_id, is_complete, incomplete_reason, deleted_at"
    " FROM conversations",
    "messages": "SELECT conversation_id, id, parent_id, position, role, kind, text, created_at, model, author,"
    " recipient, channel, content_type, status, is_hidden, removed_at IS NULL FROM messages",
    "links": "SELECT m.conversation_id, m.id, l.position, l.url, l.title, l.kind FROM links l"
    " JOIN messages m ON m.rowid = l.message_rowid",
    "attachments": "SELECT m.conversation_id, m.id, a.position, a.id, a.name, a.mime_type, a.size, a.kind"
    " FROM attachments a JOIN messages m ON m.rowid = a.message_rowid",
    "files": "SELECT id, name, mime_type, size, kind, state, sha256 FROM files",
    "file texts": "SELECT sha256, text, is_whole FROM file_texts",
    "accounts": "SELECT id, name, plan FROM accounts",
    "projects": "SELECT id, name, url, description, instructions, account_id FROM projects",
    "gpts": "SELECT id, name, url, description FROM gpts",
    "memories": "SELECT id, account_id, content, replaced_at IS NULL FROM memories",
    "instructions": "SELECT account_id, content, replaced_at IS NULL FROM instructions",
    # Which run noted a change is another one after an interruption.
    "changes": "SELECT conversation_id, kind, before, after FROM changes",
    # Not their bytes: after an interruption another endpoint may be asked, which writes the same tree otherwise.
    "payloads": "SELECT conversation_id, proves_absence, incomplete_reason FROM _payloads",
    "listed": "SELECT conversation_id, account_id, list_us, stored_us, title, is_branch_only, gone_proofs FROM _listed",
    "scopes": "SELECT account_id, scope, watermark_us FROM _scopes",
}


@dataclass(slots=True)
class Stage:
    """Where a scenario plays: a folder, the account's service, and what a command needs to reach it."""

    folder: Path
    service: MirroredService
    archives: list[Path] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """The mirror."""
        return self.folder / "chats.db"

    def timing(self) -> Timing:
        """Return the clocks of one job, set to the same moment each time."""
        self.service.clock.seconds = START + DAY
        clock = self.service.clock
        return Timing(clock, clock, clock.advance, random.Random(1))

    def reset(self, template: Path) -> None:
        """Put the mirror back to what it was before the job, with nothing beside it."""
        for left in self.folder.iterdir():
            if left.is_file():
                left.unlink()
        kept, own = template.parent / "chats.files", self.folder / "chats.files"
        if template.exists() and own.exists() and not kept.exists():
            own.replace(kept)
        shutil.rmtree(own, ignore_errors=True)
        if kept.exists():
            shutil.copytree(kept, own)
        if template.exists():
            shutil.copyfile(template, self.path)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One job. ``prepare``: makes the mirror it starts from; ``act``: the job, in this process.

    ``begins_damaged``: what the job starts from is not whole, and is whole at its end only. ``share``: of the points at
    which the jobs are interrupted; a sync takes six times as long as an import.
    """

    name: str
    prepare: Callable[[Stage], None]
    act: Callable[[Stage], object]
    command: tuple[str, ...]
    share: int
    begins_damaged: bool = False


def sync(stage: Stage) -> None:
    """One run, as cron starts it."""
    service = stage.service
    wire = None if service.over_http else DirectWire(service.service)
    app.sync(stage.path, service.environ, stage.timing(), QuietReport(), SyncOptions(), wire=wire)


def _synced(stage: Stage) -> None:
    """A mirror of the account as it was, and an account in which things have happened since."""
    sync(stage)
    person, keys = stage.service.person, stage.service.ids()
    person.new_message(keys[0])
    person.edit_prompt(keys[1], "Asked otherwise")
    person.rename(keys[2], "Another title")
    person.archive(keys[3])
    person.star(keys[4])
    person.new_conversation("A new one")


def _imports(stage: Stage) -> None:
    app.import_archives(stage.path, stage.archives, stage.timing(), lambda *_: None)


def _imported(stage: Stage) -> None:
    """A mirror of an older export, of which a newer one tells more."""
    older = stage.folder / "older.json"
    older.write_text(json.dumps(_export("at first", range(3))))
    app.import_archives(stage.path, [older], stage.timing(), lambda *_: None)


def _export(text: str, numbers: range) -> list[dict[str, Any]]:
    later = 1_700_000_001.5 + len(numbers)
    return [conversation(n, f"{text} {n} 漢字", update_time=later) for n in numbers]


def _old_schema(stage: Stage) -> None:
    """A mirror that version 0.1 left, with rows in it."""
    with closing(sqlite3.connect(stage.path)) as conn:
        for schema in (INITIAL, CJK, MONTHS):
            conn.executescript(schema)
        conn.execute(
            "CREATE TABLE _sqlite_migrations (id INTEGER PRIMARY KEY, migration_set TEXT, name TEXT, applied_at TEXT)"
        )
        names = [("m0001_initial",), ("m0002_cjk",), ("m0003_months",)]
        conn.executemany("INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('chatmirror', ?)", names)
        conn.executemany(
            "INSERT INTO _listed (conversation_id, account_id, provider, title, update_us, listed_at)"
            " VALUES (?, 'w1', 'chatgpt', 'T', 5, '2026-01-01T00:00:00.000Z')",
            [(f"c{n}",) for n in range(5)],
        )
        conn.commit()


def _migrates(stage: Stage) -> None:
    with Writer(stage.path):
        pass


def _rebuilds(stage: Stage) -> None:
    app.rebuild(stage.path, stage.timing(), lambda *_: None)


def _differing(stage: Stage) -> None:
    """A mirror whose rows are not what its payloads derive, as after an update of the program."""
    sync(stage)
    with closing(sqlite3.connect(stage.path)) as conn:
        conn.execute("PRAGMA recursive_triggers=ON")
        conn.execute("UPDATE messages SET text = text || ' otherwise' WHERE rowid % 5 = 0")
        conn.execute("UPDATE conversations SET title = 'Otherwise', message_count = 0 WHERE rowid % 2 = 0")
        conn.commit()


def _damaged(stage: Stage) -> None:
    """A mirror with wrong rows and an index out of step, its payloads whole."""
    sync(stage)
    with closing(sqlite3.connect(stage.path)) as conn:
        for (name,) in conn.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            if name.startswith("messages"):
                sql = conn.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()[0]
                conn.execute(f"DROP TRIGGER {name}")
                conn.execute("UPDATE messages SET text = text || ' damaged' WHERE rowid % 5 = 0")
                conn.execute(sql)
        # Of one only: a repair tries for some time what may have been there.
        conn.execute("UPDATE conversations SET title = 'Damaged', message_count = 0 WHERE rowid = 2")
        conn.commit()


def _repairs(stage: Stage) -> None:
    app.check(stage.path, stage.timing(), lambda *_: None, repair=True)


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("first sync", lambda _: None, sync, ("sync",), share=1),
        Scenario("sync of changes", _synced, sync, ("sync",), share=2),
        Scenario("import", lambda _: None, _imports, ("import",), share=6),
        Scenario("import of a newer export", _imported, _imports, ("import",), share=6),
        Scenario("migration", _old_schema, _migrates, ("check",), share=6),
        Scenario("rebuild", _differing, _rebuilds, ("rebuild",), share=4, begins_damaged=True),
        Scenario("repair", _damaged, _repairs, ("check", "--repair"), share=3, begins_damaged=True),
    )
}


def stage_of(folder: Path, *, over_http: bool = True) -> Stage:
    """Return a stage; its service is to be entered as a context. ``over_http``: see ``MirroredService``."""
    account = generated_account(ManualClock(START), CONVERSATIONS, 2, archived=1)
    _upload_files(account)
    service = MirroredService(folder, account, Behaviour(), verify=True, over_http=over_http, is_new=True)
    export = folder / "exports"
    export.mkdir()
    newer = export / "conversations.json"
    newer.write_text(json.dumps(_export("later", range(1, 5))))
    return Stage(folder, service, [newer])


def _upload_files(account: SimulatedAccount) -> None:
    """Let two conversations show a picture each, and one of them a text that both of them hold."""
    for n, key in enumerate(list(account.conversations)[:2]):
        tree = account.tree(key)
        first = next(node["message"] for node in tree["mapping"].values() if node["message"])
        for file in (
            SimulatedFile(f"file_{n:032x}", png(n), f"p{n}.png", "image/png"),
            SimulatedFile(f"file_{n + 8:032x}", b"the same words" * 99, f"t{n}.txt", "text/plain"),
        ):
            account.files[file.id] = file
            first["metadata"].setdefault("attachments", []).append({"id": file.id, "name": file.name})


def content(path: Path) -> Content:
    """Return everything in a mirror that does not say when or in which run it came."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as conn:
        return {name: sorted(conn.execute(sql).fetchall(), key=repr) for name, sql in CONTENT.items()}


def differing_rows(found: Content, expected: Content) -> list[str]:
    """Return which rows differ, cut to what a person can read."""
    lines = []
    for name, rows in expected.items():
        lines += [f"{name}: only after the interruption: {str(row)[:300]}" for row in found[name] if row not in rows]
        lines += [f"{name}: missing: {str(row)[:300]}" for row in rows if row not in found[name]]
    return lines


def violations(path: Path, saved: frozenset[str] = frozenset(), *, derives_all: bool = True) -> list[str]:
    """Return which invariants of docs/reliability.md a mirror breaks, as sentences.

    ``saved``: conversations that were reported as saved, and must be there. ``derives_all``: as of ``integrity.check``.
    """
    if not path.exists():
        return [f"{path.name} is gone"] if saved else []
    with Writer(path) as writer:
        found = integrity.check(writer.conn, lambda *_: None, derives_all=derives_all).all
        found += [f"the bytes {sha256} are not whole" for sha256 in check_bytes(writer.conn, path).lost]
        rows = writer.conn.execute(
            "SELECT c.id, count(m.rowid) AS messages FROM conversations c"
            " LEFT JOIN messages m ON m.conversation_id = c.id GROUP BY c.id"
        ).fetchall()
    found += [f"{row['id']} has no message" for row in rows if not row["messages"]]
    return found + [f"{key} was saved and is gone" for key in sorted(saved - {row["id"] for row in rows})]
