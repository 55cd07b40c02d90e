"""Files come from the service with the conversations that name them: each row of what it answers, over real HTTP."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pexpect
import pytest
from commands import BIN
from files.file_service import file_id, png, with_canvas

from mirror import app

if TYPE_CHECKING:
    from files.file_service import FileService

    from mirror.simulator import SimulatedFile


def test_an_upload_is_stored_and_not_asked_for_again(service: FileService) -> None:
    file = service.add(1)
    assert service.next_run() == 0
    assert service.bytes_of(file.id) == file.content
    row = service.mirrored.rows("SELECT name, mime_type, size, kind, state, source FROM files")
    assert row == [("picture 1.png", "image/png", len(file.content), "image", "stored", "upload")]
    assert service.next_run() == 0
    assert service.asked_for_files() == []


@pytest.mark.parametrize("host", ["estuary", "api", "storage", "library", "redirecting"])
def test_each_host_gives_the_bytes(service: FileService, host: str) -> None:
    file = service.add(1, host=host, library_id="libfile_1")
    assert service.next_run() == 0
    assert service.bytes_of(file.id) == file.content
    for request in service.mirrored.service.storage.requests:
        assert set(request.headers) <= {"host", "accept", "accept-encoding", "connection"}


@pytest.mark.parametrize("needs", ["", "gizmo", "no gizmo", "context", "attachment"])
def test_each_scope_is_found(service: FileService, needs: str) -> None:
    file = service.add(1, needs=needs)
    project = service.mirrored.person.new_project("Bread")
    for row in service.account.conversations.values():
        row |= {"gizmo_id": project, "conversation_template_id": project}
    assert service.next_run() == 0
    assert service.bytes_of(file.id) == file.content


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ("file_not_found", "gone"),
        ("file_expired", "gone"),
        ("ace_pod_expired", "gone"),
        ("ace_pod_expired_403", "gone"),
        ("ace_pod_expired_410", "gone"),
        ("no_address", "gone"),
        ("404", "gone"),
        ("403", "refused"),
        ("permission_error", "refused"),
        ("over_user_quota", "refused"),
    ],
)
def test_what_cannot_be_had_is_named_and_is_no_error(service: FileService, answer: str, state: str) -> None:
    service.add(1)
    file = service.add(2, always=answer)
    assert service.next_run() == 0
    found, reason = service.state(file.id)
    assert (found, bool(reason)) == ("refused", True)
    assert service.next_run() == 0
    assert [path for path in service.asked_for_files() if file.id in path]
    assert service.state(file.id) == (state, reason)
    assert service.next_run(full=True) == 0
    asked = [path for path in service.asked_for_files() if file.id in path]
    assert bool(asked) == (state == "refused")


@pytest.mark.parametrize("answer", ["file_expired", "file_not_found", "404"])
def test_no_single_answer_makes_a_file_gone(service: FileService, answer: str) -> None:
    """Also where another file comes in the same run: it is asked for once more, a day later."""
    service.add(1)
    file = service.add(2, always=answer)
    assert service.next_run() == 0
    file.always = None
    assert service.next_run() == 0
    assert service.bytes_of(file.id) == file.content


@pytest.mark.parametrize("size", [500, 1500])
def test_a_document_of_another_size_than_its_attachment_has_is_fetched_again(service: FileService, size: int) -> None:
    """The service need not say how large it is. What comes the same way twice is all there is of it."""
    content = bytes(n % 251 for n in range(1000))
    file = service.known(1, name="plan.bin", mime_type="application/octet-stream", content=content[:size].ljust(size))
    file.states_size = False
    service.converse([{"id": file.id, "name": "plan.bin", "mime_type": file.mime_type, "size": 1000}])
    assert service.next_run() == 3
    assert f"{size:,} bytes came in place of 1,000" in str(service.state(file.id)[1])
    if size < 1000:
        file.content = content
    assert service.next_run() == 0
    assert service.bytes_of(file.id) == file.content


def test_a_picture_that_is_cut_off_is_fetched_again(service: FileService) -> None:
    """The host can give a part as if it were the whole. A picture that is always so is kept as it is."""
    broken = service.add(1, content=png(1)[:-20], states_size=False)
    file = service.add(2, content=png(2)[:-20], states_size=False)
    assert service.next_run() == 3
    file.content = png(2)
    assert service.next_run() == 0
    assert service.bytes_of(file.id) == png(2)
    assert service.bytes_of(broken.id) == png(1)[:-20]


@pytest.mark.parametrize("answer", ["retry", "500", "file_timed_out"])
def test_what_may_come_is_pending_for_some_runs_and_then_not_to_be_had(service: FileService, answer: str) -> None:
    service.add(1)
    file = service.add(2, always=answer)
    assert service.next_run() == 3
    assert service.state(file.id)[0] == "pending"
    for _ in range(8):
        code = service.next_run()
    assert code == 0
    assert service.state(file.id)[0] == ("gone" if answer == "500" else "refused")


def test_a_file_in_the_making_is_waited_for(service: FileService) -> None:
    file = service.add(1, answers=["retry", "retry"])
    assert service.next_run() == 0
    assert service.bytes_of(file.id) == file.content


def test_a_refusal_that_heals_is_found(service: FileService) -> None:
    service.add(1)
    file = service.add(2, always="403")
    service.next_run()
    file.always = None
    for _ in range(2):
        service.next_run()
    assert service.bytes_of(file.id) == file.content


def test_a_pause_that_a_wrong_clock_set_keeps_no_file_away(service: FileService) -> None:
    """The computer's clock was five years ahead in the run in which the file failed."""
    service.add(1)
    file = service.add(2, always="403")
    years = 5 * 365 * 86_400.0
    service.mirrored.clock.seconds += years
    service.next_run()
    service.mirrored.clock.seconds -= years
    file.always = None
    assert service.next_run() == 0
    assert service.bytes_of(file.id) == file.content


