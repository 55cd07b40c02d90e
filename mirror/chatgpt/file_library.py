"""The person's library of files: which file is at a place in it (API notes §6).

Of some files a message says only their place in the library. It is read once for all of them. A place that it lacks is
believed to be empty only where the whole library came and each of its rows was understood.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirror.chatgpt.file_addresses import is_file_id
from mirror.source import NoFile
from mirror.values import as_dict
from mirror.web.client import Refused, ServerError
from mirror.web.pacing import LastingLimit

if TYPE_CHECKING:
    from mirror.chatgpt.session import Session
    from mirror.source import WhyNoFile

# Pages that are read in a run. Fewer: files of a large library are not found; more: requests.
MOST_LIBRARY_PAGES = 50
LIBRARY_TRIES = 2
_PAGE_ROWS = 100
_LACKS_IT = NoFile("missing", "it is no longer in the library of files")
_TOO_LONG = NoFile("failed", "the library of files is larger than what one run reads of it")
_SHOWS_NONE = NoFile("failed", "the library of files shows no file at all")
_UNKNOWN_FORM = NoFile("failed", "the library of files came in a form that this chatmirror does not know")


class Library:
    """The library of one workspace."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._files: dict[str, str] | None = None  # ids of files by their places; None: not read in this run
        self._otherwise = _LACKS_IT

    def file_at(self, place: str) -> str | NoFile:
        """Return the id of the file at a place, or why there is none."""
        if self._files is None:
            self._files = {}
            self._otherwise = self._read(self._files)
        return self._files.get(place, self._otherwise)

    def _read(self, files: dict[str, str]) -> NoFile:
        """Add what the library shows to ``files``; return what is to be said of any other place."""
        cursor: Any = None
        is_understood = True
        for _ in range(MOST_LIBRARY_PAGES):
            try:
                page = self.session.post(
                    "/files/library", {"limit": _PAGE_ROWS, "cursor": cursor}, tries=LIBRARY_TRIES
                ).data
            except (LastingLimit, Refused) as error:
                return _not_read(error)
            rows, cursor = as_dict(page).get("items"), as_dict(page).get("cursor")
            if not isinstance(rows, list):
                return _UNKNOWN_FORM
            for row in map(as_dict, rows):
                place, file_id = row.get("id"), row.get("file_id")
                if isinstance(place, str) and is_file_id(file_id):
                    files[place] = file_id
                else:  # a folder, say, of which nobody knows whether what is in it is shown, too
                    is_understood = False
            if not rows or not cursor:
                break
        if cursor:
            return _TOO_LONG if files else _SHOWS_NONE
        if not is_understood:
            return _UNKNOWN_FORM
        return _LACKS_IT if files else _SHOWS_NONE


def _not_read(error: LastingLimit | Refused) -> NoFile:
    if isinstance(error, LastingLimit):
        return NoFile("failed", "the library of files could not be read: the service asks for fewer requests")
    # A refusal is no outage: what was refused is asked for again less and less often.
    why: WhyNoFile = "failed" if isinstance(error, ServerError) else "refused"
    return NoFile(why, f"the library of files could not be read: {error}")
