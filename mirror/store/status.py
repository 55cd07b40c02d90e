"""Whether the mirror is healthy: one look at the database, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from mirror.services import SERVICES
from mirror.store import account_data, file_rows, runs, settings, skeletons, tracking
from mirror.store.file_rows import FileCounts

if TYPE_CHECKING:
    import sqlite3

    from mirror.errors import ChatmirrorError
    from mirror.store.account_data import NotReadSince
    from mirror.store.skeletons import Drift
    from mirror.store.tracking import Tracked


class ScopeCount(NamedTuple):
    """One list: how many conversations it had when it was last read to its end, and how many are stored.

    ``stored`` None: a mere selection (shared, pinned), which the mirror does not tell apart.
    """

    account: str
    scope: str
    listed: int | None
    read_to_end_at: str | None
    stored: int | None


class IncompleteConversation(NamedTuple):
    """A conversation of which not everything is stored, and why. ``is_listed``: the service's lists show it."""

    conversation_id: str
    title: str
    provider: str
    reason: str
    is_listed: bool


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """The state of what is mirrored from one service.

    ``alarm``: the newest run since the last success that saw something which a person must look at. ``pending``: what
    is still to be fetched, newest first. ``pace``: conversations that the last run fetched. ``files_left``: files that
    can be had and are not stored, 0 where the person wants none. ``drift``: what was told of changes in the form of its
    answers, newest first. ``not_read``: what failed beside the conversations. ``derived_by``: the version of the
    normalizer that derived the rows.
    """

    provider: str
    last_run: dict[str, Any] | None
    last_success: dict[str, Any] | None
    alarm: dict[str, Any] | None
    pending: list[Tracked]
    scopes: list[ScopeCount]
    session_expires: str | None
    pace: int
    files_left: int = 0
    drift: list[Drift] = field(default_factory=list)
    not_read: list[NotReadSince] = field(default_factory=list)
    derived_by: int | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a mirror: counts over all services, and each service, the one with most conversations first.

    ``incomplete``: the conversations that are stored only in part, newest first. ``lacking``: what is wrong with the
    bytes of files, and ``is_running``: whether a run holds the file now, where somebody looked. Times are ISO text.
    """

    conversations: int
    messages: int
    deleted: int
    missing: int
    incomplete: list[IncompleteConversation]
    services: list[ServiceStatus]
    files: FileCounts = field(default_factory=FileCounts)
    lacking: ChatmirrorError | None = None
    is_running: bool | None = None

    @property
    def has_open_run(self) -> bool:
        """Whether the last sync of a service has no end: it is running, or was killed."""
        return any(service.last_run is not None and service.last_run["outcome"] is None for service in self.services)

    @property
    def last_success(self) -> str | None:
        """When the last success began, of several services the oldest one; None where one has had none."""
        times = [service.last_success["started_at"] if service.last_success else None for service in self.services]
        known = [time for time in times if time]
        return min(known) if known and len(known) == len(times) else None


def read(conn: sqlite3.Connection) -> Status:
    """Read a mirror's state."""
    counts = conn.execute(
        "SELECT count(*) AS conversations, coalesce(sum(deleted_at IS NOT NULL), 0) AS deleted,"
        " coalesce(sum(missing_since IS NOT NULL AND deleted_at IS NULL), 0) AS missing,"
        " (SELECT count(*) FROM messages) AS messages FROM conversations"
    ).fetchone()
    services = [_service(conn, provider) for provider in _providers(conn)]
    return Status(**dict(counts), incomplete=_incomplete(conn), services=services, files=file_rows.counts(conn))


def _providers(conn: sqlite3.Connection) -> list[str]:
    rows = conn.execute(
        "SELECT provider FROM (SELECT provider, count(*) AS stored FROM conversations GROUP BY provider"
        " UNION ALL SELECT provider, 0 FROM sync_runs WHERE command = 'sync' AND provider IS NOT NULL"
        " UNION ALL SELECT provider, 0 FROM accounts)"
        " GROUP BY provider ORDER BY sum(stored) DESC, provider"
    )
    found = [row["provider"] for row in rows]
    if "" in found:
        raise LookupError  # damage, which is named
    return found or [next(iter(SERVICES))]