@pytest.mark.parametrize("fault", ["cut", "empty", "html", "json_error", "reset", "500", "404", "redirect", "403"])
def test_what_is_not_the_file_is_never_stored_as_it(service: FileService, fault: str) -> None:
    service.add(1)
    file = service.add(
        2, fault=fault, name="notes.pdf", mime_type="application/pdf", content=b"%PDF-1.4 " + b"A page of notes. " * 600
    )
    service.next_run()
    assert service.state(file.id)[0] in {"pending", "refused"}
    assert service.mirrored.value("SELECT count(*) FROM files WHERE sha256 IS NOT NULL") == 1
    file.fault = None
    service.next_run(full=True)
    assert service.bytes_of(file.id) == file.content


def test_a_body_shorter_than_promised_is_not_whole(service: FileService) -> None:
    service.add(1)
    file = service.add(2, faults=["short"], name="notes.pdf", mime_type="application/pdf", content=b"%PDF-1.4 " * 900)
    assert service.next_run() == 3
    assert service.next_run() == 0
    assert service.bytes_of(file.id) == file.content


def test_a_longer_body_ends_where_it_was_promised_to(service: FileService) -> None:
    file = service.add(1, fault="longer")
    assert service.next_run() == 0
    assert service.bytes_of(file.id) == file.content


def test_a_packed_body_is_unpacked(service: FileService) -> None:
    file = service.add(1, fault="gzip")
    assert service.next_run() == 0
    assert service.bytes_of(file.id) == file.content


def test_an_expired_address_is_asked_for_once_more(service: FileService) -> None:
    file = service.add(1, expired_addresses=1)
    assert service.next_run() == 0
    assert service.bytes_of(file.id) == file.content


def test_json_and_html_that_are_wanted_are_stored(service: FileService) -> None:
    page = service.add(1, b"<!doctype html><html>mine</html>", name="page.html", mime_type="text/html")
    data = service.add(2, b'{"detail": "mine"}', name="data.json", mime_type="application/json")
    assert service.next_run() == 0
    assert [service.bytes_of(one.id) for one in (page, data)] == [page.content, data.content]


def test_the_type_is_that_of_the_bytes(service: FileService) -> None:
    webp = b"RIFF\x24\0\0\0WEBPVP8 " + b"\0" * 40
    file = service.add(1, webp, name="picture.png")
    service.next_run()
    assert service.mirrored.value("SELECT mime_type FROM files WHERE id = ?", file.id) == "image/webp"


def test_one_content_is_stored_once(service: FileService) -> None:
    one, other = service.add(1, png(9)), service.add(2, png(9))
    service.next_run()
    assert service.states() == {one.id: "stored", other.id: "stored"}
    assert len(list(service.store.stored())) == 1


