"""The login as people paste it, and at rest."""

from __future__ import annotations

import json
import os
import socket
import stat
from typing import TYPE_CHECKING, Any

import pytest
from filelock import FileLock

from mirror.chatgpt.login import LOGIN_FORM, PART_LENGTH, SESSION_COOKIE, is_session_cookie, session_cookies
from mirror.credentials.login import Login
from mirror.credentials.pasted import parse_login
from mirror.credentials.stored import load_login, save_login
from mirror.errors import SignInError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LONG = "e" * (PART_LENGTH * 2 + 17)


def parse(pasted: str) -> Login:
    return parse_login(pasted, LOGIN_FORM)


def load(environ: Mapping[str, str]) -> Login:
    return load_login(environ, LOGIN_FORM)


def save(login: Login, environ: Mapping[str, str]) -> Path:
    return save_login(login, environ, LOGIN_FORM)


def test_a_bare_value_is_the_cookie() -> None:
    """The value copied from the developer tools is enough; a line end round it does not matter."""
    assert parse("  abc.def \n").cookies == {SESSION_COOKIE: "abc.def"}


def test_a_long_value_is_sent_in_the_services_own_parts() -> None:
    """A joined value is cut where the service would cut it."""
    cookies = parse(LONG).cookies
    assert list(cookies) == [f"{SESSION_COOKIE}.{n}" for n in range(3)]
    assert "".join(cookies.values()) == LONG


def test_parts_pasted_on_two_lines_are_joined() -> None:
    """The two values pasted one after the other make one cookie."""
    first, second = LONG[:PART_LENGTH], LONG[PART_LENGTH : PART_LENGTH + 50]
    assert "".join(parse(f"{first}\n{second}\n").cookies.values()) == first + second


@pytest.mark.parametrize(
    "pasted",
    [
        f"{SESSION_COOKIE}.0=aa; {SESSION_COOKIE}.1=bb; oai-did=11",
        f"Cookie: oai-did=11; {SESSION_COOKIE}.1=bb; {SESSION_COOKIE}.0=aa",
        f"{SESSION_COOKIE}.0\taa\n{SESSION_COOKIE}.1\tbb\noai-did\t11",
    ],
)
def test_named_parts_keep_their_names(pasted: str) -> None:
    """Split cookies are taken in every form in which a browser shows them."""
    cookies = parse(pasted).cookies
    assert cookies[f"{SESSION_COOKIE}.0"] == "aa"
    assert cookies[f"{SESSION_COOKIE}.1"] == "bb"
    assert cookies["oai-did"] == "11"


def test_a_stale_whole_cookie_gives_way_to_its_parts() -> None:
    """Where both stand, the parts are the living ones."""
    assert SESSION_COOKIE not in parse(f"{SESSION_COOKIE}=old; {SESSION_COOKIE}.0=aa; {SESSION_COOKIE}.1=bb").cookies


def test_a_missing_part_is_said() -> None:
    """Half a cookie is refused, with the reason."""
    with pytest.raises(UsageError, match="missing"):
        parse(f"{SESSION_COOKIE}.1=bb")


def test_a_curl_line_gives_cookies_agent_and_workspace_only() -> None:
    """Of a "Copy as cURL" line nothing else is kept."""
    login = parse(
        "curl 'https://chatgpt.com/backend-api/me' \\\n"
        "  -H 'accept: */*' -H 'authorization: Bearer SECRET' \\\n"
        f"  -b '{SESSION_COOKIE}.0=aa; {SESSION_COOKIE}.1=bb; _account=ws-1; cf_clearance=zz' \\\n"
        "  -H 'user-agent: Mozilla/5.0 (Test)' -H 'oai-language: de' --compressed"
    )
    assert login.user_agent == "Mozilla/5.0 (Test)"
    assert login.account_id == "ws-1"
    assert login.cookies["cf_clearance"] == "zz"
    assert "SECRET" not in repr(vars_of(login))


def vars_of(login: Login) -> dict[str, Any]:
    return {name: getattr(login, name) for name in Login.__dataclass_fields__}


@pytest.mark.parametrize(
    "pasted",
    [
        "",
        '"',
        "{}",
        "curl",
        "ada@example.org",
        "two words here?\x00",
        '{"accessToken": "x"}',
        "curl 'https://x' -H 'open",
        "a=b; c=d",
    ],
)
def test_nonsense_is_refused_with_the_way_to_the_cookie(pasted: str) -> None:
    """What holds no session cookie is refused with a sentence."""
    with pytest.raises(UsageError):
        parse(pasted)


