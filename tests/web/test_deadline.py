"""No answer takes longer than one may, whatever its bytes do: over real sockets, with limits of part of a second."""

from __future__ import annotations

import gzip
import shutil
import ssl
import subprocess
import threading
import time
import zlib
from urllib.parse import urlsplit

import pytest
from raw_server import Connection, RawServer, Write

from mirror.web.downloads import Downloads
from mirror.web.failures import TooLarge, TooSlow, Unreachable, Untrusted
from mirror.web.transport import RequestsWire, WireLimits

SECONDS, SLACK = 0.4, 1.5
LIMITS = WireLimits(connect=0.4, read=5.0, total=SECONDS, body=100_000)
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
GZIPPED = HEAD + b"Content-Encoding: gzip\r\n\r\n"


def dripping(prefix: bytes, drip: bytes, *, every: float = 0.02) -> Write:
    """Answer with a prefix at once, and then for ever with one byte after the other."""

    def write(connection: Connection) -> None:
        connection.read_request()
        connection.send(prefix)
        connection.drip(drip, every=every)

    return write


def flooding(prefix: bytes, piece: bytes) -> Write:
    """The same at full speed."""

    def write(connection: Connection) -> None:
        connection.read_request()
        connection.send(prefix)
        while not connection.stopping.is_set():
            connection.send(piece)

    return write


def empty_deflate_blocks() -> bytes:
    """Compressed bytes that unpack to nothing: stored blocks of no length."""
    return b"\x00\x00\x00\xff\xff"