@pytest.mark.parametrize(
    ("how", "count", "known"),
    [
        ("429", 1, False),
        ("429", 4, True),
        ("challenge", 1, False),
        ("challenge", 2, True),
        ("429 of the bytes", 1, True),
        ("429 of the bytes", 4, False),
    ],
)
def test_files_that_alone_are_refused_keep_no_other_away(
    service: FileService, how: str, count: int, known: bool
) -> None:
    """The newest ones, by a lasting 429 or a browser check: another one comes, so it is theirs."""
    if known:
        service.add(0)
        service.next_run()
    others = [service.add(n) for n in range(1, 7)]
    bad = [service.add(n) for n in range(20, 20 + count)]
    for file in bad:
        file.always, file.faults = ("429" if how == "429" else None), (["429"] * 9 if how.endswith("bytes") else [])
    ids = [file.id for file in bad]
    if how == "challenge":
        service.mirrored.behaviour.break_request = lambda r: how if any(key in r.path for key in ids) else None
    assert service.next_run() == 3
    assert {service.state(file.id)[0] for file in others} == {"stored"}
    assert {service.state(file.id)[0] for file in bad} == {"pending"}
    service.mirrored.behaviour.break_request = None
    for file in bad:
        file.always, file.faults = None, []
    assert service.next_run() == 0
    assert set(service.states().values()) == {"stored"}


@pytest.mark.parametrize("where", ["address", "bytes"])
def test_a_long_pause_at_one_file_keeps_no_other_away(service: FileService, where: str) -> None:
    """The run that it ends names the file, and who asked for the pause; the next one does without it."""
    others = [service.add(n) for n in range(1, 7)]
    bad = service.add(20)
    later = (429, {"detail": "Later"}, {"Retry-After": ["90000"]})
    if where == "address":
        service.mirrored.alter_answers(lambda request, data: later if bad.id in request.path else data)
    bad.fault = "429 for a day"
    message = "SELECT message FROM sync_runs ORDER BY id DESC"
    who = "ChatGPT" if where == "address" else "The storage of files"
    assert service.next_run() == 6
    assert service.mirrored.value(message).startswith(
        f"{who} asked to wait 1500 minutes when it was asked for the file"
    )
    assert f"“{bad.name}”" in service.mirrored.value(message)
    assert service.next_run() == 3
    assert {service.state(file.id)[0] for file in others} == {"stored"}
    assert service.state(bad.id) == ("pending", "the service asked for a long pause in an earlier run")
    assert bad.name in service.mirrored.value(message)
    assert service.next_run() == 6
    service.mirrored.alter_answers(None)
    bad.fault = None
    service.next_run()
    assert service.next_run() == 0
    assert set(service.states().values()) == {"stored"}


@pytest.mark.parametrize("where", ["addresses", "bytes"])
@pytest.mark.parametrize("known", [False, True], ids=["first run", "later run"])
def test_a_limit_of_all_files_ends_them_after_a_few_requests(service: FileService, where: str, known: bool) -> None:
    """And the next run goes on."""
    if known:
        service.add(0)
        service.next_run()
    files = [service.add(n) for n in range(1, 9)]
    limited = ["429"] * 99
    for file in service.account.files.values():
        file.answers, file.faults = ([*limited], []) if where == "addresses" else ([], [*limited])
    assert service.next_run() == 6
    assert len(service.asked_for_files()) <= (4 if where == "addresses" else 9)
    assert service.mirrored.value("SELECT pending FROM sync_runs ORDER BY id DESC") == 0
    for file in service.account.files.values():
        file.answers, file.faults = [], []
    assert service.next_run() == 0
    assert {service.state(file.id)[0] for file in files} == {"stored"}


def test_the_lock_as_the_answer_to_a_control_ends_the_run_at_once(service: FileService) -> None:
    service.add(0)
    service.next_run()
    for n in range(1, 5):
        service.add(n, always="429")
    lock = (403, {"detail": "We've temporarily limited access to your conversations to protect your data"})
    service.mirrored.alter_answers(lambda request, data: lock if file_id(0) in request.path else data)
    assert service.next_run() == 6
    assert file_id(0) in service.mirrored.service.requests[-1].path


