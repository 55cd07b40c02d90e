"""Login, limits, breakage and interruption: the exit code, the sentence, and what the next run does."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from itertools import count

import pytest
from mirrored_service import DAY, MirroredService, QuietReport, content, differences, findings, on_request

from mirror import app, connectors
from mirror.chatgpt.login import LOGIN_FORM, SESSION_COOKIE
from mirror.credentials.login import Login
from mirror.credentials.pasted import parse_login
from mirror.credentials.stored import save_login
from mirror.errors import SignInError
from mirror.simulator import Behaviour, ManualClock, SimulatedWorkspace, generated_account
from mirror.web.client import CHALLENGE_TRIES


def message(mirrored):
    return mirrored.value("SELECT message FROM sync_runs ORDER BY id DESC")


def log_in(mirrored, header):
    """Store a login in the config folder instead of the environment."""
    mirrored.environ.pop("CHATGPT_SESSION_TOKEN", None)
    return save_login(parse_login(header, LOGIN_FORM), mirrored.environ, LOGIN_FORM)


# -- login


def test_a_renewed_login_that_cannot_be_stored_ends_no_run(tmp_path):
    """Everything is mirrored with it, the line says that the older one stays, and so does the file."""
    with MirroredService(tmp_path) as mirrored:
        path = log_in(mirrored, f"__Secure-next-auth.session-token={mirrored.service.session_cookie}")
        before = path.read_bytes()
        (path.parent / ".login.lock").unlink(missing_ok=True)
        (path.parent / ".login.lock").mkdir()  # so that it cannot be written by whoever runs the tests
        assert mirrored.next_run() == 8
        assert differences(mirrored) == []
        assert message(mirrored).startswith("Cannot store the login in ")
        assert "It was renewed, and the run went on with that" in message(mirrored)
        assert path.read_bytes() == before
        mirrored.behaviour.poisoned = frozenset(mirrored.ids()[:1])
        mirrored.person.new_message(mirrored.ids()[0])
        assert mirrored.next_run() == 3  # what else is wrong comes first
        assert "could not be saved" in message(mirrored)
        assert "Cannot store the login in " in message(mirrored)
        mirrored.behaviour.poisoned = frozenset()
        (path.parent / ".login.lock").rmdir()
        assert mirrored.next_run() == 0
        assert path.read_bytes() != before


@pytest.mark.parametrize(
    ("session", "words"),
    [
        ("empty", "chatmirror auth"),
        ("banner", "chatmirror auth"),
        ("refresh_error", "expired"),
        ("stale_token", "Open https://chatgpt.com"),
    ],
)
def test_every_way_in_which_a_login_ends(tmp_path, session, words):
    """Exit 4 with the exact step, nothing marked; after a new login the next run needs nothing else."""
    with MirroredService(tmp_path) as mirrored:
        mirrored.next_run()
        before = content(mirrored)
        mirrored.behaviour.session = session
        assert mirrored.next_run() == 4
        assert words in message(mirrored)
        assert {k: v for k, v in content(mirrored).items() if k != "changes"} == {
            k: v for k, v in before.items() if k != "changes"
        }
        mirrored.behaviour.session = "normal"
        assert mirrored.next_run() == 0


def test_a_bearer_that_expires_in_mid_run_is_renewed(tmp_path):
    """Every few requests the token dies; each time it is renewed once, and nothing is lost."""
    with MirroredService(tmp_path, behaviour=Behaviour(token_requests=3), conversations=60) as mirrored:
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []
        assert len(mirrored.asked("/api/auth/session")) > 2


def test_a_service_that_refuses_every_token_is_not_asked_for_ever(tmp_path):
    """A loop of refusals ends after one renewal."""
    with MirroredService(tmp_path, behaviour=Behaviour(token_requests=0)) as mirrored:
        assert mirrored.next_run() == 4
        assert len(mirrored.asked("/api/auth/session")) == 2
        assert len(mirrored.service.requests) < 6


def test_a_session_that_turns_into_somebody_elses_stops_the_run(tmp_path):
    """A renewal that belongs to another account: exit 7, and no row of theirs."""
    with MirroredService(tmp_path, behaviour=Behaviour(token_requests=6, other_account_from=2)) as mirrored:
        assert mirrored.next_run() == 7
        assert "another account" in message(mirrored)


def test_a_database_takes_one_account_only(tmp_path):
    """Another person's login is refused before any content row is written."""
    with MirroredService(tmp_path) as mirrored:
        mirrored.next_run()
        before = content(mirrored)
        mirrored.account.user_id = "user-Other"
        assert mirrored.next_run() == 7
        assert "belongs to another account" in message(mirrored)
        assert content(mirrored) == before


