"""Paths of the API: ids come from the service and from other people's chats, so each is one part of a path."""

from __future__ import annotations

from urllib.parse import quote

from mirror.web.client import Refused

_STEPS = frozenset({".", ".."})  # parts that every client takes for a step within a path, however they are written


class UnaskableError(Refused):
    """An id stands in no path; nothing was sent."""

    def __init__(self) -> None:
        super().__init__(0, None)
        self.args = ("no address can hold its id",)


def fits_path(value: str) -> bool:
    """Whether an id can be asked for."""
    return value not in _STEPS


def api_path(*parts: str) -> str:
    """Return the path of words and ids, each one part of it; raises UnaskableError."""
    if not all(fits_path(part) for part in parts):
        raise UnaskableError
    return "/" + "/".join(quote(part, safe="", errors="replace") for part in parts)