def _service(conn: sqlite3.Connection, provider: str) -> ServiceStatus:
    last, success = runs.last(conn, "sync", provider), runs.last(conn, "sync", provider, successful=True)
    alarm = runs.last_alarm(conn, "sync", provider)
    return ServiceStatus(
        provider=provider,
        last_run=dict(last) if last else None,
        last_success=dict(success) if success else None,
        alarm=dict(alarm) if alarm else None,
        pending=tracking.pending(conn, provider),
        scopes=_scopes(conn, provider),
        session_expires=_session_expires(conn, provider),
        pace=(last["new"] or 0) + (last["changed"] or 0) if last else 0,
        files_left=file_rows.left_to_fetch(conn, provider) if file_rows.are_wanted(conn, provider) else 0,
        drift=skeletons.drift(conn, provider),
        not_read=account_data.not_read(conn, provider),
        derived_by=settings.derived_by(conn, provider),
    )


def _incomplete(conn: sqlite3.Connection) -> list[IncompleteConversation]:
    rows = conn.execute(
        "SELECT c.id AS conversation_id, coalesce(nullif(c.title, ''), 'Untitled') AS title, c.provider,"
        " coalesce(c.incomplete_reason, 'for an unknown reason') AS reason,"
        " l.conversation_id IS NOT NULL AND c.deleted_at IS NULL AND c.missing_since IS NULL AS is_listed"
        " FROM conversations c LEFT JOIN _listed l ON l.conversation_id = c.id WHERE c.is_complete = 0"
        " ORDER BY c.updated_at DESC, c.id"
    )
    return [IncompleteConversation(**dict(row) | {"is_listed": bool(row["is_listed"])}) for row in rows]


def _session_expires(conn: sqlite3.Connection, provider: str) -> str | None:
    # Before there were several services, one setting without a provider's name held ChatGPT's.
    old = settings.setting(conn, "session_expires") if provider == "chatgpt" else None
    found = settings.setting(conn, f"session_expires:{provider}", old)
    return found if isinstance(found, str) else None


def _scopes(conn: sqlite3.Connection, provider: str) -> list[ScopeCount]:
    rows = conn.execute(
        "SELECT s.account_id, coalesce(a.name, a.structure, 'personal') AS account, s.scope, s.listed, s.read_to_end_at"
        " FROM _scopes s JOIN accounts a ON a.id = s.account_id WHERE a.provider = ? ORDER BY s.account_id, s.scope",
        (provider,),
    ).fetchall()
    return [
        ScopeCount(
            row["account"],
            _label(conn, row["scope"]),
            row["listed"],
            row["read_to_end_at"],
            _stored(conn, row["account_id"], row["scope"]),
        )
        for row in rows
    ]


def _label(conn: sqlite3.Connection, scope: str) -> str:
    kind, _, project_id = scope.partition(":")
    row = conn.execute("SELECT name FROM projects WHERE id = ?", (project_id,)).fetchone() if project_id else None
    return f"project {(row and row['name']) or project_id}" if project_id else kind.replace("_", " ")


_IS_WORK = "id IN (SELECT conversation_id FROM _listed WHERE is_work = 1)"


def _stored(conn: sqlite3.Connection, account_id: str, scope: str) -> int | None:
    living = "deleted_at IS NULL AND missing_since IS NULL AND account_id = ?"
    conditions = {
        "main": ("is_archived = 0", ()),
        "archived": ("is_archived = 1", ()),
        "starred": ("is_starred = 1", ()),
        "work": (f"is_archived = 0 AND {_IS_WORK}", ()),
        "work_archived": (f"is_archived = 1 AND {_IS_WORK}", ()),
    }
    kind, _, project_id = scope.partition(":")
    if kind not in conditions and not project_id:
        return None
    where, values = conditions.get(kind, ("project_id = ?", (project_id,)))
    sql = f"SELECT count(*) AS stored FROM conversations WHERE {living} AND {where}"
    return int(conn.execute(sql, (account_id, *values)).fetchone()["stored"])
