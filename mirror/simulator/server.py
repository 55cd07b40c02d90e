"""The simulated service on a loopback port: one request in, one answer or breakage out."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlsplit

from mirror.simulator import shapes
from mirror.simulator.knobs import Knobs
from mirror.simulator.lists import Answer, Lists
from mirror.simulator.login import COOKIE, Logins
from mirror.simulator.person import Person
from mirror.simulator.reads import Reads

if TYPE_CHECKING:
    from mirror.simulator.account import Account

CHALLENGE = (
    b"<!DOCTYPE html><html><head><title>Just a moment...</title></head>"
    b"<body><script>window._cf_chl_opt={};</script></body></html>"
)
BREAKAGES = frozenset(
    {"reset", "short", "half_gzip", "html_200", "html_502", "error_500", "error_503", "garbage", "challenge", "429"}
)


@dataclass(frozen=True)
class Request:
    """One request as the service saw it. ``ids``: the conversations that a batch asked for."""

    method: str
    path: str
    query: dict[str, str]
    ids: tuple[str, ...]
    number: int
    status: int | None = None


class Simulator:
    """A running service. Use as a context manager; ``requests`` is what it was asked, in order."""

    def __init__(self, account: Account, knobs: Knobs | None = None) -> None:
        self.account, self.knobs = account, knobs or Knobs()
        self.person = Person(account)
        self.logins = Logins(account, self.knobs)
        self.lists, self.reads = Lists(account, self.knobs), Reads(account, self.knobs)
        self.requests: list[Request] = []
        self.lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.simulator = self  # type: ignore[attr-defined] # read back by the handler
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    @property
    def url(self) -> str:
        """The address to mirror."""
        if self._server is None:
            raise RuntimeError("the simulator is not running")
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def session_cookie(self) -> str:
        """The logical session cookie, as CHATGPT_SESSION_TOKEN holds it."""
        return self.logins.cookie

    def cookie_header(self, parts: int = 2) -> str:
        """The session cookie in so many parts, as a browser shows it."""
        value = self.logins.cookie
        size = -(-len(value) // parts)
        return "; ".join(f"{COOKIE}.{n}={value[n * size : (n + 1) * size]}" for n in range(parts))

    def asked(self, path: str) -> list[Request]:
        """Return the requests whose path ends so."""
        return [request for request in self.requests if request.path.endswith(path)]

    # -- answering

    def answer(self, request: Request, headers: dict[str, str], body: Any) -> tuple[int, Any, dict[str, list[str]]]:
        """Return status, JSON and headers for a request that reaches the application."""
        if request.path == "/api/auth/session":
            found, cookies = self.logins.session(headers.get("cookie"))
            return 200, found, {"Set-Cookie": cookies}
        if not request.path.startswith("/backend-api/"):
            return 404, {"detail": "Not Found"}, {}
        status, found = self._backend(request, headers, body)
        extra: dict[str, list[str]] = {}
        if status == 429 and self.knobs.retry_after is not None:  # noqa: PLR2004 - HTTP's Too Many Requests
            extra["Retry-After"] = [self.knobs.retry_after]
        return status, found, extra

    def _backend(self, request: Request, headers: dict[str, str], body: Any) -> Answer:
        path = request.path.removeprefix("/backend-api")
        bearer = self.logins.bearer(headers.get("authorization"))
        if bearer == "expired":
            text = "Provided authentication token is expired. Please try signing in again."
            return 401, {"detail": {"message": text, "code": "token_expired"}}
        if bearer == "none":
            return self._anonymous(path, headers)
        workspace = headers.get("chatgpt-account-id") or self.account.workspaces[0].id
        if workspace not in {w.id for w in self.account.workspaces}:
            return 404, {"detail": {"message": "Account not found", "code": "invalid_account_id_header"}}
        return self._list(path, workspace, request) or self._read(path, workspace, request, body) or self._side(path)

    def _anonymous(self, path: str, headers: dict[str, str]) -> Answer:
        if not self.logins.knows(headers.get("cookie")):
            return 401, {"detail": "Unauthorized"}
        return self.reads.anonymous() if path.startswith("/conversation/") else self.lists.anonymous()

    def _list(self, path: str, workspace: str, request: Request) -> Answer | None:
        if path == "/conversations":
            if self.knobs.list_limited > 0:
                self.knobs.list_limited -= 1
                return 429, {"detail": "Too many requests in 1 minute. Try again later."}
            return self.lists.conversations(workspace, request.query)
        if path == "/shared_conversations":
            return self.lists.shared(request.query)
        if path == "/pins":
            return self.lists.pins(workspace)
        if path == "/gizmos/snorlax/sidebar":
            return self.lists.sidebar(request.query) if self.knobs.has_projects_road else (404, {"detail": "Not Found"})
        parts = path.strip("/").split("/")
        if len(parts) == 3 and parts[0] == "gizmos" and parts[2] == "conversations":  # noqa: PLR2004 - its parts
            return self.lists.project(workspace, parts[1], request.query)
        return None

    def _read(self, path: str, workspace: str, request: Request, body: Any) -> Answer | None:
        parts = path.strip("/").split("/")
        if path == "/conversations/batch":
            return self.reads.batch(workspace, body)
        if len(parts) < 2 or parts[0] not in {"conversation", "conversations"}:  # noqa: PLR2004 - a kind and an id
            return None
        if self.reads.limited():
            return self.reads.refusal()
        if parts[0] == "conversation":
            return self.reads.single(workspace, parts[1])
        return self.reads.plural(workspace, parts[1], request.query, older=parts[2:] == ["messages"])

    def _side(self, path: str) -> Answer:
        if path == "/accounts/check/v4-2023-04-27" and self.knobs.has_workspaces_road:
            return 200, shapes.account_check(self.account.workspaces)
        if path == "/me":
            return 200, {
                "object": "user",
                "id": self.account.user_id,
                "email": self.account.user_email,
                "name": self.account.user_name,
            }
        if path == "/memories":
            return 200, {"memories": self.account.memories, "memory_max_tokens": 5000, "memory_num_tokens": 10}
        if path == "/user_system_messages":
            return 200, {"object": "user_system_message_detail", "enabled": True, **self.account.instructions}
        key = path.removeprefix("/gizmos/")
        gizmo = self.account.gpts.get(key) or self.account.projects.get(key)
        if gizmo is not None:
            return 200, {"gizmo": gizmo, "tools": [], "files": [], "product_features": {}}
        return 404, {"detail": "Not Found"}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    timeout = 30
    is_challenged: bool | None = None  # decided once a connection

    def do_GET(self) -> None:
        self._handle(None)

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            self._handle(json.loads(raw or b"null"))
        except ValueError:
            self._handle(None)

    def log_message(self, *_: object) -> None:
        """Keep stderr for the program under test."""

    def _handle(self, body: Any) -> None:
        service: Simulator = self.server.simulator  # type: ignore[attr-defined] # set when the server starts
        parts = urlsplit(self.path)
        ids = tuple(body.get("conversation_ids") or ()) if isinstance(body, dict) else ()
        if service.knobs.latency:
            time.sleep(service.knobs.latency)
        with service.lock:
            request = Request(self.command, parts.path, dict(parse_qsl(parts.query)), ids, len(service.requests))
            service.requests.append(request)
            breakage = service.knobs.break_request(request) if service.knobs.break_request else None
            if breakage or self._challenged(service):
                self._break(breakage or "challenge")
                return
            if service.knobs.redirect_to and parts.path.startswith("/backend-api"):
                self._send(302, b"", {"Location": [service.knobs.redirect_to]})
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, found, extra = service.answer(request, headers, body)
            content = json.dumps(found).encode()
        self._send(status, content, {"Content-Type": ["application/json"], **extra})

    def _challenged(self, service: Simulator) -> bool:
        if self.is_challenged is None:
            self.is_challenged = service.account.chance.random() < service.knobs.challenge_probability
        return self.is_challenged or (service.knobs.session == "html" and self.path == "/api/auth/session")

    def _send(self, status: int, content: bytes, headers: dict[str, list[str]], length: int | None = None) -> None:
        self.send_response(status)
        for name, values in headers.items():
            for value in values:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def _break(self, how: str) -> None:
        page = {"Content-Type": ["text/html"]}
        if how == "challenge":
            self._send(403, CHALLENGE, {**page, "cf-mitigated": ["challenge"]})
        elif how == "html_200":
            self._send(200, CHALLENGE, page)
        elif how == "html_502":
            self._send(502, b"<html><h1>502 Bad Gateway</h1></html>", page)
        elif how in {"error_500", "error_503"}:
            self._send(int(how[-3:]), b'{"detail":"Internal Server Error"}', {"Content-Type": ["application/json"]})
        elif how == "429":
            self._send(429, b'{"detail":"Too many requests"}', {"Content-Type": ["application/json"]})
        elif how == "garbage":
            self._send(200, b'{"items": [}', {"Content-Type": ["application/json"]})
        elif how == "short":
            self._send(200, b'{"items": [', {"Content-Type": ["application/json"]}, length=4000)
            self.close_connection = True
        elif how == "half_gzip":
            whole = gzip.compress(json.dumps({"items": list(range(5000))}).encode())
            self._send(
                200, whole[: len(whole) // 2], {"Content-Type": ["application/json"], "Content-Encoding": ["gzip"]}
            )
        else:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