@pytest.mark.parametrize(
    ("lost", "lists_workspaces", "shares_a_team"),
    [
        ("_settings", True, False),
        ("_settings", True, True),
        ("_settings", False, False),
        ("_settings, accounts", True, True),
        ("_settings, _listed, _scopes", True, True),
    ],
)
def test_a_mirror_without_its_owner_takes_no_other_login(tmp_path, lost, lists_workspaces, shares_a_team):
    """Somebody deleted rows of bookkeeping: another login is still refused, and the right one goes on."""
    with MirroredService(tmp_path, conversations=4, over_http=False) as mirrored:
        team = SimulatedWorkspace("ws-team", "The Team", "workspace", "team")
        mirrored.account.workspaces.append(team)
        mirrored.person.new_conversation("Team talk", workspace="ws-team")
        mirrored.next_run()
        mirrored.behaviour.has_workspaces_endpoint = lists_workspaces

        def lose() -> None:
            with closing(sqlite3.connect(mirrored.path)) as conn, conn:
                for table in lost.split(", "):
                    conn.execute(f"DELETE FROM {table}")

        lose()
        before = content(mirrored)
        right = mirrored.account.user_id, [*mirrored.account.workspaces]
        mirrored.account.user_id = "user-Other"
        other = replace(mirrored.account.workspaces[0], id="ws-other")
        mirrored.account.workspaces[:] = [other, team] if shares_a_team else [other]
        assert mirrored.next_run() == 7
        assert "belongs to another account" in message(mirrored)
        assert content(mirrored) == before
        mirrored.account.user_id, mirrored.account.workspaces[:] = right
        mirrored.behaviour.has_workspaces_endpoint = True
        assert mirrored.next_run() == 0


@pytest.mark.parametrize("chunks", [1, 2, 3])
def test_a_rotated_cookie_is_stored_back(tmp_path, chunks):
    """A stored login follows the service's rotation, also into another number of parts, and stays 0600."""
    with MirroredService(tmp_path, behaviour=Behaviour(rotate_chunks=chunks)) as mirrored:
        path = log_in(mirrored, mirrored.service.cookie_header(2))
        assert mirrored.next_run() == 0
        cookies = json.loads(path.read_text())["cookies"]
        assert "".join(v for k, v in sorted(cookies.items()) if "session-token" in k) == mirrored.service.session_cookie
        assert sum("session-token" in name for name in cookies) == chunks
        assert path.stat().st_mode & 0o777 == 0o600
        mirrored.service.sessions.cookies = {mirrored.service.session_cookie}
        assert mirrored.next_run() == 0


def test_a_login_from_the_environment_is_never_written(tmp_path):
    """Nothing of CHATGPT_SESSION_TOKEN reaches the disk, rotated or not."""
    with MirroredService(tmp_path, behaviour=Behaviour(rotate_chunks=2)) as mirrored:
        mirrored.next_run()
        assert not (tmp_path / "config").exists()


