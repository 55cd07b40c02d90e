"""Versions of canvases: those that messages made, and the newest one, which the person may have written by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from commands import run_here
from files.file_service import with_canvas
from mirrored_service import QuietReport

if TYPE_CHECKING:
    from files.file_service import FileService

    from mirror.simulator.exchange import ReceivedRequest


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


NEWEST = {"id": "68c0ffee0001", "version": 2, "content": "words"}


@pytest.mark.parametrize(
    ("status", "body", "older", "states"),
    [
        (404, {"detail": "Not found"}, None, ("gone", "gone")),
        (403, {"detail": "Forbidden"}, None, ("refused", "refused")),
        (500, {"detail": "Internal Server Error"}, None, ("pending", "pending")),
        (200, [], None, ("gone", "gone")),
        (200, {"items": []}, None, ("gone", "gone")),
        (200, [{"id": "68c0ffee0009", "version": 1, "content": "another"}], None, ("gone", "gone")),
        (200, {"items": [NEWEST]}, [], ("gone", "stored")),
        (200, [{"textdoc_id": "68c0ffee0001", "version": 2, "content": "words"}], [], ("gone", "stored")),
        (200, [NEWEST, None, 5, "x"], [], ("gone", "stored")),
        (200, [{**NEWEST, "version": 7}], [], ("gone", "gone")),
        # A copy that lags behind, right after the chat.
        (200, [{**NEWEST, "version": 1}], None, ("stored", "pending")),
        # Forms that nobody knows say nothing of a canvas.
        (200, {"textdocs": {"68c0ffee0001": NEWEST}}, None, ("pending", "pending")),
        (200, {}, None, ("pending", "pending")),
        (200, None, None, ("pending", "pending")),
        (200, "what", None, ("pending", "pending")),
        (200, [{"uuid": "68c0ffee0001", "version": 2, "content": "words"}], None, ("pending", "pending")),
        (200, [{"id": "68c0ffee0001", "version": "two", "content": "words"}], None, ("pending", "pending")),
        (200, [None, 5, "x"], None, ("pending", "pending")),
        (200, [{**NEWEST, "content": ["no", "text"]}], [], ("gone", "pending")),
        (200, [NEWEST], {"previous_doc_states": {"1": "words"}}, ("pending", "stored")),
        (200, [NEWEST], "what", ("pending", "stored")),
        (200, [NEWEST], [{"version": 1, "content": None}], ("pending", "stored")),
        (200, [NEWEST], [{"number": 1, "content": "words"}], ("pending", "stored")),
        (200, [NEWEST], (404, {"detail": "Not Found"}), ("refused", "stored")),
    ],
)
def test_answers_of_every_kind(
    service: FileService, status: int, body: Any, older: Any, states: tuple[str, str]
) -> None:
    """Only an answer that is understood and lacks a canvas says that it is gone, and only in two runs."""

    def answer(request: ReceivedRequest, data: Any) -> Any:
        if request.path.endswith(f"{key}/textdocs"):
            return status, body
        return older if request.path.endswith("68c0ffee0001/history") and older is not None else data

    with_canvas(service, "other words", textdoc="68c0ffee0002")
    key = with_canvas(service, "old words", "words")
    service.mirrored.alter_answers(answer)
    assert service.next_run() == (3 if {"pending", "gone"} & {*states} else 0)
    versions = [f"canvas:{key}/68c0ffee0001/{version}" for version in (1, 2)]
    first = [service.states()[version] for version in versions]
    assert first == ["pending" if state == "gone" else state for state in states]
    assert len(requests(service)) <= 6
    assert service.next_run() == (3 if "pending" in states else 0)
    assert tuple(service.states()[version] for version in versions) == states
    service.mirrored.alter_answers(None)
    assert service.next_run(full=True) == 0
    for version, state in zip(versions, states, strict=True):
        assert service.states()[version] == ("gone" if state == "gone" else "stored")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((500, {"detail": "no"}), "the service fails at the canvas: HTTP 500"),
        ((200, {"documents": {}}), "the service gave the canvas in a form that this chatmirror does not know"),
    ],
)
def test_a_canvas_that_fails_is_named_with_the_reason(service: FileService, answer: Any, reason: str) -> None:
    """While it is asked for, and in the end; what came is not said to have failed."""
    key = with_canvas(service, "old words", "words")
    with_canvas(service, "other words", textdoc="68c0ffee0002")
    service.add(1, b"x" * 5_000, name="large.txt", mime_type="text/plain")
    service.mirrored.alter_answers(lambda asked, data: answer if asked.path.endswith(f"{key}/textdocs") else data)
    report = QuietReport()
    assert service.next_run(report=report, files_max_size=1_000) == 3
    limit = "it is larger than the 1,000 bytes that --files-max-size allows"
    versions = ("Poster (version 1).md", "Poster (version 2).md")
    assert report.not_stored == {versions[0]: reason, versions[1]: reason, "large.txt": limit}
    assert service.mirrored.value("SELECT message FROM sync_runs ORDER BY id DESC") == (
        f"2 files could not be saved yet: “Poster (version 1).md” ({reason}) and 1 more; all that is stored is safe,"
        " and later runs try again. The table files says why of each."
    )


def test_a_canvas_of_many_versions_costs_a_bounded_number_of_requests(service: FileService) -> None:
    with_canvas(service, *[f"Text {n}" for n in range(1, 41)])
    service.next_run()
    assert len(requests(service)) <= 12
    for _ in range(3):
        service.next_run()
    assert len(texts_of(service)) == 40
    assert all(text for _, _, text in texts_of(service))
