"""Run the program against a simulated service: whole runs, over real HTTP, on a clock that never waits."""

from __future__ import annotations

import logging
import random
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Self

import canaries
from direct_wire import DirectWire
from invariants import broken
from mirrors import make_empty_mirror

from mirror import app
from mirror.simulator import Behaviour, ManualClock, SimulatedAccount, Simulator, generated_account
from mirror.sync.options import SyncOptions
from mirror.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mirror.simulator import ReceivedRequest
    from mirror.sync.outcome import Outcome

DAY = 86_400.0
CONTENT = (
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


class QuietReport:
    """A report that prints nothing and keeps its notes, and why files were not stored."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.not_stored: dict[str, str | None] = {}

    def note(self, text: str) -> None:
        self.notes.append(text)

    def fetching(self, total: int) -> None:
        """See Report."""

    def stored(self, title: str) -> None:
        """See Report."""

    def file_came(self, size: int) -> None:
        """Nothing."""

    def fetching_files(self, total: int) -> None:
        """See Report."""

    def file_done(self, name: str, size: int, why: str | None = None) -> None:
        if why is not None or not size:
            self.not_stored[name] = why


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


class MirroredService:
    """A simulated service and a mirror of it; ``next_run()`` lets a day pass and syncs.

    ``verify``: also read a batch of unchanged conversations again, as the program does. Without it, what a run reads is
    what changed. ``over_http``: otherwise requests go to the service directly, which takes a third of the time.
    The mirror is there already, without a conversation; ``is_new``: the first run makes it.
    """

    def __init__(
        self,
        folder: Path,
        account: SimulatedAccount | None = None,
        behaviour: Behaviour | None = None,
        *,
        conversations: int = 12,
        verify: bool = False,
        over_http: bool = True,
        is_new: bool = False,
    ) -> None:
        self.verify, self.over_http = verify, over_http
        self.account = account or generated_account(ManualClock(), conversations, 4)
        assert isinstance(self.account.clock, ManualClock)
        self.clock = self.account.clock
        self.service = Simulator(self.account, behaviour)
        self.person = self.service.person
        self.path = folder / "chats.db"
        if not is_new and not self.path.exists():
            make_empty_mirror(self.path)
        self.environ = {"CHATMIRROR_CONFIG_DIR": str(folder / "config")}
        self.notes: list[str] = []

    def __enter__(self) -> Self:
        self.service.__enter__()
        canaries.watch(self.service, self.path.parent)
        self.environ |= {"CHATMIRROR_STORAGE_URL": self.service.storage_url}
        self.environ |= {"CHATMIRROR_BASE_URL": self.service.url, "CHATGPT_SESSION_TOKEN": self.service.session_cookie}
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.service.__exit__(kind)
        canaries.end(self.service)

    @property
    def behaviour(self) -> Behaviour:
        return self.service.behaviour

    def timing(self) -> Timing:
        return Timing(self.clock, self.clock, self.clock.advance, random.Random(1))

    def sync(self, *, report: QuietReport | None = None, **options: Any) -> Outcome:
        """One run, now; ``options`` as in ``SyncOptions``."""
        self.service.requests.clear()
        self.service.storage.requests.clear()
        report = report or QuietReport()
        with on_request(report.note):
            options = {"verify": self.verify, **options}
            wire = None if self.over_http else DirectWire(self.service)
            outcome = app.sync(self.path, self.environ, self.timing(), report, SyncOptions(**options), wire=wire)
        self.notes = report.notes
        return outcome

    def next_run(self, *, report: QuietReport | None = None, **options: Any) -> int:
        """A day later, one run; returns its exit code."""
        self.clock.advance(DAY)
        outcome = self.sync(report=report, **options)
        return outcome.error.exit_code if outcome.error else 0

    def alter_answers(self, alter: Callable[[ReceivedRequest, Any], Any] | None) -> None:
        """Let ``alter(request, data)`` answer instead, see ``Behaviour.alter_answer``; None: no more."""
        self.behaviour.alter_answer = alter

    def rows(self, sql: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as conn:
            return conn.execute(sql, values).fetchall()

    def value(self, sql: str, *values: object) -> Any:
        found = self.rows(sql, *values)
        return found[0][0] if found else None

    def changes(self) -> dict[str, set[str]]:
        """What the newest run saw change: conversation id -> kinds."""
        found: dict[str, set[str]] = {}
        sql = "SELECT conversation_id, kind FROM changes WHERE run_id = (SELECT max(id) FROM sync_runs)"
        for key, kind in self.rows(sql):
            found.setdefault(key, set()).add(kind)
        return found

    def ids(self) -> list[str]:
        """The ids of the account's conversations, newest first where the account was generated."""
        return list(self.account.conversations)

    def asked(self, path: str) -> list[ReceivedRequest]:
        return self.service.asked(path)

    def reads(self) -> int:
        """How many requests asked for conversations' contents."""
        paths = ("/backend-api/conversation/", "/backend-api/conversations/")
        return sum(request.path.startswith(paths) for request in self.service.requests)


def content(mirrored: MirroredService) -> dict[str, list[Any]]:
    """Every content row of the mirror."""
    return {table: mirrored.rows(f"SELECT * FROM {table} ORDER BY rowid") for table in CONTENT}


def differences(mirrored: MirroredService) -> list[str]:
    """How the mirror differs from the account: sentences, empty when it is equal."""
    rows = {
        row[0]: row[1:]
        for row in mirrored.rows(
            "SELECT id, title, is_archived, is_starred, project_id, current_node_id, deleted_at FROM conversations"
        )
    }
    stored: dict[str, dict[str, str]] = {}
    for key, node, text in mirrored.rows("SELECT conversation_id, id, text FROM messages WHERE removed_at IS NULL"):
        stored.setdefault(key, {})[node] = text
    found = []
    for key in mirrored.account.conversations:
        found += _differences_of_one(mirrored.account.tree(key), rows.get(key), stored.get(key, {}))
    deleted = mirrored.account.deleted
    return found + [f"{key} is deleted and not marked" for key in deleted if key in rows and rows[key][-1] is None]


def _differences_of_one(tree: dict[str, Any], row: tuple[Any, ...] | None, stored: dict[str, str]) -> list[str]:
    key, found = tree["conversation_id"], []
    if row is None:
        return [f"{key} is not there"]
    title, archived, starred, project, current, deleted = row
    gizmo = tree["gizmo_id"] if (tree["gizmo_id"] or "").startswith("g-p-") else None
    expected = (tree["title"] or title, tree["is_archived"], bool(tree["is_starred"]), gizmo, tree["current_node"])
    if (title, bool(archived), bool(starred), project, current) != expected or deleted:
        found.append(f"{key}: {(title, archived, starred, project, current, deleted)} is not {expected}")
    texts = {n: node["message"]["content"]["parts"][0] for n, node in tree["mapping"].items() if node["message"]}
    if texts != stored:
        found.append(f"{key}: {len(stored)} messages are not the {len(texts)} of the service")
    return found


def findings(mirrored: MirroredService) -> list[str]:
    """Which invariants the mirror breaks, and where a secret of its service is in it."""
    return broken(mirrored.path, secrets=[secret.encode() for secret in canaries.secrets()])
