"""The simulated service on a loopback port: one request in, one whole or broken response out."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, Any, Self

from mirror.simulator import account_endpoints, canvas_endpoints, faults
from mirror.simulator.behaviour import Behaviour
from mirror.simulator.exchange import json_response
from mirror.simulator.file_endpoints import Credentials, FileEndpoints, StorageHost
from mirror.simulator.http_server import LoopbackServer
from mirror.simulator.list_endpoints import ListEndpoints
from mirror.simulator.parameters import RefusedParameterError
from mirror.simulator.person import Person
from mirror.simulator.read_endpoints import ReadEndpoints
from mirror.simulator.sessions import COOKIE, Sessions

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirror.simulator.account import SimulatedAccount
    from mirror.simulator.exchange import ReceivedRequest, Response
    from mirror.simulator.parameters import JsonAnswer

TOO_MANY_REQUESTS = 429
NOT_FOUND: JsonAnswer = (404, {"detail": "Not Found"})


class Simulator:
    """A running service. Use as a context manager; ``requests`` is what it was asked, in order.

    ``clock``: puts the account on another clock; ``sleep``: what latency and dripping wait with; ``seed``: of what
    happens at random to connections. An error inside the simulator or a callback of its behaviour answers 500 and is
    raised when the context ends.
    """

    def __init__(
        self,
        account: SimulatedAccount,
        behaviour: Behaviour | None = None,
        *,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        seed: int = 0,
    ) -> None:
        account.clock = clock or account.clock
        self.account, self.sleep = account, sleep
        self._behaviour = behaviour or Behaviour()
        self.person = Person(account)
        self.sessions = Sessions(account, self._behaviour)
        self.lists, self.reads = ListEndpoints(account, self._behaviour), ReadEndpoints(account, self._behaviour)
        self.files = FileEndpoints(account)
        self.storage = StorageHost(self.files, self.pause_between_bytes, self._wait_for_latency)
        self.requests: list[ReceivedRequest] = []
        self.errors: list[BaseException] = []
        self.lock = threading.RLock()
        self._rng = random.Random(seed)
        self._draws: dict[int, float] = {}  # connection -> the random number that decides about browser checks
        self._server: LoopbackServer | None = None
        self._storage_server: LoopbackServer | None = None

    @property
    def behaviour(self) -> Behaviour:
        """How the service behaves; change single fields, or assign a whole new set."""
        return self._behaviour

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        self._behaviour = self.sessions.behaviour = self.lists.behaviour = self.reads.behaviour = behaviour

    def __enter__(self) -> Self:
        self._server, self._storage_server = LoopbackServer(self), LoopbackServer(self.storage)
        self.files.storage_url = self.storage_url
        for server in (self._server, self._storage_server):
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for server in (self._server, self._storage_server):
            if server is not None:
                server.stop()
        if kind is None and (errors := [*self.errors, *self.storage.errors]):
            raise errors[0]

    @property
    def url(self) -> str:
        """The address to mirror."""
        if self._server is None:
            raise RuntimeError("the simulator is not running")
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def storage_url(self) -> str:
        """The origin of the storage host."""
        if self._storage_server is None:
            raise RuntimeError("the simulator is not running")
        return f"http://127.0.0.1:{self._storage_server.server_address[1]}"

    @property
    def session_cookie(self) -> str:
        """The session cookie's whole value, as CHATGPT_SESSION_TOKEN holds it."""
        return self.sessions.cookie

    def cookie_header(self, parts: int = 2) -> str:
        """The session cookie in so many parts, as a browser shows it."""
        value = self.sessions.cookie
        size = -(-len(value) // parts)
        return "; ".join(f"{COOKIE}.{n}={value[n * size : (n + 1) * size]}" for n in range(parts))

    def asked(self, path: str) -> list[ReceivedRequest]:
        """Return the requests whose path ends so."""
        return [request for request in self.requests if request.path.endswith(path)]

    # -- what the HTTP server needs

    def now(self) -> float:
        """Return the time by the account's clock, epoch seconds."""
        return self.account.clock()

    def pause_between_bytes(self) -> None:
        """Wait before the next byte of a dripping response."""
        self.sleep(self.behaviour.drip_seconds)

    def _wait_for_latency(self) -> None:
        if self.behaviour.latency:
            self.sleep(self.behaviour.latency)

    def respond(self, request: ReceivedRequest, body: Any) -> Response:
        """Note a request down and answer it, after the latency of its path."""
        behaviour = self.behaviour
        if wait := behaviour.latency + sum(s for part, s in behaviour.latency_of.items() if part in request.path):
            self.sleep(wait)
        with self.lock:
            request.number, request.time = len(self.requests), self.now()
            self.requests.append(request)
            try:
                response = self._response(request, body)
            except Exception as error:  # noqa: BLE001 - whatever it is, the end of the context raises it
                self.errors.append(error)
                response = json_response(500, {"detail": "The simulator itself failed"})
            request.status = response.status
        return response

    # -- answering

    def _response(self, request: ReceivedRequest, body: Any) -> Response:
        if self._is_challenged(request):
            return faults.challenge()
        how = self._breakage(request)
        if how is not None:
            return faults.broken(how, lambda: self._whole(request, body))
        if self.behaviour.redirect_to and request.path.startswith("/backend-api"):
            return faults.redirect(self.behaviour.redirect_to)
        replace = self.behaviour.replace_response
        return (replace and replace(request)) or self._whole(request, body)

    def _is_challenged(self, request: ReceivedRequest) -> bool:
        behaviour, signs_in = self.behaviour, request.path == "/api/auth/session"
        if signs_in and behaviour.session == "html":
            return True
        if request.connection not in self._draws:
            self._draws[request.connection] = self._rng.random()
        is_spared = signs_in and behaviour.challenge_spares_session
        return self._draws[request.connection] < behaviour.challenge_probability and not is_spared

    def _breakage(self, request: ReceivedRequest) -> str | None:
        """Return the name of what breaks this response, if anything does."""
        how = None if self.behaviour.break_request is None else self.behaviour.break_request(request)
        every = self.behaviour.error_every
        return "error_500" if how is None and every and (request.number + 1) % every == 0 else how

    def _whole(self, request: ReceivedRequest, body: Any) -> Response:
        if request.path.endswith("content"):
            has_token = self.sessions.bearer_state(request.headers.get("authorization")) == "good"
            who = Credentials(has_token, self.sessions.is_known(request.headers.get("cookie")))
            if (found := self.files.own_bytes(request, who)) is not None:
                return found
        status, found, headers = self._answer(request, body)
        if self.behaviour.alter_answer is not None:
            altered = self.behaviour.alter_answer(request, found)
            status, found, headers = (*altered, {})[:3] if isinstance(altered, tuple) else (status, altered, headers)
        return json_response(status, found, headers)

    def _answer(self, request: ReceivedRequest, body: Any) -> tuple[int, Any, dict[str, list[str]]]:
        """Return status, JSON and headers for a request that reaches the application."""
        if request.path == "/api/auth/session":
            found, cookies = self.sessions.session(request.headers.get("cookie"))
            return 200, found, {"Set-Cookie": cookies}
        if not request.path.startswith("/backend-api/"):
            return *NOT_FOUND, {}
        if request.method not in {"GET", "POST"}:
            return 405, {"detail": "Method Not Allowed"}, {}
        try:
            status, found = self._backend(request, body)
        except RefusedParameterError as error:
            return *error.answer, {}
        return status, found, self.reads.retry_after() if status == TOO_MANY_REQUESTS else {}

    def _backend(self, request: ReceivedRequest, body: Any) -> JsonAnswer:
        path, headers = request.path.removeprefix("/backend-api"), self._seen_headers(request)
        bearer = self.sessions.bearer_state(headers.get("authorization"))
        if bearer == "expired":
            return self.sessions.expired()
        if bearer == "none":
            return self._anonymous(path, headers)
        workspace = headers.get("chatgpt-account-id") or self.account.workspaces[0].id
        if bearer == "unknown":
            return 401, {"detail": "Unauthorized"}
        if workspace not in {w.id for w in self.account.workspaces}:
            return 404, {"detail": {"message": "Account not found", "code": "invalid_account_id_header"}}
        return (
            self._list(path, workspace, request)
            or self.files.answer(path, request, body)
            or canvas_endpoints.answer(self.account, path, request)
            or self._read(path, workspace, request, body)
            or account_endpoints.answer(self.account, self.behaviour, path, request.query)
        )

    def _seen_headers(self, request: ReceivedRequest) -> dict[str, str]:
        unseen = () if self.behaviour.unseen_headers is None else self.behaviour.unseen_headers(request)
        return {name: value for name, value in request.headers.items() if name not in unseen}

    def _anonymous(self, path: str, headers: dict[str, str]) -> JsonAnswer:
        """Answer a request that has a session cookie at most, and no bearer."""
        if not self.sessions.is_known(headers.get("cookie")):
            return 401, {"detail": "Unauthorized"}
        if path == "/conversations/batch":
            return 200, []
        if path.startswith(("/conversation/", "/conversations/")):
            return self.reads.anonymous()
        return self.lists.anonymous() if account_endpoints.is_list(path) else (401, {"detail": "Unauthorized"})

    def _list(self, path: str, workspace: str, request: ReceivedRequest) -> JsonAnswer | None:
        query = request.query
        if path == "/conversations":
            limit = "work_limited" if query.get("conversation_origin") == "tpp" else "list_limited"
            if getattr(self.behaviour, limit) > 0:
                setattr(self.behaviour, limit, getattr(self.behaviour, limit) - 1)
                return 429, {"detail": "Too many requests in 1 minute. Try again later."}
            return self.lists.conversations(workspace, query)
        if path == "/shared_conversations":
            return self.lists.shared(workspace, query)
        if path == "/pins":
            return self.lists.pins(workspace)
        if path == "/gizmos/snorlax/sidebar":
            return self.lists.sidebar(workspace, query) if self.behaviour.has_projects_endpoint else NOT_FOUND
        parts = path.strip("/").split("/")
        if len(parts) == 3 and parts[0] == "gizmos" and parts[2] == "conversations":  # noqa: PLR2004 - its parts
            return self.lists.project(workspace, parts[1], query)
        return None

    def _read(self, path: str, workspace: str, request: ReceivedRequest, body: Any) -> JsonAnswer | None:
        parts = path.strip("/").split("/")
        if path == "/conversations/batch":
            if request.method != "POST":
                return 405, {"detail": "Method Not Allowed"}
            if self.behaviour.batch_limited > 0:
                self.behaviour.batch_limited -= 1
                return self.reads.refusal()
            return self.reads.batch(workspace, body)
        if len(parts) < 2 or parts[0] not in {"conversation", "conversations"}:  # noqa: PLR2004 - a kind and an id
            return None
        return self._read_one(parts, workspace, request)

    def _read_one(self, parts: list[str], workspace: str, request: ReceivedRequest) -> JsonAnswer:
        if self.reads.is_limited():
            return self.reads.refusal()
        is_privileged = request.query.get("include_full_conversation") == "true"
        is_refused = self.behaviour.personal_header_forbidden and self._names_personal_workspace(request, parts[1])
        if is_privileged or is_refused:
            return 403, {"detail": "Forbidden"}
        if parts[0] == "conversation":
            return self.reads.single(workspace, parts[1])
        return self.reads.plural(workspace, parts[1], request.query, is_older_page=parts[2:] == ["messages"])

    def _names_personal_workspace(self, request: ReceivedRequest, key: str) -> bool:
        """Whether a request for a project's chat names the personal workspace in its header."""
        row = self.account.conversations.get(key, {})
        is_in_project = str(row.get("gizmo_id") or "").startswith("g-p-")
        return is_in_project and request.headers.get("chatgpt-account-id") == self.account.workspaces[0].id
