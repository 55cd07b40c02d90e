"""What one arrival makes of a conversation: a pure decision between what is stored and what is to be.

``fold`` takes everything that is stored of a conversation, a payload that just came (or none, to derive the rows
again) and what the lists say, and returns the ``Update`` that brings the rows to it. ``fold_listing`` does the same for
a changed list row alone, which touches the conversation's own row and needs no payload. Sync, import, check and rebuild
all decide here, so the same payloads always make the same rows. No SQL, no clock, no input or output.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from mirror.body import hash_of
from mirror.large_json import read_json
from mirror.normalize import holds_all, merge, normalize, says_the_same
from mirror.normalize.invented_id import is_invented
from mirror.payload_versions import (
    SMALLER,
    Arrival,
    is_stored,
    judged,
    needed,
    read_versions,
    stored_form,
)
from mirror.services import service_of
from mirror.source import BRANCH_ONLY
from mirror.store.conversation_rows import ConversationRow
from mirror.store.conversations import Damage, Update
from mirror.store.message_writes import MessageWrite
from mirror.store.payloads import IMPORTED, StoredPayload
from mirror.store.runs import Change
from mirror.values import epoch_us, iso_time

SURE_AFTER_US = 6 * 3600 * 1_000_000  # a copy that lags by more than six hours would lag in the lists, too
# Of a copy that dates itself before what the list shows: batches are known to state times that are days old.
SURE_OF_OLDER_US = 14 * 86_400 * 1_000_000
CHANGED = "changed since it was last read"

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mirror.rows import Conversation, Message
    from mirror.store.conversations import Stored
    from mirror.store.tracking import Tracked


class _Likeness(NamedTuple):
    """What is known of an arrival beside the one version that is stored, before either becomes rows.

    ``is_same``: it differs at most in what lists state too. ``holds_all``: it has every message of it, unchanged.
    """

    is_same: bool = False
    holds_all: bool = False


def fold(stored: Stored, arrival: Arrival | None, listed: Tracked | None) -> Update:
    """Return what an arrival (None: the stored payloads alone) and the lists make of a conversation.

    Raises ValueError where there is nothing to read, DamagedPayloadError where stored bytes are damaged and nothing
    arrived. An arrival is stored beside damaged ones, and takes their place where it has all that they gave.
    """
    if arrival is not None and (mended := _with_same_bytes(stored, arrival, listed)) is not None:
        return mended
    if arrival is not None and stored.row is not None and is_stored(arrival, stored.payloads):
        return fold_listing(stored, listed)
    likeness = _likeness(arrival, stored.payloads)
    if (
        arrival is not None
        and likeness.is_same
        and stored.row is not None
        and listed is not None
        and _states_all(listed)
    ):
        return _same_but_for_the_list(stored, arrival, listed)
    smaller = None
    if arrival is not None:
        arrival = arrival._replace(conversation=arrival.conversation or normalize(arrival.provider, arrival.payload))
        smaller = _smaller(stored, arrival, listed)
        if smaller is not None:
            arrival = arrival._replace(proves_absence=False, incomplete_reason=SMALLER)
    provider = arrival.provider if arrival else stored.row.provider if stored.row else ""
    is_read = not likeness.holds_all or smaller is not None
    versions, unread = read_versions(provider, stored.payloads, arrival, are_read=is_read)
    if not versions:
        raise ValueError(f"conversation {stored.conversation_id} has no stored payload")
    versions = [judged(version) for version in versions]
    kept = versions if arrival is None else [versions[n] for n in needed([v.parsed for v in versions])]
    merged = merge([version.parsed for version in kept])
    only_rows = _in_rows_only(stored, merged, arrival) if unread and arrival else []
    ids = {row.id for row in only_rows}
    messages = [*(m for m in merged.messages if m.id not in ids), *only_rows]
    damaged = next((version for version in unread if version.is_damaged), None)
    healed = damaged is not None and arrival is not None and arrival.proves_absence and not only_rows
    row = _listed_over(_row_of(stored.conversation_id, provider, merged), listed)
    row = _with_completeness(row, listed, [version.stored for version in kept])
    beside = [version.stored for version in unread if not (healed and version.is_damaged)]
    return Update(
        row=row,
        changed_columns=_differing(stored.row, row),
        payloads=None if arrival is None else (*(version.stored for version in kept), *beside),
        messages=_message_writes(stored.messages, messages),
        changes=_changes(stored, row, messages),
        is_generating=merged.is_generating,
        smaller_ids=smaller,
        judged=tuple(v.stored for v in kept if v.stored.id is not None and v.stored not in stored.payloads),
        damage=Damage(stored.conversation_id, str(damaged.error), is_healed=healed) if damaged else None,
    )


def fold_listing(stored: Stored, listed: Tracked | None) -> Update:
    """Return what the lists alone make of a conversation: another title, star, archive flag or project.

    Needs its row and the facts of its payloads, no bytes and no messages. Raises ValueError where it is not stored.
    """
    if stored.row is None:
        raise ValueError(f"conversation {stored.conversation_id} is not stored")
    old = stored.row
    new = _with_completeness(_listed_over(old, listed), listed, stored.payloads)
    is_generating = listed.is_generating if listed else False
    return Update(new, _differing(old, new), changes=tuple(_row_changes(old, new)), is_generating=is_generating)


# -- which payload versions there are, and which are kept


def _smaller(stored: Stored, arrival: Arrival, tracked: Tracked | None) -> str | None:
    """Return a hash of an arrival's messages where it lacks some that are stored, and nobody else said so yet.

    A lagging copy, or an answer that is cut, looks just like messages that were deleted. It is believed when another
    reading, hours later, holds the very same ones; where it dates itself before what the list shows, weeks later. Reads
    no stored payload.
    """
    if tracked is None or arrival.conversation is None or arrival.origin in IMPORTED:
        return None
    held = {m.id for m in arrival.conversation.messages}
    is_older = _is_older(arrival.conversation, tracked)
    if not _lacks_some(stored, arrival, held, is_older=is_older):
        return None
    ids = hash_of(json.dumps(sorted(held)).encode())
    since = (epoch_us(arrival.fetched_at) or 0) - (epoch_us(tracked.smaller_at) or 0)
    return None if tracked.smaller_ids == ids and since >= (SURE_OF_OLDER_US if is_older else SURE_AFTER_US) else ids


def _lacks_some(stored: Stored, arrival: Arrival, held: set[str], *, is_older: bool) -> bool:
    """Whether an arrival that should hold them lacks messages that are stored.

    A visible branch lacks other branches, and all after the place where the person went to another one. So it lacks
    something only where it ends within the branch that is stored, or is an older copy.
    """
    if arrival.proves_absence:
        return any(m.removed_at is None and node not in held for node, m in stored.messages.items())
    if arrival.incomplete_reason != BRANCH_ONLY:
        return False
    visible = {node for node, m in stored.messages.items() if m.removed_at is None and m.position is not None}
    return not visible <= held and (is_older or held <= visible)


def _is_older(conversation: Conversation, tracked: Tracked) -> bool:
    """Whether a copy dates itself before what the list shows; some answers state whole seconds."""
    stated = epoch_us(conversation.updated_at)
    return stated is not None and tracked.list_us is not None and stated < tracked.list_us - 1_000_000


def _likeness(arrival: Arrival | None, versions: Sequence[StoredPayload]) -> _Likeness:
    """Compare a whole tree with the one version that is stored, which then need not be read as rows.

    A renamed or moved conversation comes again whole, and nearly every one that goes on holds all that it did. Nothing
    is known where there are several versions, or the stored bytes are damaged.
    """
    if arrival is None or arrival.origin in IMPORTED or not arrival.proves_absence:
        return _Likeness()
    if len(versions) != 1 or not versions[0].is_live:
        return _Likeness()
    try:
        old = read_json(versions[0].body)
        is_same = versions[0].proves_absence and says_the_same(arrival.provider, arrival.payload, old)
        return _Likeness(is_same, is_same or holds_all(arrival.provider, arrival.payload, old))
    except ValueError:  # a DamagedPayloadError or UnreadablePayloadError, too
        return _Likeness()


def _with_same_bytes(stored: Stored, arrival: Arrival, listed: Tracked | None) -> Update | None:
    """Return the update that puts arrived bytes in the place of stored ones that are damaged and were the same.

    None: there are none such. Their hash tells that they were the same.
    """
    digest = arrival.body.sha256
    same = [version for version in stored.payloads if version.sha256 == digest and not version.is_whole]
    if not same or stored.row is None:
        return None
    whole = tuple(
        replace(version, id=None, packed=arrival.body.pack()) if version in same else version
        for version in stored.payloads
    )
    damage = Damage(stored.conversation_id, f"payload {same[0].id} was damaged", is_healed=True)
    return fold_listing(replace(stored, payloads=whole), listed)._replace(payloads=whole, damage=damage)


def _in_rows_only(stored: Stored, merged: Conversation, arrival: Arrival) -> list[Message]:
    """Return the stored messages that no readable version gives, to be kept: only damaged bytes gave them.

    What a whole tree of the service lacks is marked as removed there.
    """
    given = {m.id: m for m in merged.messages}
    gone = arrival.fetched_at if arrival.proves_absence else None
    kept = []
    for node, row in stored.messages.items():
        if node not in given:
            kept.append(replace(row, position=None, removed_at=row.removed_at or gone))
        elif row.text.strip() and not given[node].text.strip():
            kept.append(replace(row, position=given[node].position, removed_at=row.removed_at or gone))
    return kept


def _same_but_for_the_list(stored: Stored, arrival: Arrival, listed: Tracked) -> Update:
    """Return the update for a payload that differs from the one version that is stored only in what the list states.

    Its messages need not be read to know that they are the same, and there is nothing to merge.
    """
    new = stored_form(arrival, max(stored.payloads[0].payload_us, arrival.list_us or 0), None)
    return fold_listing(replace(stored, payloads=(new,)), listed)._replace(payloads=(new,))


def _states_all(tracked: Tracked) -> bool:
    listed = tracked.listed
    return bool(listed.title and listed.list_us and listed.states_home) and None not in {
        listed.is_archived,
        listed.is_starred,
    }


# -- the conversation's own row


def _row_of(conversation_id: str, provider: str, merged: Conversation) -> ConversationRow:
    """Return the row that payloads alone amount to."""
    return ConversationRow(
        id=conversation_id,
        title=merged.title or "Untitled",
        # The column is unique and never NULL: the id stands in it where there is no page.
        url=conversation_id if is_invented(conversation_id) else service_of(provider).conversation_url(conversation_id),
        provider=provider,
        created_at=merged.created_at,
        updated_at=merged.updated_at,
        message_count=sum(1 for m in merged.messages if m.position is not None and not m.is_hidden),
        model=merged.model,
        project_id=merged.project_id,
        gpt_id=merged.gpt_id,
        is_archived=bool(merged.is_archived),
        is_starred=bool(merged.is_starred),
        current_node_id=merged.current_node_id,
    )


def _listed_over(row: ConversationRow, tracked: Tracked | None) -> ConversationRow:
    """Return the row with what the lists state in its place: they outrank payloads (API notes §2.3)."""
    if tracked is None:
        return row
    listed = tracked.listed
    return row._replace(
        title=listed.title or row.title,
        created_at=row.created_at or listed.created_at,
        updated_at=iso_time(listed.list_us) if listed.list_us else row.updated_at,
        project_id=listed.project_id if listed.states_home else row.project_id,
        gpt_id=listed.gpt_id if listed.states_home else row.gpt_id,
        is_archived=row.is_archived if listed.is_archived is None else listed.is_archived,
        is_starred=row.is_starred if listed.is_starred is None else listed.is_starred,
        account_id=tracked.account_id,
    )


def _with_completeness(
    row: ConversationRow, tracked: Tracked | None, versions: Sequence[StoredPayload]
) -> ConversationRow:
    reason = incomplete_reason(tracked, versions)
    return row._replace(is_complete=reason is None, incomplete_reason=reason)


def incomplete_reason(tracked: Tracked | None, versions: Sequence[StoredPayload]) -> str | None:
    """Return why a stored conversation may lack something that the service holds, in plain words; None: it does not.

    The worst reason wins: what is known to have changed, then what only showed its visible branch, then what a file
    alone has told. A whole tree from the service, once stored, is complete until the lists show a change.
    """
    if tracked is not None and not tracked.is_deleted:
        if not tracked.is_current:
            return tracked.error or CHANGED
        if tracked.is_branch_only:
            return BRANCH_ONLY
    if any(version.is_live and version.proves_absence for version in versions):
        return None
    return versions[-1].incomplete_reason if versions else None


def _differing(old: ConversationRow | None, new: ConversationRow) -> tuple[str, ...]:
    return tuple(name for name in ConversationRow._fields if old is None or getattr(old, name) != getattr(new, name))


# -- messages, and what changed in words


def _message_writes(stored: Mapping[str, Message], wanted: Sequence[Message]) -> tuple[MessageWrite, ...]:
    writes = [MessageWrite(stored.get(m.id), m) for m in wanted if stored.get(m.id) != m]
    ids = {m.id for m in wanted}
    return (*writes, *(MessageWrite(m, None) for node, m in stored.items() if node not in ids))


def _changes(stored: Stored, row: ConversationRow, messages: Sequence[Message]) -> tuple[Change, ...]:
    if stored.row is None:
        return (Change("new", None, row.title),)
    return (*_row_changes(stored.row, row), *_message_changes(stored, row, messages))


def _row_changes(old: ConversationRow, new: ConversationRow) -> list[Change]:
    changes = []
    if _differs(old.title, new.title):
        changes.append(Change("renamed", old.title, new.title))
    if old.is_archived != new.is_archived:
        changes.append(Change("archived" if new.is_archived else "unarchived"))
    if old.is_starred != new.is_starred:
        changes.append(Change("starred" if new.is_starred else "unstarred"))
    if _differs(old.project_id, new.project_id):
        changes.append(Change("moved", old.project_id, new.project_id))
    return changes


def _differs(old: str | None, new: str | None) -> bool:
    """Whether a text is another one now. One that was damaged is mended, which is no change of the person's."""
    return old != new and isinstance(old, str | None)


def _message_changes(stored: Stored, row: ConversationRow, messages: Sequence[Message]) -> list[Change]:
    changes = []
    known = [(stored.messages[m.id], m) for m in messages if m.id in stored.messages]
    if added := len(messages) - len(known):
        changes.append(Change("messages added", None, str(added)))
    if edited := sum(1 for old, new in known if old.text != new.text):
        changes.append(Change("messages edited", None, str(edited)))
    if removed := sum(1 for old, new in known if new.removed_at and not old.removed_at):
        changes.append(Change("messages removed", None, str(removed)))
    old_leaf = stored.row.current_node_id if stored.row else None
    if old_leaf in stored.messages and not any(m.id == old_leaf and m.position for m in messages):
        changes.append(Change("branch switched", old_leaf, row.current_node_id))
    return changes