def test_the_persons_own_browser_is_sent_as_given(tmp_path):
    """User-Agent and cookies of a pasted cURL line travel as they are; the account header comes from the workspace."""
    with MirroredService(tmp_path) as mirrored:
        cookies = f"{mirrored.service.cookie_header(2)}; cf_clearance=abc; oai-did=dev"
        curl = f"curl 'https://chatgpt.com/x' -H 'user-agent: My/1.0' -b '{cookies}'"
        log_in(mirrored, curl)
        assert mirrored.next_run() == 0
        seen = [request.headers for request in mirrored.service.requests]
    assert {headers["user-agent"] for headers in seen} == {"My/1.0"}
    assert all("cf_clearance=abc" in headers["cookie"] for headers in seen)
    assert {headers.get("oai-device-id") for headers in seen} == {"dev"}


def test_no_secret_is_in_the_database_or_in_a_narration(tmp_path, caplog):
    """Cookie and bearer stand in no file of the mirror and in no line of -v or of a log."""
    caplog.set_level("DEBUG")
    with MirroredService(tmp_path) as mirrored:
        mirrored.next_run()
        secrets = [mirrored.service.session_cookie, *mirrored.service.sessions.bearers]
        assert "/backend-api/conversations" in caplog.text
        told = "\n".join([*mirrored.notes, caplog.text]).encode()
        for file in tmp_path.iterdir():
            if file.is_file():
                told += file.read_bytes()
        assert not any(secret.encode() in told for secret in secrets)


def test_a_tried_login_says_whose_it_is(tmp_path):
    """Auth tries the login and learns name, end and workspaces."""
    with MirroredService(tmp_path) as mirrored:
        login = parse_login(mirrored.service.session_cookie, LOGIN_FORM)
        identity = connectors.try_login(login, mirrored.environ, mirrored.timing())
        assert (identity.user_id, identity.name) == (mirrored.account.user_id, mirrored.account.user_name)
        assert identity.expires is not None
        with pytest.raises(SignInError):
            connectors.try_login(Login({SESSION_COOKIE: "wrong"}), mirrored.environ, mirrored.timing())


# -- limits


def test_a_first_fill_under_the_limit_is_spread_over_runs(tmp_path):
    """Newest first, a budget learned from the refusals, an honest forecast, and no refusal in later runs."""
    behaviour = Behaviour(batch="missing", plural="missing", bucket=30)
    with MirroredService(tmp_path, behaviour=behaviour, conversations=100) as mirrored:
        assert mirrored.next_run() == 6
        first = mirrored.value("SELECT count(*) FROM conversations")
        assert 28 <= first <= 33
        assert "left" in message(mirrored)
        assert "more runs at this pace" in message(mirrored)
        newest = {row[0] for row in mirrored.rows("SELECT id FROM conversations")}
        assert newest == set(mirrored.ids()[:first])
        codes, refusals = [], 0
        for _ in range(5):
            codes.append(mirrored.next_run())
            refusals += sum(request.status == 429 for request in mirrored.service.requests)
        assert codes[-1] == 0
        assert refusals <= 1
        assert differences(mirrored) == []


def test_with_the_batch_endpoint_the_limit_is_never_met(tmp_path):
    """The same account in one go where batches answer."""
    with MirroredService(tmp_path, behaviour=Behaviour(bucket=5), conversations=100) as mirrored:
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []


def test_the_account_lock_ends_the_run_at_once(tmp_path):
    """After its words not one more request is sent."""
    behaviour = Behaviour(batch="missing", plural="missing", bucket=3, locks_out=True)
    with MirroredService(tmp_path, behaviour=behaviour) as mirrored:
        assert mirrored.next_run() == 6
        assert "limited access" in message(mirrored)
        assert len(mirrored.asked("")) == len(mirrored.service.requests)
        assert sum("/conversation/" in r.path for r in mirrored.service.requests) == 4


def test_a_short_limit_on_lists_is_waited_for(tmp_path):
    """A few 429 on the list cost a pause, not the run."""
    with MirroredService(tmp_path, behaviour=Behaviour(list_limited=2)) as mirrored:
        assert mirrored.next_run() == 0
        assert mirrored.value("SELECT waits FROM sync_runs") > 20


