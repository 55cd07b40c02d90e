"""HTTP/1.1 on a loopback port: kept connections, requests in, whole or broken responses out."""

from __future__ import annotations

import itertools
import socket
import struct
import sys
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Protocol

from mirror.simulator.exchange import received

if TYPE_CHECKING:
    from mirror.simulator.exchange import ReceivedRequest, Response


class Application(Protocol):
    """What is behind the port."""

    errors: list[BaseException]

    def respond(self, request: ReceivedRequest, body: Any) -> Response:
        """Answer one request; called from many threads."""

    def now(self) -> float:
        """Return the time that the Date header shows, epoch seconds."""

    def pause_between_bytes(self) -> None:
        """Wait before the next byte of a dripping response."""


class LoopbackServer(ThreadingHTTPServer):
    """Listens on a free loopback port, one thread per connection."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, application: Application) -> None:
        super().__init__(("127.0.0.1", 0), ConnectionHandler)
        self.application, self.stopping = application, False
        self.connection_numbers = itertools.count(1)
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
        """Stop listening, and end kept connections too: they would go on answering."""
        self.stopping = True
        self.shutdown()
        self.server_close()
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                self._open.discard(connection)

    def handle_error(self, *_: object) -> None:
        """Keep errors of the simulator itself; a client that went away (OSError) is none."""
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            self.application.errors.append(error)


class ConnectionHandler(BaseHTTPRequestHandler):
    """Reads requests from one connection and writes responses to it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    timeout = 30
    server: LoopbackServer

    def setup(self) -> None:
        """Number the connection."""
        super().setup()
        self.connection_number = next(self.server.connection_numbers)

    def do_GET(self) -> None:
        """Pass any method on; the service says which ones an endpoint takes."""
        self._handle()

    def do_POST(self) -> None:
        """Pass on a request with a body."""
        self._handle()

    def do_PATCH(self) -> None:
        """Pass on what would change the account."""
        self._handle()

    def do_DELETE(self) -> None:
        """Pass on what would delete something."""
        self._handle()

    def log_message(self, *_: object) -> None:
        """Keep stderr for the program under test."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the Date header by the account's clock."""
        return formatdate(self.server.application.now() if timestamp is None else timestamp, usegmt=True)

    def _handle(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = received(self.command, self.path, dict(self.headers.items()), content, self.connection_number)
        self._send(self.server.application.respond(*request))

    def _send(self, response: Response) -> None:
        if response.ending == "reset":
            # With linger on and a timeout of 0, closing sends RST instead of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        self.send_response(response.status)
        for name, values in response.headers.items():
            for value in values:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body) if response.length is None else response.length))
        self.end_headers()
        if response.ending == "drip":
            self._drip(response.body)
        else:
            self.wfile.write(response.body)
        self.wfile.flush()
        if response.ending == "close":
            self.close_connection = True

    def _drip(self, body: bytes) -> None:
        for n in range(len(body)):
            if self.server.stopping:
                break
            self.wfile.write(body[n : n + 1])
            self.wfile.flush()
            self.server.application.pause_between_bytes()
