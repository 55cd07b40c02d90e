"""Signed in: session cookie -> ``GET /api/auth/session`` -> access token -> ``Authorization: Bearer`` (API notes §1).

The token is renewed once when a request is refused; a session that then belongs to somebody else ends the run. A
renewed session cookie is handed back, so that a stored login lives on.
"""

from __future__ import annotations

import base64
import json
import re
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any

from mirror.chatgpt.login import HOW_TO, is_session_cookie, replace_session
from mirror.errors import SafetyStopError, ServiceError, SignInError
from mirror.web.client import Answer, Client, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mirror.credentials.login import Login
    from mirror.web.pacing import Lane

USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 Safari/537.36"
MOST_RENEWALS = 20  # a run; a service that refuses every fresh token must not be asked for ever
_UNAUTHORISED, _FORBIDDEN = 401, 403


class Session:
    """A login in use. ``store``: called with the login when the service has renewed its cookie."""

    def __init__(self, client: Client, login: Login, store: Callable[[Login], None]) -> None:
        self.client, self.login, self.store = client, login, store
        self.account_id: str | None = None
        self.data: dict[str, Any] = {}
        self._token = ""
        self._renewals = 0

    @property
    def user_id(self) -> str:
        """The service's id of the person; raises ServiceError if it gave none, for whose mirror is it then."""
        found = _user(self.data)
        if not isinstance(found, str) or not found:
            raise ServiceError("The service does not say whose login this is; nothing was written. Run again later.")
        return found

    @property
    def workspace_id(self) -> str | None:
        """The workspace that the session itself names, if it does."""
        account = self.data.get("account")
        found = account.get("id") if isinstance(account, dict) else None
        return found if isinstance(found, str) and found else None

    def sign_in(self) -> None:
        """Get an access token; raises SignInError with the exact step to take."""
        try:
            answer = self.client.request("GET", "/api/auth/session", headers=self._headers(bearer=False))
        except Refused as error:
            if error.status == _UNAUTHORISED:
                raise SignInError(f"The service refused the session cookie. {HOW_TO}") from None
            # Says nothing about the cookie (API notes §1.1): an outage, a limit, a block.
            raise ServiceError(f"Signing in failed with {error}; the login is kept. Run again later.") from None
        data = answer.data if isinstance(answer.data, dict) else {}
        token = data.get("accessToken")
        if data.get("error") == "RefreshAccessTokenError":
            raise SignInError(f"The service says that the session has expired. Sign in again. {HOW_TO}")
        if not isinstance(token, str) or not token:
            raise SignInError(f"The session has ended: the service gave no access token. {HOW_TO}")
        if re.search(r"[^\x21-\x7e]", token):
            raise SignInError("The service gave an access token of an unknown form; update chatmirror.")
        previous = self.data
        self.data, self._token = {k: v for k, v in data.items() if k not in {"accessToken", "sessionToken"}}, token
        self._keep_rotation(answer)
        if previous and _user(previous) != _user(self.data):
            raise SafetyStopError(
                "The renewed session belongs to another account; nothing of it was written. Run `chatmirror auth`."
            )

    def get(self, path: str, params: Mapping[str, Any] | None = None, lane: Lane = "light") -> Answer:
        """Read something of the account; raises Refused and what Client.request raises."""
        return self._signed("GET", path, params, None, lane)

    def post(self, path: str, data: Any, lane: Lane = "light") -> Answer:
        """Ask for something with a body; a read like any other."""
        return self._signed("POST", path, None, data, lane)

    def _signed(self, method: str, path: str, params: Mapping[str, Any] | None, data: Any, lane: Lane) -> Answer:
        if not self._token:
            self.sign_in()
        try:
            return self._send(method, path, params, data, lane)
        except Refused as error:
            if error.status not in {_UNAUTHORISED, _FORBIDDEN} or self._renewals >= MOST_RENEWALS:
                raise self._unusable(error) from None
        self._renewals += 1
        self.sign_in()
        try:
            return self._send(method, path, params, data, lane)
        except Refused as error:
            raise self._unusable(error) from None

    def _send(self, method: str, path: str, params: Mapping[str, Any] | None, data: Any, lane: Lane) -> Answer:
        return self.client.request(
            method, f"/backend-api{path}", headers=self._headers(bearer=True), params=params, data=data, lane=lane
        )

    def _unusable(self, error: Refused) -> Exception:
        if error.status != _UNAUTHORISED:
            return error
        if error.code == "token_expired" or (token_expiry(self._token) or 1e12) < self.client.pacing.timing.now():
            return SignInError(
                "The service hands out an access token that has already expired. Open https://chatgpt.com in the"
                " browser that you are signed in with, then run again; the stored login is kept."
            )
        return SignInError(f"The service does not take the login any more. {HOW_TO}")

    def _headers(self, *, bearer: bool) -> dict[str, str]:
        base = self.client.wire.base_url
        headers = {
            "User-Agent": self.login.user_agent or USER_AGENT,
            "Accept": "application/json",
            "Accept-Language": "en-US,en;q=0.9",
            "Accept-Encoding": "gzip, deflate",
            "Origin": base,
            "Referer": f"{base}/",
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.login.cookies.items()),
        }
        if device := self.login.cookies.get("oai-did"):
            headers["OAI-Device-Id"] = device
        if bearer:
            headers["Authorization"] = f"Bearer {self._token}"
            if self.account_id:
                headers["ChatGPT-Account-ID"] = self.account_id
        return headers

    def _keep_rotation(self, answer: Answer) -> None:
        chunks = _session_chunks(answer.reply.set_cookies)
        if chunks and chunks != {k: v for k, v in self.login.cookies.items() if is_session_cookie(k)}:
            replace_session(self.login, chunks)
            self.store(self.login)


def _user(data: Mapping[str, Any]) -> Any:
    user = data.get("user")
    return user.get("id") if isinstance(user, dict) else None


def _session_chunks(set_cookies: tuple[str, ...]) -> dict[str, str]:
    """Return the session cookie's parts from Set-Cookie values; a part that is being deleted is left out."""
    found: dict[str, str] = {}
    for raw in set_cookies:
        jar: SimpleCookie = SimpleCookie()
        try:
            jar.load(raw)
        except CookieError:
            continue
        found |= {name: part.value for name, part in jar.items() if is_session_cookie(name) and _is_living(part)}
    return found


def _is_living(part: Any) -> bool:
    return bool(part.value) and part["max-age"] not in {"0", 0} and "1970" not in part["expires"]


def token_expiry(token: str) -> float | None:
    """Return the epoch second at which an access token ends by its own word, None if it does not say."""
    try:
        middle = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
        return float(claims["exp"])
    except (IndexError, ValueError, KeyError, TypeError):
        return None
