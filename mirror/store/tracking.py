"""What the lists said of each conversation, and what of it is stored: the memory from which every run plans its work.

A row of ``_listed`` whose stored time or mark is not the list's is work to do; it stays so until the conversation is
stored as listed, whatever happens in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mirror.source import Listed
from mirror.store.database import upsert
from mirror.values import is_same_moment

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

_IS_PENDING = "(l.stored_us IS NOT l.list_us OR l.stored_mark IS NOT l.list_mark)"
_IDS_A_QUERY = 500  # SQLite's limit of values is 999 in older builds


class Tracked(NamedTuple):
    """One conversation as the lists told of it, together with what is stored and what went wrong.

    ``stored_us`` and ``stored_mark``: the list time and mark that the stored payload answers. ``tries``: runs that
    failed at it since it last changed; ``retry_at``: ISO time before which it is not tried again; where nothing was
    learned of what no list shows, when that was. ``missing_since``: no list shows it; ``checked_at``: when it was then
    last asked for by its id, with an answer; ``gone_run_id``: the last run that saw proof of its deletion,
    ``gone_proofs`` what all proofs amount to. ``smaller_ids`` and ``smaller_at``: of a reading that lacked messages
    which are stored, until another one says the same or not. ``in_main``: whether the main or archived list shows it,
    None where that is not known; ``is_work``: a list of Work conversations has shown it.
    """

    listed: Listed
    provider: str
    account_id: str | None = None
    stored_us: int | None = None
    stored_mark: str | None = None
    tries: int = 0
    retry_at: str | None = None
    error: str | None = None
    missing_since: str | None = None
    gone_run_id: int | None = None
    gone_proofs: int = 0
    checked_at: str | None = None
    is_deleted: bool = False
    is_generating: bool = False
    is_branch_only: bool = False
    smaller_ids: str | None = None
    smaller_at: str | None = None
    in_main: bool | None = None
    is_work: bool = False

    @property
    def conversation_id(self) -> str:
        """The conversation's id."""
        return self.listed.conversation_id

    @property
    def title(self) -> str:
        """What a person calls it."""
        return self.listed.title or "Untitled"

    @property
    def list_us(self) -> int | None:
        """The list time, microseconds since 1970."""
        return self.listed.list_us

    @property
    def is_current(self) -> bool:
        """Whether what the list said last is stored."""
        return self.stored_us == self.listed.list_us is not None and self.stored_mark == self.listed.mark

    def answers(self, listed: Listed) -> bool:
        """Whether what is stored is what a list row shows."""
        return is_same_moment(self.stored_us, listed.list_us) and self.stored_mark == listed.mark


ENOUGH_PROOFS = 4  # two answers "deleted", or four "unknown", each in another run (API notes §3.7)
# What was never stored cannot have a tombstone: enough proofs alone settle it.
_SELECT = (
    f"SELECT l.*, c.deleted_at IS NOT NULL OR (c.id IS NULL AND l.gone_proofs >= {ENOUGH_PROOFS}) AS is_deleted"
    " FROM _listed l"
    " LEFT JOIN conversations c ON c.id = l.conversation_id WHERE l.provider = ?"
)
# What part of a workspace a question is about: reading all of a large one for each would make every run dear.
_PARTS = {
    "all": "1",
    "to do": f"({_IS_PENDING} OR l.is_generating OR l.is_branch_only)",
    "starred": "l.is_starred = 1",
    "in other lists": "c.deleted_at IS NULL AND (l.project_id IS NOT NULL OR l.is_work = 1)",
    "not in main or perhaps gone": "(l.is_archived = 1 OR l.in_main = 0 OR l.gone_run_id IS NOT NULL"
    f" OR l.missing_since IS NOT NULL OR {_IS_PENDING})",
}


def tracked_in(conn: sqlite3.Connection, provider: str, account_id: str, part: str = "all") -> dict[str, Tracked]:
    """Return what is known of a workspace's conversations, or of a part of them, by id."""
    rows = conn.execute(f"{_SELECT} AND l.account_id = ? AND {_PARTS[part]}", (provider, account_id))
    return {row["conversation_id"]: _tracked(row) for row in rows}