def test_a_limited_night_keeps_no_list_unread_while_much_is_to_be_read(tmp_path):
    """Reads of what is known come first once; they meet their limit, and the lists are read in each night after."""
    behaviour = Behaviour(batch="missing", plural="missing", bucket=8, refill_per_minute=0.01)
    with MirroredService(tmp_path, behaviour=behaviour, conversations=60, over_http=False) as mirrored:
        assert mirrored.next_run() == 6
        mirrored.behaviour.list_limited = 50
        assert mirrored.next_run() == 6
        mirrored.behaviour.list_limited = 0
        for n in range(3):
            new = mirrored.person.new_conversation(f"New {n}")
            assert mirrored.next_run() == 6
            assert mirrored.value("SELECT count(*) FROM _listed WHERE conversation_id = ?", new) == 1
        assert mirrored.value("SELECT count(*) FROM _listed WHERE stored_us IS NULL") > 20


def test_a_long_retry_after_ends_the_run_politely(tmp_path):
    """Asked to wait a day, the run stops with exit 6 and sends nothing more."""
    with MirroredService(tmp_path, behaviour=Behaviour(list_limited=1, retry_after="86400")) as mirrored:
        assert mirrored.next_run() == 6
        assert len(mirrored.asked("/conversations")) == 1


# -- the way in between


@pytest.mark.parametrize(
    "how",
    ["reset", "short", "half_gzip", "html_502", "error_500", "error_503", "garbage", "challenge", "html_200", "429"],
)
def test_a_breakage_now_and_then_costs_nothing(tmp_path, how):
    """Every fourth request breaks in one way: the run is complete all the same."""
    behaviour = Behaviour(break_request=lambda request: how if request.number % 4 == 3 else None)
    with MirroredService(tmp_path, behaviour=behaviour, conversations=40) as mirrored:
        assert mirrored.next_run() in ({0} if how != "429" else {0, 6})
        if how != "429":
            assert differences(mirrored) == []
        assert findings(mirrored) == []


@pytest.mark.parametrize(
    ("how", "code"), [("reset", 5), ("html_502", 5), ("challenge", 5), ("html_200", 5), ("half_gzip", 5), ("429", 6)]
)
def test_a_service_that_only_breaks_is_named(tmp_path, how, code):
    """Nothing but breakage: a bounded number of tries, the right exit code, and the old mirror as it was."""
    with MirroredService(tmp_path) as mirrored:
        mirrored.next_run()
        before = content(mirrored)
        mirrored.behaviour.break_request = lambda request: how
        assert mirrored.next_run() == code
        assert len(mirrored.service.requests) <= 6
        assert content(mirrored) == before


def test_a_challenge_is_told_from_a_refusal(tmp_path):
    """A browser check is not a lost login, and is tried again on fresh connections first."""
    with MirroredService(tmp_path, behaviour=Behaviour(challenge_probability=1.0)) as mirrored:
        assert mirrored.next_run() == 5
        assert "browser check" in message(mirrored)
        mirrored.behaviour.challenge_probability = 0.3
        assert [mirrored.next_run() for _ in range(3)][-1] == 0


@pytest.mark.parametrize("kind", ["marked", "unmarked"])
def test_after_a_browser_check_nothing_more_is_asked(tmp_path, kind):
    """Wherever it begins: two requests show it, or three addresses where it is not marked; what was read is kept."""
    account = generated_account(ManualClock(), 30, 4)
    account.workspaces.append(SimulatedWorkspace("ws-team", "The Team", "workspace", "team"))
    with MirroredService(tmp_path, account, verify=True, over_http=False) as mirrored:
        person = mirrored.person
        ours = [person.new_conversation(f"Talk {n}", workspace="ws-team") for n in range(6)]
        in_project = person.new_conversation("Loaf", project=person.new_project("Bread"))
        assert mirrored.next_run() == 0
        how = {"marked": "challenge", "unmarked": "html_200"}[kind]
        for start in range(3, 60, {"marked": 2, "unmarked": 7}[kind]):
            for key in (ours[0], in_project, mirrored.ids()[start % 9]):
                person.new_message(key)
            person.delete(mirrored.ids()[10])
            mirrored.behaviour.break_request = lambda request, start=start: how if request.number >= start else None
            code = mirrored.next_run(full=True)
            blocked = [request for request in mirrored.service.requests if request.number >= start]
            mirrored.behaviour.break_request = None
            if not blocked:
                break
            assert code == 5
            assert message(mirrored).startswith("ChatGPT shows a browser check instead of answers")
            assert len({request.path for request in blocked}) <= 3
            assert len(blocked) <= 2 * CHALLENGE_TRIES or kind == "unmarked"
            assert findings(mirrored) == []
            assert mirrored.next_run() == 0
        assert start > 15
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []


