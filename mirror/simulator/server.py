"""The simulated service on a loopback port: one request in, one answer or breakage out."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, Any, Self

from mirror.simulator import account_data, faults
from mirror.simulator.asking import BadQueryError
from mirror.simulator.knobs import Knobs
from mirror.simulator.lists import Lists
from mirror.simulator.login import COOKIE, Logins
from mirror.simulator.person import Person
from mirror.simulator.reads import Reads
from mirror.simulator.wire import Server

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirror.simulator.account import Account
    from mirror.simulator.asking import Answer
    from mirror.simulator.faults import Reply
    from mirror.simulator.wire import Request

TOO_MANY = 429


class Simulator:
    """A running service. Use as a context manager; ``requests`` is what it was asked, in order.

    ``clock``: puts the account to another clock; ``sleep``: what latency and dripping wait with; ``seed``: of what
    happens by chance on the way. An error inside the simulator or a callback of its knobs answers 500 and is raised
    when the context ends.
    """

    def __init__(
        self,
        account: Account,
        knobs: Knobs | None = None,
        *,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        seed: int = 0,
    ) -> None:
        account.clock = clock or account.clock
        self.account, self.sleep = account, sleep
        self._knobs = knobs or Knobs()
        self.person = Person(account)
        self.logins = Logins(account, self._knobs)
        self.lists, self.reads = Lists(account, self._knobs), Reads(account, self._knobs)
        self.requests: list[Request] = []
        self.mishaps: list[BaseException] = []
        self.lock = threading.RLock()
        self.dice = random.Random(seed)
        self._server: Server | None = None

    @property
    def knobs(self) -> Knobs:
        """How the service behaves; turn single knobs, or put a whole new set."""
        return self._knobs

    @knobs.setter
    def knobs(self, knobs: Knobs) -> None:
        self._knobs = self.logins.knobs = self.lists.knobs = self.reads.knobs = knobs

    def __enter__(self) -> Self:
        self._server = Server(self)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._server is not None:
            self._server.stop()
        if kind is None and self.mishaps:
            raise self.mishaps[0]

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

    def reply(self, request: Request, body: Any) -> Reply:
        """Return what goes over the wire: an answer, or what is left of it."""
        knobs, how = self.knobs, None
        if knobs.break_request is not None:
            how = knobs.break_request(request)
        if how is None and knobs.error_every and (request.number + 1) % knobs.error_every == 0:
            how = "error_500"
        if how is not None:
            return faults.broken(how, lambda: self._whole(request, body))
        if knobs.redirect_to and request.path.startswith("/backend-api"):
            return faults.redirect(knobs.redirect_to)
        return self._whole(request, body)

    def _whole(self, request: Request, body: Any) -> Reply:
        return faults.json_reply(*self.answer(request, request.headers, body))

    def answer(self, request: Request, headers: dict[str, str], body: Any) -> tuple[int, Any, dict[str, list[str]]]:
        """Return status, JSON and headers for a request that reaches the application."""
        if request.path == "/api/auth/session":
            found, cookies = self.logins.session(headers.get("cookie"))
            return 200, found, {"Set-Cookie": cookies}
        if not request.path.startswith("/backend-api/"):
            return 404, {"detail": "Not Found"}, {}
        if request.method not in {"GET", "POST"}:
            return 405, {"detail": "Method Not Allowed"}, {}
        try:
            status, found = self._backend(request, headers, body)
        except BadQueryError as error:
            return *error.answer, {}
        return status, found, self.reads.retry_after() if status == TOO_MANY else {}

    def _backend(self, request: Request, headers: dict[str, str], body: Any) -> Answer:
        path = request.path.removeprefix("/backend-api")
        bearer = self.logins.bearer(headers.get("authorization"))
        if bearer == "expired":
            return self.logins.expired()
        if bearer == "none":
            return self._anonymous(path, headers)
        workspace = headers.get("chatgpt-account-id") or self.account.workspaces[0].id
        if bearer == "unknown":
            return 401, {"detail": "Unauthorized"}
        if workspace not in {w.id for w in self.account.workspaces}:
            return 404, {"detail": {"message": "Account not found", "code": "invalid_account_id_header"}}
        return (
            self._list(path, workspace, request)
            or self._read(path, workspace, request, body)
            or account_data.answer(self.account, self.knobs, path, request.query)
        )

    def _anonymous(self, path: str, headers: dict[str, str]) -> Answer:
        if not self.logins.knows(headers.get("cookie")):
            return 401, {"detail": "Unauthorized"}
        if path == "/conversations/batch":
            return 200, []
        if path.startswith(("/conversation/", "/conversations/")):
            return self.reads.anonymous()
        return self.lists.anonymous() if account_data.is_list(path) else (401, {"detail": "Unauthorized"})

    def _list(self, path: str, workspace: str, request: Request) -> Answer | None:
        if path == "/conversations":
            if self.knobs.list_limited > 0:
                self.knobs.list_limited -= 1
                return 429, {"detail": "Too many requests in 1 minute. Try again later."}
            return self.lists.conversations(workspace, request.query)
        if path == "/shared_conversations":
            return self.lists.shared(workspace, request.query)
        if path == "/pins":
            return self.lists.pins(workspace)
        if path == "/gizmos/snorlax/sidebar":
            return (
                self.lists.sidebar(workspace, request.query)
                if self.knobs.has_projects_road
                else (404, {"detail": "Not Found"})
            )
        parts = path.strip("/").split("/")
        if len(parts) == 3 and parts[0] == "gizmos" and parts[2] == "conversations":  # noqa: PLR2004 - its parts
            return self.lists.project(workspace, parts[1], request.query)
        return None

    def _read(self, path: str, workspace: str, request: Request, body: Any) -> Answer | None:
        parts = path.strip("/").split("/")
        if path == "/conversations/batch":
            if request.method != "POST":
                return 405, {"detail": "Method Not Allowed"}
            if self.knobs.batch_limited > 0:
                self.knobs.batch_limited -= 1
                return self.reads.refusal()
            return self.reads.batch(workspace, body)
        if len(parts) < 2 or parts[0] not in {"conversation", "conversations"}:  # noqa: PLR2004 - a kind and an id
            return None
        return self._per_id(parts, workspace, request)

    def _per_id(self, parts: list[str], workspace: str, request: Request) -> Answer:
        if self.reads.limited():
            return self.reads.refusal()
        privileged = request.query.get("include_full_conversation") == "true"
        if privileged or (self.knobs.personal_header_forbidden and self._names_personal(request, parts[1])):
            return 403, {"detail": "Forbidden"}
        if parts[0] == "conversation":
            return self.reads.single(workspace, parts[1])
        return self.reads.plural(workspace, parts[1], request.query, older=parts[2:] == ["messages"])

    def _names_personal(self, request: Request, key: str) -> bool:
        row = self.account.conversations.get(key, {})
        in_project = str(row.get("gizmo_id") or "").startswith("g-p-")
        return in_project and request.headers.get("chatgpt-account-id") == self.account.workspaces[0].id
