"""Signing in at the simulated service (API notes §1)."""

from __future__ import annotations

import base64
import json

import pytest

DAY = 86_400


def claims(token):
    middle = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))


def test_a_session_has_the_shape_of_the_service(start):
    """Who it is, until when, and a token of about two kilobytes that ends after ten days."""
    browser = start()
    status, found = browser.session()
    assert status == 200
    assert {"user", "expires", "account", "accessToken", "authProvider", "sessionToken", "WARNING_BANNER"} <= set(found)
    assert found["account"].keys() == {"id", "planType", "structure"}
    assert claims(found["accessToken"])["exp"] == int(browser.clock() + 10 * DAY)
    assert 1_500 < len(found["accessToken"]) < 2_500
    assert found["expires"] == "2026-08-26T20:26:40.000000Z"


def test_the_old_session_shape_has_four_fields(start):
    """Older answers named no account."""
    assert set(start(old_session_shape=True).sign_in()) == {"user", "expires", "accessToken", "authProvider"}


@pytest.mark.parametrize("chunks", [1, 2, 3])
def test_every_sign_in_rotates_the_cookie_and_older_copies_stay_good(start, chunks):
    """The session comes back in so many parts beside three other cookies, ninety days long."""
    browser = start(rotate_chunks=chunks)
    old = browser.cookie
    browser.session()
    parts = dict(cookie.split(";")[0].split("=", 1) for cookie in browser.set_cookies)
    mine = {name: value for name, value in parts.items() if "session-token" in name}
    assert len(browser.set_cookies) == chunks + 3
    assert "".join(mine[name] for name in sorted(mine)) == browser.service.session_cookie
    assert min(mine) == "__Secure-next-auth.session-token" + (".0" if chunks > 1 else "")
    assert all("Max-Age=7776000" in cookie for cookie in browser.set_cookies)
    for cookie in (old, "; ".join(f"{name}={value}" for name, value in mine.items())):
        assert browser.session(cookie)[1]["accessToken"]


def test_cookie_parts_join_in_the_order_of_their_numbers(start):
    """Parts in another order are the same cookie; without one of them the cookie is not valid."""
    browser = start()
    parts = browser.cookie.split("; ")
    assert browser.session("; ".join(reversed(parts)))[1]["accessToken"]
    assert browser.session(parts[0])[1] == {}


@pytest.mark.parametrize(
    ("mode", "seen"),
    [
        ("empty", lambda found, _: found == {}),
        ("banner", lambda found, _: list(found) == ["WARNING_BANNER"]),
        ("refresh_error", lambda found, _: found["error"] == "RefreshAccessTokenError"),
        ("stale_token", lambda found, now: claims(found["accessToken"])["exp"] < now),
        ("html", lambda found, _: b"Just a moment" in found),
    ],
)
def test_every_way_in_which_signing_in_fails(start, mode, seen):
    """Always with the status that the service has: 200, or 403 for the browser check."""
    browser = start(session=mode)
    status, found = browser.session()
    assert status == (403 if mode == "html" else 200)
    assert seen(found, browser.clock())


def test_no_or_a_wrong_cookie_is_an_empty_session(start):
    """Status 200 and nothing in it."""
    browser = start()
    assert browser.raw("GET", "/api/auth/session") == (200, {})
    assert browser.session("__Secure-next-auth.session-token=wrong") == (200, {})


def test_a_renewal_can_belong_to_somebody_else(start):
    """From the second sign-in on, another person."""
    browser = start(other_account_from=2)
    assert browser.session()[1]["user"]["id"] == browser.account.user_id
    assert browser.session()[1]["user"]["id"] != browser.account.user_id


@pytest.mark.parametrize("flat", [False, True])
def test_an_expired_bearer_says_so(start, flat):
    """Ten days later: 401 token_expired, inside detail or beside it; a new one works."""
    browser = start(flat_error_code=flat)
    assert browser.get("/me")[0] == 200
    browser.clock.advance(10 * DAY + 1)
    status, found = browser.get("/me")
    assert (status, (found if flat else found["detail"])["code"]) == (401, "token_expired")
    browser.sign_in()
    assert browser.get("/me")[0] == 200


