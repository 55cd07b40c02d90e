"""Versions of canvases: documents that the assistant and the person write beside a conversation (API notes §4.2).

A version is a file of its own here, ``canvas:<conversation>/<textdoc>/<version>``. One request gives the newest version
of all canvases of a conversation, others older ones of one canvas. What is read is kept until another conversation is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from mirror.chatgpt.api_paths import api_path
from mirror.chatgpt.site import FILE
from mirror.source import FetchedFile, NamedFile, NoFile
from mirror.values import as_count, as_dict, first_text
from mirror.web.client import Challenged, NoAnswer, Refused, ServerError

if TYPE_CHECKING:
    from mirror.chatgpt.session import Session
    from mirror.source import FileSink, FileToFetch, WhyNoFile

CANVAS = "canvas:"
_CANVAS_ID = re.compile(r"canvas:([^/]+)/([A-Za-z0-9_.-]+)/(\d{1,9})")
# Requests for older versions of one canvas. More: a canvas of hundreds of versions costs that many; fewer: the oldest
# ones are not found.
MOST_HISTORY_REQUESTS = 10
_TRIES = 2
_NO_CANVAS = NoFile("missing", "the service no longer has this canvas")
_UNKNOWN_FORM = NoFile("failed", "the service gave the canvas in a form that this chatmirror does not know")


@dataclass(slots=True)
class _Canvas:
    """One canvas: its newest version, the texts that are known, and how often older ones were asked for.

    ``texts``: None for one that came in an unknown form.
    """

    newest: int
    texts: dict[int, str | None] = field(default_factory=dict)
    asked: int = 0


class _Canvases(NamedTuple):
    """The canvases of a conversation by their ids. ``is_understood``: each row of the answer was."""

    by_id: dict[str, _Canvas]
    is_understood: bool


class CanvasReader:
    """Reads versions of canvases."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._conversation = ""
        self._canvases: _Canvases | NoFile = _UNKNOWN_FORM

    def fetch(self, wanted: FileToFetch, sink: FileSink) -> FetchedFile | NoFile:
        """Fetch one version; see ``FileSource``."""
        found = _CANVAS_ID.fullmatch(wanted.file_id)
        if found is None:
            return NoFile("refused", "it is no version of a canvas")
        conversation, textdoc, version = found[1], found[2], int(found[3])
        canvas = self._canvas(conversation, textdoc)
        if isinstance(canvas, NoFile):
            return canvas
        text = self._text(canvas, textdoc, version)
        if isinstance(text, NoFile):
            return text
        content = text.encode("utf-8", "replace")
        sink.restart()
        sink.write(content)
        newest = f"{CANVAS}{conversation}/{textdoc}/{canvas.newest}"
        name = canvas_name(wanted.name, version, canvas.newest)
        return FetchedFile(size=len(content), also=(NamedFile(newest, name),))

    def _canvas(self, conversation: str, textdoc: str) -> _Canvas | NoFile:
        if conversation != self._conversation:
            self._conversation, self._canvases = conversation, self._read_newest(conversation)
        if isinstance(self._canvases, NoFile):
            return self._canvases
        if textdoc in self._canvases.by_id:
            return self._canvases.by_id[textdoc]
        return _NO_CANVAS if self._canvases.is_understood else _UNKNOWN_FORM

    def _text(self, canvas: _Canvas, textdoc: str, version: int) -> str | NoFile:
        """Return the text of one version, or why there is none."""
        if version > canvas.newest:  # a copy that lags behind answered, as may be right after the chat
            return NoFile("unready", "the service does not know this version of the canvas yet")
        if version not in canvas.texts and (failed := self._read_older(canvas, textdoc, version)):
            return failed
        if version not in canvas.texts:
            return NoFile("missing", "the service no longer has this version of the canvas")
        text = canvas.texts[version]
        if text is None:
            return _UNKNOWN_FORM
        return text or NoFile("missing", "this version of the canvas is empty")

    def _read_newest(self, conversation: str) -> _Canvases | NoFile:
        """Return the canvases of a conversation, or why there are none."""
        rows = self._rows(api_path("conversation", conversation, "textdocs"), {})
        if isinstance(rows, NoFile):
            return rows
        found: dict[str, _Canvas] = {}
        is_understood = True
        for row in map(as_dict, rows):
            textdoc, version = first_text(row.get("id"), row.get("textdoc_id")), as_count(row.get("version"))
            if textdoc and version:
                found[textdoc] = _Canvas(version, {version: _content(row)})
            else:
                is_understood = False
        return _Canvases(found, is_understood)

    def _read_older(self, canvas: _Canvas, textdoc: str, version: int) -> NoFile | None:
        """Read versions up to this one; return why that failed."""
        canvas.asked += 1
        if canvas.asked > MOST_HISTORY_REQUESTS:
            return NoFile("unready", "the canvas has more versions than one run asks for")
        rows = self._rows(api_path("textdoc", textdoc, "history"), {"before_version": version + 1})
        if isinstance(rows, NoFile):
            # The service has just shown this canvas: what is not found is the endpoint, not the version.
            return NoFile("refused", "the service gives no older versions of it") if rows is _NO_CANVAS else rows
        is_understood = True
        for row in map(as_dict, rows):
            if number := as_count(row.get("version")):
                canvas.texts.setdefault(number, _content(row))
            else:
                is_understood = False
        return None if version in canvas.texts or is_understood else _UNKNOWN_FORM

    def _rows(self, path: str, params: dict[str, Any]) -> list[Any] | NoFile:
        """Return the rows of an answer, or why there are none."""
        try:
            return _rows_in(self.session.get(path, params, FILE, tries=_TRIES).data)
        except NoAnswer as error:
            why: WhyNoFile = "checked" if isinstance(error, Challenged) else "failed"
            return NoFile(why, f"the service did not give the canvas: {error}")
        except ServerError as error:
            return NoFile("broken", f"the service fails at the canvas: {error}")
        except Refused as error:
            is_gone = error.status in {404, 410}
            return _NO_CANVAS if is_gone else NoFile("refused", f"the service refuses the canvas ({error})")


def canvas_name(name: str | None, version: int, other: int) -> str | None:
    """Return the name of another version of a canvas, given that of one."""
    return name and name.replace(f"(version {version})", f"(version {other})")


def _rows_in(data: Any) -> list[Any] | NoFile:
    """Return the rows of a list, or of every list in an object, whatever its key is."""
    lists = [one for one in (data, *as_dict(data).values()) if isinstance(one, list)]
    return [row for one in lists for row in one] if lists else _UNKNOWN_FORM


def _content(row: dict[str, Any]) -> str | None:
    content = row.get("content")
    return content if isinstance(content, str) else None