FULL, END = "e" * PART_LENGTH, "f" * 50
CURL = f"curl 'https://chatgpt.com/' -b '{SESSION_COOKIE}=aa; a=b'"


@pytest.mark.parametrize(
    ("pasted", "value"),
    [
        (f'"{END}"', END),
        (f"'{END}',", END),
        (f"\u201c{END}\u201d", END),
        (f"{FULL}\n\n\n{END}\n", FULL + END),
        (f"{END}\n{FULL}", FULL + END),
        (f'"{FULL}"\r\n"{END}"\r\n', FULL + END),
        ("\n".join([FULL[:80]] * 3 + [END]), FULL[:240] + END),
        (f'"{SESSION_COOKIE}={END}"', END),
        (f'{SESSION_COOKIE}: "{END}"', END),
        (f'{SESSION_COOKIE}.0:"{FULL}"\n{SESSION_COOKIE}.1:"{END}"', FULL + END),
        (f"#HttpOnly_.chatgpt.com\tTRUE\t/\tTRUE\t1790000000\t{SESSION_COOKIE}\t{END}\n", END),
        (json.dumps([{"name": SESSION_COOKIE, "value": END, "httpOnly": True}]), END),
        (json.dumps({"cookies": [{"name": SESSION_COOKIE, "value": END}]}), END),
        (
            f"curl https://chatgpt.com -H $'cookie: a=it\\'s; {SESSION_COOKIE}=a\\u0021b' --data-raw $'it\\'s\\n\\n!'",
            "a!b",
        ),
        (f"curl 'https://chatgpt.com' \\\r\n -b $'{SESSION_COOKIE}=aa; b=\\x27' \\\r\n --data-raw $'\\u0021'", "aa"),
        (
            f'curl ^"https://chatgpt.com^" ^\r\n  -H ^"a: ^\\^"q^\\^"^" ^\r\n  -b ^"{SESSION_COOKIE}=a^%^2Fb; c=d^"',
            "a%2Fb",
        ),
        (f'curl "https://chatgpt.com/x" -H "x: \\"y\\"" -b "{SESSION_COOKIE}=aa"', "aa"),
    ],
)
def test_a_paste_of_any_form_is_taken(pasted: str, value: str) -> None:
    """As browsers, their extensions, mail programs and hands give it."""
    cookies = parse(pasted).cookies
    names = sorted(name for name in cookies if name.startswith(SESSION_COOKIE))
    assert "".join(cookies[name] for name in names) == value


@pytest.mark.parametrize(
    ("pasted", "said"),
    [
        (FULL, "only the beginning"),
        (FULL + "\n" + FULL, "only the beginning"),
        (f"{SESSION_COOKIE}.0={FULL}", "Only the first part"),
        ("https://chatgpt.com/c/68a1", "web address"),
        ("eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjE3fQ.c2ln", "access token"),
        ("Bearer eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjE3fQ.c2ln", "access token"),
        ("authorization: Bearer abc", "access token"),
        ('{"user": {"id": "u"}, "accessToken": "eyJ"}', "/api/auth/session"),
        ("sk-proj-abcDEF123_45", "API"),
        ("my cookie is below", "several words"),
        (SESSION_COOKIE, "cookie's name"),
        (f"{SESSION_COOKIE}=", "cookie's name"),
        ('fetch("https://chatgpt.com/backend-api/me", {', "Copy as cURL"),
        ("$session = New-Object Microsoft.PowerShell.Commands.WebRequestSession", "Copy as cURL"),
        (CURL[:-1], "cut off"),
    ],
)
def test_what_is_pasted_by_mistake_is_named(pasted: str, said: str) -> None:
    """Before the service is asked."""
    with pytest.raises(UsageError, match=said):
        parse(pasted)


def test_an_encrypted_token_is_no_access_token() -> None:
    """A session cookie begins like an access token and has five parts between dots."""
    assert parse("eyJhbGciOiJkaXIifQ..aXY.Y2lwaGVy.dGFn").cookies[SESSION_COOKIE].endswith("dGFn")


def test_an_unusable_value_in_the_environment_is_named_with_its_variable(tmp_path: Path) -> None:
    environ = {"CHATMIRROR_CONFIG_DIR": str(tmp_path), "CHATGPT_SESSION_TOKEN": "https://chatgpt.com"}
    with pytest.raises(UsageError, match="CHATGPT_SESSION_TOKEN in the environment"):
        load(environ)


