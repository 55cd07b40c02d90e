"""``status`` and ``status --json`` of the installed program, over mirrors that are written by hand."""

from __future__ import annotations

import json
import re
import time
from contextlib import closing
from threading import Timer
from typing import TYPE_CHECKING, Any

import pytest
from commands import run
from filelock import FileLock
from mirrors import add, add_conversation, add_message, open_mirror

from mirror.store.database import Writer
from mirror.timing import iso

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

pytestmark = pytest.mark.leaves_damage("its rows are written by hand, from no payload")

HOUR = 3600.0
BRANCH_ONLY = "only its visible branch could be read"


def at(hours_ago: float) -> str:
    return iso(time.time() - hours_ago * HOUR)


def add_run(
    conn: sqlite3.Connection, hours_ago: float, outcome: str = "current", code: int = 0, **more: object
) -> None:
    values = {"command": "sync", "provider": "chatgpt", **more}
    add(conn, "sync_runs", started_at=at(hours_ago), outcome=outcome, exit_code=code, **values)


def list_as_stored(conn: sqlite3.Connection, key: str, **more: object) -> None:
    values = {"provider": "chatgpt", "account_id": "a1", "list_us": 1, "stored_us": 1, "listed_at": at(2), **more}
    add(conn, "_listed", conversation_id=key, **values)


def mirror_of_three(path: Path) -> sqlite3.Connection:
    """Three conversations, listed and stored as listed two hours ago."""
    conn = open_mirror(path / "chats.db")
    add(conn, "accounts", id="a1", structure="personal", provider="chatgpt")
    add(conn, "_scopes", account_id="a1", scope="main", listed=3, read_to_end_at=at(2))
    for key in ("c1", "c2", "c3"):
        add_conversation(conn, key, f"Chat {key}", account_id="a1")
        add_message(conn, key, "n1", "Hello")
        list_as_stored(conn, key)
    add_run(conn, 2)
    return conn


def make_incomplete(conn: sqlite3.Connection, key: str, reason: str) -> None:
    conn.execute("UPDATE conversations SET is_complete = 0, incomplete_reason = ? WHERE id = ?", (reason, key))


def read_status(path: Path) -> tuple[int, dict[str, Any], str]:
    """Return exit code, the object and stderr of ``status --json``."""
    code, out, err = run(path, "chatmirror", "status", "--json")
    found = json.loads(out)
    assert isinstance(found, dict)
    return code, found, err


def test_a_fresh_mirror_as_json(tmp_path: Path) -> None:
    """One object that a script can read; the exit code is in it, too."""
    with closing(mirror_of_three(tmp_path)) as conn:
        last = conn.execute("SELECT started_at FROM sync_runs").fetchone()["started_at"]
    code, found, err = read_status(tmp_path)
    assert (code, err) == (0, "")
    services = found.pop("services")
    assert found == {
        "database": str(tmp_path / "chats.db"),
        "fresh": True,
        "exit_code": 0,
        "message": None,
        "last_success": last,
        "imported_only": False,
        "conversations": 3,
        "messages": 3,
        "deleted": 0,
        "missing": 0,
        "pending": 0,
        "incomplete": 0,
        "files": {"stored": 0, "pending": 0, "gone": 0, "refused": 0, "skipped": 0, "bytes": 0},
    }
    assert len(services) == 1
    assert services[0]["provider"] == "chatgpt"
    assert (services[0]["last_run"], services[0]["outcome"]) == (last, "current")
    assert services[0]["session_expires"] is None
    (scope,) = services[0]["scopes"]
    assert (scope["scope"], scope["listed"], scope["stored"]) == ("main", 3, 3)


def test_a_run_that_holds_the_lock_is_running_and_any_other_was_killed(tmp_path: Path) -> None:
    """By the lock alone, which the system frees whatever ends a process; and a look at it shuts no run out."""
    path = tmp_path / "chats.db"
    with Writer(path) as writer:
        add(writer.conn, "sync_runs", started_at=at(1), command="sync", provider="chatgpt")
        code, shown, err = run(tmp_path, "chatmirror", "status")
        assert (code, "A sync is running now." in err) == (5, True), err
        assert re.search(r"last run .*: still running\n", shown)
    code, shown, err = run(tmp_path, "chatmirror", "status")
    assert (code, "Run `chatmirror sync`." in err) == (5, True), err
    assert re.search(r"last run .*: killed\n", shown)
    looking = FileLock(f"{path}.lock", mode=0o600, thread_local=False)
    with looking:
        Timer(0.05, looking.release).start()
        with Writer(path):  # raises BusyError where the look shuts it out
            pass


