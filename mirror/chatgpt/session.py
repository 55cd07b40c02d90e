"""Signed-in requests: a session cookie gives an access token (API notes §1).

``GET /api/auth/session`` with the cookie gives the token, which every other request sends as ``Authorization: Bearer``.
The token is renewed once when a request is refused; a session that then belongs to somebody else ends the run. A
session cookie that the service renews is handed back, so that a stored login does not expire.
"""

from __future__ import annotations

import base64
import json
import re
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any

from mirror.chatgpt.login import HOW_TO, is_session_cookie, replace_session
from mirror.chatgpt.long_pauses import LongPauses, name_of
from mirror.chatgpt.site import ORDINARY
from mirror.errors import SafetyStopError, ServiceError, SignInError
from mirror.values import as_dict, as_id
from mirror.web.client import MOST_TRIES, Answer, Client, NoAnswer, Refused
from mirror.web.pacing import LongPauseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mirror.credentials.login import Login
    from mirror.web.site import RequestClass

# Sent when the login brings none; reads want that of a real browser (API notes §1.5).
USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 Safari/537.36"
# A run. Tokens live ten days (API notes §1.3). Larger: a service that refuses every token is asked again and again.
MOST_RENEWALS = 20
_UNAUTHORISED, _FORBIDDEN = 401, 403
WORKSPACE_REFUSED = "invalid_account_id_header"  # the code about the workspace that a request names (API notes §1.4)


class Session:
    """A login in use, and the workspace that it is used for.

    ``store``: called with the login when the service has renewed its cookie. ``account_id``: the workspace that
    requests name, None for the personal one; ``long_pauses`` are its own. ``data``: what the service says of the
    session, without its secrets.
    """

    def __init__(self, client: Client, login: Login, store: Callable[[Login], None]) -> None:
        self.client, self.login, self.store = client, login, store
        self.account_id: str | None = None
        self.long_pauses = LongPauses()
        self.data: dict[str, Any] = {}
        self._token = ""
        self._renewals = 0
        self._renewal_helps = True  # no fresh token was refused with 403 in this run
        self._refusing: set[str] = set()  # kinds of addresses that refuse a token which is taken elsewhere

    @property
    def user_id(self) -> str:
        """The service's id of the person; raises ServiceError if it gave none."""
        found = as_id(_user_id(self.data))
        if found is None:
            raise ServiceError("ChatGPT does not say whose login this is; nothing was written. Run again later.")
        return found

    def sign_in(self) -> None:
        """Get an access token; raises SignInError with the exact step to take."""
        try:
            answer = self.client.request(
                "GET", "/api/auth/session", request_class=ORDINARY, headers=self._headers(bearer=False)
            )
        except LongPauseError as error:
            raise error.about("the session") from None
        except Refused as error:
            if error.status == _UNAUTHORISED:
                raise SignInError(f"ChatGPT refused the session cookie; what is saved stays. {HOW_TO}") from None
            # Says nothing about the cookie (API notes §1.1): an outage, a limit, a block.
            if isinstance(error, NoAnswer):
                raise ServiceError(
                    f"ChatGPT could not be asked to sign in: {error}. Is this computer online? Nothing was changed; run"
                    " again later."
                ) from None
            raise ServiceError(f"Signing in failed with {error}; nothing was changed. Run again later.") from None
        data = as_dict(answer.data)
        token = _checked_token(data)
        previous = self.data
        self.data, self._token = {k: v for k, v in data.items() if k not in {"accessToken", "sessionToken"}}, token
        self._keep_renewed_cookie(answer)
        if previous and _user_id(previous) != _user_id(self.data):
            raise SafetyStopError(
                "The renewed session belongs to another account; nothing of it was written. Run `chatmirror auth`."
            )

    def get(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        request_class: RequestClass = ORDINARY,
        *,
        tries: int = MOST_TRIES,
    ) -> Answer:
        """Read something of the account; raises Refused and what Client.request raises."""
        return self._request("GET", path, request_class, params=params, tries=tries)

    def post(self, path: str, data: Any, *, tries: int = MOST_TRIES) -> Answer:
        """Ask for something with a body; a read like any other."""
        return self._request("POST", path, ORDINARY, data=data, tries=tries)

    def _request(self, method: str, path: str, request_class: RequestClass, **content: Any) -> Answer:
        """Send with the access token; a refused token is renewed once."""
        if not self._token:
            self.sign_in()
        try:
            return self._send(method, path, request_class, **content)
        except Refused as error:
            if not self._may_renew(error, path):
                raise self._refusal(error, path) from None
        self._renewals += 1
        self.sign_in()
        try:
            return self._send(method, path, request_class, **content)
        except Refused as error:
            self._renewal_helps = self._renewal_helps and error.status != _FORBIDDEN
            raise self._refusal(error, path) from None

    def _may_renew(self, error: Refused, path: str) -> bool:
        """Whether a fresh token may help: not against a 403 that a fresh one met before, or about the workspace."""
        if self._renewals >= MOST_RENEWALS or _kind(path) in self._refusing:
            return False
        is_forbidden = error.status == _FORBIDDEN and error.code != WORKSPACE_REFUSED and self._renewal_helps
        return error.status == _UNAUTHORISED or is_forbidden

    def _send(self, method: str, path: str, request_class: RequestClass, **content: Any) -> Answer:
        name, headers = name_of(path, content.get("params")), self._headers(bearer=True)
        self.long_pauses.refuse_early(name)
        try:
            answer = self.client.request(
                method, f"/backend-api{path}", request_class=request_class, headers=headers, **content
            )
        except LongPauseError as error:
            self.long_pauses.note(name)
            raise error.about(name) from None
        self.long_pauses.answered(name)
        return answer

    def _refusal(self, error: Refused, path: str) -> Exception:
        """Return what to raise for a refusal: a 401 means that the login does not work, unless it works elsewhere."""
        if error.status != _UNAUTHORISED:
            return error
        if _kind(path) in self._refusing or self._is_known():
            self._refusing.add(_kind(path))
            return error
        if error.code == "token_expired" or self._is_token_expired():
            return SignInError(
                "ChatGPT gives an access token that has already expired; the stored login is kept. Open"
                f" {self.client.site.home_url} in the browser that you are signed in with, then run again."
            )
        return SignInError(f"ChatGPT no longer accepts the login; what is saved stays. {HOW_TO}")

    def _is_known(self) -> bool:
        """Whether the service says who asks, with the same token."""
        try:
            data = as_dict(self._send("GET", "/me", ORDINARY, tries=1).data)
        except Refused:
            return False
        return isinstance(data.get("id"), str)

    def _is_token_expired(self) -> bool:
        expiry = token_expiry(self._token)
        return expiry is not None and expiry < self.client.pacing.timing.now()

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

    def file_headers(self, *, bearer: bool) -> dict[str, str]:
        """Return what is sent along for the bytes of a file that the service's own host gives."""
        own = self._headers(bearer=bearer)
        return {name: own[name] for name in own if name not in {"Accept", "Accept-Encoding", "Origin"}}

    def _keep_renewed_cookie(self, answer: Answer) -> None:
        chunks = _session_chunks(answer.reply.set_cookies)
        if chunks and chunks != {k: v for k, v in self.login.cookies.items() if is_session_cookie(k)}:
            replace_session(self.login, chunks)
            self.store(self.login)


