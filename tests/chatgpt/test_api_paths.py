"""Ids in paths: whatever one holds, it is asked for at the address of its kind, and at no other."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
from raw_server import Connection, RawServer
from scripted_wire import session_of

from mirror.chatgpt.api_paths import UnaskableError, api_path
from mirror.chatgpt.list_rows import parse_list_page
from mirror.chatgpt.lists import Lists
from mirror.chatgpt.memory import ChatGPTMemory
from mirror.chatgpt.plural import open_branch
from mirror.chatgpt.single import fetch_tree
from mirror.chatgpt.source import ChatGPT
from mirror.source import AccountItem, Listed, ToFetch
from mirror.web.transport import RequestsWire

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirror.chatgpt.session import Session

ODD = [
    "a/b",
    "../me",
    "a?b=c",
    "a#b",
    "a%2fb",
    "%2e%2e",
    "a\\..\\b",
    "a b",
    "..;",
    "ä",
    "/",
    "//evil.example/x",
    "\ud83d",
]


def read_single(session: Session, key: str) -> object:
    return fetch_tree(session, ChatGPTMemory(), ToFetch(Listed(key, None)))


def read_plural(session: Session, key: str) -> object:
    return open_branch(session, key)


def read_project(session: Session, key: str) -> object:
    return Lists(session, ChatGPTMemory()).project_page(key, "0")


def read_gpt(session: Session, key: str) -> object:
    return list(ChatGPT(session).account_items(unnamed_gpts=[key]))


READS = [
    (read_single, "/conversation/{}"),
    (read_plural, "/conversations/{}"),
    (read_project, "/gizmos/{}/conversations"),
    (read_gpt, "/gizmos/{}"),
]


@pytest.mark.parametrize("key", ODD)
@pytest.mark.parametrize(("read", "form"), READS, ids=[form for _, form in READS])
def test_an_id_is_one_part_of_a_path(read: Callable[[Session, str], object], form: str, key: str) -> None:
    session, wire = session_of(lambda _: {"items": [], "mapping": {}, "messages": []})
    read(session, key)
    parts = wire.sent[-1].path.removeprefix("/backend-api").split("/")
    assert len(parts) == len(form.split("/"))
    as_sent = key.encode(errors="replace").decode()
    assert [unquote(part) for part in parts] == [part.format(as_sent) for part in form.split("/")]


@pytest.mark.parametrize("key", [".", ".."])
@pytest.mark.parametrize("read", [read for read, _ in READS[:3]])
def test_a_step_within_a_path_is_never_sent(read: Callable[[Session, str], object], key: str) -> None:
    session, wire = session_of(lambda _: {})
    with pytest.raises(UnaskableError, match="no address can hold its id"):
        read(session, key)
    assert not [request for request in wire.sent if key in request.path.split("/")]


def test_a_gpt_that_no_address_can_hold_keeps_its_id_as_name() -> None:
    session, _ = session_of(lambda _: {})
    found = ChatGPT(session).account_items(unnamed_gpts=[".."])
    (item,) = [item for items in found for item in items]
    assert isinstance(item, AccountItem)
    assert (item.id, item.row) == ("..", {"name": ".."})


def test_a_row_with_such_an_id_is_one_that_is_not_understood() -> None:
    page = parse_list_page({"items": [{"id": ".."}, {"id": "c"}, {"id": "."}]}, "main")
    assert [item.conversation_id for item in page.items] == ["c"]
    assert sum(page.odd.values()) == 2


def test_what_goes_over_the_wire() -> None:
    """No library on the way takes a part for a step, or one part for two."""
    came: list[str] = []

    def write(connection: Connection) -> None:
        came.append(connection.read_request().split()[1].decode())
        connection.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
        )

    keys = [key for key in ODD if key != "\ud83d"]
    with RawServer(write) as server:
        wire = RequestsWire(server.url)
        for key in keys:
            wire.send("GET", "/api" + api_path("conversation", key), params={}, headers={}, body=None)
    assert [unquote(path.removeprefix("/api/conversation/")) for path in came] == keys
    assert {path.count("/") for path in came} == {3}
    assert not any("?" in path or "#" in path for path in came)
