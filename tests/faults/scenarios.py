"""The jobs that the fault tests interrupt, each from the same start to the same end.

A scenario prepares a folder with a mirror, and does one job on it: the program's own code in this process, or the
command in a process of its own. What an uninterrupted job leaves is what an interrupted one must reach when it is run
again. Whatever interrupts, the mirror, its files, backups and the login are whole, and what was reported is there.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from archive_files import conversation
from commands import run_here
from direct_wire import DirectWire
from files.file_service import png
from invariants import broken
from mirrored_service import MirroredService, QuietReport

from mirror import app
from mirror.chatgpt.login import LOGIN_FORM
from mirror.credentials.login import Login
from mirror.credentials.stored import load_login, save_login
from mirror.errors import ChatmirrorError
from mirror.files.byte_store import folder_of
from mirror.migrations import CJK, INITIAL, MONTHS
from mirror.simulator import ManualClock, SimulatedFile, generated_account
from mirror.store.database import Writer
from mirror.store.database_file import KEPT
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
BACKUP, NOTES, LOGIN = "bk.db", "notes", "config"  # names in a stage's folder
# What an interrupted and an uninterrupted job must agree on: all that does not say when or in which run it came.
CONTENT = {
    "conversations": "SELECT id, title, url, provider, created_at, updated_at, message_count, model, project_id,"
    " gpt_id, account_id, is_archived, is_starred, current_node_id, is_complete, incomplete_reason, deleted_at"
    " FROM conversations",
    "messages": "SELECT conversation_id, id, parent_id, position, role, kind, text, created_at, updated_at, model,"
    " author, recipient, channel, content_type, status, is_hidden, is_lossy, message_id, drafts, removed_at IS NULL"
    " FROM messages",
    "links": "SELECT m.conversation_id, m.id, l.position, l.url, l.title, l.kind FROM links l"
    " JOIN messages m ON m.rowid = l.message_rowid",
    "attachments": "SELECT m.conversation_id, m.id, a.position, a.id, a.name, a.mime_type, a.size, a.kind, a.file_id,"
    " a.source, a.prompt, a.width, a.height, a.parameters"
    " FROM attachments a JOIN messages m ON m.rowid = a.message_rowid",
    "files": "SELECT id, name, mime_type, size, kind, state, reason, source, prompt, width, height, sha256, provider,"
    " origin, project_id FROM files",
    "file fetches": "SELECT file_id, tries, retry_at FROM _file_fetches",
    "file texts": "SELECT sha256, text, is_whole FROM file_texts",
    "accounts": "SELECT id, name, plan, structure, provider, left_at FROM accounts",
    "projects": "SELECT id, name, url, description, instructions, account_id FROM projects",
    "gpts": "SELECT id, name, url, description FROM gpts",
    "memories": "SELECT id, account_id, content, replaced_at IS NULL FROM memories",
    "instructions": "SELECT account_id, content, replaced_at IS NULL FROM instructions",
    # Which run noted a change is another one after an interruption.
    "changes": "SELECT conversation_id, kind, before, after FROM changes",
    # Not their bytes: after an interruption another endpoint may be asked, which writes the same tree otherwise.
    "payloads": "SELECT conversation_id, proves_absence, incomplete_reason FROM _payloads",
    # Not whether one is to be read once more: a run that does not know which news of a list an interrupted one has
    # noted already takes the copy for one that may lag behind, and has it read again later.
    "listed": "SELECT conversation_id, account_id, provider, list_us, stored_us, title, is_archived, is_starred,"
    " is_branch_only, tries, retry_at, error, missing_since, smaller_ids, gone_proofs, project_id,"
    " gpt_id, in_main, is_work, owner_id FROM _listed",
    "scopes": "SELECT account_id, scope, watermark_us FROM _scopes",
}


@dataclass(slots=True)
class Stage:
    """Where a scenario plays: a folder with all that its job reads and writes, and the account's service."""

    folder: Path
    service: MirroredService
    days: int = 1  # after the account's beginning: when the job takes place

    @property
    def path(self) -> Path:
        """The mirror."""
        return self.folder / "chats.db"

    @property
    def archives(self) -> list[Path]:
        """What is imported."""
        return [self.folder / "exports" / "conversations.json"]

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a job. Its login is the stored one, which each sync renews."""
        kept = {name: value for name, value in self.service.environ.items() if name != LOGIN_FORM.variable}
        return {**kept, "CHATMIRROR_CONFIG_DIR": str(self.folder / LOGIN)}

    def timing(self) -> Timing:
        """Return the clocks of one job, set to the same moment each time."""
        self.service.clock.seconds = START + self.days * DAY
        clock = self.service.clock
        return Timing(clock, clock, clock.advance, random.Random(1))

    def keep(self, template: Path) -> None:
        """Copy everything to another folder, to start from there again."""
        shutil.rmtree(template, ignore_errors=True)
        shutil.copytree(self.folder, template)

    def reset(self, template: Path) -> None:
        """Put everything back to what was kept, with nothing beside it."""
        shutil.rmtree(self.folder)
        shutil.copytree(template, self.folder)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One job. ``prepare``: makes what it starts from; ``act``: the job, in this process; returns what is left to say.

    ``command``: the same as a command line, given in the stage's folder. ``share``: of the points at which the jobs are
    interrupted; a repair takes five times as long as a rebuild, a sync six times as long as an import.
    ``begins_damaged``: what the job starts from is not whole, and is whole at its end only. ``is_at_once``: each file
    is what it was or what it will be, and nothing in between.
    """

    name: str
    prepare: Callable[[Stage], object]
    act: Callable[[Stage], ChatmirrorError | None]
    command: tuple[str, ...]
    share: int = 0
    begins_damaged: bool = False
    is_at_once: bool = False


