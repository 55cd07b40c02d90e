"""The ways to ask for a file's address, and which of them is tried first (API notes §7)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard
from urllib.parse import parse_qsl

from mirror.chatgpt.api_paths import api_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mirror.source import FileToFetch

# Files in a row that one way to ask gave, before it is tried first. Fewer: an odd file makes the next ones cost more;
# more: a service that has changed costs more requests.
LEARNED_AFTER = 3
# Files that the oldest endpoint did not give either, before this run no longer asks it. More: a request for each file
# that is gone; fewer: the one file in some that it gives is not found.
MOST_IN_VAIN = 5
# Of what a pointer says beside an id, what is sent along: words and ids, and nothing that names another file.
_PARAMETER, _PARAMETER_VALUE = re.compile("[a-z_]{1,40}"), re.compile("[A-Za-z0-9_.:-]{1,200}")
_OWN_PARAMETERS = frozenset({"id", "file_id", "inline", "download_intent"})
_OLDEST = "oldest"
_SANDBOX = re.compile(r"sandbox:([^/]+)/([^/]+)(/mnt/data/.+)")
# How the id of a place in the person's library begins.
PLACE = "libfile_"
_ROOM = "CalpicoFile_"
_FILE_ID = re.compile(r"file[-_][A-Za-z0-9_-]+")


def is_file_id(value: object) -> TypeGuard[str]:
    """Whether a value is the id of a file."""
    return isinstance(value, str) and _FILE_ID.fullmatch(value) is not None


def is_in_room(file_id: str) -> bool:
    """Whether a file is one of a room, which has an endpoint of its own."""
    return file_id.startswith(_ROOM)


class AddressRequest(NamedTuple):
    """One way to ask for a file's address. ``form``: what all such requests have in common.

    ``after_refusal``: only where one before it was refused. What the service does not have, it has in no conversation.
    """

    form: str
    path: str
    params: dict[str, Any]
    after_refusal: bool = False


def address_requests(wanted: FileToFetch) -> Iterator[AddressRequest]:
    """Yield the ways to ask for a file's address; of one in the library its id is the durable one."""
    file_id = wanted.durable_id or wanted.file_id
    sandbox = _SANDBOX.fullmatch(wanted.file_id)
    if sandbox and wanted.durable_id is None:
        conversation, message, path = sandbox.groups()
        query = {"message_id": message, "sandbox_path": path}
        yield AddressRequest("sandbox", api_path("conversation", conversation, "interpreter", "download"), query)
    elif is_in_room(file_id):
        for place in wanted.places[:1]:
            yield AddressRequest("room", api_path("messaging", "rooms", place.conversation_id, "files", file_id), {})
    else:
        yield from _requests_by_id(file_id, wanted)


def is_in_sandbox(file_id: str) -> bool:
    """Whether a file has no id of the service, but a path in the code sandbox."""
    return _SANDBOX.fullmatch(file_id) is not None


def _requests_by_id(file_id: str, wanted: FileToFetch) -> Iterator[AddressRequest]:
    """Yield the ways to ask for a file by its id, in the order in which they are tried (API notes §7)."""
    path = api_path("files", "download", file_id)
    oldest = api_path("files", file_id, "download")
    if wanted.project_id:
        yield AddressRequest("project", path, {"gizmo_id": wanted.project_id, "download_intent": "true"})
    if not wanted.places or wanted.file_id.startswith(PLACE):
        yield AddressRequest("bare", path, {"inline": "true"})
    if not wanted.places:
        yield AddressRequest(_OLDEST, oldest, {"gizmo_id": wanted.project_id} if wanted.project_id else {})
        return
    first = wanted.places[0]
    in_conversation = {"conversation_id": first.conversation_id, "inline": "false"}
    if stated := _parameters(first.parameters):
        yield AddressRequest("pointer", path, {**in_conversation, **stated})
    yield AddressRequest("conversation", path, in_conversation)
    if first.project_id:
        yield AddressRequest("conversation-project", path, {**in_conversation, "gizmo_id": first.project_id})
    checked = {"check_context_scopes_for_conversation_id": first.conversation_id, "download_intent": "true"}
    yield AddressRequest("context", path, checked)
    yield AddressRequest(
        "attachment", api_path("conversation", first.conversation_id, "attachment", file_id, "download"), {}
    )
    for place in wanted.places[1:]:
        params = {"conversation_id": place.conversation_id, "inline": "false"}
        yield AddressRequest("other conversation", path, params, after_refusal=True)
    yield AddressRequest(_OLDEST, oldest, {"gizmo_id": first.project_id} if first.project_id else {})


def _parameters(stated: str | None) -> dict[str, str]:
    """Return what a pointer says beside an id, the last of each name (API notes §7)."""
    return {
        name: value
        for name, value in parse_qsl(stated or "")
        if _PARAMETER.fullmatch(name) and name not in _OWN_PARAMETERS and _PARAMETER_VALUE.fullmatch(value)
    }


class LearnedForm:
    """Which way to ask has worked in this run, so that the others are not tried for each file."""

    def __init__(self) -> None:
        self._form, self._in_a_row, self._in_vain = "", 0, 0

    def in_order(self, requests: Iterator[AddressRequest]) -> list[AddressRequest]:
        """Return the requests to try, the one that worked before the others."""
        found = [one for one in requests if one.form != _OLDEST or self._in_vain < MOST_IN_VAIN]
        if self._in_a_row >= LEARNED_AFTER:
            found.sort(key=lambda one: one.form != self._form)
        return found

    def note(self, request: AddressRequest, *, gave: bool, refused: bool) -> None:
        """Remember whether a request gave an address, or was refused one."""
        if gave and not request.after_refusal:  # which can never be the first one
            self._in_a_row = self._in_a_row + 1 if request.form == self._form else 1
            self._form = request.form
        if request.form == _OLDEST:
            self._in_vain = 0 if gave else self._in_vain + refused