def test_imported_chats_alone_are_no_alarm_until_somebody_signs_in(tmp_path: Path) -> None:
    """Who never signs in wants no sync; one that was meant and never began, as from a wrong cron line, is found."""
    with closing(open_mirror(tmp_path / "chats.db")) as conn:
        add_conversation(conn, "c1", "Imported")
        add_run(conn, 1, command="import", provider=None)
        make_incomplete(conn, "c1", "its tools are missing")
    code, found, err = read_status(tmp_path)
    assert (code, err, found["fresh"], found["imported_only"]) == (0, "", True, True)
    assert found["last_success"] is None
    shown = run(tmp_path, "chatmirror", "status")[1]
    assert "last sync     never" in shown
    assert shown.endswith("\nNothing is wrong.\n")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "login.json").write_text("{}")
    code, found, err = read_status(tmp_path)
    assert (code, found["fresh"], found["last_success"]) == (5, False, None)
    assert "imported" in err


def test_what_is_not_mirrored_is_named(tmp_path: Path) -> None:
    """In one line, and for a script; it makes nothing less fresh."""
    mirror_of_three(tmp_path).close()
    _, found, _ = read_status(tmp_path)
    code, out, _ = run(tmp_path, "chatmirror", "status")
    (line,) = [line for line in out.splitlines() if line.startswith("not mirrored")]
    assert code == 0
    assert line.split("  ", 1)[1] == "; ".join(found["services"][0]["not_mirrored"])
    assert "Codex tasks" in line
    assert out.endswith("\nThe mirror is current.\n")


def test_what_is_pending_makes_it_not_fresh(tmp_path: Path) -> None:
    with closing(mirror_of_three(tmp_path)) as conn:
        list_as_stored(conn, "c4", title="Unread", stored_us=None, error="HTTP 500")
    code, found, err = read_status(tmp_path)
    assert (code, found["exit_code"], found["fresh"], found["pending"]) == (3, 3, False, 1)
    assert "1 conversation is not saved yet" in err
    assert found["message"] in err


def test_what_cannot_be_had_is_counted_and_named_and_is_no_failure(tmp_path: Path) -> None:
    """The service gives only a branch of it: the mirror is as current as it can be, and says what it lacks."""
    with closing(mirror_of_three(tmp_path)) as conn:
        make_incomplete(conn, "c2", BRANCH_ONLY)
        conn.execute("UPDATE _listed SET is_branch_only = 1 WHERE conversation_id = 'c2'")
    code, found, err = read_status(tmp_path)
    assert (code, err, found["fresh"], found["incomplete"]) == (0, "", True, 1)
    code, out, err = run(tmp_path, "chatmirror", "status")
    assert (code, err) == (0, "")
    assert "1 conversation is stored only in part" in out
    assert f"“Chat c2” c2: {BRANCH_ONLY}" in out


def test_a_listed_conversation_that_is_known_to_be_cut_is_not_fresh(tmp_path: Path) -> None:
    """Although its list time was stored: the program has seen that something is lacking."""
    with closing(mirror_of_three(tmp_path)) as conn:
        make_incomplete(conn, "c2", "its beginning is missing")
    code, found, err = read_status(tmp_path)
    assert (code, found["fresh"], found["pending"], found["incomplete"]) == (3, False, 0, 1)
    assert "stored only in part" in err


@pytest.mark.parametrize("column", ["deleted_at", "missing_since"])
def test_what_the_service_no_longer_shows_cannot_be_completed(tmp_path: Path, column: str) -> None:
    with closing(mirror_of_three(tmp_path)) as conn:
        make_incomplete(conn, "c2", "its beginning is missing")
        conn.execute(f"UPDATE conversations SET {column} = ? WHERE id = 'c2'", (at(1),))
    code, found, _ = read_status(tmp_path)
    assert (code, found["fresh"], found["incomplete"]) == (0, True, 1)


