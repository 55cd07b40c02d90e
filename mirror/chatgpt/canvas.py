"""Versions of canvases: documents that the assistant and the person write beside a conversation (API notes §4.2).

A version is a file of its own here, ``canvas:<conversation>/<textdoc>/<version>``. One request gives the newest version
of all canvases of a conversation, others older ones of one canvas. What is read is kept until another conversation is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mirror.chatgpt.site import FILE
from mirror.source import FetchedFile, NamedFile, NoFile
from mirror.values import as_count, as_dict, as_dicts, as_text, first_text
from mirror.web.client import NoAnswer, Refused, ServerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mirror.chatgpt.session import Session
    from mirror.source import FileSink, FileToFetch

CANVAS = "canvas:"
_CANVAS_ID = re.compile(r"canvas:([^/]+)/([A-Za-z0-9_.-]+)/(\d{1,9})")
# Requests for older versions of one canvas. More: a canvas of hundreds of versions costs that many; fewer: the oldest
# ones are not found.
MOST_HISTORY_REQUESTS = 10
_TRIES = 2


@dataclass(slots=True)
class _Canvas:
    """One canvas: its newest version, the texts that are known, and how often older ones were asked for."""

    newest: int
    texts: dict[int, str] = field(default_factory=dict)
    asked: int = 0


class CanvasReader:
    """Reads versions of canvases."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._conversation, self._failure = "", NoFile("gone", "")
        self._canvases: dict[str, _Canvas] | None = {}

    def fetch(self, wanted: FileToFetch, sink: FileSink) -> FetchedFile | NoFile:
        """Fetch one version; see ``FileSource``."""
        found = _CANVAS_ID.fullmatch(wanted.file_id)
        if found is None:
            return NoFile("refused", "it is no version of a canvas")
        conversation, textdoc, version = found[1], found[2], int(found[3])
        if conversation != self._conversation:
            self._conversation, self._canvases = conversation, self._read_newest(conversation)
        if self._canvases is None:
            return self._failure
        canvas = self._canvases.get(textdoc)
        if canvas is None:
            return NoFile("gone", "the service no longer has this canvas")
        if version < canvas.newest and version not in canvas.texts and (failed := self._read_older(textdoc, version)):
            return failed
        content = canvas.texts.get(version, "").encode("utf-8", "replace")
        if not content:
            return NoFile("gone", "the service no longer has this version of the canvas")
        sink.restart()
        sink.write(content)
        newest = f"{CANVAS}{conversation}/{textdoc}/{canvas.newest}"
        name = canvas_name(wanted.name, version, canvas.newest)
        return FetchedFile(size=len(content), also=(NamedFile(newest, name),))

    def _read_newest(self, conversation: str) -> dict[str, _Canvas] | None:
        """Return the canvases of a conversation by their ids; None where the service fails, see ``_failure``."""
        data = self._get(f"/conversation/{quote(conversation, safe='')}/textdocs", {})
        if data is None:
            return None
        found: dict[str, _Canvas] = {}
        for row in _rows(data):
            textdoc, version = first_text(row.get("id"), row.get("textdoc_id")), as_count(row.get("version"))
            if textdoc and version:
                found[textdoc] = _Canvas(version, {version: as_text(row.get("content"))})
        return found

    def _read_older(self, textdoc: str, version: int) -> NoFile | None:
        """Read versions up to this one; return why that failed."""
        canvas = (self._canvases or {})[textdoc]
        canvas.asked += 1
        if canvas.asked > MOST_HISTORY_REQUESTS:
            return NoFile("unready", "the canvas has more versions than one run asks for")
        data = self._get(f"/textdoc/{quote(textdoc, safe='')}/history", {"before_version": version + 1})
        if data is None:
            return self._failure
        for row in _rows(data):
            if number := as_count(row.get("version")):
                canvas.texts.setdefault(number, as_text(row.get("content")))
        return None

    def _get(self, path: str, params: dict[str, Any]) -> Any:
        """Return an answer; None where there is none, with the reason in ``_failure``."""
        try:
            return self.session.get(path, params, FILE, tries=_TRIES).data
        except NoAnswer as error:
            self._failure = NoFile("failed", f"the service did not give the canvas: {error}")
        except ServerError as error:
            self._failure = NoFile("broken", f"the service fails at the canvas: {error}")
        except Refused as error:
            is_gone = error.status in {404, 410}
            self._failure = (
                NoFile("gone", "the service no longer has this canvas")
                if is_gone
                else NoFile("refused", f"the service refuses the canvas ({error})")
            )
        return None


def canvas_name(name: str | None, version: int, other: int) -> str | None:
    """Return the name of another version of a canvas, given that of one."""
    return name and name.replace(f"(version {version})", f"(version {other})")


def _rows(data: Any) -> Iterator[dict[str, Any]]:
    """Yield the records of a list, or of every list in an object, whatever its key is."""
    yield from as_dicts(data)
    for value in as_dict(data).values():
        yield from as_dicts(value)
