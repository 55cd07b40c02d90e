"""Files of which a message says only their place in the person's library: to find one, the library is read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from files.file_service import file_id, png

from mirror.chatgpt import file_library

if TYPE_CHECKING:
    from files.file_service import FileService

    from mirror.simulator import ReceivedRequest

LIBRARY = "/backend-api/files/library"
PLACE = "libfile_2"


def in_library(service: FileService, n: int = 2, **fields: Any) -> str:
    """A file that a conversation names by its place in the library only; returns the place."""
    place = f"libfile_{n}"
    service.known(n, library_id=place, **fields)
    service.converse([{"library_file_id": place, "name": f"picture {n}.png", "source": "library"}])
    return place


def readings(service: FileService) -> int:
    """How often the last run asked for a page of the library."""
    return len(service.mirrored.asked(LIBRARY))


def answer(service: FileService, page: Any) -> None:
    """Let the library answer so; a dict is merged into each page."""

    def altered(request: ReceivedRequest, data: Any) -> Any:
        if request.path != LIBRARY:
            return data
        return {**data, **page} if isinstance(page, dict) and isinstance(data, dict) else page

    service.mirrored.alter_answers(altered)


@pytest.mark.parametrize("fault", ["error_500", "429", "challenge", "reset", "html_200"])
def test_a_library_that_cannot_be_read_makes_no_file_gone(service: FileService, fault: str) -> None:
    """Whatever else comes, and however long it lasts."""
    place = in_library(service)
    for night in range(4):
        service.add(10 + night)
        service.mirrored.behaviour.break_request = lambda one: fault if one.path == LIBRARY else None
        code = service.next_run(full=True)
        assert service.state(file_id(10 + night))[0] == "stored"
        state, reason = service.state(place)
        assert (code, state) == ((3, "pending") if night < 2 else (0, "refused"))
        assert "the library of files could not be read" in (reason or "")
    service.mirrored.behaviour.break_request = None
    assert service.next_run(full=True) == 0
    assert service.bytes_of(place) == png(2)


@pytest.mark.parametrize(
    "page",
    [
        (403, {"detail": "Forbidden"}),
        (404, {"detail": "Not Found"}),
        (200, []),
        (200, {"files": []}),
        {"items": []},
        {"items": [], "cursor": "on and on"},
        {"items": {}},
        {"items": [{"kind": "directory", "id": "libdir_1", "name": "Photos"}]},  # what is in it, it does not say
        {"items": [{"node": {"id": PLACE, "file_id": file_id(2)}}]},
        {"items": [{"id": "libfile_9", "file_id": file_id(9)}, None]},
        {"items": [{"id": "libfile_9", "file_id": file_id(9)}], "cursor": "100"},
    ],
    ids=str,
)
def test_an_answer_that_is_not_the_whole_library_makes_no_file_gone(service: FileService, page: Any) -> None:
    place = in_library(service)
    answer(service, page)
    for n in range(10, 13):
        service.add(n)
        service.next_run(full=True)
    assert service.state(place)[0] == "refused"
    service.mirrored.alter_answers(None)
    assert service.next_run(full=True) == 0
    assert service.bytes_of(place) == png(2)


def test_what_is_beyond_the_pages_that_are_read_is_not_gone(
    service: FileService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_library, "MOST_LIBRARY_PAGES", 1)
    for n in range(200, 310):
        service.known(n, library_id=f"libfile_{n}")
    far, near = in_library(service, 350), "libfile_205"
    service.converse([{"library_file_id": near, "name": "x.png", "source": "library"}])
    assert service.next_run() == 3
    assert service.bytes_of(near) == png(205)
    assert service.state(far) == ("pending", "the library of files is larger than what one run reads of it")


def test_a_page_that_fails_spares_what_came_before_it(service: FileService) -> None:
    for n in range(200, 310):
        service.known(n, library_id=f"libfile_{n}")
    far, near = in_library(service, 350), "libfile_205"
    service.converse([{"library_file_id": near, "name": "x.png", "source": "library"}])
    answered: list[Any] = []

    def altered(request: ReceivedRequest, data: Any) -> Any:
        if request.path != LIBRARY:
            return data
        answered.append(data)
        return data if len(answered) == 1 else (500, {})

    service.mirrored.alter_answers(altered)
    assert service.next_run() == 3
    assert service.bytes_of(near) == png(205)
    assert service.state(far)[0] == "pending"


def test_what_the_whole_library_lacks_in_two_runs_is_gone(service: FileService) -> None:
    """And is not asked for again; in one run only, it may be a library that lags behind the chat."""
    service.known(3, library_id="libfile_3")
    service.converse([{"library_file_id": PLACE, "name": "x.png", "source": "library"}])
    service.add(10)
    assert service.next_run() == 3
    assert service.state(PLACE) == ("pending", "it is no longer in the library of files")
    assert service.next_run() == 0
    assert service.state(PLACE) == ("gone", "it is no longer in the library of files")
    service.next_run(full=True)
    assert readings(service) == 0


def test_a_library_that_lags_behind_the_chat(service: FileService) -> None:
    service.known(3, library_id="libfile_3")
    service.converse([{"library_file_id": PLACE, "name": "x.png", "source": "library"}])
    service.add(10)
    assert service.next_run() == 3
    service.known(2, library_id=PLACE)
    assert service.next_run() == 0
    assert service.bytes_of(PLACE) == png(2)


def test_a_failure_and_a_library_that_lags_behind_make_no_file_gone(service: FileService) -> None:
    service.known(3, library_id="libfile_3")
    service.converse([{"library_file_id": PLACE, "name": "x.png", "source": "library"}])
    service.add(10)
    answer(service, (500, {}))
    assert service.next_run() == 3
    service.mirrored.alter_answers(None)
    service.add(11)
    assert service.next_run() == 3
    assert service.state(PLACE)[0] == "pending"


@pytest.mark.parametrize("status", [200, 500])
def test_the_library_is_read_once_a_run(service: FileService, status: int) -> None:
    for n in range(2, 8):
        in_library(service, n)
    service.add(10)
    service.next_run()
    for n in range(20, 26):
        in_library(service, n)
    if status != 200:
        answer(service, (status, {}))
    service.next_run()
    assert readings(service) == (1 if status == 200 else file_library.LIBRARY_TRIES)


@pytest.mark.parametrize("needs", ["", "context", "attachment"])
def test_each_scope_of_a_file_of_the_library_is_found(service: FileService, needs: str) -> None:
    place = in_library(service, needs=needs)
    assert service.next_run() == 0
    assert service.bytes_of(place) == png(2)


@pytest.mark.leaves_damage("files are called gone by hand")
def test_files_that_an_older_version_called_gone_unasked_are_asked_for_once_more(service: FileService) -> None:
    """It did so where it could not read the library."""
    place = in_library(service)
    service.converse([{"library_file_id": "libfile_3", "name": "x.png", "source": "library"}])
    service.add(10)
    answer(service, (500, {}))
    service.next_run()
    with closing(sqlite3.connect(service.mirrored.path)) as conn:
        wrong = "UPDATE files SET state = 'gone', reason = 'it is named by no conversation' WHERE id LIKE 'libfile%'"
        conn.execute(wrong)
        conn.execute("UPDATE _file_fetches SET tries = 1, retry_at = NULL")
        conn.commit()
    service.mirrored.alter_answers(None)
    service.next_run()
    assert service.bytes_of(place) == png(2)
    service.next_run()
    assert service.state("libfile_3") == ("gone", "it is no longer in the library of files")
    service.next_run()
    assert readings(service) == 0
