"""How a service's conversations look in files, and what its export calls the files.

A service is one ``Recogniser`` in a module of its own (``chatgpt_export``) and one more entry in
``shapes.RECOGNISERS``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirror.archive.items import Origin

# Where a value was met: by itself, in a list, in one page of a list, or as a bare list of messages.
Container = Literal["none", "list", "page", "messages"]
# A conversation with its messages; only what a list says of one; something else.
Recognised = Literal["yes", "hollow", "no"]
PayloadAndText = tuple[dict[str, Any], bytes]

_NO_NAME = re.compile(r"(?!)")


def _no_shards(_: bytes) -> list[str]:
    raise ValueError("names no files")


@dataclass(frozen=True, slots=True)
class ReportFile:
    """A document of a conversation that an export keeps in a file of its own: its path beside the list that names it.

    ``message_id``: the message that it belongs to, where the list says so.
    """

    path: str
    conversation_id: str
    message_id: str | None


@dataclass(frozen=True, slots=True)
class LibraryFile:
    """What an export's own list says of one file. ``library_id``: its place in the person's library."""

    file_id: str
    library_id: str | None = None
    name: str | None = None
    message_id: str | None = None
    conversation_id: str | None = None
    created_at: str | None = None


def _no_asset(_: str) -> tuple[None, None]:
    return None, None


def _no_names(_: bytes) -> dict[str, str]:
    return {}


def _no_rows(_: bytes) -> list[LibraryFile]:
    return []


def _no_reports(_: bytes) -> list[ReportFile]:
    return []


def _no_report(*_: object) -> None:
    return None


@dataclass(frozen=True, slots=True)
class ExportFiles:
    """What a service's export calls its files.

    ``conversations``: files of conversations, by their whole name. ``without_conversations``: files that hold other
    things, in lower case. ``assets``, ``asset_folders``: what people uploaded, which may itself be JSON or a ZIP.
    ``uploads``: found in a path at or below them, wherever an export keeps them together.
    ``not_imported``: files of something else that a person may miss, in lower case, and what they hold.
    ``group_chats``: the file of chats of several people, which have another form.
    ``library``: the file in which ``reports`` finds documents, of which ``report_of`` makes a conversation of one
    message.
    ``asset_id`` returns a file's id and name by its path in the export, None where it does not say; ``asset_names``:
    the list of the names of files, read by ``names_of`` (name in the export -> real name); ``library_rows`` reads the
    library.
    ``manifest``: the file that lists the others; ``shards`` returns the files of conversations that one names, and
    raises ValueError where it is another kind of file.
    """

    conversations: re.Pattern[str] = _NO_NAME
    without_conversations: frozenset[str] = frozenset()
    assets: re.Pattern[str] = _NO_NAME
    asset_folders: frozenset[str] = frozenset()
    uploads: re.Pattern[str] = _NO_NAME
    not_imported: dict[str, str] = field(default_factory=dict)
    group_chats: str | None = None
    library: str | None = None
    reports: Callable[[bytes], list[ReportFile]] = _no_reports
    report_of: Callable[[ReportFile, bytes], PayloadAndText | None] = _no_report
    asset_id: Callable[[str], tuple[str | None, str | None]] = _no_asset
    asset_names: str | None = None
    names_of: Callable[[bytes], dict[str, str]] = _no_names
    library_rows: Callable[[bytes], list[LibraryFile]] = _no_rows
    manifest: str | None = None
    shards: Callable[[bytes], list[str]] = _no_shards


def _always_export(*_: object, **__: object) -> Origin:
    return "export"


@dataclass(frozen=True, slots=True)
class Recogniser:
    """How one service's conversations look in a file. No function raises, whatever JSON it is given.

    ``recognises`` tells a conversation. ``is_message`` tells one of its messages, for lists of messages without
    anything around them; ``conversation_of`` makes a conversation of such a list and its text, None where it is
    evidently not one. ``origin_of`` tells an export's conversation from a captured answer by the payload, its container
    and ``is_export_file``. ``lists``: names under which an object holds a list of conversations; ``message_keys``:
    names under which a conversation holds its messages, and ``not_in_messages`` those that no message has; ``id_keys``:
    names of its id, the first of them also used by what is wrapped around a conversation.
    """

    provider: str
    recognises: Callable[[object], Recognised]
    is_message: Callable[[object], bool] = field(default=lambda _: False)
    conversation_of: Callable[[list[Any], bytes], PayloadAndText | None] = field(default=lambda *_: None)
    origin_of: Callable[..., Origin] = _always_export
    lists: dict[str, Container] = field(default_factory=dict)
    message_keys: tuple[str, ...] = ()
    not_in_messages: frozenset[str] = frozenset()
    id_keys: tuple[str, ...] = ("id",)
    files: ExportFiles = field(default_factory=ExportFiles)


def with_id(payload: dict[str, Any], raw: bytes, key: str, value: str) -> PayloadAndText:
    """Add an id at the end of a conversation that has none."""
    named = {key: value}
    return {**payload, **named}, raw[:-1] + b"," + json.dumps(named)[1:].encode()