@pytest.mark.parametrize("kind", ["files", "canvases", "sandbox"])
def test_failing_files_keep_no_other_away_for_ever(service: FileService, kind: str) -> None:
    """Five, the newest, and nothing is known that came: one from the far end of the queue proves the service."""
    others = [service.add(n) for n in range(1, 5)]
    if kind == "canvases":
        broken = [with_canvas(service, "ill", textdoc=f"68c0ffee000{n}") for n in range(1, 6)]
        with_canvas(service, "well", textdoc="68c0ffee0100")  # asked for last
    elif kind == "sandbox":
        broken = [
            service.converse([], f"Done: [file](sandbox:/mnt/data/{n}.csv)", role="assistant") for n in range(1, 6)
        ]
    else:
        broken = [service.add(n, always="500").id for n in range(20, 25)]
    service.mirrored.behaviour.break_request = lambda r: "error_500" if any(key in r.path for key in broken) else None
    assert service.next_run() == 3
    assert {service.state(file.id)[0] for file in others} == {"stored"}
    for _ in range(3):
        code = service.next_run()
    assert code == 0  # held against them by now: they are not to be had


def test_failing_files_at_both_ends_of_the_queue_go_behind_the_others(service: FileService) -> None:
    files = [service.add(n) for n in range(1, 16)]
    for file in (files[0], files[4], *files[10:]):
        file.always = "500"
    codes = [service.next_run() for _ in range(3)]
    assert codes[0] == 5
    assert sum(state == "stored" for state in service.states().values()) == 8
    assert codes[-1] != 5


def test_a_service_that_fails_at_every_file_costs_no_file(service: FileService) -> None:
    files = [service.add(n, always="500") for n in range(1, 9)]
    for _ in range(5):
        assert service.next_run() == 5
    assert set(service.states().values()) == {"pending"}
    for file in files:
        file.always = None
    assert service.next_run() == 0
    assert set(service.states().values()) == {"stored"}


def test_an_endpoint_that_has_moved_makes_no_file_gone(service: FileService) -> None:
    first = service.add(1)
    service.next_run()
    first.always = "404"
    files = [service.add(n, always="404") for n in range(2, 9)]
    assert service.next_run() == 5
    assert {service.state(file.id)[0] for file in files} == {"pending"}


@pytest.mark.parametrize("moved", ["files", "canvases", "sandbox"])
def test_what_another_endpoint_gives_is_no_proof_that_one_has_not_moved(service: FileService, moved: str) -> None:
    """Files, canvases and the code sandbox are asked for at addresses of their own."""
    files = [service.add(n) for n in range(1, 4)]
    chats = [with_canvas(service, "one", "two", textdoc=f"68c0ffee000{n}") for n in (1, 2)]
    made_in_the_sandbox(service)
    of_kind = {"files": "file", "canvases": "canvas:", "sandbox": "sandbox:"}[moved]
    path = {"files": "/(files|attachment)/", "canvases": "/textdocs", "sandbox": "/interpreter/"}[moved]
    service.mirrored.alter_answers(
        lambda request, data: (404, {"detail": "Not Found"}) if re.search(path, request.path) else data
    )
    code = service.next_run()
    states = service.states()
    assert len(states) == len(files) + 2 * len(chats) + 1
    # A file of the sandbox lives for hours, so that one which the service gives by its id is proof enough.
    lost = "refused" if moved == "sandbox" else "pending"
    assert {key: state for key, state in states.items() if state != "stored"} == {
        key: lost for key in states if key.startswith(of_kind)
    }
    assert code == (0 if moved == "sandbox" else 3)
    service.mirrored.alter_answers(None)
    assert service.next_run() == 0
    assert set(service.states().values()) == {"stored"}


def test_a_service_that_fails_at_all_canvases_costs_no_other_file(service: FileService) -> None:
    for n in range(1, 8):
        with_canvas(service, "words", textdoc=f"68c0ffee000{n}")
    files = [service.add(n) for n in range(1, 4)]  # the newest
    for n in range(8, 10):
        with_canvas(service, "words", textdoc=f"68c0ffee000{n}")
    service.mirrored.behaviour.break_request = lambda one: "error_500" if "textdocs" in one.path else None
    assert service.next_run() == 5
    assert "fails at one canvas after the other" in service.mirrored.value("SELECT message FROM sync_runs")
    states = service.states()
    assert [states.pop(file.id) for file in files] == ["stored"] * 3
    assert (len(states), set(states.values())) == (9, {"pending"})
    service.mirrored.behaviour.break_request = None
    assert service.next_run() == 0
    assert set(service.states().values()) == {"stored"}


