"""Versions of canvases: those that messages made, and the newest one, which the person may have written by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from commands import run_here
from files.file_service import file_id

from mirror.simulator.trees import add, message

if TYPE_CHECKING:
    from files.file_service import FileService

    from mirror.simulator.exchange import ReceivedRequest


def with_canvas(service: FileService, *texts: str, textdoc: str = "68c0ffee0001", **more: Any) -> str:
    """A conversation in which the assistant writes a canvas and rewrites it; returns its id."""
    key = service.converse([])
    conversation = service.account.conversations[key]
    last, at = conversation["current_node"], service.account.clock()
    for version, text in enumerate(texts, 1):
        call = message(f"call-{key}-{version}", "assistant", json.dumps({"content": text}), at + version)
        call["recipient"] = "canmore.create_textdoc" if version == 1 else "canmore.update_textdoc"
        about = {"textdoc_id": textdoc, "textdoc_type": "document", "title": "Poster", "version": version, **more}
        done = message(f"done-{key}-{version}", "tool", "Successfully written", at + version, canvas=about)
        add(conversation, last, call)
        add(conversation, call["id"], done)
        last = done["id"]
    return key


def texts_of(service: FileService) -> list[tuple[int, str, str | None]]:
    return service.mirrored.rows("SELECT version, name, text FROM textdocs ORDER BY conversation_id, id, version")


def requests(service: FileService) -> list[str]:
    return [one.path for one in service.mirrored.service.requests if "textdoc" in one.path]


def test_every_version_is_kept_as_text_and_found(service: FileService) -> None:
    key = with_canvas(service, "Open at nine", "Open at eight", "Open at seven")
    service.account.canvas_edits["68c0ffee0001"] = ["Open at six", "Closed for the lighthouse party"]
    assert service.next_run() == 0
    assert texts_of(service) == [
        (1, "Poster (version 1).md", "Open at nine"),
        (2, "Poster (version 2).md", "Open at eight"),
        (3, "Poster (version 3).md", "Open at seven"),
        (5, "Poster (version 5).md", "Closed for the lighthouse party"),
    ]
    assert len(requests(service)) <= 3  # a list, and two pages of older versions
    found = run_here(service.mirrored.path.parent, "search", "lighthouse", "--json")[1].splitlines()
    (file,) = map(json.loads, found)
    assert (file["kind"], file["name"], file["conversation_id"]) == ("file text", "Poster (version 5).md", key)
    assert service.next_run() == 0
    assert requests(service) == []


def test_a_web_page_in_a_canvas_is_no_error_in_disguise(service: FileService) -> None:
    with_canvas(service, "<html><body>Hello</body></html>")
    assert service.next_run() == 0
    assert texts_of(service)[0][2] == "<html><body>Hello</body></html>"


@pytest.mark.parametrize(
    ("about", "count"),
    [({"version": None}, 0), ({"version": -1}, 0), ({"version": 10**12}, 0), ({"textdoc_id": "../../me"}, 0), ({}, 1)],
)
def test_only_what_names_a_version_is_asked_for(service: FileService, about: dict[str, Any], count: int) -> None:
    with_canvas(service, "words", **about)
    assert service.next_run() == 0
    assert len(requests(service)) == count


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        (404, {"detail": "Not found"}, "gone"),
        (403, {"detail": "Forbidden"}, "refused"),
        (500, {"detail": "Internal Server Error"}, "pending"),
        (200, [], "gone"),
        (200, {"items": [{"id": "68c0ffee0001", "version": 1, "content": "words"}]}, "stored"),
        (200, [{"textdoc_id": "68c0ffee0001", "version": 1, "content": "words"}], "stored"),
        (200, [{"id": "68c0ffee0001", "version": 1, "content": ["no", "text"]}], "gone"),
        (200, [{"id": "68c0ffee0001", "version": 7, "content": "newer"}, None, 5, "x"], "gone"),
        (200, "what", "gone"),
    ],
)
def test_answers_of_every_kind(service: FileService, status: int, body: Any, state: str) -> None:
    def answer(request: ReceivedRequest, data: Any) -> Any:
        if request.path.endswith("/textdocs"):
            return status, body
        return {"previous_doc_states": []} if request.path.endswith("/history") else data

    service.add(1)
    with_canvas(service, "words")
    service.mirrored.alter_answers(answer)
    service.next_run()
    states = service.states()
    del states[file_id(1)]
    assert next(value for key, value in states.items() if key.endswith("/1")) == state
    assert len(requests(service)) <= 3


def test_a_canvas_of_many_versions_costs_a_bounded_number_of_requests(service: FileService) -> None:
    with_canvas(service, *[f"Text {n}" for n in range(1, 41)])
    service.next_run()
    assert len(requests(service)) <= 12
    for _ in range(3):
        service.next_run()
    assert len(texts_of(service)) == 40
    assert all(text for _, _, text in texts_of(service))
