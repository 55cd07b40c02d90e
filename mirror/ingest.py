"""Take one payload in: keep it, derive its rows again, and say what changed. One transaction a conversation.

Every way in (a sync, an import, a rebuild) comes through here, so that the same payloads always make the same rows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from mirror.normalize import ParsedPayload, merge, normalize
from mirror.store import conversations as store
from mirror.store import listings, runs
from mirror.values import epoch_us

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from mirror.normalize.rows import Conversation
    from mirror.store.conversations import Facts, StoredPayload

LIVE_LANES = frozenset({"batch", "single", "plural"})  # read from the service itself, not from an export


class Change(NamedTuple):
    """One thing seen to change: its kind as in ``changes.kind``, before and after in words."""

    kind: str
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """A payload on its way in.

    ``fetched_at``: ISO time; ``listed_us``: the list's update time, for live lanes; ``proves_absence``: a whole tree
    from the service, so that what it lacks is gone (an export or a flat reading proves nothing).
    """

    conversation_id: str
    payload: Any
    body: bytes
    lane: str
    source: str
    fetched_at: str
    listed_us: int | None = None
    proves_absence: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """What taking a payload in came to. ``changes`` empty: it told nothing new."""

    changes: list[Change]
    is_generating: bool = False


def take_in(conn: sqlite3.Connection, arrival: Arrival, facts: Facts, run_id: int) -> Taken:
    """Store a payload and its rows; return what changed. Inside the caller's transaction."""
    stored = store.payloads(conn, arrival.conversation_id)
    fresh = _placed(arrival, stored)
    if fresh is None:
        return Taken(refresh(conn, arrival.conversation_id, facts, run_id, arrival.fetched_at))
    layers = sorted([*stored, fresh], key=lambda layer: (layer.ranked_us, layer.id or float("inf")))
    parsed = [parse(facts.provider, layer, arrival if layer is fresh else None) for layer in layers]
    kept = needed(parsed)
    before = Before.read(conn, arrival.conversation_id)
    merged = merge([parsed[n] for n in kept])
    merged = replace(merged, id=arrival.conversation_id)
    store.save_row(conn, merged, facts, arrival.fetched_at)
    store.keep_payloads(conn, arrival.conversation_id, [layers[n] for n in kept])
    store.save_messages(conn, merged, before.messages)
    changes = before.compare(store.derived_row(merged, facts), merged)
    runs.record_changes(conn, run_id, arrival.conversation_id, changes)
    return Taken(changes, merged.is_generating)


def refresh(
    conn: sqlite3.Connection, conversation_id: str, facts: Facts, run_id: int | None, seen_at: str
) -> list[Change]:
    """Derive a stored conversation's rows again, with what the lists say now; return what changed."""
    merged = derive(conn, conversation_id, facts.provider)
    before = Before.read(conn, conversation_id)
    store.save_row(conn, merged, facts, seen_at)
    store.save_messages(conn, merged, before.messages)
    changes = before.compare(store.derived_row(merged, facts), merged)
    if run_id is not None:
        runs.record_changes(conn, run_id, conversation_id, changes)
    return changes


def derive(conn: sqlite3.Connection, conversation_id: str, provider: str) -> Conversation:
    """Fold the stored layers of a conversation; raises ValueError where stored bytes are damaged."""
    parsed = [parse(provider, layer) for layer in store.payloads(conn, conversation_id)]
    return replace(merge(parsed), id=conversation_id)


def facts_of(conn: sqlite3.Connection, conversation_id: str, provider: str, url: str) -> Facts:
    """Return what the lists said of a conversation, as far as they did; for an import, nothing."""
    return listings.facts(conn, conversation_id) or store.Facts(provider=provider, url=url)


