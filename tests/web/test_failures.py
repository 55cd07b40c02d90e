"""A failure of the connection is told in plain words; the names of exceptions are for a log."""

from __future__ import annotations

import gzip
import socket
import struct
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import requests
from mirrored_service import MirroredService

from mirror.web.failures import Unreachable, plain_failure
from mirror.web.transport import RequestsWire, WireLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
RESET = struct.pack("ii", 1, 0)  # closing sends a reset


@contextmanager
def listening(act: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that takes connections and does with each what the test says."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with closing(connection):
                    connection.recv(65_536)
                    act(connection)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def sending(*parts: bytes, then: Callable[[socket.socket], None] | None = None) -> Callable[[socket.socket], None]:
    def act(connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part)
        if then is not None:
            then(connection)

    return act


HALF = gzip.compress(b"x" * 100_000)[:40]


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (reset, "the connection was reset"),
        (lambda _: None, "the connection was closed without an answer"),
        (sending(HEAD + b"Content-Length: 100\r\n\r\n{"), "the answer was cut"),
        (sending(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"), "the answer was cut"),
        (sending(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nab"), "the answer was cut"),
        (
            sending(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"),
            "an answer is damaged in its compression",
        ),
        (sending(b"SSH-2.0-OpenSSH\r\n\r\n"), "the answer is not HTTP"),
    ],
)
def test_what_a_server_does_is_told_in_plain_words(act: Callable[[socket.socket], None], words: str) -> None:
    with listening(act) as url, pytest.raises(Unreachable) as caught:
        RequestsWire(url).send("GET", "/x", params={}, headers={}, body=None)
    assert str(caught.value) == words


def test_nobody_listens() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    with pytest.raises(Unreachable, match=r"^the connection was refused$"):
        RequestsWire(f"http://127.0.0.1:{port}").send("GET", "/x", params={}, headers={}, body=None)


def failure(url: str, *, timeout: tuple[float, float] = (5, 5)) -> BaseException:
    with pytest.raises(requests.RequestException) as caught:
        requests.get(url, timeout=timeout, stream=True).content  # noqa: B018 - reading is the act
    return caught.value


def wait(event: threading.Event) -> None:
    event.wait(10)


@pytest.mark.parametrize("sent", [b"", HEAD, HEAD + b"Content-Length: 100\r\n\r\n{"])
def test_silence_is_told_with_its_seconds(sent: bytes) -> None:
    """Before an answer and in the middle of one."""
    silent = threading.Event()
    with listening(sending(sent, then=lambda _: wait(silent))) as url:
        error = failure(url, timeout=(5, 0.1))
        silent.set()
    assert plain_failure(error, read=60) == "no answer within 60 s"


def test_an_unknown_host() -> None:
    def unknown(_host: str, _port: int) -> list[Any]:
        raise socket.gaierror

    with pytest.raises(Unreachable, match=r"^the address of the service was not found$"):
        RequestsWire("https://host.example", resolve=unknown).send("GET", "/x", params={}, headers={}, body=None)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda _: None, "no secure connection came about"),
        (reset, "the connection was reset"),
        (sending(b"SSH-2.0-OpenSSH" + bytes(range(256)) * 40), "no secure connection came about"),
        (sending(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "no secure connection came about"),
        (sending(b"\x15\x03\x03\x00\x02\x02\x28"), "no secure connection came about"),  # an alert: handshake failure
        (lambda connection: connection.recv(1), "no connection within 0.3 s"),
    ],
)
def test_tls_that_does_not_come_about_says_nothing_of_a_certificate(
    act: Callable[[socket.socket], None], words: str
) -> None:
    """Cut, garbage, refused or silent: tried again like any other failure."""
    limits = WireLimits(connect=0.3, read=5)
    with listening(act) as url, pytest.raises(Unreachable) as caught:
        RequestsWire(url.replace("http", "https"), limits=limits).send("GET", "/x", params={}, headers={}, body=None)
    assert str(caught.value) == words


def test_a_connection_that_does_not_come_about() -> None:
    """A listener whose queue is full takes no more connections."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=0)) as server:
        address = server.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(address)
        wire = RequestsWire(f"http://127.0.0.1:{address[1]}", limits=WireLimits(connect=0.2))
        with pytest.raises(Unreachable, match=r"^no connection within 0\.2 s$"):
            wire.send("GET", "/x", params={}, headers={}, body=None)
        for client in waiting:
            client.close()


def test_a_run_says_plain_words_and_v_the_names(tmp_path: Path) -> None:
    """The line that cron mails has no word of a library."""
    with MirroredService(tmp_path) as mirrored:
        bad = mirrored.ids()[0]
        mirrored.behaviour.break_request = lambda request: "short" if bad in request.path + str(request.ids) else None
        assert mirrored.next_run() == 3
        message = mirrored.value("SELECT message FROM sync_runs")
        assert "the answer was cut" in message
        assert not [word for word in ("Error", "Exception", "Incomplete") if word in message]
        assert any("the answer was cut (" in note for note in mirrored.notes)