DRIPS = {
    "status": dripping(b"", b"HTTP/1.1 200"),
    "status line": dripping(b"", b"HTTP/1.1 200 " + b"O" * 100_000),
    "header name": dripping(HEAD, b"x" * 50_000),
    "headers": dripping(HEAD, b"a: b\r\n"),
    "header value": dripping(HEAD + b"a: ", b"b"),
    "body of a length": dripping(HEAD + b"Content-Length: 99999\r\n\r\n", b" "),
    "body without a length": dripping(HEAD + b"\r\n", b" "),
    "chunk size": dripping(CHUNKED, b"0"),
    "chunk extension": dripping(CHUNKED + b"1;", b"x"),
    "chunks": dripping(CHUNKED, b"1\r\n \r\n"),
    "trailers": dripping(CHUNKED + b"1\r\n1\r\n0\r\n", b"a: b\r\n"),
    "continue": dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n", every=0.001),
    "gzip header": dripping(GZIPPED + b"\x1f\x8b\x08\x08\0\0\0\0\0\x03", b"n"),
    "gzip of nothing": dripping(GZIPPED, gzip.compress(b"", mtime=0)),
    "deflate of nothing": dripping(GZIPPED + gzip.compress(b"", mtime=0)[:10], empty_deflate_blocks()),
}
FLOODS = {
    "continue": flooding(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "headers of continue": flooding(b"HTTP/1.1 100 Continue\r\n", b"a: b\r\n" * 20),
    "chunk extension": flooding(CHUNKED + b"1;", b"x" * 1000),
    "trailers": flooding(CHUNKED + b"1\r\n1\r\n0\r\n", b"a: b\r\n" * 1000),
    "gzip of nothing": flooding(GZIPPED, gzip.compress(b"", mtime=0) * 100),
    "deflate of nothing": flooding(GZIPPED + gzip.compress(b"", mtime=0)[:10], empty_deflate_blocks() * 1000),
    "gzip name": flooding(GZIPPED + b"\x1f\x8b\x08\x08\0\0\0\0\0\x03", b"n" * 1000),
    "body": flooding(HEAD + b"\r\n", b" " * 1000),
    "bomb": flooding(GZIPPED, gzip.compress(b" " * 10_000_000, mtime=0)),
}


def ask(url: str, limits: WireLimits = LIMITS, **how: object) -> float:
    """Ask, and return the seconds until the failure that has to come."""
    wire, began = RequestsWire(url, limits=limits, **how), time.monotonic()  # type: ignore[arg-type]
    with pytest.raises(Unreachable) as caught:
        wire.send("GET", "/x", params={}, headers={}, body=None)
    assert type(caught.value) in {TooSlow, TooLarge, Unreachable}
    return time.monotonic() - began


@pytest.mark.parametrize("part", DRIPS)
def test_what_drips_ends_with_the_time_of_an_answer(part):
    """A byte now and then, of whatever part, holds nobody up."""
    with RawServer(DRIPS[part]) as server:
        wire, began = RequestsWire(server.url, limits=LIMITS), time.monotonic()
        with pytest.raises(TooSlow, match="longer than"):
            wire.send("GET", "/x", params={}, headers={}, body=None)
        assert SECONDS <= time.monotonic() - began < SECONDS + SLACK


@pytest.mark.parametrize("part", FLOODS)
def test_what_floods_ends_with_the_time_or_the_bytes_of_an_answer(part):
    """As many bytes as the line takes, of whatever part, end as soon."""
    limits = WireLimits(connect=0.4, read=5.0, total=3.0, body=100_000)
    with RawServer(FLOODS[part]) as server:
        assert ask(server.url, limits) < 3.0 + SLACK


def silent(connection: Connection) -> None:
    connection.stopping.wait()


def half_a_handshake(connection: Connection) -> None:
    connection.drip(b"\x16\x03\x03\x40\x00" + b"\x02" * 1000)


def test_a_server_that_accepts_and_says_nothing():
    """Nor does silence, however long one may wait for the next byte."""
    with RawServer(silent) as server:
        assert ask(server.url) < SECONDS + SLACK


def test_a_handshake_that_does_not_end():
    """A server that drips, or says nothing, where TLS should begin."""
    for write in (half_a_handshake, silent):
        with RawServer(write) as server:
            assert ask(f"https://127.0.0.1:{server.port}") < SECONDS + SLACK


def test_an_address_that_is_not_found_in_time():
    """Looking up a host cannot be interrupted; it is not waited for."""
    never = threading.Event()

    def resolve(_host: str, _port: int) -> list[tuple[object, ...]]:
        never.wait(30)
        return []

    try:
        assert ask("https://chat.example", resolve=resolve) < SECONDS + SLACK
    finally:
        never.set()


def test_the_end_of_the_run_ends_an_answer():
    """What is left of the run is less than what one answer may take."""
    wire = RequestsWire("http://127.0.0.1:9", limits=LIMITS)
    with RawServer(DRIPS["headers"]) as server:
        wire, began = RequestsWire(server.url), time.monotonic()
        with pytest.raises(TooSlow):
            wire.send("GET", "/x", params={}, headers={}, body=None, seconds=0.3)
        assert time.monotonic() - began < 0.3 + SLACK


@pytest.mark.parametrize("part", ["status", "header value", "body of a length", "chunks"])
def test_the_end_of_the_run_ends_the_transfer_of_a_file(part):
    """Which alone may take half an hour."""

    class Sink:
        def restart(self) -> None:
            pass

        def write(self, chunk: bytes) -> None:
            pass

    with RawServer(DRIPS[part]) as server:
        began = time.monotonic()
        with pytest.raises(TooSlow):
            Downloads(time_left=lambda: 0.3).fetch(urlsplit(f"{server.url}/file"), {}, Sink())
        assert time.monotonic() - began < 0.3 + SLACK


def test_the_time_is_granted_anew_for_each_answer():
    """A kept connection has the whole time again for its next answer."""

    def write(connection: Connection) -> None:
        while connection.read_request():
            time.sleep(0.3)
            connection.send(HEAD + b"Content-Length: 2\r\n\r\n{}")

    with RawServer(write) as server:
        wire = RequestsWire(server.url, limits=LIMITS)
        for _ in range(3):
            assert wire.send("GET", "/x", params={}, headers={}, body=None).json() == {}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where a certificate of this computer that nobody has signed is (``.crt``), and its key (``.key``)."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl, which makes a certificate for a server that speaks TLS")
    path = str(tmp_path_factory.mktemp("tls") / "server")
    files = ["-keyout", f"{path}.key", "-out", f"{path}.crt"]
    named = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *files, *named]
    subprocess.run(command, capture_output=True, check=True)
    return path


