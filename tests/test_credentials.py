"""The login as people paste it, and at rest."""

from __future__ import annotations

import json
import os
import stat

import pytest

from mirror import credentials
from mirror.credentials import CHUNK, SESSION_COOKIE, Login, chunked, load, parse, save
from mirror.errors import SignInError, UsageError

LONG = "e" * (CHUNK * 2 + 17)


def test_a_bare_value_is_the_cookie():
    """The value copied from the developer tools is enough; a line end round it does not matter."""
    assert parse("  abc.def \n").cookies == {SESSION_COOKIE: "abc.def"}


def test_a_long_value_is_sent_in_the_services_own_parts():
    """A joined value is cut where the service would cut it."""
    cookies = parse(LONG).cookies
    assert list(cookies) == [f"{SESSION_COOKIE}.{n}" for n in range(3)]
    assert "".join(cookies.values()) == LONG


def test_parts_pasted_on_two_lines_are_joined():
    """The two values pasted one after the other make one cookie."""
    first, second = LONG[:CHUNK], LONG[CHUNK : CHUNK + 50]
    assert "".join(parse(f"{first}\n{second}\n").cookies.values()) == first + second


@pytest.mark.parametrize(
    "pasted",
    [
        f"{SESSION_COOKIE}.0=aa; {SESSION_COOKIE}.1=bb; oai-did=11",
        f"Cookie: oai-did=11; {SESSION_COOKIE}.1=bb; {SESSION_COOKIE}.0=aa",
        f"{SESSION_COOKIE}.0\taa\n{SESSION_COOKIE}.1\tbb\noai-did\t11",
    ],
)
def test_named_parts_keep_their_names(pasted):
    """Split cookies are taken in every form in which a browser shows them."""
    cookies = parse(pasted).cookies
    assert cookies[f"{SESSION_COOKIE}.0"] == "aa"
    assert cookies[f"{SESSION_COOKIE}.1"] == "bb"
    assert cookies["oai-did"] == "11"


def test_a_stale_whole_cookie_gives_way_to_its_parts():
    """Where both stand, the parts are the living ones."""
    assert SESSION_COOKIE not in parse(f"{SESSION_COOKIE}=old; {SESSION_COOKIE}.0=aa; {SESSION_COOKIE}.1=bb").cookies


def test_a_missing_part_is_said():
    """Half a cookie is refused, with the reason."""
    with pytest.raises(UsageError, match="missing"):
        parse(f"{SESSION_COOKIE}.1=bb")


def test_a_curl_line_gives_cookies_agent_and_workspace_only():
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


def vars_of(login):
    return {name: getattr(login, name) for name in Login.__dataclass_fields__}


@pytest.mark.parametrize(
    "pasted", ["", "two words here?\x00", '{"accessToken": "x"}', "curl 'https://x' -H 'open", "a=b; c=d"]
)
def test_nonsense_is_refused_with_the_way_to_the_cookie(pasted):
    """What holds no session cookie is refused with a sentence."""
    with pytest.raises(UsageError):
        parse(pasted)


def test_the_stored_login_is_private_and_comes_back(tmp_path):
    """The file is 0600 in a 0700 folder whatever the umask, and holds what was given."""
    environ = {"CHATMIRROR_CONFIG_DIR": str(tmp_path / "new" / "folder")}
    before = os.umask(0)
    try:
        path = save(Login(chunked(LONG), "UA", "ws"), environ)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    login = load(environ)
    assert (login.cookies, login.user_agent, login.account_id, login.is_stored) == (chunked(LONG), "UA", "ws", True)


def test_a_login_that_others_can_read_is_refused(tmp_path):
    """A file opened to others is not used before its owner has seen it."""
    environ = {"CHATMIRROR_CONFIG_DIR": str(tmp_path)}
    save(Login({SESSION_COOKIE: "x"}), environ).chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        load(environ)


def test_the_environment_goes_before_the_file(tmp_path):
    """CHATGPT_SESSION_TOKEN wins, and is never written anywhere."""
    environ = {"CHATMIRROR_CONFIG_DIR": str(tmp_path), "CHATGPT_SESSION_TOKEN": "from-env\n"}
    assert load(environ).cookies == {SESSION_COOKIE: "from-env"}
    assert not load(environ).is_stored
    assert list(tmp_path.iterdir()) == []


REST = {"user_agent": None, "account_id": None, "whose": {}}


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
def test_no_or_broken_login_says_how_to_get_one(tmp_path, content):
    """A missing or unreadable file ends in exit 4 with the way to a new cookie."""
    environ = {"CHATMIRROR_CONFIG_DIR": str(tmp_path)}
    with pytest.raises(SignInError, match="chatmirror auth"):
        load(environ)
    (tmp_path / "login.json").write_text(content)
    (tmp_path / "login.json").chmod(0o600)
    with pytest.raises(SignInError, match="chatmirror auth"):
        load(environ)


def test_a_login_does_not_show_its_cookies():
    """Printing a login by accident shows no secret."""
    assert "aa-secret" not in repr(parse(f"{SESSION_COOKIE}=aa-secret"))


def test_a_renewed_cookie_replaces_all_old_parts():
    """After a rotation with fewer parts no stale part is left."""
    login = Login({**chunked(LONG), "oai-did": "11"})
    login.replace_session({SESSION_COOKIE: "short"})
    assert login.cookies == {"oai-did": "11", SESSION_COOKIE: "short"}
    assert credentials.is_session_cookie(f"{SESSION_COOKIE}.12")


def test_a_renewed_part_leaves_the_others():
    """A login is never stored without one of its parts."""
    login = Login({f"{SESSION_COOKIE}.0": "a", f"{SESSION_COOKIE}.1": "b"})
    login.replace_session({f"{SESSION_COOKIE}.1": "new"})
    assert login.cookies == {f"{SESSION_COOKIE}.0": "a", f"{SESSION_COOKIE}.1": "new"}
    login.replace_session({f"{SESSION_COOKIE}.3": "far"})
    assert login.cookies == {f"{SESSION_COOKIE}.0": "a", f"{SESSION_COOKIE}.1": "new"}