def sync(stage: Stage) -> ChatmirrorError | None:
    """One run, as cron starts it."""
    service = stage.service
    wire = None if service.over_http else DirectWire(service.service)
    return app.sync(stage.path, stage.environ, stage.timing(), QuietReport(), SyncOptions(), wire=wire).error


def _signed_in(stage: Stage) -> None:
    login = Login(LOGIN_FORM.cookies_of(stage.service.service.session_cookie))
    save_login(login, stage.environ, LOGIN_FORM)


def _mirrored(stage: Stage) -> None:
    """A mirror of the day before the job."""
    _signed_in(stage)
    sync(replace(stage, days=0))


def _synced(stage: Stage) -> None:
    """A mirror of the account as it was, and an account in which things have happened since."""
    _mirrored(stage)
    _let_things_happen(stage)


def _let_things_happen(stage: Stage) -> None:
    person, keys = stage.service.person, stage.service.ids()
    person.new_message(keys[0])
    _upload(stage.service.account, keys[1], SimulatedFile(f"file_{16:032x}", png(16), "p16.png", "image/png"))
    person.edit_prompt(keys[1], "Asked otherwise")
    person.rename(keys[2], "Another title")
    person.archive(keys[3])
    person.star(keys[4])
    person.new_conversation("A new one")


def _imports(stage: Stage) -> ChatmirrorError | None:
    return app.import_archives(stage.path, stage.archives, stage.timing(), lambda *_: None).error


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
    _mirrored(stage)
    with closing(sqlite3.connect(stage.path)) as conn:
        conn.execute("PRAGMA recursive_triggers=ON")
        conn.execute("UPDATE messages SET text = text || ' otherwise' WHERE rowid % 5 = 0")
        conn.execute("UPDATE conversations SET title = 'Otherwise', message_count = 0 WHERE rowid % 2 = 0")
        conn.commit()


def _damaged(stage: Stage) -> None:
    """A mirror with wrong rows and an index out of step, its payloads whole."""
    _mirrored(stage)
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


def _repairs(stage: Stage) -> ChatmirrorError | None:
    return app.check(stage.path, stage.timing(), lambda *_: None, repair=True)[0]


def _backed_up(stage: Stage) -> None:
    """A mirror, and a backup of it from before things happened."""
    _mirrored(stage)
    _backs_up(stage)
    _let_things_happen(stage)
    sync(stage)


def _backs_up(stage: Stage) -> ChatmirrorError | None:
    return app.backup(stage.path, stage.folder / BACKUP, lambda *_: None)[1]


def _set_back(stage: Stage) -> None:
    """A backup of a mirror, and what it is to replace: an older one, to whose files the backup adds one."""
    _backed_up(stage)
    for one, other in (("chats.db", BACKUP), ("chats.files", "bk.files")):
        (stage.folder / one).rename(stage.folder / "third")
        (stage.folder / other).rename(stage.folder / one)
        (stage.folder / "third").rename(stage.folder / other)


def _restores(stage: Stage) -> ChatmirrorError | None:
    return app.restore(stage.path, stage.folder / BACKUP, lambda *_: None)[1]


def _exported(stage: Stage) -> None:
    """A mirror, and files of it from before things happened."""
    _mirrored(stage)
    _exports(stage)
    _let_things_happen(stage)
    sync(stage)


def _exports(stage: Stage) -> None:
    code, _, error = run_here(stage.folder, "export", str(stage.folder / NOTES), "--files", "copy")
    assert code == 0, error