@pytest.mark.leaves_damage("a file is dated back by hand")
def test_controls_are_those_of_the_workspace_however_many_are_shared(service: FileService) -> None:
    """A team's chats show the newest files, too, so that they say nothing of this workspace."""
    own = service.add(1)
    team = service.account.add_workspace("Team")
    for n in range(2, 12):
        file = service.add(n)
        file.conversations = None
        service.account.homes[service.converse([{"id": file.id, "name": "x.png"}])] = team
    service.next_run()
    with closing(sqlite3.connect(service.mirrored.path)) as conn:
        conn.execute("UPDATE files SET fetched_at = '2000-01-01T00:00:00.000Z' WHERE id = ?", (own.id,))
        conn.commit()
    lost = service.add(20, always="404")
    assert service.next_run() == 0
    assert service.state(lost.id)[0] == "refused"


def test_no_files_and_a_limit_are_the_persons_choice(service: FileService) -> None:
    small, large = service.add(1), service.add(2, b"%PDF-1.4 " * 5000, name="a.pdf", mime_type="application/pdf")
    assert service.next_run(files=False) == 0
    assert set(service.states().values()) == {"pending"}
    assert service.next_run(files_max_size=10_000) == 0
    assert service.states() == {small.id: "stored", large.id: "skipped"}
    assert service.next_run(files_max_size=100_000) == 0
    assert service.states() == {small.id: "stored", large.id: "stored"}


def test_a_file_larger_than_it_was_said_to_be_is_left(service: FileService) -> None:
    upload = {"id": file_id(1), "name": "x.bin"}
    service.known(1, b"\0" * 50_000, name="x.bin", mime_type=None, states_size=False)
    service.converse([upload])
    assert service.next_run(files_max_size=10_000) == 0
    assert service.states() == {file_id(1): "skipped"}
    assert list(service.store.stored()) == []


def made_in_the_sandbox(service: FileService, path: str = "/mnt/data/my file (2).csv", **fields: Any) -> SimulatedFile:
    """A conversation whose answer links to a file in the code sandbox."""
    key = service.converse([], f"Done: [file](sandbox:{path.replace(' ', '%20')})", role="assistant")
    message = next(node for node, held in service.account.conversations[key]["mapping"].items() if held["message"])
    file = service.known(50, b"a,b\n1,2\n", name=path, mime_type="text/csv", sandbox=(key, message, path), **fields)
    file.id = "file_" + "5" * 32
    service.account.files = {file.id if one is file else id_: one for id_, one in service.account.files.items()}
    return file


def test_a_file_of_the_sandbox_comes_first(service: FileService) -> None:
    file = made_in_the_sandbox(service)
    service.add(1)
    assert service.next_run() == 0
    row = service.mirrored.rows("SELECT id, name, mime_type, source FROM files WHERE id LIKE 'sandbox:%'")[0]
    assert row[1:] == ("my file (2).csv", "text/csv", "code")
    assert service.bytes_of(row[0]) == file.content
    assert "interpreter" in service.asked_for_files()[0]


def test_a_sandbox_that_has_ended_is_gone_unless_its_durable_id_is_known(service: FileService) -> None:
    service.add(1)
    known = made_in_the_sandbox(service, "/mnt/data/known.csv", durable_id="file_" + "d" * 32, faults=["500"])
    service.next_run()
    known.pod_expires = 0.0
    assert service.next_run() == 0
    assert set(service.states().values()) == {"stored"}


def test_a_sandbox_that_has_ended_is_gone(service: FileService) -> None:
    service.add(1)
    made_in_the_sandbox(service, pod_expires=0.0)
    assert [service.next_run() for _ in range(2)] == [0, 0]
    assert sorted(service.states().values()) == ["gone", "stored"]


def test_a_file_known_by_its_place_in_the_library_is_found(service: FileService) -> None:
    for n in range(2, 130):
        service.known(n, library_id=f"libfile_{n}")
    service.converse([{"library_file_id": "libfile_120", "name": "x.png", "source": "library"}])
    assert service.next_run() == 0
    assert service.bytes_of("libfile_120") == png(120)


def test_a_file_of_a_room_is_found(service: FileService) -> None:
    file = service.known(1, id="CalpicoFile_7")
    service.converse([{"id": file.id, "name": "x.png"}])
    assert service.next_run() == 0
    assert service.bytes_of(file.id) == file.content


