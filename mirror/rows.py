"""The rows that a payload becomes: dataclasses that nothing changes, shared by the normalizers and the store.

Times are ISO 8601 UTC text ending in ``Z`` (``values.iso_time`` makes them) or None. Text holds no lone surrogates, no
NUL and no private-use citation marks, so SQLite, FTS5 and a terminal can hold every field as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Literal, TypeVar, dataclass_transform, get_args

Row = TypeVar("Row")

# What a message is for its reader: the values of ``messages.kind``.
Kind = Literal[
    "text", "code", "output", "reasoning", "canvas", "quote", "voice", "image", "file", "context", "error", "other"
]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass_transform(frozen_default=True)
def row(cls: type[Row]) -> type[Row]:
    """Make a frozen dataclass for the type checker; at run time, one that is made nine times as fast.

    A frozen one sets each field by a call: three microseconds for a message, which is made several times.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)


@row
class Link:
    """One cited or quoted page, in reading order. ``kind``: citation, search, quote or widget."""

    url: str
    title: str | None = None
    kind: str = "citation"


@row
class Attachment:
    """One file of a message. ``id``: file id without scheme (API notes §7); ``size``: in bytes.

    ``file_id``: the key of ``files``, the same for every pointer of one file; None where no file can be asked for.
    ``source``: upload, generated, code, voice or library. ``prompt``: what a picture was made from, or its title.
    ``width``, ``height``: of a picture, in pixels. ``parameters``: what its pointer says beside the id, as a query.
    """

    id: str | None
    name: str | None = None
    mime_type: str | None = None
    size: int | None = None
    kind: str = "file"
    file_id: str | None = None
    source: str | None = None
    prompt: str | None = None
    width: int | None = None
    height: int | None = None
    parameters: str | None = None


@row
class Draft:
    """A text in an answer that the person is to use: a mail, a document. ``kind``: the service's word for it.

    ``at``: the place of its text in the message's, in characters; None where it is not known.
    """

    kind: str
    title: str
    text: str
    at: int | None = None


@row
class Message:
    """One node of a conversation's tree that holds a message.

    ``id`` is the node's id, unique inside its conversation only (API notes §3.5); ``message_id`` is the message's
    own id where it differs. ``is_lossy``: the text had to be repaired for SQLite (the payload keeps the original).
    ``drafts``: JSON, a list of objects as ``Draft``, whose texts are part of the text.
    """

    id: str
    parent_id: str | None
    role: str | None
    kind: Kind
    content_type: str | None
    text: str
    author: str | None = None
    recipient: str | None = None
    channel: str | None = None
    model: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    status: str | None = None
    message_id: str | None = None
    position: int | None = None
    is_hidden: bool = False
    is_lossy: bool = False
    removed_at: str | None = None
    drafts: str | None = None
    links: tuple[Link, ...] = ()
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation as a payload describes it; None where the payload does not say.

    ``parents`` maps *every* node (also those without a message) to its parent or None, in document order; from it
    ``tree.visible_branch`` finds what is shown. ``stated`` names the fields whose key is in the payload, so that an
    explicit null (moved out of its project) is told from silence (an export that drops the key, API notes §9).
    ``not_understood`` counts what only the general rule could read, by name (``content_type:…``, ``part:…``).
    ``incomplete_reason`` says why the payload by its own shape is not the whole conversation, if it is not; it is a
    fact of one payload, so a merged conversation has none.
    """

    id: str
    title: str | None
    created_at: str | None
    updated_at: str | None
    current_node_id: str | None
    account_id: str | None = None
    project_id: str | None = None
    gpt_id: str | None = None
    model: str | None = None
    is_archived: bool | None = None
    is_starred: bool | None = None
    is_generating: bool = False
    messages: tuple[Message, ...] = ()
    parents: dict[str, str | None] | None = None
    stated: frozenset[str] = frozenset()
    not_understood: dict[str, int] | None = None
    incomplete_reason: str | None = None


# What gives the values of a row, in the order in which its class takes them.
VALUES_OF = {
    kind: attrgetter(*(field.name for field in fields(kind))) for kind in (Conversation, Message, Link, Attachment)
}
_VALUES = VALUES_OF[Message]
_POSITION = next(n for n, field in enumerate(fields(Message)) if field.name == "position")


def row_with_position(row: Message, position: int | None) -> Message:
    """Return a row at another position; eight times faster than ``dataclasses.replace``, for every row comes here."""
    values = list(_VALUES(row))
    values[_POSITION] = position
    return Message(*values)


def with_parent(row: Message, parent_id: str | None) -> Message:
    """Return a row below another node."""
    return row if row.parent_id == parent_id else replace(row, parent_id=parent_id)
