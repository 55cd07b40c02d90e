"""No web page reads a mirror through its owner's browser by letting its own name point to this computer."""

from __future__ import annotations

import http.client
import json
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from mirrors import bakery

from mirror.browse.databases import Mirrors
from mirror.browse.host_names import is_allowed_host, may_answer

if TYPE_CHECKING:
    from served import Pages, Serve

PATHS = [
    "/",
    "/chats",
    "/chats.json",
    "/chats/conversations",
    "/chats/conversations.json",
    "/chats/messages.csv?_stream=on",
    "/chats/-/home",
    "/chats/-/search?q=rye",
    "/chats/-/conversation/c-old",
    "/chats/conversations/c-old.md",
    "/-/databases.json",
    "/theirs/conversations.json",
]
GOOD = [
    "127.0.0.1:8001",
    "localhost",
    "LOCALHOST:1",
    "localhost.",
    "x.localhost",
    "[::1]:8001",
    "192.168.1.7",
    "10.0.0.1:80",
]
BAD = [
    "evil.example",
    "evil.example:8001",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evillocalhost",
    "[evil]",
    "a b",
]


def ask(port: int, path: str, host: str) -> tuple[int, str]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.putrequest("GET", path, skip_host=True)
        connection.putheader("Host", host)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@pytest.mark.parametrize("path", PATHS)
def test_a_strange_name_gets_no_answer(pages: Pages, path: str) -> None:
    """Not on our pages, nor on Datasette's own: it listens on this computer only."""
    status, text = ask(pages.port, path, "evil.example:8001")
    assert status == 421
    assert "allowed_hosts" in text
    assert "rye" not in text.lower()
    assert "chats in" not in text.lower()


@pytest.mark.parametrize("host", GOOD)
def test_addresses_and_this_computer_get_one(pages: Pages, host: str) -> None:
    """No page can have an address for a name."""
    assert ask(pages.port, "/chats/-/home", host)[0] == 200


@pytest.mark.parametrize("host", BAD)
def test_what_only_looks_like_them_gets_none(pages: Pages, host: str) -> None:
    assert ask(pages.port, "/chats/-/home", host)[0] in {400, 421}


def test_two_names_in_one_request_are_both_checked(pages: Pages) -> None:
    with closing(socket.create_connection(("127.0.0.1", pages.port), 30)) as client:
        client.sendall(
            b"GET /chats/-/home HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
        )
        assert client.recv(1000).split()[1] in {b"400", b"421"}


@pytest.fixture(scope="module")
def allowing(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """A Datasette whose owner allows a name."""
    folder = tmp_path_factory.mktemp("allowing")
    bakery(folder / "chats.db")
    stated = {"plugins": {"chatmirror": {"allowed_hosts": ["Chats.Home.Example", "other.example:8001"]}}}
    (folder / "settings.json").write_text(json.dumps(stated))
    return serve(str(folder / "chats.db"), "-m", str(folder / "settings.json"))


@pytest.mark.parametrize("host", ["chats.home.example", "CHATS.home.example.:443", "other.example", "localhost"])
def test_a_name_that_the_owner_allows_gets_one(allowing: Pages, host: str) -> None:
    """Behind a proxy, or in a home network."""
    assert ask(allowing.port, "/chats/-/home", host)[0] == 200
    assert ask(allowing.port, "/chats/-/home", "evil.example")[0] == 421


class _Datasette:
    """As much of a Datasette as the guard asks."""

    def __init__(self, allowed: Any = None, names: tuple[str, ...] | None = ("chats",)) -> None:
        self._config = None if allowed is None else {"allowed_hosts": allowed}
        if names is not None:
            self.chatmirror = Mirrors({name: {} for name in names})

    def plugin_config(self, name: str) -> Any:
        assert name == "chatmirror"
        return self._config

    def setting(self, name: str) -> str:
        return {"base_url": "/data/"}[name]


def scope(host: str | None, path: str, server: tuple[str, int | None] | None = ("192.168.1.7", 8001)) -> dict[str, Any]:
    headers = [] if host is None else [(b"host", host.encode())]
    return {"type": "http", "path": path, "raw_path": path.encode(), "headers": headers, "server": server}


@pytest.mark.parametrize(
    ("path", "is_answered"),
    [
        ("/data/chats", False),
        ("/data/chats.json", False),
        ("/data/chats/-/home", False),
        ("/data/", False),
        ("/chats/-/home", False),  # a proxy that takes the prefix off
        ("/data/theirs/t", True),
        ("/data/-/static/app.css", True),
    ],
)
def test_on_a_network_the_mirrors_are_guarded(path: str, is_answered: bool) -> None:
    """Other databases of a Datasette that serves a network stay as they were."""
    assert may_answer(_Datasette(), scope("server.lan:8001", path)) is is_answered
    assert may_answer(_Datasette(), scope("192.168.1.7:8001", path))
    assert may_answer(_Datasette(["server.lan"]), scope("server.lan:8001", path))
    assert may_answer(_Datasette("*"), scope("anything.example", path))


@pytest.mark.parametrize("server", [("127.0.0.1", 8001), ("::1", 8001), ("localhost", None), ("127.9.9.9", 1)])
def test_on_this_computer_all_is_guarded(server: tuple[str, int | None]) -> None:
    """Also what is not of a mirror, and before Datasette knows which databases are."""
    for datasette in (_Datasette(), _Datasette(names=None)):
        assert not may_answer(datasette, scope("evil.example", "/data/theirs/t", server))
        assert may_answer(datasette, scope("localhost", "/data/theirs/t", server))  # Datasette's own client


def test_without_a_mirror_nothing_is_guarded() -> None:
    """The plugin is installed, and Datasette serves something else."""
    assert may_answer(_Datasette(names=()), scope("server.example", "/data/theirs", ("127.0.0.1", 1)))


def test_behind_a_socket_of_the_file_system() -> None:
    """There is a proxy in front of it, and a name that the owner allows."""
    for server in (None, ("/run/datasette.sock", None)):
        assert not may_answer(_Datasette(), scope("chats.example", "/data/chats", server))
        assert may_answer(_Datasette(["chats.example"]), scope("chats.example", "/data/chats", server))
    assert may_answer(_Datasette(), scope(None, "/data/chats"))  # no browser sends no name


def test_names_are_compared_whole() -> None:
    assert all(is_allowed_host(host, frozenset()) for host in GOOD)
    assert not any(is_allowed_host(host, frozenset({"evil"})) for host in BAD if host != "[evil]")