def test_the_endpoint_for_files_of_rooms_makes_none_gone(service: FileService) -> None:
    """That the service gives files by their ids does not prove that it has not moved."""
    file = service.known(1, id="CalpicoFile_7")
    service.converse([{"id": file.id, "name": "x.png"}])
    moved = (404, {"detail": "Not Found"})
    service.mirrored.alter_answers(lambda request, data: moved if "/messaging/rooms/" in request.path else data)
    for n in range(10, 14):
        service.add(n)
        assert service.next_run(full=True) == 0
    assert service.state(file.id) == ("refused", "the only address that is known for it gives nothing")
    service.mirrored.alter_answers(None)
    assert service.next_run(full=True) == 0
    assert service.bytes_of(file.id) == file.content


def test_one_file_in_many_chats_is_fetched_once(service: FileService) -> None:
    file = service.add(1)
    upload = {"id": file.id, "name": "again.png"}
    file.conversations = None
    for _ in range(5):
        service.converse([upload])
    assert service.next_run() == 0
    assert service.mirrored.service.files.given == {file.id: 1}
    assert service.mirrored.value("SELECT count(*) FROM attachments WHERE file_id = ?", file.id) == 6


def test_nothing_but_reads_is_sent(service: FileService) -> None:
    """Every POST of a file endpoint but the list of the library raises inside the simulator."""
    service.add(1)
    service.next_run()
    posts = {request.path for request in service.mirrored.service.requests if request.method != "GET"}
    assert posts <= {"/backend-api/conversations/batch", "/backend-api/files/library"}


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "a/b\\c.png",
        "x\0y",
        "\u202egnp.exe",
        "n" * 400,
        "CON",
        ".part0.png",
        "user-A/0b1c.png",
        "é ü.png",
    ],
)
def test_a_name_is_never_a_path(service: FileService, name: str) -> None:
    service.known(1, said_name=name, name=None)
    service.converse([{"id": file_id(1)}])
    assert service.next_run() == 0
    assert service.bytes_of(file_id(1)) == png(1)
    names = {path.name for path in service.store.folder.rglob("*")}
    sha256 = service.mirrored.value("SELECT sha256 FROM files")
    assert names == {sha256, sha256[:2]}


def test_bytes_are_private(service: FileService) -> None:
    file = service.add(1)
    service.next_run()
    place = service.store.path_of(service.mirrored.value("SELECT sha256 FROM files WHERE id = ?", file.id))
    assert [path.stat().st_mode & 0o777 for path in (place, place.parent, place.parent.parent)] == [0o600, 0o700, 0o700]


@pytest.mark.parametrize("nesting", [0, 1])
def test_files_of_a_project_are_fetched_in_its_name(service: FileService, nesting: int) -> None:
    """They are in no message, and the service gives them only with the project's id."""
    file = service.known(1, needs="gizmo", name="plan.pdf", mime_type="application/pdf", content=b"%PDF-1.4 plan")
    row = {"id": "x", "file_id": file.id, "name": "plan.pdf", "type": "application/pdf", "size": len(file.content)}
    project = service.mirrored.person.new_project("Bread", files=[row, {"id": 5}, {"id": "../x"}])
    service.mirrored.behaviour.sidebar_nesting = nesting
    service.converse([])
    assert service.next_run() == 0
    assert service.bytes_of(file.id) == file.content
    assert service.mirrored.rows("SELECT name, source, project_id FROM files") == [("plan.pdf", "project", project)]
    assert service.next_run() == 0
    assert service.asked_for_files() == []


def test_an_account_whose_only_file_is_gone_is_current_in_the_second_run(service: FileService) -> None:
    """The first run cannot tell a file that is gone from an endpoint that has moved."""
    file = service.add(1, always="404")
    assert service.next_run() == 3
    assert service.next_run() == 0
    assert service.state(file.id)[0] == "gone"


def test_no_single_answer_makes_the_only_file_gone(service: FileService) -> None:
    """Neither where an earlier run failed at it."""
    file = service.add(1, always="500")
    assert service.next_run() == 3
    file.always = "404"
    assert service.next_run() == 3
    assert service.state(file.id)[0] == "pending"
    file.always = None
    assert service.next_run() == 0
    assert service.bytes_of(file.id) == file.content


