"""The endpoints that give files: short-lived addresses, and the bytes behind them on two hosts (API notes §7).

The service's own host takes the token or the cookie; the storage host is another origin, which refuses whoever sends
either. What goes wrong is scripted file by file, see ``SimulatedFile``.
"""

from __future__ import annotations

import gzip
import hashlib
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, unquote

from mirror.simulator.exchange import Response, html_response, json_response
from mirror.simulator.parameters import unprocessable

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirror.simulator.account import SimulatedAccount, SimulatedFile
    from mirror.simulator.exchange import ReceivedRequest
    from mirror.simulator.parameters import JsonAnswer

HOUR = 3600
ADDRESS_HOURS = 2  # that an address lives
_GONE_404 = (404, {"detail": "File not found or no longer available."})
_ERROR = {"status": "error", "error_type": "GetDownloadLinkError", "error_message": None}
# Scripted answers in the place of an address, by name.
ANSWERS: dict[str, JsonAnswer] = {
    "retry": (200, {"status": "retry"}),
    "file_not_found": (200, {**_ERROR, "error_code": "file_not_found"}),
    "file_expired": (200, {**_ERROR, "error_code": "file_expired"}),
    "file_timed_out": (200, {**_ERROR, "error_code": "file_timed_out"}),
    "over_user_quota": (200, {**_ERROR, "error_code": "over_user_quota"}),
    "permission_error": (200, {**_ERROR, "error_code": "permission_error"}),
    "ace_pod_expired": (200, {**_ERROR, "error_code": "ace_pod_expired"}),
    "ace_pod_expired_403": (403, {"detail": {"code": "ace_pod_expired", "message": "The pod is gone"}}),
    "ace_pod_expired_410": (410, {"detail": {"code": "ace_pod_expired", "message": "The pod is gone"}}),
    "no_address": (200, {"status": "success", "download_url": None, "file_name": None}),
    "404": _GONE_404,
    "403": (403, {"detail": "Forbidden"}),
    "500": (500, {"detail": "Internal Server Error"}),
    "429": (429, {"detail": "Too many requests"}),
}
_INVALID = (422, {"detail": "Invalid file_id"})
_NO_TOKEN = (401, {"detail": {"message": "Unauthorized - Access token is missing"}})


class Credentials(NamedTuple):
    """What a request proves of who asks."""

    token: bool
    cookie: bool


@dataclass
class _Scope:
    """In which context a file is asked for."""

    conversation: str | None
    checked: str | None
    gizmo: str | None
    is_attachment: bool = False
    is_oldest: bool = False
    post: str | None = None
    workspace: str | None = None


