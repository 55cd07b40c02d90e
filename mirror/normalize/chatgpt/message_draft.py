"""The draft of a message: texts, links, files and placeholders collected from its content."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mirror.normalize.chatgpt.links import title_of
from mirror.rows import Attachment
from mirror.values import as_count, first_text, plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mirror.normalize.chatgpt.writing_blocks import FoundDraft
    from mirror.rows import Kind, Link

_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)


@dataclass(slots=True)
class MessageDraft:
    """What has been collected so far from one message's content.

    ``traits`` names what was met: text, image, generated, chart, voice, media, file, report, other. A ``kind`` set by
    the content type takes precedence over what the traits suggest. ``file_names`` maps file ids to the names that the
    message's metadata gives them, ``image_title`` is the title it gives a picture. ``transcripts``: the words of
    recordings that carry their own. ``drafts``: those in the text, for the person to use. ``not_understood``: names
    of what only the general rule could read.
    """

    kind: Kind | None = None
    pieces: list[str] = field(default_factory=list)
    traits: set[str] = field(default_factory=set)
    links: list[Link] = field(default_factory=list)
    attachments: dict[str, Attachment] = field(default_factory=dict)
    not_understood: list[str] = field(default_factory=list)
    file_names: dict[str, str] = field(default_factory=dict)
    image_title: str | None = None
    transcripts: list[str] = field(default_factory=list)
    drafts: list[FoundDraft] = field(default_factory=list)

    def add_text(self, text: object, trait: str = "text") -> None:
        """Add a string as words of the person or the model; any other value is ignored."""
        if isinstance(text, str):
            self.pieces.append(text)
            if text and not text.isspace():
                self.traits.add(trait)

    def add_new_texts(self, texts: Iterable[str]) -> None:
        """Add the strings that are not there yet, compared as a whole."""
        present: set[str] | None = None
        for text in texts:
            present = set(self.pieces) if present is None else present  # only where there is anything to look up
            if text not in present:
                present.add(text)
                self.add_text(text)

    def has_text(self) -> bool:
        """Return whether there is anything but blanks so far."""
        text = "".join(self.pieces)
        return bool(text) and not text.isspace()

    def add_placeholder(self, what: str, label: object = None) -> None:
        """Add ``[what: label]``, or ``[what]``, where the message shows a picture, recording or file."""
        name = title_of(label)
        self.pieces.append(f"[{what}: {name}]" if name else f"[{what}]")

    def add_attachment(self, record: dict[str, Any], kind: str) -> str | None:
        """Add the file that a record points to; return its name. A file met twice is one attachment."""
        file_id = file_id_of(first_text(record.get("asset_pointer"), record.get("id"), record.get("file_id")))
        sizes = (as_count(record.get(key)) for key in ("size_bytes", "size", "file_size_bytes", "file_size"))
        found = Attachment(
            id=file_id,
            name=title_of(first_text(record.get("name"), record.get("file_name"), record.get("filename"))),
            mime_type=plain(first_text(record.get("mime_type"), record.get("mimeType"))),
            size=next((size for size in sizes if size is not None), None),
            kind=kind,
        )
        key = file_id or f"\0{len(self.attachments)}"  # no id holds a NUL, so files without one stay apart
        known = self.attachments.get(key)
        self.attachments[key] = _combined(known, found) if known else found
        return self.attachments[key].name or self.file_names.get(file_id or "")


def file_id_of(pointer: str) -> str | None:
    """Return the service's file id: a pointer without its scheme and query (API notes §7)."""
    return plain(_SCHEME.sub("", pointer.strip()).split("?")[0])


def _combined(known: Attachment, found: Attachment) -> Attachment:
    return Attachment(
        id=known.id,
        name=known.name or found.name,
        mime_type=known.mime_type or found.mime_type,
        size=found.size if known.size is None else known.size,
        kind=known.kind if known.kind != "file" else found.kind,
    )