SYNC, IMPORT = ("sync", "-v"), ("import", "exports/conversations.json")
SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("first sync", _signed_in, sync, SYNC, share=1),
        Scenario("sync of changes", _synced, sync, SYNC, share=2),
        Scenario("import", lambda _: None, _imports, IMPORT, share=5),
        Scenario("import of a newer export", _imported, _imports, IMPORT, share=5),
        Scenario("migration", _old_schema, _migrates, ("check",), share=8),
        Scenario("rebuild", _differing, _rebuilds, ("rebuild",), share=6, begins_damaged=True),
        Scenario("repair", _damaged, _repairs, ("check", "--repair"), share=2, begins_damaged=True),
        Scenario("backup", _backed_up, _backs_up, ("backup", BACKUP), is_at_once=True),
        Scenario("restore", _set_back, _restores, ("restore", BACKUP), is_at_once=True),
        Scenario("export", _exported, _exports, ("export", NOTES, "--files", "copy"), is_at_once=True),
    )
}


def stage_of(folder: Path, *, over_http: bool = True) -> Stage:
    """Return a stage below a test's folder; its service is to be entered as a context.

    ``over_http``: see ``MirroredService``.
    """
    account = generated_account(ManualClock(START), CONVERSATIONS, 2, archived=1)
    _upload_files(account)
    stage = Stage(
        folder / "stage", MirroredService(folder / "stage", account, verify=True, over_http=over_http, is_new=True)
    )
    stage.archives[0].parent.mkdir(parents=True)
    stage.archives[0].write_text(json.dumps(_export("later", range(1, 5))))
    return stage


def _upload_files(account: SimulatedAccount) -> None:
    """Let two conversations show a picture each, and a text that both of them hold."""
    for n, key in enumerate(list(account.conversations)[:2]):
        _upload(account, key, SimulatedFile(f"file_{n:032x}", png(n), f"p{n}.png", "image/png"))
        _upload(account, key, SimulatedFile(f"file_{n + 8:032x}", b"the same words" * 99, f"t{n}.txt", "text/plain"))


def _upload(account: SimulatedAccount, key: str, file: SimulatedFile) -> None:
    first = next(node["message"] for node in account.tree(key)["mapping"].values() if node["message"])
    account.files[file.id] = file
    first["metadata"].setdefault("attachments", []).append({"id": file.id, "name": file.name})


def content(path: Path) -> Content:
    """Return everything in a mirror that does not say when or in which run it came."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as conn:
        return {name: sorted(conn.execute(sql).fetchall(), key=repr) for name, sql in CONTENT.items()}


# Of a stage's files, what is no part of a job's end: what SQLite and locks keep, and what a restore set aside.
_NO_END = re.compile(rf".*(-wal|-shm|-journal|\.lock)|.*{re.escape(KEPT)}(-\d+)?(-wal)?|{LOGIN}/last-mirror")
_ANY_BYTES = re.compile(rf"{LOGIN}/.*|.*\.db")  # their bytes are not the same each time


def outcome(stage: Stage) -> Content:
    """Return what a job leaves: the content of each mirror and backup, and every other file in the stage's folder."""
    found: Content = {}
    for path in sorted(stage.folder.glob("*.db")):
        found |= _named(content(path), path)
    return found | _other_files(stage)


def _named(content: Content, path: Path) -> Content:
    return {f"{path.name} {name}": rows for name, rows in content.items()}


def _other_files(stage: Stage) -> Content:
    found: list[tuple[Any, ...]] = []
    for path in sorted(stage.folder.rglob("*")):
        name = path.relative_to(stage.folder).as_posix()
        if path.is_file() and not _NO_END.fullmatch(name):
            sha256 = "" if _ANY_BYTES.fullmatch(name) else hashlib.sha256(path.read_bytes()).hexdigest()
            found.append((name, sha256))
    return {"names": found}


def differing_rows(found: Content, expected: Content) -> list[str]:
    """Return which rows differ, cut to what a person can read."""
    lines = []
    for name in sorted({*found, *expected}):
        rows, others = found.get(name, []), expected.get(name, [])
        lines += [f"{name}: only after the interruption: {str(row)[:300]}" for row in rows if row not in others]
        lines += [f"{name}: missing: {str(row)[:300]}" for row in others if row not in rows]
        lines += [f"{name}: {len(rows)} rows, not {len(others)}"] if len(rows) != len(others) else []
    return lines