def _kind(path: str) -> str:
    """Return what addresses of one kind share: the part before the id."""
    return path.split("/")[1]


def _user_id(data: Mapping[str, Any]) -> Any:
    return as_dict(data.get("user")).get("id")


def _checked_token(data: Mapping[str, Any]) -> str:
    """Return the access token of a session answer (API notes §1.1).

    Raises SignInError where there is none: the session has ended.
    """
    token = data.get("accessToken")
    if data.get("error") == "RefreshAccessTokenError":
        raise SignInError(f"The ChatGPT session has expired; what is saved stays. {HOW_TO}")
    if not isinstance(token, str) or not token:
        raise SignInError(f"The ChatGPT session has ended: it gave no access token. What is saved stays. {HOW_TO}")
    if re.search(r"[^\x21-\x7e]", token):
        raise SignInError("ChatGPT gave an access token of an unknown form; what is saved stays. Update chatmirror.")
    return token


def _session_chunks(set_cookies: tuple[str, ...]) -> dict[str, str]:
    """Return the session cookie's parts from Set-Cookie values, without those being deleted."""
    found: dict[str, str] = {}
    for raw in set_cookies:
        jar: SimpleCookie = SimpleCookie()
        try:
            jar.load(raw)
        except CookieError:
            continue
        found |= {name: part.value for name, part in jar.items() if is_session_cookie(name) and _is_set(part)}
    return found


def _is_set(part: Any) -> bool:
    return bool(part.value) and part["max-age"] not in {"0", 0} and "1970" not in part["expires"]


def token_expiry(token: str) -> float | None:
    """Return the epoch second at which an access token expires, None if it does not say."""
    try:
        middle = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
        return float(claims["exp"])
    except (IndexError, ValueError, KeyError, TypeError, OverflowError):
        return None
