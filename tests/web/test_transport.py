"""One request over real sockets: nothing leaks, nothing half is taken for whole."""

from __future__ import annotations

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from mirror.errors import UsageError
from mirror.web.downloads import Downloads
from mirror.web.failures import Redirected, Unreachable
from mirror.web.transport import RequestsWire, checked_base_url

SECRET = {"Authorization": "Bearer canary", "Cookie": "canary=1", "ChatGPT-Account-ID": "canary"}


class ScriptedServer(ThreadingHTTPServer):
    """A server that keeps what it was asked and lets a test answer."""

    daemon_threads = True

    def __init__(self, answer):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer, self.hits = answer, []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedServer

    def do_GET(self):
        self.server.hits.append((self.path, dict(self.headers)))
        self.server.answer(self)

    def log_message(self, *args):
        pass


@pytest.fixture
def serve():
    servers = []

    def start(answer):
        server = ScriptedServer(answer)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return server, f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def reply(status=200, body=b"{}", length=None, **headers):
    def answer(handler):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        handler.wfile.write(body)
        if length is not None:
            handler.close_connection = True

    return answer


def send(url):
    return RequestsWire(url).send("GET", "/x", params={}, headers=SECRET, body=None)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "form", ["{other}/take", "//localhost:{port}/take", "http://user@127.0.0.1:{port}/take", "file:///etc/passwd"]
)
def test_no_redirect_is_followed(serve, status, form):
    """Another host, port or scheme never sees a request, let alone a credential."""
    other, other_url = serve(reply())
    target = form.format(other=other_url, port=other.server_address[1])
    _, url = serve(reply(status, Location=target))
    with pytest.raises(Redirected, match="redirect"):
        send(url)
    assert other.hits == []


def test_the_environment_cannot_reroute_or_replace_credentials(serve, monkeypatch, tmp_path):
    """Proxy variables and .netrc of the environment change nothing."""
    proxy, proxy_url = serve(reply())
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy_url)
    server, url = serve(reply())
    send(url)
    assert server.hits[0][1]["Authorization"] == "Bearer canary"
    assert proxy.hits == []


class Kept:
    """A sink that keeps what comes."""

    def __init__(self):
        self.body = b""

    def restart(self):
        self.body = b""

    def write(self, piece):
        self.body += piece


def test_the_environment_reroutes_no_file(serve, monkeypatch, tmp_path):
    """Nor does a transfer say to a storage host what a file of the person's says of it."""
    proxy, proxy_url = serve(reply())
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy_url)
    server, url = serve(reply(body=b"bytes"))
    sink = Kept()
    assert Downloads().fetch(urlsplit(f"{url}/file"), {}, sink).status == 200
    assert (sink.body, proxy.hits) == (b"bytes", [])
    assert not {"Authorization", "Cookie", "Referer"} & set(server.hits[0][1])


def test_a_file_that_is_packed_unasked_comes_whole_or_not_at_all(serve):
    """In several members, too; what ends before its end is a failed transfer, and so is what does not unpack."""
    plain = bytes(range(256)) * 2000
    packed = gzip.compress(plain[:1000]) + gzip.compress(plain[1000:])
    _, url = serve(reply(body=packed, Content_Encoding="gzip"))
    sink = Kept()
    Downloads().fetch(urlsplit(f"{url}/file"), {}, sink)
    assert sink.body == plain
    for broken in (packed[: len(packed) // 2], packed[:-1], b"words", b""):
        _, url = serve(reply(body=broken, Content_Encoding="gzip"))
        with pytest.raises(Unreachable):
            Downloads().fetch(urlsplit(f"{url}/file"), {}, Kept())


def test_cookies_that_a_server_sets_are_not_sent_by_themselves(serve):
    """Only our own Cookie header travels."""
    server, url = serve(reply(Set_Cookie="planted=1; Path=/"))
    wire = RequestsWire(url)
    for _ in range(2):
        wire.send("GET", "/x", params={}, headers=SECRET, body=None)
    assert server.hits[1][1]["Cookie"] == "canary=1"


def test_a_short_body_is_no_answer(serve):
    """A body that ends before its announced length is refused."""
    _, url = serve(reply(body=b'{"items": [', length=500))
    with pytest.raises(Unreachable):
        send(url)


def test_half_a_compressed_body_does_not_parse(serve):
    """A gzip body cut in half comes with status 200; its JSON is refused."""
    whole = gzip.compress(json.dumps({"items": list(range(5000))}).encode())
    _, url = serve(reply(body=whole[: len(whole) // 2], Content_Encoding="gzip"))
    try:
        answer = send(url)
    except Unreachable:
        return
    with pytest.raises(ValueError, match=r"."):
        answer.json()


def test_a_depth_bomb_is_read_without_its_depth(serve):
    """JSON nested beyond reason is no crash: what is too deep stays its own text."""
    _, url = serve(reply(body=b"[" * 100_000 + b"]" * 100_000))
    assert json.dumps(send(url).json()).count("[") == 100_000


def test_errors_say_nothing_of_the_request(serve):
    """The text of a failure holds neither address nor credential."""
    server, url = serve(reply())
    server.shutdown()
    server.server_close()
    with pytest.raises(Unreachable) as caught:
        send(url)
    assert "canary" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "https://[bad",
        "https://chatgpt.com:abc",
        "https://chatgpt.com:99999",
        "http://chatgpt.com",
        "ftp://x",
        "https://u:p@chatgpt.com",
        "chatgpt.com",
        "http://127.0.0.1.example.org",
    ],
)
def test_only_https_or_this_machine(address):
    """Plain http is for loopback addresses only."""
    with pytest.raises(UsageError):
        checked_base_url(address)


def test_usual_addresses_are_taken():
    """The service itself, and a simulator on this machine."""
    assert checked_base_url("https://chatgpt.com/") == "https://chatgpt.com"
    assert checked_base_url("http://127.0.0.1:8000") == "http://127.0.0.1:8000"
