"""What is gathered while a message's content is read: text in pieces, pages, files, and what was not understood."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mirror.normalize.chatgpt.links import one_line
from mirror.normalize.rows import Attachment
from mirror.values import as_count, first_text, plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mirror.normalize.rows import Link

_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)


@dataclass(slots=True)
class Reading:
    """The growing result of reading one message.

    ``traits`` says what was met (text, image, generated, chart, voice,
    media, file, report, other); a ``kind`` set by the
    content type overrules what the traits suggest. ``names`` maps file ids to the names that the message's metadata
    gives them, ``title`` is what they give a picture; ``heard`` keeps transcripts that recordings carry themselves.
    """

    kind: str | None = None
    pieces: list[str] = field(default_factory=list)
    traits: set[str] = field(default_factory=set)
    links: list[Link] = field(default_factory=list)
    attachments: dict[str, Attachment] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    title: str | None = None
    heard: list[str] = field(default_factory=list)

    def say(self, text: object, trait: str = "text") -> None:
        """Take in a string as a person's or the model's words; anything else is no text."""
        if isinstance(text, str):
            self.pieces.append(text)
            if text.strip():
                self.traits.add(trait)

    def say_new(self, texts: Iterable[str]) -> None:
        """Take in the strings that have not been said yet, word for word."""
        said = set(self.pieces)
        for text in texts:
            if text not in said:
                said.add(text)
                self.say(text)

    def has_text(self) -> bool:
        """Tell whether anything but blanks was read so far."""
        return any(piece.strip() for piece in self.pieces)

    def show(self, what: str, label: object = None) -> None:
        """Stand a picture, a recording or a file into the text, by its name if it has one."""
        name = one_line(label)
        self.pieces.append(f"[{what}: {name}]" if name else f"[{what}]")

    def attach(self, record: dict[str, Any], kind: str) -> str | None:
        """Take in a file that a record points to; return its name. A file met twice is one attachment."""
        file_id = file_id_of(first_text(record.get("asset_pointer"), record.get("id"), record.get("file_id")))
        sizes = (as_count(record.get(key)) for key in ("size_bytes", "size", "file_size_bytes", "file_size"))
        found = Attachment(
            id=file_id,
            name=one_line(first_text(record.get("name"), record.get("file_name"), record.get("filename"))),
            mime_type=plain(first_text(record.get("mime_type"), record.get("mimeType"))),
            size=next((size for size in sizes if size is not None), None),
            kind=kind,
        )
        key = file_id or f"\0{len(self.attachments)}"
        known = self.attachments.get(key)
        self.attachments[key] = _joined(known, found) if known else found
        return self.attachments[key].name or self.names.get(file_id or "")


def file_id_of(pointer: str) -> str | None:
    """Return the service's file id: a pointer without its scheme and query (API notes §7)."""
    return plain(_SCHEME.sub("", pointer.strip()).split("?")[0])


def _joined(known: Attachment, found: Attachment) -> Attachment:
    return Attachment(
        id=known.id,
        name=known.name or found.name,
        mime_type=known.mime_type or found.mime_type,
        size=found.size if known.size is None else known.size,
        kind=known.kind if known.kind != "file" else found.kind,
    )