def test_only_the_first_incomplete_ones_are_named(tmp_path: Path) -> None:
    """A screenful; those still to be read stand under what is to do, once."""
    with closing(mirror_of_three(tmp_path)) as conn:
        for n in range(12):
            add_conversation(conn, f"d{n:02}", f"Import {n:02}", is_complete=0, incomplete_reason="its end is missing")
        make_incomplete(conn, "c1", "HTTP 500")
        conn.execute("UPDATE _listed SET stored_us = NULL, error = 'HTTP 500' WHERE conversation_id = 'c1'")
    code, out, _ = run(tmp_path, "chatmirror", "status")
    assert code == 3
    assert "13 conversations are stored only in part, 1 of them still to be read" in out
    assert out.count("its end is missing") == 10
    assert "and 2 more" in out
    assert out.count(" c1") == 1


def test_a_list_that_was_not_believed_is_not_fresh_before_the_next_success(tmp_path: Path) -> None:
    """The lists shrank after the last success: what the program saw outranks how young that success is."""
    with closing(mirror_of_three(tmp_path)) as conn:
        add_run(conn, 1, "safety stop", 7, message="far fewer chats were listed than before.")
        add_run(conn, 0.5, "service error", 5, message="The service cannot be reached.")
    code, found, err = read_status(tmp_path)
    assert (code, found["fresh"]) == (7, False)
    assert err.count("far fewer chats were listed than before.") == 1
    with closing(open_mirror(tmp_path / "chats.db")) as conn:
        add_run(conn, 0.1)
    assert read_status(tmp_path)[0] == 0


def test_json_and_a_comparison_do_not_go_together(tmp_path: Path) -> None:
    mirror_of_three(tmp_path).close()
    code, out, err = run(tmp_path, "chatmirror", "status", "--json", "--against", "export.zip")
    assert (code, out) == (2, "")
    assert "--against" in err


def test_an_untrusted_sentence_is_safe_in_json(tmp_path: Path) -> None:
    """A message of the service with an escape sequence is an escape in the object, and still the same text."""
    with closing(mirror_of_three(tmp_path)) as conn:
        add_run(conn, 1, "service error", 5, message="\x1b[31mred")
    code, out, _ = run(tmp_path, "chatmirror", "status", "--json")
    assert code == 0
    assert "\x1b" not in out
    assert json.loads(out)["services"][0]["outcome"] == "service error"


def add_other_service(conn: sqlite3.Connection) -> None:
    add(conn, "accounts", id="b1", structure="personal", provider="parrot")
    add_conversation(conn, "p1", "Seeds", provider="parrot", account_id="b1")


def test_the_worst_of_several_services_decides(tmp_path: Path) -> None:
    """One service is current and the other one refused the login: not fresh, and it is said which one."""
    with closing(mirror_of_three(tmp_path)) as conn:
        add_other_service(conn)
        add_run(conn, 100, provider="parrot")
        add_run(conn, 1, "sign-in needed", 4, provider="parrot", message="The cookie was refused.")
    code, found, err = read_status(tmp_path)
    assert (code, found["fresh"], found["conversations"]) == (4, False, 4)
    assert [(one["provider"], one["fresh"]) for one in found["services"]] == [("chatgpt", True), ("parrot", False)]
    assert "parrot: The last successful sync is 4 days old" in err
    assert "ChatGPT" not in err
    assert found["last_success"] == found["services"][1]["last_success"]
    out = run(tmp_path, "chatmirror", "status")[1]
    assert "\nChatGPT\n" in out
    assert "\nparrot\n" in out


def test_each_of_several_failing_services_is_named(tmp_path: Path) -> None:
    """One line on stderr, with the graver one first."""
    with closing(mirror_of_three(tmp_path)) as conn:
        add_other_service(conn)
        list_as_stored(conn, "c4", title="Unread", stored_us=None)
    code, found, err = read_status(tmp_path)
    assert (code, found["last_success"]) == (5, None)
    assert err.index("parrot: There has been no sync yet") < err.index("ChatGPT: 1 conversation is not saved yet")
    assert err.count("\n") == 1


def test_an_empty_mirror(tmp_path: Path) -> None:
    open_mirror(tmp_path / "chats.db").close()
    code, found, err = read_status(tmp_path)
    assert (code, found["conversations"], len(found["services"])) == (5, 0, 1)
    assert "There has been no sync yet" in err