def test_the_stored_login_is_private_and_comes_back(tmp_path: Path) -> None:
    """The file is 0600 in a 0700 folder whatever the umask, and holds what was given."""
    environ = {"CHATMIRROR_CONFIG_DIR": str(tmp_path / "new" / "folder")}
    before = os.umask(0)
    try:
        path = save(Login(session_cookies(LONG), "UA", "ws"), environ)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    login = load(environ)
    assert (login.cookies, login.user_agent, login.account_id, login.is_stored) == (
        session_cookies(LONG),
        "UA",
        "ws",
        True,
    )


def test_a_login_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """A file opened to others is not used before its owner has seen it."""
    environ = {"CHATMIRROR_CONFIG_DIR": str(tmp_path)}
    save(Login({SESSION_COOKIE: "x"}), environ).chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        load(environ)


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o620, 0o601, 0o666])
def test_a_login_that_others_can_use_in_any_way_is_refused(tmp_path: Path, mode: int) -> None:
    environ = {"CHATMIRROR_CONFIG_DIR": str(tmp_path)}
    save(Login({SESSION_COOKIE: "x"}), environ).chmod(mode)
    with pytest.raises(UsageError, match="chmod 600"):
        load(environ)


def test_a_login_that_others_could_exchange_is_refused(tmp_path: Path) -> None:
    """The folder's permissions count, too; in one like /tmp nobody can exchange another person's files."""
    environ = {"CHATMIRROR_CONFIG_DIR": str(tmp_path / "shared")}
    save(Login({SESSION_COOKIE: "x"}), environ)
    (tmp_path / "shared").chmod(0o777)
    with pytest.raises(UsageError, match="chmod 700"):
        load(environ)
    (tmp_path / "shared").chmod(0o1777)
    assert load(environ).cookies == {SESSION_COOKIE: "x"}


@pytest.mark.parametrize("kind", ["fifo", "folder", "socket"])
def test_a_login_that_is_no_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    """Nothing waits for somebody to write into a FIFO."""
    environ = {"CHATMIRROR_CONFIG_DIR": str(tmp_path)}
    path = tmp_path / "login.json"
    if kind == "fifo":
        os.mkfifo(path, 0o600)
    elif kind == "folder":
        path.mkdir(mode=0o700)
    else:
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(os.path.relpath(path))
    with pytest.raises((UsageError, SignInError), match="chatmirror auth"):
        load(environ)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_a_login_of_another_user_is_refused(tmp_path: Path) -> None:
    environ = {"CHATMIRROR_CONFIG_DIR": str(tmp_path)}
    os.chown(save(Login({SESSION_COOKIE: "x"}), environ), 65_534, 65_534)
    with pytest.raises(UsageError, match="another user"):
        load(environ)


