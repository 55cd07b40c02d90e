"""A server that writes what a test wants, byte by byte, and knows nothing of HTTP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

Write = Callable[["Connection"], None]


@dataclass
class Connection:
    """One client's connection. ``stopping``: set when the test is over."""

    socket: socket.socket
    stopping: threading.Event

    def read_request(self) -> bytes:
        """Return a request's head and what came with it."""
        came = b""
        while b"\r\n\r\n" not in came and (piece := self.socket.recv(1 << 16)):
            came += piece
        return came

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def drip(self, data: bytes, *, every: float = 0.02) -> None:
        """Send one byte after the other, again and again, until the client or the test ends."""
        while True:
            for n in range(len(data)):
                if self.stopping.wait(every):
                    return
                self.send(data[n : n + 1])


@dataclass
class RawServer:
    """Calls ``write`` for each connection, in a thread of its own."""

    write: Write
    requests: list[bytes] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _clients: list[socket.socket] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._listener.close()
        for client in self._clients:
            with suppress(OSError):  # it is closed already
                client.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._answer, args=(client,), daemon=True)
            self._threads.append(thread)
            self._clients.append(client)
            thread.start()

    def _answer(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            self.write(Connection(client, self._stopping))