def _placed(arrival: Arrival, stored: Sequence[StoredPayload]) -> StoredPayload | None:
    """Return the new layer with its rank among the stored ones; None if it is stored already and nothing came since.

    A live reading is newer than every earlier live one, whatever times it carries (batch times can be stale, API notes
    §3.4). An export stands where its own update time puts it, and below a live reading of the same moment, which says
    more.
    """
    own = epoch_us(arrival.payload.get("update_time")) if isinstance(arrival.payload, dict) else None
    rank = max(own or 0, arrival.listed_us or 0)
    live = [layer for layer in stored if layer.lane in LIVE_LANES]
    if arrival.lane in LIVE_LANES:
        rank = max([rank, *(layer.ranked_us for layer in live)])
        same = bool(stored) and stored[-1].body == arrival.body
    else:
        same = any(layer.body == arrival.body for layer in stored)
        if any(layer.ranked_us == rank for layer in live):
            rank -= 1
    if same:
        return None
    return store.StoredPayload(
        None,
        arrival.conversation_id,
        arrival.body,
        arrival.lane,
        arrival.source,
        arrival.fetched_at,
        rank,
        arrival.proves_absence,
    )


def parse(provider: str, layer: StoredPayload, arrival: Arrival | None = None) -> ParsedPayload:
    """Read a layer's bytes into rows; ``arrival`` spares reading bytes that were just read."""
    payload = arrival.payload if arrival else load(layer.body)
    return ParsedPayload(
        conversation=normalize(provider, payload),
        seen_at=layer.fetched_at,
        proves_absence=layer.proves_absence,
    )


def load(body: bytes) -> Any:
    """Parse stored bytes as they were parsed when they came."""
    return json.loads(body.decode("utf-8", "surrogateescape"))


def needed(layers: Sequence[ParsedPayload]) -> list[int]:
    """Return the indexes of the layers that must stay: the newest, and older ones that alone hold some text.

    The first whole tree after a kept layer stays too: it dates what vanished.
    """
    newer: dict[str, str] = {}
    kept: set[int] = set()
    for n in range(len(layers) - 1, -1, -1):
        messages = layers[n].conversation.messages
        if n == len(layers) - 1 or any(m.id not in newer or m.text not in newer[m.id] for m in messages):
            kept.add(n)
        for m in messages:
            newer[m.id] = newer.get(m.id) or m.text
    for n in sorted(kept):
        kept.update(next(([k] for k in range(n + 1, len(layers)) if layers[k].proves_absence), []))
    return sorted(kept)


@dataclass(frozen=True, slots=True)
class Before:
    """A conversation's rows before a change, for telling what the change was."""

    row: dict[str, Any] | None
    messages: dict[str, tuple[Any, ...]]

    @classmethod
    def read(cls, conn: sqlite3.Connection, conversation_id: str) -> Before:
        """Read the rows as they stand."""
        row = store.conversation_row(conn, conversation_id)
        return cls(row, store.message_rows(conn, conversation_id) if row else {})

    def compare(self, row: dict[str, Any], merged: Conversation) -> list[Change]:
        """Name what is different now."""
        if self.row is None:
            return [Change("new", None, row["title"])]
        return [*_row_changes(self.row, row), *self._message_changes(merged)]

    def _message_changes(self, merged: Conversation) -> list[Change]:
        changes = []
        if added := sum(1 for m in merged.messages if m.id not in self.messages):
            changes.append(Change("messages added", None, str(added)))
        text, removed = store.MESSAGE_COLUMNS.index("text") + 1, store.MESSAGE_COLUMNS.index("removed_at") + 1
        known = [(m, self.messages[m.id]) for m in merged.messages if m.id in self.messages]
        if edited := sum(1 for m, old in known if old[text] != m.text):
            changes.append(Change("messages edited", None, str(edited)))
        if gone := sum(1 for m, old in known if m.removed_at and not old[removed]):
            changes.append(Change("messages removed", None, str(gone)))
        old_leaf = self.row["current_node_id"] if self.row else None
        if old_leaf in self.messages and not any(m.id == old_leaf and m.position for m in merged.messages):
            changes.append(Change("branch switched", old_leaf, merged.current_node_id))
        return changes


def _row_changes(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    changes = []
    if old["title"] != new["title"]:
        changes.append(Change("renamed", old["title"], new["title"]))
    for column, on, off in (("is_archived", "archived", "unarchived"), ("is_starred", "starred", "unstarred")):
        if old[column] != new[column]:
            changes.append(Change(on if new[column] else off))
    if old["project_id"] != new["project_id"]:
        changes.append(Change("moved", old["project_id"], new["project_id"]))
    return changes