def test_a_bearer_can_expire_by_use(start):
    """After three requests, whatever its date."""
    browser = start(token_requests=3)
    assert [browser.get("/me")[0] for _ in range(4)] == [200, 200, 200, 401]


def test_a_cookie_without_a_bearer_looks_like_an_empty_account(start):
    """Lists are empty, conversations are inaccessible in another language, all else is refused."""
    browser = start()
    key, only = browser.ids()[0], {"Cookie": browser.cookie}
    for path in ("conversations", "shared_conversations", "gizmos/snorlax/sidebar", "gizmos/g-p-1/conversations"):
        status, found = browser.raw("GET", f"/backend-api/{path}", only)
        assert (status, found["items"]) == (200, [])
    status, found = browser.raw("GET", f"/backend-api/conversation/{key}", only)
    assert (status, found["detail"]["code"], found["detail"]["can_retry"]) == (404, "conversation_inaccessible", False)
    assert browser.raw("GET", f"/backend-api/conversations/{key}?num_turns=1", only)[0] == 404
    assert browser.raw("GET", "/backend-api/me", only)[0] == 401


def test_no_login_at_all_is_refused(start):
    """Neither cookie nor bearer, or an unknown bearer: 401 everywhere."""
    browser = start()
    for headers in ({}, {"Authorization": "Bearer made.up.token"}):
        for path in ("conversations", "me", f"conversation/{browser.ids()[0]}"):
            assert browser.raw("GET", f"/backend-api/{path}", headers)[0] == 401


def test_workspaces_are_separate(start):
    """Each shows its own chats, by header; a chat of another one is inaccessible, an unknown header is 404."""
    browser = start()
    team = browser.account.add_workspace("The Team")
    ours = browser.person.new_conversation("Ours", workspace=team)
    _, found = browser.get("/accounts/check/v4-2023-04-27")
    assert found["account_ordering"] == [browser.account.workspaces[0].id, team]
    assert set(found["accounts"]) == {*found["account_ordering"], "default"}
    assert found["accounts"][team]["account"]["structure"] == "workspace"
    assert [row["id"] for row in browser.get("/conversations", workspace=team)[1]["items"]] == [ours]
    assert ours not in browser.all_listed()
    assert browser.get(f"/conversation/{ours}", workspace=team)[0] == 200
    status, found = browser.get(f"/conversation/{ours}")
    assert (status, found["detail"]["code"]) == (404, "conversation_inaccessible")
    assert browser.get("/conversations", workspace="nobody")[0] == 404


def test_the_personal_header_can_be_refused_on_project_chats(start):
    """Only there, and only when it is named."""
    browser = start(personal_header_forbidden=True)
    personal, (key, other) = browser.account.workspaces[0].id, browser.ids()[:2]
    browser.person.move(key, browser.person.new_project("Bread"))
    assert browser.get(f"/conversation/{key}")[0] == 200
    assert browser.get(f"/conversation/{key}", workspace=personal)[0] == 403
    assert browser.get(f"/conversation/{other}", workspace=personal)[0] == 200


def test_who_one_is(start):
    """Me, memories, instructions and settings; anything unknown is 404, anything that writes 405."""
    browser = start(has_workspaces_endpoint=False)
    memory = browser.person.remember("Likes rye")
    browser.person.set_instructions(about_user_message="I bake.")
    assert browser.get("/me")[1]["email"] == "mira@example.org"
    assert [m["id"] for m in browser.get("/memories", include_memory_entries="true")[1]["memories"]] == [memory]
    assert browser.get("/memories", include_memory_entries="false")[1]["memories"] == []
    assert browser.get("/user_system_messages")[1]["about_user_message"] == "I bake."
    assert browser.get("/settings/user")[0] == 200
    assert browser.get("/accounts/check/v4-2023-04-27") == (404, {"detail": "Not Found"})
    assert browser.get("/nothing/here") == (404, {"detail": "Not Found"})
    assert browser.raw("PATCH", f"/backend-api/conversation/{browser.ids()[0]}", browser.signed_headers())[0] == 405
