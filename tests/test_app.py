"""Whole jobs: which service they speak to, and the row that each leaves."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from mirrored_service import QuietReport
from second_service import parrot

from mirror import app, connectors
from mirror.chatgpt.login import LOGIN_FORM
from mirror.credentials.login import Login
from mirror.errors import DamagedError, SignInError, UsageError
from mirror.normalize import NORMALIZERS
from mirror.services import SERVICES
from mirror.store import runs
from mirror.store.database import Writer
from mirror.timing import Timing

if TYPE_CHECKING:
    from pathlib import Path


def last_run(path: Path, command: str) -> sqlite3.Row:
    with Writer(path) as writer:
        row = runs.last(writer.conn, command)
    assert row is not None
    return row


@pytest.mark.leaves_damage("of a service that only this test knows")
def test_a_second_service_is_one_more_connector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sync of another provider uses that provider's login and source, and records whose run it was."""
    service = parrot.Parrot({"t1": parrot.talk("t1", "Seeds", "Which seeds?", "Millet.")})
    seen: list[Login] = []

    def connected(_client: object, login: Login, *_: object) -> parrot.Parrot:
        seen.append(login)
        return service

    monkeypatch.setitem(SERVICES, parrot.PROVIDER, parrot.SERVICE)
    monkeypatch.setitem(NORMALIZERS, parrot.PROVIDER, parrot.NORMALIZER)
    monkeypatch.setitem(
        connectors.CONNECTORS, parrot.PROVIDER, connectors.Connector(LOGIN_FORM, lambda: parrot.SITE, connected)
    )
    path = tmp_path / "chats.db"
    environ = {LOGIN_FORM.variable: "the-session"}
    outcome = app.sync(path, environ, Timing(), QuietReport(), provider=parrot.PROVIDER)
    assert outcome.error is None
    assert outcome.counts.new == 1
    assert [list(login.cookies.values()) for login in seen] == [["the-session"]]
    assert last_run(path, "sync")["provider"] == parrot.PROVIDER


def test_a_run_that_cannot_start_makes_no_database(tmp_path: Path) -> None:
    """No login, or an address that is none: neither a database nor a lock file."""
    path = tmp_path / "chats.db"
    with pytest.raises(SignInError):
        app.sync(path, {"CHATMIRROR_CONFIG_DIR": str(tmp_path / "config")}, Timing(), QuietReport())
    assert list(tmp_path.iterdir()) == []


def test_a_bug_is_recorded_by_its_place_not_its_words(tmp_path: Path) -> None:
    """The row can be read by whoever reads the mirror's status: no exception's own text."""
    path = tmp_path / "chats.db"
    with pytest.raises(KeyError), Writer(path) as writer, app.recorded(writer, "sync", Timing()):
        raise KeyError("canary")
    row = last_run(path, "sync")
    assert (row["outcome"], row["exit_code"]) == ("bug", 1)
    assert "KeyError in test_app.py" in row["message"]
    assert "canary" not in row["message"]


def test_damage_that_sqlite_reports_in_the_middle_of_a_run_is_recorded_as_damage(tmp_path: Path) -> None:
    path = tmp_path / "chats.db"
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    with pytest.raises(DamagedError), Writer(path) as writer, app.recorded(writer, "sync", Timing()):
        raise error
    row = last_run(path, "sync")
    assert (row["outcome"], row["exit_code"]) == ("damaged", 9)


def test_a_run_that_ends_well_is_current_also_while_another_error_is_handled(tmp_path: Path) -> None:
    """The row speaks of its own run, whatever its caller is dealing with."""
    path = tmp_path / "chats.db"
    try:
        int("no number")
    except ValueError:
        with Writer(path) as writer, app.recorded(writer, "rebuild", Timing()):
            pass
    assert last_run(path, "rebuild")["outcome"] == "current"


@pytest.mark.parametrize(("address", "scale"), [("http://127.0.0.1:9", 0.0), ("https://chatgpt.com", 1.0), (None, 1.0)])
def test_waits_are_shortened_for_a_loopback_address_only(address: str | None, scale: float) -> None:
    """A service on the network is never asked faster than politeness allows."""
    timing = Timing()
    environ = {"CHATMIRROR_WAIT_SCALE": "0", **({"CHATMIRROR_BASE_URL": address} if address else {})}
    connectors.connect(Login({}), environ, timing, connectors.DEFAULT_PROVIDER)
    assert timing.scale == scale


@pytest.mark.parametrize("text", ["abc", "-1", "nan", "inf", "0,5", " "])
@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "https://chatgpt.com"])
def test_a_scale_of_waits_that_is_no_number_is_refused(address: str, text: str) -> None:
    """Who mistypes it would wait in full, or not at all, and not know why."""
    environ = {"CHATMIRROR_WAIT_SCALE": text, "CHATMIRROR_BASE_URL": address}
    with pytest.raises(UsageError, match="CHATMIRROR_WAIT_SCALE must be a number"):
        connectors.connect(Login({}), environ, Timing(), connectors.DEFAULT_PROVIDER)