class FileEndpoints:
    """Gives addresses, and the bytes of the service's own host. ``storage_url``: the other origin."""

    def __init__(self, account: SimulatedAccount) -> None:
        self.account, self.storage_url = account, ""
        self.given: dict[str, int] = {}  # how often the bytes of each file were given whole

    # -- addresses

    def answer(self, path: str, request: ReceivedRequest, body: Any) -> JsonAnswer | None:
        """Answer a request of ``/backend-api`` about files; None where it is about something else."""
        parts = path.strip("/").split("/")
        match parts:
            case ["files", "download", file_id]:
                return self._by_id(unquote(file_id), _scope(request))
            case ["files", file_id, "download"]:
                return self._by_id(unquote(file_id), replace(_scope(request), is_oldest=True))
            case ["conversation", conversation, "attachment", file_id, "download"]:
                return self._by_id(unquote(file_id), _Scope(conversation, None, None, is_attachment=True))
            case ["conversation", conversation, "interpreter", "download"]:
                return self._sandbox(conversation, request.query)
            case ["messaging", "rooms", room, "files", file_id]:
                return self._room(room, file_id)
            case ["files", "library"] if request.method == "POST":
                return self._library(body)
            case ["files", *_] if request.method == "POST":
                raise AssertionError(f"a mirror must not write: POST {path}")
        return None

    def _by_id(self, file_id: str, scope: _Scope) -> JsonAnswer:
        if file_id.startswith("libfile_") or "#" in file_id or not file_id:
            return _INVALID
        file = self.account.files.get(file_id.replace("*", "#")) or self.account.durable_file(file_id)
        if file is None or (file.workspace is not None and file.workspace != scope.workspace):
            return _GONE_404
        return self._scripted(file) or (self._success(file) if _is_in_scope(file, scope) else ANSWERS["403"])

    def _sandbox(self, conversation: str, query: dict[str, str]) -> JsonAnswer:
        place = (conversation, query.get("message_id", ""), query.get("sandbox_path", ""))
        file = next((one for one in self.account.files.values() if one.sandbox == place), None)
        if file is None:
            return 404, {"detail": "Interpreter file not found"}
        if file.pod_expires is not None and self.account.clock() > file.pod_expires:
            return ANSWERS["ace_pod_expired_410"]
        found = self._scripted(file) or self._success(file)
        if file.durable_id and isinstance(found[1], dict):
            found[1]["metadata"] = {"file_id": file.durable_id}
        return found

    def _room(self, room: str, file_id: str) -> JsonAnswer:
        file = self.account.files.get(file_id)
        if file is None or (file.conversations is not None and room not in file.conversations):
            return _GONE_404
        status, found = self._success(file)
        return status, {"download_url": found["download_url"], "name": file.name, "mime": file.mime_type}

    def _library(self, body: Any) -> JsonAnswer:
        if not isinstance(body, dict):
            return unprocessable("body", "Field required")
        rows = [
            {"kind": "file", "id": one.library_id, "file_id": one.id, "name": one.name, "access_kind": "owned"}
            for one in self.account.files.values()
            if one.library_id
        ]
        start, limit = int(body.get("cursor") or 0), int(body.get("limit") or 20)
        more = start + limit < len(rows)
        return 200, {"items": rows[start : start + limit], "cursor": str(start + limit) if more else None}

    def _scripted(self, file: SimulatedFile) -> JsonAnswer | None:
        name = file.answers.pop(0) if file.answers else file.always
        if name is None:
            return None
        status, found = ANSWERS[name]
        return status, dict(found)

    def _success(self, file: SimulatedFile) -> tuple[int, dict[str, Any]]:
        address = self._address(file)
        return 200, {
            "status": "success",
            "download_url": file.alter_address(address) if file.alter_address else address,
            "file_name": file.said_name if file.said_name is not None else file.name,
            "creation_time": "2026-09-02T11:58:03.1Z",
            "mime_type": file.mime_type,
            "file_size_bytes": len(file.content) if file.states_size else None,
            "metadata": None,
        }

    def _address(self, file: SimulatedFile) -> str:
        shown = file.durable_id if file.sandbox and file.durable_id else file.id
        hours = int(self.account.clock() // HOUR)
        signed = f"ts={hours}&p=fs&cid=1&sig={_signature(file.id, hours)}&v=0"
        match file.host:
            case "storage":
                return f"{self.storage_url}/{quote(shown)}?se={hours}&sig={_signature(file.id, hours)}"
            case "library":
                return f"/api/library/files/{file.library_id}/project-content?file_id={quote(shown)}"
            case "redirecting":
                return f"/api/library/files/{file.library_id}/content"
            case "api":
                return f"/api/estuary/content?id={quote(shown)}&{signed}"
        return f"/backend-api/estuary/content?id={quote(shown)}&fn={quote(file.name or '')}&cd=attachment&{signed}"

    # -- bytes

    def own_bytes(self, request: ReceivedRequest, who: Credentials) -> Response | None:
        """Answer a request for bytes at the service's own host; None where it is about something else."""
        parts = request.path.strip("/").split("/")
        match parts:
            case ["backend-api", "estuary", "content"] | ["api", "estuary", "content"]:
                if not (who.token or who.cookie):
                    return json_response(403, {"detail": "Forbidden"})
                return self._signed_bytes(request.query.get("id", ""), request.query)
            case ["api", "library", "files", library_id, "project-content"]:
                return self._library_bytes(library_id) if who.cookie else json_response(401, _NO_TOKEN[1])
            case ["api", "library", "files", library_id, "content"]:
                return self._redirect(library_id) if who.cookie else json_response(401, _NO_TOKEN[1])
        return None

    def stored_bytes(self, request: ReceivedRequest) -> Response:
        """Answer a request at the storage host, which takes nobody's credentials."""
        if {"authorization", "cookie", "chatgpt-account-id"} & request.headers.keys():
            return json_response(403, {"detail": "AuthenticationFailed"})
        query = {"ts": request.query.get("se", ""), "sig": request.query.get("sig", "")}
        return self._signed_bytes(request.path.strip("/"), query)

    def _library_bytes(self, library_id: str) -> Response:
        file = next((one for one in self.account.files.values() if one.library_id == library_id), None)
        return json_response(*_GONE_404) if file is None else self._bytes(file)

    def _redirect(self, library_id: str) -> Response:
        file = next(one for one in self.account.files.values() if one.library_id == library_id)
        hours = int(self.account.clock() // HOUR)
        target = f"{self.storage_url}/{file.id}?se={hours}&sig={_signature(file.id, hours)}"
        return Response(302, b"", {"Location": [file.redirects_to or target]})

    def _signed_bytes(self, shown: str, query: dict[str, str]) -> Response:
        file = self.account.files.get(shown) or self.account.durable_file(shown)
        hours = int(query.get("ts") or 0)
        is_valid = file is not None and query.get("sig") == _signature(file.id, hours)
        if file is None or not is_valid or self.account.clock() > (hours + ADDRESS_HOURS) * HOUR:
            return json_response(403, {"detail": "Signature expired or invalid"})
        if file.expired_addresses > 0:
            file.expired_addresses -= 1
            return json_response(403, {"detail": "Signature expired or invalid"})
        return self._bytes(file)

    def _bytes(self, file: SimulatedFile) -> Response:
        kind = file.mime_type or "application/octet-stream"
        named = f"; filename*=UTF-8''{quote(file.name)}" if file.name else ""
        headers = {"Content-Type": [kind], "Content-Disposition": [f"attachment{named}"]}
        whole = Response(200, file.content, headers)
        fault = file.faults.pop(0) if file.faults else file.fault
        if fault is None:
            self.given[file.id] = self.given.get(file.id, 0) + 1
            return whole
        return BODY_FAULTS[fault](whole)


def _scope(request: ReceivedRequest) -> _Scope:
    query = request.query
    return _Scope(
        query.get("conversation_id"),
        query.get("check_context_scopes_for_conversation_id"),
        query.get("gizmo_id"),
        post=query.get("post_id"),
        workspace=request.headers.get("chatgpt-account-id"),
    )


def _is_in_scope(file: SimulatedFile, scope: _Scope) -> bool:
    if scope.is_oldest:
        return file.needs == "oldest"
    if scope.is_attachment:
        return file.needs not in {"nothing helps", "oldest", "post"}
    asked = scope.conversation or scope.checked
    if file.conversations is not None and asked is not None and asked not in file.conversations:
        return False
    if file.needs == "gizmo":
        return scope.gizmo is not None
    if file.needs == "no gizmo":
        return scope.gizmo is None
    if file.needs == "post":
        return scope.post is not None
    if file.needs == "context":
        return scope.checked is not None
    return file.needs == ""


def _signature(file_id: str, hours: int) -> str:
    return hashlib.sha256(f"{file_id} {hours} a secret of the simulator".encode()).hexdigest()


def _cut(whole: Response) -> Response:
    return Response(200, whole.body[: len(whole.body) // 2], whole.headers, length=len(whole.body), ending="close")


def _longer(whole: Response) -> Response:
    return Response(200, whole.body + b"and more", whole.headers, length=len(whole.body), ending="close")


def _gzip(whole: Response) -> Response:
    return Response(200, gzip.compress(whole.body), {**whole.headers, "Content-Encoding": ["gzip"]})


# What can happen to the bytes, by name.
BODY_FAULTS: dict[str, Callable[[Response], Response]] = {
    "cut": _cut,
    "longer": _longer,
    "short": lambda whole: Response(200, whole.body[: len(whole.body) // 2], whole.headers),
    "empty": lambda whole: Response(200, b"", whole.headers),
    "html": lambda _: html_response(200, b"<!DOCTYPE html><html><h1>Sorry, you have been blocked</h1></html>"),
    "json_error": lambda _: json_response(200, {"detail": "File not found or no longer available."}),
    "gzip": _gzip,
    "reset": lambda _: Response(200, b"", ending="reset"),
    "trickle": lambda whole: Response(200, whole.body, whole.headers, ending="drip"),
    "403": lambda _: json_response(403, {"detail": "Forbidden"}),
    "404": lambda _: json_response(404, {"detail": "Not Found"}),
    "429": lambda _: json_response(429, {"detail": "Too many requests"}),
    "429 for a day": lambda _: json_response(429, {"detail": "Too many requests"}, {"Retry-After": ["90000"]}),
    "500": lambda _: json_response(500, {"detail": "Internal Server Error"}),
    "redirect": lambda _: Response(302, b"", {"Location": ["https://elsewhere.example/file"]}),
}


class StorageHost:
    """The application behind the storage port; ``requests`` is what it was asked, with every header."""

    def __init__(self, files: FileEndpoints, pause: Callable[[], None], wait: Callable[[], None]) -> None:
        self.files, self._pause, self._wait = files, pause, wait
        self.requests: list[ReceivedRequest] = []
        self.errors: list[BaseException] = []
        self._lock = threading.Lock()

    def now(self) -> float:
        """Return the time by the account's clock, epoch seconds."""
        return self.files.account.clock()

    def pause_between_bytes(self) -> None:
        """Wait before the next byte of a dripping response."""
        self._pause()

    def respond(self, request: ReceivedRequest, _body: Any) -> Response:
        """Note a request down and answer it."""
        self._wait()
        with self._lock:
            request.number, request.time = len(self.requests), self.now()
            self.requests.append(request)
            response = self.files.stored_bytes(request)
            request.status = response.status
        return response