def over_tls(write: Write, certificate: str) -> Write:
    """The same answer over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate + ".crt", certificate + ".key")

    def wrapped(connection: Connection) -> None:
        with context.wrap_socket(connection.socket, server_side=True) as secured:
            write(Connection(secured, connection.stopping))

    return wrapped


def test_a_certificate_that_is_not_trusted_ends_it(certificate):
    """Nothing is sent to whoever shows it."""
    with RawServer(over_tls(DRIPS["headers"], certificate)) as server, pytest.raises(Untrusted):
        RequestsWire(f"https://127.0.0.1:{server.port}").send("GET", "/x", params={}, headers={}, body=None)


@pytest.mark.parametrize("part", ["headers", "chunk size", "body of a length", "gzip of nothing", None])
def test_the_same_holds_over_tls(part, certificate):
    """What drips ends with its time, and what does not is read."""

    def whole(connection: Connection) -> None:
        while connection.read_request():
            connection.send(HEAD + b"Content-Length: 2\r\n\r\n{}")

    with RawServer(over_tls(DRIPS[part] if part else whole, certificate)) as server:
        wire = RequestsWire(f"https://127.0.0.1:{server.port}", limits=LIMITS)
        wire._session.verify = certificate + ".crt"
        if part:
            with pytest.raises(TooSlow):
                wire.send("GET", "/x", params={}, headers={}, body=None)
        else:
            for _ in range(2):
                assert wire.send("GET", "/x", params={}, headers={}, body=None).json() == {}


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("identity", b'{"a": 1}'),
        ("gzip", gzip.compress(b'{"a": 1}', mtime=0)),
        ("X-GZip", gzip.compress(b'{"a": 1}', mtime=0)),
        ("gzip", gzip.compress(b'{"a"', mtime=0) + gzip.compress(b": 1}", mtime=0)),
        ("gzip", gzip.compress(b'{"a": 1}', mtime=0) + bytes(8)),
        ("deflate", zlib.compress(b'{"a": 1}')),
        ("deflate", raw_deflate(b'{"a": 1}')),
    ],
)
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_every_encoding_that_was_asked_for_is_read(encoding, body, step):
    """In pieces of any size."""

    def write(connection: Connection) -> None:
        connection.read_request()
        connection.send(HEAD + b"Transfer-Encoding: chunked\r\nContent-Encoding: " + encoding.encode() + b"\r\n\r\n")
        for n in range(0, len(body), step):
            piece = body[n : n + step]
            connection.send(f"{len(piece):x};x=y\r\n".encode() + piece + b"\r\n")
        connection.send(b"0\r\nx-trailer: 1\r\n\r\n")

    with RawServer(write) as server:
        assert RequestsWire(server.url).send("GET", "/x", params={}, headers={}, body=None).json() == {"a": 1}


@pytest.mark.parametrize(
    ("encoding", "body", "words"),
    [
        ("br", b"{}", "not asked for"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"{}", mtime=0), mtime=0), "not asked for"),
        ("gzip", b"{}", "damaged"),
        *[("gzip", gzip.compress(b'{"a": 1}', mtime=0)[:end], "cut off") for end in range(1, 28, 3)],
        ("gzip", gzip.compress(b"{}", mtime=0)[:-8] + bytes(8), "damaged"),
        ("deflate", zlib.compress(b"{}")[:-2], "cut off"),
    ],
)
def test_a_body_that_is_not_whole_is_no_answer(encoding, body, words):
    """Cut anywhere in its compression, damaged, or packed in a way that was not asked for."""

    def write(connection: Connection) -> None:
        connection.read_request()
        head = HEAD + b"Content-Encoding: " + encoding.encode() + b"\r\nContent-Length: %d\r\n\r\n" % len(body)
        connection.send(head + body)

    with RawServer(write) as server, pytest.raises(Unreachable, match=words):
        RequestsWire(server.url).send("GET", "/x", params={}, headers={}, body=None)


def test_a_body_larger_than_one_may_be_is_not_read_on():
    """Sent as it is, or as a bomb of a thousandth of its size."""
    for packing in (b"", b"Content-Encoding: gzip\r\n"):
        body = b"[" + b" " * 10_000_000 + b"]"
        sent = gzip.compress(body, mtime=0) if packing else body

        def write(connection: Connection, packing: bytes = packing, sent: bytes = sent) -> None:
            connection.read_request()
            connection.send(HEAD + packing + b"Content-Length: %d\r\n\r\n" % len(sent) + sent)

        with RawServer(write) as server, pytest.raises(TooLarge):
            RequestsWire(server.url, limits=WireLimits(body=1_000_000)).send(
                "GET", "/x", params={}, headers={}, body=None
            )
