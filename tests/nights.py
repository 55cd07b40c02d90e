"""Run the program against a simulated service: whole nights, over real HTTP, without waiting."""

from __future__ import annotations

import logging
import random
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from mirror import app
from mirror.health import integrity
from mirror.simulator import Account, Knobs, ManualClock, Simulator, generated_account
from mirror.store.database import Writer
from mirror.sync.run import SyncOptions
from mirror.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DAY = 86_400.0


class Silent:
    """A report that keeps what it was told."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)

    def fetching(self, total):
        pass

    def stored(self, title):
        pass


class _Calling(logging.Handler):
    def __init__(self, act: Callable[[str], None]) -> None:
        super().__init__()
        self.act = act

    def emit(self, record: logging.LogRecord) -> None:
        self.act(record.getMessage())


@contextmanager
def on_request(act: Callable[[str], None]) -> Iterator[None]:
    """Call ``act`` with the line that each request logs; what it raises stops the run there."""
    logger, handler = logging.getLogger("chatmirror.web"), _Calling(act)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


class Night:
    """A service and a mirror of it; ``night()`` lets a day pass and syncs.

    ``verify``: also read a batch of unchanged conversations again, as the program does. Without it, what a run reads
    is what changed.
    """

    def __init__(
        self,
        folder: Path,
        account: Account | None = None,
        knobs: Knobs | None = None,
        *,
        conversations=12,
        verify=False,
    ):
        self.verify = verify
        self.clock = account.clock if account else ManualClock()
        self.account = account or generated_account(self.clock, conversations, 4)
        self.service = Simulator(self.account, knobs)
        self.knobs, self.person = self.service.knobs, self.service.person
        self.path = folder / "chats.db"
        self.environ = {"CHATMIRROR_CONFIG_DIR": str(folder / "config")}
        self.notes: list[str] = []

    def __enter__(self):
        self.service.__enter__()
        self.environ |= {"CHATMIRROR_BASE_URL": self.service.url, "CHATGPT_SESSION_TOKEN": self.service.session_cookie}
        return self

    def __exit__(self, *error):
        self.service.__exit__(*error)

    def timing(self):
        return Timing(self.clock, self.clock, self.clock.advance, random.Random(1))

    def sync(self, **how):
        """One run; returns its outcome."""
        self.service.requests.clear()
        report = Silent()
        options = SyncOptions(verify=self.verify, **how)
        with on_request(report.note):
            outcome = app.sync(self.path, self.environ, self.timing(), report, options)
        self.notes = report.notes
        return outcome

    def night(self, **how):
        """A day later, one run; returns its exit code."""
        self.clock.advance(DAY)
        outcome = self.sync(**how)
        return outcome.error.exit_code if outcome.error else 0

    def bend(self, how):
        """Let ``how(request, data)`` answer instead: new data, or status, data and headers; None: no more."""
        vars(self.service).pop("answer", None)
        if how is None:
            return
        answer = self.service.answer

        def bent(request, headers, body):
            status, data, more = answer(request, headers, body)
            told = how(request, data)
            return (*told, {})[:3] if isinstance(told, tuple) else (status, told, more)

        self.service.answer = bent

    def rows(self, sql, *values):
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as conn:
            return conn.execute(sql, values).fetchall()

    def value(self, sql, *values):
        found = self.rows(sql, *values)
        return found[0][0] if found else None

    def changes(self):
        """What the newest run saw change: conversation id -> kinds."""
        found: dict[str, set[str]] = {}
        sql = "SELECT conversation_id, kind FROM changes WHERE run_id = (SELECT max(id) FROM sync_runs)"
        for key, kind in self.rows(sql):
            found.setdefault(key, set()).add(kind)
        return found

    def ids(self):
        return list(self.account.conversations)

    def asked(self, path):
        return self.service.asked(path)

    def reads(self):
        """How many requests asked for conversations' contents."""
        return sum(
            1
            for r in self.service.requests
            if r.path.startswith(("/backend-api/conversation/", "/backend-api/conversations/"))
        )


def content(night):
    """Every content row of the mirror."""
    tables = (
        "conversations",
        "messages",
        "links",
        "attachments",
        "projects",
        "gpts",
        "accounts",
        "_payloads",
        "changes",
    )
    return {table: night.rows(f"SELECT * FROM {table} ORDER BY rowid") for table in tables}


def differences(night):
    """How the mirror differs from the account: sentences, empty when it is equal."""
    account, found = night.account, []
    rows = {
        row[0]: row[1:]
        for row in night.rows(
            "SELECT id, title, is_archived, is_starred, project_id, current_node_id, deleted_at FROM conversations"
        )
    }
    for key in account.conversations:
        tree = account.tree(key)
        if key not in rows:
            found.append(f"{key} is not there")
            continue
        title, archived, starred, project, current, deleted = rows[key]
        gizmo = tree["gizmo_id"] if (tree["gizmo_id"] or "").startswith("g-p-") else None
        expected = (tree["title"] or title, tree["is_archived"], bool(tree["is_starred"]), gizmo, tree["current_node"])
        if (title, bool(archived), bool(starred), project, current) != expected or deleted:
            found.append(f"{key}: {(title, archived, starred, project, current, deleted)} is not {expected}")
        texts = {n: node["message"]["content"]["parts"][0] for n, node in tree["mapping"].items() if node["message"]}
        stored = dict(night.rows("SELECT id, text FROM messages WHERE conversation_id = ? AND removed_at IS NULL", key))
        if texts != stored:
            found.append(f"{key}: {len(stored)} messages are not the {len(texts)} of the service")
    found += [f"{key} is deleted and not marked" for key in account.deleted if key in rows and rows[key][-1] is None]
    return found


def findings(night):
    """What ``chatmirror check`` finds."""
    with Writer(night.path) as writer:
        return integrity.check(writer.conn, lambda *_: None).all