def test_the_only_file_at_which_the_service_fails_is_not_gone(service: FileService) -> None:
    """That it fails at no other file is not known."""
    file = service.add(1, always="500")
    for _ in range(6):
        service.next_run()
    assert service.state(file.id)[0] == "refused"


def test_a_refused_file_at_which_the_service_fails_once_is_not_gone(service: FileService) -> None:
    file = service.add(1, always="403")
    for night in range(4):
        service.add(10 + night)
        service.next_run(full=True)
    file.always = "500"
    service.add(20)
    service.next_run(full=True)
    assert service.state(file.id)[0] == "refused"
    file.always = None
    service.next_run(full=True)
    assert service.bytes_of(file.id) == file.content


def test_an_id_that_is_called_wrong_is_not_gone(service: FileService) -> None:
    """It is this program that sent it so, or the service that wants it otherwise now."""
    file = service.add(1)
    service.add(2)
    wrong = (422, {"detail": "Invalid file_id"})
    service.mirrored.alter_answers(lambda request, data: wrong if file.id in request.path else data)
    service.next_run()
    assert service.state(file.id) == ("refused", "the service does not know an id of this form")
    service.mirrored.alter_answers(None)
    service.next_run(full=True)
    assert service.bytes_of(file.id) == file.content


def test_what_was_not_asked_for_is_not_gone(service: FileService) -> None:
    assert service.fetch(service.reader(), "CalpicoFile_7") == "refused"


@pytest.mark.parametrize(("answer", "asked"), [("404", 1), ("file_not_found", 1), ("403", 3)])
def test_other_conversations_are_asked_about_only_after_a_refusal(
    service: FileService, answer: str, asked: int
) -> None:
    """What the service does not have, it has in no conversation."""
    service.add(2)
    file = service.known(1, always=answer)
    for _ in range(3):
        service.converse([{"id": file.id, "name": "x.png"}])
    service.next_run()
    queries = [one.query for one in service.mirrored.service.requests if one.path.endswith(f"download/{file.id}")]
    assert len({query["conversation_id"] for query in queries if "conversation_id" in query}) == asked


def test_a_file_is_asked_for_in_a_conversation_that_is_still_there(service: FileService) -> None:
    """Though that of a newer message was deleted, as the run has just seen, and is no proof yet."""
    file = service.add(1)
    newer = service.converse([{"id": file.id, "name": "x.png"}])
    service.add(2)
    service.next_run(files=False)
    service.mirrored.person.delete(newer)
    gone = (404, {"detail": "File not found or no longer available."})
    service.mirrored.alter_answers(lambda one, data: gone if newer in one.query.values() or newer in one.path else data)
    service.next_run()
    assert service.bytes_of(file.id) == file.content


def test_files_of_every_workspace_are_asked_for_in_its_name(service: FileService) -> None:
    file = service.add(1)
    team = service.account.add_workspace("Team")
    other = service.add(2)
    service.account.homes[next(iter(other.conversations or set()))] = team
    assert service.next_run() == 0
    asked = {
        request.path.rpartition("/")[2]: request.headers.get("chatgpt-account-id")
        for request in service.mirrored.service.requests
        if "/files/download/" in request.path
    }
    assert asked == {file.id: None, other.id: team}


@pytest.mark.parametrize("gives", ["first", "second"])
def test_a_file_of_two_workspaces_is_fetched_from_the_one_that_gives_it(service: FileService, gives: str) -> None:
    """What the other one answers is not held against it, and costs no night."""
    team, second = service.account.add_workspace("Team"), service.account.add_workspace("Club")
    giver = team if gives == "first" else second
    plain = [service.add(n) for n in (10, 11, 12)]
    for file, workspace in zip(plain[1:], (team, second), strict=True):
        service.account.homes[next(iter(file.conversations or set()))] = workspace
    shared = service.known(2, workspace=giver)
    upload = {"id": shared.id, "name": shared.name, "mime_type": shared.mime_type}
    for workspace in (team, second):
        service.account.homes[service.converse([upload])] = workspace
    lost = service.known(3, always="404")
    for workspace in (team, second):
        service.account.homes[service.converse([{"id": lost.id, "name": "x.png"}])] = workspace
    assert service.next_run() == 0
    came = [file.id for file in (*plain, shared)]
    assert service.states() == {**dict.fromkeys(came, "stored"), lost.id: "refused"}
    assert service.mirrored.service.files.given == dict.fromkeys(came, 1)
    for request in service.mirrored.service.requests:
        if request.path.endswith(f"/{shared.id}") and (said := request.query.get("conversation_id")):
            assert service.account.homes[said] == request.headers["chatgpt-account-id"]