def tracked_of(conn: sqlite3.Connection, provider: str, ids: Iterable[str]) -> dict[str, Tracked]:
    """Return what is known of these conversations, in whichever workspace, by id."""
    found: dict[str, Tracked] = {}
    wanted = list(ids)
    for start in range(0, len(wanted), _IDS_A_QUERY):
        some = wanted[start : start + _IDS_A_QUERY]
        rows = conn.execute(f"{_SELECT} AND l.conversation_id IN ({', '.join('?' * len(some))})", (provider, *some))
        found |= {row["conversation_id"]: _tracked(row) for row in rows}
    return found


def shown_above(conn: sqlite3.Connection, provider: str, account_id: str, list_us: int) -> dict[str, Tracked]:
    """Return what the main list showed before with a newer time, by id."""
    rows = conn.execute(
        f"{_SELECT} AND l.account_id = ? AND l.in_main = 1 AND coalesce(l.is_archived, 0) = 0 AND l.list_us > ?",
        (provider, account_id, list_us),
    )
    return {row["conversation_id"]: _tracked(row) for row in rows}


def find(conn: sqlite3.Connection, provider: str, conversation_id: str) -> Tracked | None:
    """Return what is known of one conversation; None if no list ever showed it."""
    row = conn.execute(f"{_SELECT} AND l.conversation_id = ?", (provider, conversation_id)).fetchone()
    return _tracked(row) if row else None


def pending(conn: sqlite3.Connection, provider: str) -> list[Tracked]:
    """Return what is still to be fetched, newest first.

    Also what no list shows any more and is not proven gone, except in workspaces that the login no longer includes.
    """
    rows = conn.execute(
        f"{_SELECT} AND {_IS_PENDING} AND (l.missing_since IS NULL OR l.account_id NOT IN"
        " (SELECT id FROM accounts WHERE left_at IS NOT NULL)) ORDER BY l.list_us DESC",
        (provider,),
    )
    found = [_tracked(row) for row in rows]
    return [tracked for tracked in found if not (tracked.missing_since and tracked.is_deleted)]