def test_a_redirect_stops_the_run(tmp_path):
    """Sent elsewhere, nothing goes there."""
    with MirroredService(tmp_path, behaviour=Behaviour(redirect_to="https://example.org/take")) as mirrored:
        assert mirrored.next_run() == 7
        assert "example.org" in message(mirrored)


def test_a_run_that_is_killed_at_any_request_is_caught_up(tmp_path):
    """Stopped before every single request in turn: whole rows only, and the next run completes."""
    for stop_at in range(1, 17):
        folder = tmp_path / str(stop_at)
        folder.mkdir()
        with MirroredService(folder, conversations=33) as mirrored:
            mirrored.person.regenerate(mirrored.ids()[2])
            with pytest.raises(KeyboardInterrupt), on_request(StopAt(stop_at)):
                app.sync(mirrored.path, mirrored.environ, mirrored.timing(), QuietReport())
            assert mirrored.value("SELECT exit_code FROM sync_runs ORDER BY id DESC") == 130
            assert findings(mirrored) == []
            assert mirrored.next_run() == 0
            assert differences(mirrored) == []


class StopAt:
    """Ctrl-C after so many requests."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __call__(self, line: str) -> None:
        self.count -= 1
        if self.count == 0:
            raise KeyboardInterrupt


def is_read(request):
    return not request.path.endswith("/conversations")


def test_changes_below_an_interruption_are_not_skipped(tmp_path):
    """The trap of the early stop: newer chats stored by a broken run do not hide older changed ones."""
    with MirroredService(tmp_path, conversations=250) as mirrored:
        mirrored.next_run()
        changed = [*mirrored.ids()[:3], *mirrored.ids()[140:143]]
        for key in changed:
            mirrored.person.new_message(key)
        for key in mirrored.ids()[5:120]:
            mirrored.clock.advance(1)
            mirrored.person.new_message(key)
        reads = count(1)
        mirrored.behaviour.break_request = lambda request: (
            "reset" if "/backend-api/conversation" in request.path and is_read(request) and next(reads) > 2 else None
        )
        assert mirrored.next_run() == 5
        mirrored.behaviour.break_request = None
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []


def test_thirty_days_without_a_run_are_caught_up_in_one(tmp_path):
    """After a month without a run, one run fetches everything."""
    with MirroredService(tmp_path, conversations=30) as mirrored:
        mirrored.next_run()
        for n in range(30):
            mirrored.clock.advance(DAY)
            mirrored.person.new_message(mirrored.ids()[n])
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []


@pytest.mark.parametrize("locks_out", [True, False])
def test_a_limit_met_in_one_workspace_ends_the_run_for_all(tmp_path, locks_out):
    """After the refusal nothing more is requested, in no workspace; the next runs fetch what is left."""
    clock = ManualClock()
    account = generated_account(clock, 12, 4)
    account.workspaces.append(SimulatedWorkspace("ws-team", "Team", "workspace", "team"))
    behaviour = Behaviour(batch="missing", plural="missing", bucket=5, locks_out=locks_out)
    with MirroredService(tmp_path, account, behaviour) as mirrored:
        mirrored.person.new_conversation("Team talk", workspace="ws-team")
        assert mirrored.next_run() == 6
        assert "/conversation/" in mirrored.service.requests[-1].path
        codes = [mirrored.next_run() for _ in range(4)]
        assert codes[-1] == 0
        assert differences(mirrored) == []