def test_a_run_counts_once_for_a_file_of_two_workspaces(service: FileService) -> None:
    file = service.known(1, always="retry")
    for workspace in (service.account.add_workspace("Team"), service.account.add_workspace("Club")):
        service.account.homes[service.converse([{"id": file.id, "name": "x.png"}])] = workspace
    service.add(2)
    for tries in (1, 2):
        assert service.next_run() == 3
        assert service.mirrored.value("SELECT tries FROM _file_fetches") == tries


def test_what_a_pointer_says_beside_the_id_is_sent_along(service: FileService) -> None:
    file = service.known(1, needs="post")
    pointer = f"sediment://{file.id}?post_id=p1&post_id=p2&bad key=1&x=%0d%0aSet: 1&id=file_other&inline=maybe"
    part = {"content_type": "image_asset_pointer", "asset_pointer": pointer, "size_bytes": 1, "width": 8, "height": 8}
    conversation = service.account.conversations[service.converse([])]
    shown = next(node["message"] for node in conversation["mapping"].values() if node["message"])
    shown["content"] = {"content_type": "multimodal_text", "parts": [part]}
    assert service.next_run() == 0
    assert service.state(file.id)[0] == "stored"
    (asked,) = [one.query for one in service.mirrored.service.requests if one.path.endswith(f"download/{file.id}")]
    assert asked.keys() == {"conversation_id", "inline", "post_id"}
    assert (asked["post_id"], asked["inline"]) == ("p2", "false")


@pytest.mark.parametrize(("needs", "kind"), [("oldest", "download"), ("context", "file_")])
def test_the_request_that_works_is_learned(service: FileService, needs: str, kind: str) -> None:
    """A service that gives files only in another way costs more requests for the first few files only."""
    for n in range(12):
        service.add(n, needs=needs)
    assert service.next_run() == 0
    assert set(service.states().values()) == {"stored"}
    asked = [path for path in service.asked_for_files() if "estuary" not in path]
    assert len(asked) <= 12 + 4 * 5


def test_an_endpoint_that_gives_nothing_is_not_asked_for_every_file(service: FileService) -> None:
    service.add(0)
    for n in range(1, 31):
        service.add(n, needs="nothing helps")
    service.next_run()
    oldest = [path for path in service.asked_for_files() if re.search("/files/file_[^/]+/download", path)]
    assert 0 < len(oldest) <= 6


def test_the_bar_moves_while_one_large_file_comes(service: FileService) -> None:
    service.add(1, b"\0" * 6_000_000, name="film.bin", mime_type="application/octet-stream")
    environ = {**os.environ, **service.mirrored.environ, "TERM": "xterm"}
    child = pexpect.spawn(str(BIN / "chatmirror"), ["sync", "-d", str(service.mirrored.path)], env=environ, timeout=60)
    child.expect(pexpect.EOF)
    assert len(set(re.findall(rb"([0-9.]+) MB", child.before))) >= 5


def test_a_dry_run_asks_for_no_file(service: FileService) -> None:
    service.add(1)
    service.next_run(dry=True)
    assert service.asked_for_files() == []


def test_a_conversation_that_is_edited_keeps_its_files(service: FileService) -> None:
    file = service.add(1)
    service.next_run()
    service.mirrored.person.new_message(next(iter(file.conversations or set())))
    assert service.next_run() == 0
    assert service.states() == {file.id: "stored"}
    assert service.mirrored.service.files.given == {file.id: 1}


def test_an_older_mirror_learns_of_its_files_by_a_rebuild(service: FileService) -> None:
    """As after an update from a version that knew none."""
    file = service.add(1)
    service.next_run(files=False)
    with closing(sqlite3.connect(service.mirrored.path)) as conn:
        conn.execute("UPDATE attachments SET file_id = NULL, source = NULL, width = NULL")
        conn.execute("DELETE FROM files")
        conn.commit()
    app.rebuild(service.mirrored.path, service.mirrored.timing(), lambda *_: None)
    assert service.next_run() == 0
    assert service.bytes_of(file.id) == file.content