def to_verify(
    conn: sqlite3.Connection, provider: str, account_id: str, before: str, now: str, limit: int
) -> list[Tracked]:
    """Return current conversations to be read once more, to be sure: those not read since ``before`` (ISO times).

    A time after ``now`` was written by a wrong clock, and is none.

    Up to half of them are what no list shows though it was found alive, whose news nothing else tells. Then what was
    read once only, the newest first, for there a lagging copy shows; then what was longest not verified.
    """
    found: list[Tracked] = []
    alive = "l.missing_since IS NOT NULL AND l.checked_at IS NOT NULL AND l.gone_proofs = 0"
    for which, most in ((alive, limit // 2), ("l.missing_since IS NULL", limit)):
        rows = conn.execute(
            f"{_SELECT} AND l.account_id = ? AND NOT {_IS_PENDING} AND {which} AND l.is_generating = 0"
            " AND l.is_branch_only = 0 AND c.id IS NOT NULL AND c.deleted_at IS NULL"
            " AND coalesce(l.read_at, '') NOT BETWEEN ? AND ? AND coalesce(l.verified_at, '') NOT BETWEEN ? AND ?"
            " ORDER BY CASE WHEN l.verified_at <= ? THEN l.verified_at END, l.list_us DESC LIMIT ?",
            (provider, account_id, before, now, before, now, now, most - len(found)),
        )
        found += [_tracked(row) for row in rows]
    return found


def _tracked(row: sqlite3.Row) -> Tracked:
    listed = Listed(
        conversation_id=row["conversation_id"],
        list_us=row["list_us"],
        title=row["title"],
        created_at=row["created_at"],
        is_archived=_flag(row["is_archived"]),
        is_starred=_flag(row["is_starred"]),
        project_id=row["project_id"],
        gpt_id=row["gpt_id"],
        states_home=bool(row["states_home"]),
        mark=row["list_mark"],
        owner_id=row["owner_id"],
    )
    return Tracked(
        listed=listed,
        provider=row["provider"],
        account_id=row["account_id"],
        stored_us=row["stored_us"],
        stored_mark=row["stored_mark"],
        tries=row["tries"],
        retry_at=row["retry_at"],
        error=row["error"],
        missing_since=row["missing_since"],
        gone_run_id=row["gone_run_id"],
        gone_proofs=row["gone_proofs"],
        checked_at=row["checked_at"],
        is_deleted=bool(row["is_deleted"]),
        is_generating=bool(row["is_generating"]),
        is_branch_only=bool(row["is_branch_only"]),
        smaller_ids=row["smaller_ids"],
        smaller_at=row["smaller_at"],
        in_main=_flag(row["in_main"]),
        is_work=bool(row["is_work"]),
    )


def _flag(value: int | None) -> bool | None:
    return None if value is None else bool(value)


def counts(conn: sqlite3.Connection, provider: str, account_id: str) -> dict[str, int]:
    """Return how many conversations are known to stand in each list: main (the living that are not archived), ...

    What the main and archived lists were seen to leave out is not expected in them.
    """
    row = conn.execute(
        "SELECT count(*) FILTER (WHERE is_archived IS NOT 1 AND in_main IS NOT 0) AS main,"
        " count(*) FILTER (WHERE is_archived = 1 AND in_main IS NOT 0) AS archived,"
        " count(*) FILTER (WHERE is_archived IS NOT 1 AND is_work = 1) AS work,"
        " count(*) FILTER (WHERE is_archived = 1 AND is_work = 1) AS work_archived,"
        " count(*) FILTER (WHERE is_starred = 1 AND NOT (is_work IS 1 AND in_main IS NOT 1)) AS starred,"
        f" count(*) FILTER (WHERE NOT {_IS_PENDING}) AS current FROM _listed l"
        " WHERE provider = ? AND account_id = ? AND missing_since IS NULL"
        " AND conversation_id NOT IN (SELECT id FROM conversations WHERE deleted_at IS NOT NULL)",
        (provider, account_id),
    ).fetchone()
    return dict(row)


class Place(NamedTuple):
    """In which lists a run saw a conversation, as in ``Tracked``; None: the run did not learn it."""

    in_main: bool | None = None
    is_work: bool | None = None


def note(
    conn: sqlite3.Connection, listed: Listed, provider: str, account_id: str, now: str, place: Place | None = None
) -> set[str]:
    """Remember one list row; return the columns that it changes. What a list leaves out is not forgotten."""
    key = listed.conversation_id
    old = conn.execute("SELECT * FROM _listed WHERE conversation_id = ?", (key,)).fetchone()
    row: dict[str, Any] = {"conversation_id": key, "account_id": account_id, "provider": provider}
    seen = (place or Place())._asdict()
    row |= {name: int(value) for name, value in seen.items() if value is not None}
    row |= {name: value for name, value in _stated(listed).items() if value is not None}
    if listed.states_home:
        row |= {"project_id": listed.project_id, "gpt_id": listed.gpt_id, "states_home": 1}
    row |= {"missing_since": None, "checked_at": None}
    if old is None:
        row.setdefault("list_us", 0)  # a list without times: it must be read once
    elif old["created_at"]:
        row.pop("created_at", None)  # the first word stays: rows derived from it must come out the same every time
    news = {name for name, value in row.items() if old is None or old[name] != value}
    if old is not None and old["gone_proofs"] and (old["missing_since"] or old["stored_us"] == row.get("list_us")):
        # What spoke for a deletion before is outweighed; not where it is to be fetched, which adds to that or ends it.
        row |= {"gone_proofs": 0, "gone_run_id": None}
    if old is not None and news & {"list_us", "list_mark"}:
        row |= {"tries": 0, "retry_at": None}  # what failed before may come now
    if news:
        upsert(conn, "_listed", ("conversation_id",), row | {"listed_at": now})
    return news


def note_unstarred(conn: sqlite3.Connection, conversation_id: str, now: str) -> None:
    """Remember that the list of starred ones does not show it any more, which does not show that it is alive."""
    conn.execute("UPDATE _listed SET is_starred = 0, listed_at = ? WHERE conversation_id = ?", (now, conversation_id))


def _stated(listed: Listed) -> dict[str, Any]:
    return {
        "title": listed.title or None,
        "created_at": listed.created_at,
        "list_us": listed.list_us,
        "list_mark": listed.mark,
        "owner_id": listed.owner_id,
        "is_archived": None if listed.is_archived is None else int(listed.is_archived),
        "is_starred": None if listed.is_starred is None else int(listed.is_starred),
    }


def mark_stored(conn: sqlite3.Connection, listed: Listed, now: str) -> None:
    """Remember that the conversation is stored as this list row showed it, read at ``now``."""
    conn.execute(
        "UPDATE _listed SET stored_us = ?, stored_mark = ?, is_generating = 0, is_branch_only = 0, tries = 0,"
        " retry_at = NULL, error = NULL, gone_run_id = NULL, gone_proofs = 0, read_at = ?, verified_at = NULL"
        " WHERE conversation_id = ?",
        (listed.list_us, listed.mark, now, listed.conversation_id),
    )


def mark_verified(conn: sqlite3.Connection, conversation_id: str, now: str, *, was_same: bool) -> None:
    """Remember that it was read again; what was not the same is read once more on a later run."""
    conn.execute(
        "UPDATE _listed SET read_at = CASE WHEN ? THEN read_at ELSE ? END, verified_at = CASE WHEN ? THEN ? END"
        " WHERE conversation_id = ?",
        (was_same, now, was_same, now, conversation_id),
    )


def set_smaller(conn: sqlite3.Connection, conversation_id: str, ids: str | None, at: str | None) -> None:
    """Remember (or, None, forget) a whole reading that lacked messages which are stored."""
    conn.execute(
        "UPDATE _listed SET smaller_ids = ?, smaller_at = ? WHERE conversation_id = ?", (ids, at, conversation_id)
    )


def mark_generating(conn: sqlite3.Connection, conversation_id: str) -> None:
    """Remember that it is to be read again: an answer was being written then, or the copy may have been an old one."""
    conn.execute("UPDATE _listed SET is_generating = 1 WHERE conversation_id = ?", (conversation_id,))


def mark_branch_only(conn: sqlite3.Connection, conversation_id: str, tries: int, retry_at: str) -> None:
    """Remember that what is stored is its visible branch only, and when to ask for the whole tree again."""
    conn.execute(
        "UPDATE _listed SET is_branch_only = 1, tries = ?, retry_at = ? WHERE conversation_id = ?",
        (tries, retry_at, conversation_id),
    )


def mark_failed(conn: sqlite3.Connection, conversation_id: str, error: str, tries: int, retry_at: str) -> None:
    """Remember that it could not be read or believed ``tries`` times; it stays work to do, not before ``retry_at``."""
    conn.execute(
        "UPDATE _listed SET stored_us = NULL, tries = ?, error = ?, retry_at = ? WHERE conversation_id = ?",
        (tries, error, retry_at, conversation_id),
    )


def mark_unread(conn: sqlite3.Connection, conversation_id: str) -> None:
    """Remember that it is to be read, whatever is stored of it."""
    conn.execute(
        "UPDATE _listed SET stored_us = NULL, tries = 0, retry_at = NULL WHERE conversation_id = ?", (conversation_id,)
    )


def set_missing(conn: sqlite3.Connection, ids: Iterable[str], now: str | None) -> None:
    """Mark conversations absent from every list since ``now``, or (None) present again."""
    for conversation_id in ids:
        for table, key in (("_listed", "conversation_id"), ("conversations", "id")):
            conn.execute(
                f"UPDATE {table} SET missing_since = ? WHERE {key} = ? AND (missing_since IS NULL) IS NOT (? IS NULL)",
                (now, conversation_id, now),
            )


def mark_alive(conn: sqlite3.Connection, conversation_id: str, now: str) -> None:
    """Remember that a conversation which no list shows came when it was asked for by its id."""
    conn.execute(
        "UPDATE _listed SET checked_at = ?, gone_run_id = NULL, gone_proofs = 0 WHERE conversation_id = ?",
        (now, conversation_id),
    )


def mark_not_told(conn: sqlite3.Connection, conversation_id: str, now: str) -> None:
    """Remember that a conversation which no list shows was asked for by its id, and that nothing was learned."""
    conn.execute("UPDATE _listed SET retry_at = ? WHERE conversation_id = ?", (now, conversation_id))


def add_proof(conn: sqlite3.Connection, conversation_id: str, now: str, run_id: int, weight: int) -> None:
    """Remember proof of a deletion, once a run."""
    conn.execute(
        "UPDATE _listed SET checked_at = ?, gone_proofs = gone_proofs + CASE WHEN gone_run_id IS ? THEN 0 ELSE ? END,"
        " gone_run_id = ? WHERE conversation_id = ?",
        (now, run_id, weight, run_id, conversation_id),
    )


def set_deleted(conn: sqlite3.Connection, conversation_id: str, at: str | None) -> bool:
    """Set or lift the tombstone; return whether that changed anything."""
    return (
        conn.execute(
            "UPDATE conversations SET deleted_at = ? WHERE id = ? AND (deleted_at IS NULL) IS NOT (? IS NULL)",
            (at, conversation_id, at),
        ).rowcount
        > 0
    )