def test_a_login_takes_its_place_when_it_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole or not at all: never written in place, the file synced before it has its name, the folder after."""
    environ = {"CHATMIRROR_CONFIG_DIR": str(tmp_path)}
    path = save(Login({SESSION_COOKIE: "old"}), environ)
    seen: list[str] = []
    inode = path.stat().st_ino
    monkeypatch.setattr(os, "fsync", lambda _: seen.append(f"sync, {json.loads(path.read_text())['cookies']}"))
    save(Login({SESSION_COOKIE: "new"}), environ)
    old, new = ({SESSION_COOKIE: value} for value in ("old", "new"))
    assert seen == [f"sync, {old}", f"sync, {new}"]
    assert path.stat().st_ino != inode


def test_a_login_that_a_killed_run_left_half_written_is_gone(tmp_path: Path) -> None:
    """At the next run, whether it reads or writes the login; not while another run may be writing it."""
    environ = {"CHATMIRROR_CONFIG_DIR": str(tmp_path)}
    save(Login({SESSION_COOKIE: "x"}), environ)
    for act in (load, lambda e: save(Login({SESSION_COOKIE: "x"}), e)):
        (tmp_path / ".login-abcd1234").write_text("half a sec")
        act(environ)
        assert {path.name for path in tmp_path.iterdir()} == {"login.json", ".login.lock"}
    (tmp_path / ".login-abcd1234").write_text("half a sec")
    with FileLock(tmp_path / ".login.lock"):
        load(environ)
    assert (tmp_path / ".login-abcd1234").exists()


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    """CHATGPT_SESSION_TOKEN takes precedence, and is never written anywhere."""
    environ = {"CHATMIRROR_CONFIG_DIR": str(tmp_path), "CHATGPT_SESSION_TOKEN": "from-env\n"}
    assert load(environ).cookies == {SESSION_COOKIE: "from-env"}
    assert not load(environ).is_stored
    assert list(tmp_path.iterdir()) == []


def test_the_file_of_an_older_version_is_read_and_what_nobody_reads_is_not_written(tmp_path: Path) -> None:
    """``whose`` was once kept in it: such a file still signs in, and loses it when it is next saved."""
    environ = {"CHATMIRROR_CONFIG_DIR": str(tmp_path)}
    old = {"cookies": {SESSION_COOKIE: "x"}, "user_agent": "UA", "account_id": None, "whose": {"name": "Ada"}}
    path = tmp_path / "login.json"
    path.write_text(json.dumps(old))
    path.chmod(0o600)
    login = load(environ)
    assert (login.cookies, login.user_agent) == ({SESSION_COOKIE: "x"}, "UA")
    save(login, environ)
    assert json.loads(path.read_text()) == {key: old[key] for key in ("cookies", "user_agent", "account_id")}


REST = {"user_agent": None, "account_id": None}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"cookies": 1}',
        json.dumps({"cookies": {}}),
        json.dumps({"cookies": [], **REST}),
        json.dumps({"cookies": {SESSION_COOKIE: 5}, **REST}),
    ],
)
def test_no_or_broken_login_says_how_to_get_one(tmp_path: Path, content: str) -> None:
    """A missing or unreadable file ends in exit 4 with the way to a new cookie."""
    environ = {"CHATMIRROR_CONFIG_DIR": str(tmp_path)}
    with pytest.raises(SignInError, match="chatmirror auth"):
        load(environ)
    (tmp_path / "login.json").write_text(content)
    (tmp_path / "login.json").chmod(0o600)
    with pytest.raises(SignInError, match="chatmirror auth"):
        load(environ)


def test_a_login_does_not_show_its_cookies() -> None:
    """Printing a login by accident shows no secret."""
    assert "aa-secret" not in repr(parse(f"{SESSION_COOKIE}=aa-secret"))


@pytest.mark.parametrize("odd", ["漢", "\ud83d", "\x7f", "\u200b", "ü", "\x1b"])
def test_what_no_request_can_carry_is_refused_when_it_is_pasted(odd: str) -> None:
    """Not by a failure of the first request: in the session cookie; elsewhere it is left out."""
    for pasted in (f"ab{odd}cd", f"{SESSION_COOKIE}=ab{odd}cd", f"curl x -H 'cookie: {SESSION_COOKIE}=a{odd}'"):
        with pytest.raises(UsageError):
            parse(pasted)
    login = parse(f"curl x -H 'cookie: {SESSION_COOKIE}=aa; other=b{odd}' -H 'user-agent: A{odd}'")
    assert (login.cookies, login.user_agent) == ({SESSION_COOKIE: "aa"}, None)


OTHERS = [("mybank.example", "bank", "money"), ("notchatgpt.com", SESSION_COOKIE, "other"), (".chatgpt.com", "cf", "x")]


@pytest.mark.parametrize("order", [1, -1])
def test_cookies_of_other_sites_are_not_taken(order: int) -> None:
    """A browser's extension writes those of all sites into one file; none of them is kept or sent."""
    rows = [*OTHERS, ("chatgpt.com", SESSION_COOKIE, END)][::order]
    text = "".join(f"{domain}\tTRUE\t/\tTRUE\t0\t{name}\t{value}\n" for domain, name, value in rows)
    data = [{"domain": domain, "name": name, "value": value} for domain, name, value in rows]
    for pasted in (text, json.dumps(data), json.dumps({"cookies": data})):
        assert parse(pasted).cookies == {SESSION_COOKIE: END, "cf": "x"}


@pytest.mark.parametrize(
    "pasted",
    [
        f"curl 'https://bank.example/' -b '{SESSION_COOKIE}={END}'",
        f"mybank.example\tTRUE\t/\tTRUE\t0\t{SESSION_COOKIE}\t{END}\n",
        json.dumps([{"domain": "evil.example", "name": SESSION_COOKIE, "value": END}]),
    ],
)
def test_the_login_of_another_site_is_refused(pasted: str) -> None:
    """Many sites name their session cookie alike."""
    with pytest.raises(UsageError):
        parse(pasted)


@pytest.mark.parametrize("number", ["9" * 5_000, "\u0663", "0\n", "100", "-1"])
def test_an_odd_number_makes_no_part_of_the_session_cookie(number: str) -> None:
    assert not is_session_cookie(f"{SESSION_COOKIE}.{number}")
