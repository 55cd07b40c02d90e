"""HTTP/1.1 on a loopback port: kept connections, requests in, answers or what is left of them out."""

from __future__ import annotations

import json
import socket
import struct
import sys
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from mirror.simulator import faults

if TYPE_CHECKING:
    from mirror.simulator.faults import Reply
    from mirror.simulator.server import Simulator


@dataclass
class Request:
    """One request as the service saw it. ``ids``: the conversations that a batch asked for.

    ``time``: epoch seconds by the account's clock; ``headers``: by lower-case name; ``status``: once it is answered;
    ``connection``: counts up with every new connection.
    """

    method: str
    path: str
    query: dict[str, str]
    ids: tuple[str, ...]
    number: int
    status: int | None = None
    time: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    connection: int = 0


class Server(ThreadingHTTPServer):
    """Listens for one simulator, a thread a connection."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, simulator: Simulator) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.simulator, self.connections, self.stopping = simulator, 0, False
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, so that it can be ended."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection."""
        self._open.discard(request)
        super().shutdown_request(request)

    def stop(self) -> None:
        """Stop listening, and leave no kept connection behind that would go on answering."""
        self.stopping = True
        self.shutdown()
        self.server_close()
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                self._open.discard(connection)

    def handle_error(self, *_: object) -> None:
        """A client that went away is no news; anything else is."""
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            self.simulator.mishaps.append(error)


class Handler(BaseHTTPRequestHandler):
    """Speaks over one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    timeout = 30
    server: Server

    def setup(self) -> None:
        """Draw the connection's lot: it decides about browser checks."""
        super().setup()
        with self.server.simulator.lock:
            self.server.connections += 1
            self.connection_number, self.lot = self.server.connections, self.server.simulator.dice.random()

    def do_GET(self) -> None:
        """Answer any request; which methods a road knows is for the simulator to say."""
        self._handle()

    def do_POST(self) -> None:
        """Answer a request with a body."""
        self._handle()

    def do_PATCH(self) -> None:
        """Answer what would change the account."""
        self._handle()

    def do_DELETE(self) -> None:
        """Answer what would delete something."""
        self._handle()

    def log_message(self, *_: object) -> None:
        """Keep stderr for the program under test."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date header goes by the account's clock."""
        return formatdate(self.server.simulator.account.clock() if timestamp is None else timestamp, usegmt=True)

    def _body(self) -> Any:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            return json.loads(raw or b"null")
        except ValueError:
            return None

    def _handle(self) -> None:
        service, body = self.server.simulator, self._body()
        path, knobs = urlsplit(self.path), service.knobs
        if wait := knobs.latency + sum(s for part, s in knobs.latency_of.items() if part in path.path):
            service.sleep(wait)
        with service.lock:
            request = self._request(service, body)
            service.requests.append(request)
            try:
                reply = faults.challenge() if self._challenged(request) else service.reply(request, body)
            except Exception as error:  # noqa: BLE001 - whatever it is, the context's end raises it
                service.mishaps.append(error)
                reply = faults.json_reply(500, {"detail": "The simulator itself failed"})
            request.status = reply.status
        self._send(reply)

    def _request(self, service: Simulator, body: Any) -> Request:
        parts = urlsplit(self.path)
        asked = body.get("conversation_ids") if isinstance(body, dict) else None
        return Request(
            self.command,
            parts.path,
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            tuple(asked) if isinstance(asked, list) else (),
            len(service.requests),
            time=service.account.clock(),
            headers={name.lower(): value for name, value in self.headers.items()},
            connection=self.connection_number,
        )

    def _challenged(self, request: Request) -> bool:
        knobs, signs_in = self.server.simulator.knobs, request.path == "/api/auth/session"
        if signs_in and knobs.session == "html":
            return True
        return self.lot < knobs.challenge_probability and not (signs_in and knobs.challenge_spares_session)

    def _send(self, reply: Reply) -> None:
        if reply.ending == "reset":
            # With nothing to linger for, closing sends RST instead of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, values in reply.headers.items():
            for value in values:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body) if reply.length is None else reply.length))
        self.end_headers()
        if reply.ending == "drip":
            self._drip(reply.body)
        else:
            self.wfile.write(reply.body)
        self.wfile.flush()
        if reply.ending == "close":
            self.close_connection = True

    def _drip(self, body: bytes) -> None:
        service = self.server.simulator
        for n in range(len(body)):
            if self.server.stopping:
                break
            self.wfile.write(body[n : n + 1])
            self.wfile.flush()
            service.sleep(service.knobs.drip_seconds)