@dataclass(frozen=True, slots=True)
class Ends:
    """What a job starts from, and what it leaves where nothing interrupts it."""

    scenario: Scenario
    before: Content
    after: Content

    def wrong_with(self, stage: Stage, said: str = "") -> list[str]:
        """Look at what a fault left; return what is wrong, as sentences. It is altered by that: look at a copy.

        ``said``: what the command had printed by then.
        """
        kept = stage.folder.glob(f"{stage.path.name}{KEPT}*")
        old = [content(path) for path in kept if not path.name.endswith("-wal")]  # before anything takes it away
        found, left = settled(stage)
        if self.scenario.begins_damaged and left:
            found = []
        found += self._lost(left) + self._not_as_reported(left, said)
        return found + (self._in_between(left, old) if self.scenario.is_at_once else [])

    def _lost(self, left: Content) -> list[str]:
        """Return what was in a mirror before the job, and is not any more."""
        lines = []
        for name, rows in self.before.items():
            if name.endswith((" conversations", " messages", " payloads", " file texts")):
                width = 2 if name.endswith(" messages") else 1  # columns that name a row
                there = {row[:width] for row in left.get(name, [])}
                lines += [f"{name}: {row[:width]} was there and is gone" for row in rows if row[:width] not in there]
        return lines

    def _not_as_reported(self, left: Content, said: str) -> list[str]:
        """Return what a sync named as stored, and is not there as it is at the end of one."""
        ids = {row[1]: row[0] for row in self.after.get("chats.db conversations", [])}
        saved = {ids[title] for title in STORED.findall(said)}
        names = set(FILE_STORED.findall(said))
        there = {name: set(left.get(f"chats.db {name}", [])) for name in ("messages", "files")}
        lines = [
            f"{row[0]} was reported as saved, and this is missing: {str(row)[:300]}"
            for row in self.after.get("chats.db messages", [])
            if row[0] in saved and row not in there["messages"]
        ]
        return lines + [
            f"the file {row[1]} was reported as saved, and this is missing: {str(row)[:300]}"
            for row in self.after.get("chats.db files", [])
            if row[1] in names and row not in there["files"]
        ]

    def _in_between(self, left: Content, old: list[Content]) -> list[str]:
        """Return which files are neither what they were nor what they are to be; ``old``: mirrors set aside."""
        lines = []
        for path in ("chats.db", BACKUP):
            states = [_of(content, path) for content in (self.before, self.after)]
            if _of(left, path) not in states:
                lines += [
                    f"{path} is neither the old nor the new one: {line}" for line in differing_rows(left, self.after)
                ]
        if _of(self.before, "chats.db") not in [_of(left, "chats.db"), *old]:
            lines.append("the mirror that was there is nowhere")
        allowed = {*self.before["names"], *self.after["names"]}
        shown = [row for row in left["names"] if row[0].startswith(f"{NOTES}/") and "/." not in row[0]]
        return lines + [f"{row[0]} is neither the old nor the new one" for row in shown if row not in allowed]


def _of(content: Content, path: str) -> Content:
    """Return the part of a stage's content that is one mirror's."""
    return {name.removeprefix(f"{path} "): rows for name, rows in content.items() if name.startswith(f"{path} ")}


# Lines of ``sync -v``: each is printed when what it names has been committed.
STORED = re.compile(r"^  \d+/\d+ (.*)$", re.MULTILINE)
FILE_STORED = re.compile(r"^  file (.*): [\d,]+ bytes$", re.MULTILINE)


def settled(stage: Stage) -> tuple[list[str], Content]:
    """Return which invariants a stage's mirror, its backup or the stored login break, and what they hold.

    They are opened to write, as the next run would: what a killed one left open is undone, and old tables are migrated.
    Where one cannot even be opened, there is no content.
    """
    found, left = _broken_login(stage), _other_files(stage)
    try:
        for path in sorted(stage.folder.glob("*.db")):
            lines, rows = _settled_mirror(path)
            found += [f"{path.name}: {line}" for line in lines]
            left |= _named(rows, path)
    except ChatmirrorError as error:
        return [*found, error.message], {}
    return found, left


_KNOWN: dict[bytes, tuple[list[str], Content]] = {}  # mirrors that were looked at, by their bytes
_MOST_KNOWN = 100


def _settled_mirror(path: Path) -> tuple[list[str], Content]:
    """Look at a mirror, unless one of the same bytes was looked at: many faults leave the same."""
    key = _bytes_of(path)
    if key not in _KNOWN:
        found = broken(path)
        if len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.clear()
        _KNOWN[key] = found, content(path)
    return _KNOWN[key]


def _bytes_of(path: Path) -> bytes:
    """Return a hash of a mirror, its log and the bytes of its files."""
    digest = hashlib.blake2b()
    beside = [path.with_name(path.name + end) for end in ("", "-wal", "-journal")]
    for file in [*beside, *sorted(folder_of(path).rglob("*"))]:
        data = file.read_bytes() if file.is_file() else None
        digest.update(f"{file.name.removeprefix(path.stem)} {None if data is None else len(data)} ".encode())
        digest.update(data or b"")
    return digest.digest()


def _broken_login(stage: Stage) -> list[str]:
    if not (stage.folder / LOGIN).exists():
        return []
    try:
        cookies = load_login(stage.environ, LOGIN_FORM).cookies
    except ChatmirrorError as error:
        return [error.message]
    header = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return [] if stage.service.service.sessions.is_known(header) else ["the stored login is none of the service's"]
