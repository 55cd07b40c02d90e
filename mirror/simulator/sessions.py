"""Sessions, cookies and bearers of the simulated service (API notes §1)."""

from __future__ import annotations

import base64
import hashlib
import json
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any

from mirror.simulator.clock import iso_microseconds

if TYPE_CHECKING:
    from mirror.simulator.account import SimulatedAccount
    from mirror.simulator.behaviour import Behaviour

COOKIE = "__Secure-next-auth.session-token"
TOKEN_DAYS = 10
BANNER = "Do not share this: whoever holds it can act as you."
CHUNK = 3933  # characters that fit into one part of the cookie (§1.2)


class Sessions:
    """Which cookies and bearers are valid. Older copies of a rotated cookie stay valid (§1.1)."""

    def __init__(self, account: SimulatedAccount, behaviour: Behaviour) -> None:
        self.account, self.behaviour = account, behaviour
        self.sign_ins = 0
        self.cookie = self._new_cookie(2)
        self.cookies = {self.cookie}
        self.bearers: dict[str, tuple[float, int]] = {}  # token -> (exp, requests made)

    @staticmethod
    def whole_cookie(header: str | None) -> str | None:
        """Return the session cookie of a Cookie header: its numbered parts, or the undivided one."""
        jar: SimpleCookie = SimpleCookie()
        try:
            jar.load(header or "")
        except CookieError:
            return None
        parts = sorted(
            (int(name.rsplit(".", 1)[1]), m.value) for name, m in jar.items() if name.startswith(f"{COOKIE}.")
        )
        if parts:
            return "".join(value for _, value in parts)
        return jar[COOKIE].value if COOKIE in jar else None

    def is_known(self, header: str | None) -> bool:
        """Whether the request carries a valid session cookie."""
        return self.whole_cookie(header) in self.cookies

    def session(self, header: str | None) -> tuple[Any, list[str]]:
        """Answer ``/api/auth/session``: the body, and the Set-Cookie values."""
        self.sign_ins += 1
        if not self.is_known(header) or self.behaviour.session == "empty":
            return {}, []
        if self.behaviour.session == "banner":
            return {"WARNING_BANNER": BANNER}, []
        body = self._body()
        if self.behaviour.session == "refresh_error":
            body = {**body, "error": "RefreshAccessTokenError"}
        return body, self._rotation()

    def _body(self) -> dict[str, Any]:
        now = self.account.clock()
        is_other = self.behaviour.other_account_from is not None and self.sign_ins >= self.behaviour.other_account_from
        user = "user-SomebodyElse" if is_other else self.account.user_id
        expires = now - 86_400 if self.behaviour.session == "stale_token" else now + TOKEN_DAYS * 86_400
        token = self._token(user, expires)
        self.bearers[token] = (expires, 0)
        body = {
            "user": {
                "id": user,
                "name": self.account.user_name,
                "email": self.account.user_email,
                "image": None,
                "picture": None,
                "idp": "auth0",
                "iat": int(now),
                "mfa": False,
                "groups": [],
            },
            "expires": iso_microseconds(now + self.behaviour.session_days * 86_400),
            "accessToken": token,
            "authProvider": "auth0",
        }
        if self.behaviour.old_session_shape:
            return body
        home = self.account.workspaces[0]
        account = {"id": home.id, "planType": home.plan, "structure": home.structure}
        return {"WARNING_BANNER": BANNER, **body, "account": account, "sessionToken": self.cookie}

    def _token(self, user: str, expires: float) -> str:
        def part(value: dict[str, Any]) -> str:
            return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

        claims = {"exp": int(expires), "sub": user, "jti": self.sign_ins, "pad": "p" * 1400}
        return f"{part({'alg': 'none'})}.{part(claims)}.signature"

    def _new_cookie(self, chunks: int) -> str:
        # Long enough to need that many parts; the count makes each one different, in every piece of it.
        begin = f"session-{self.account.user_id}-{self.sign_ins}-"
        length = CHUNK * (chunks - 1) + 600
        return (begin + hashlib.sha256(begin.encode()).hexdigest() * (length // 64 + 1))[:length]

    @staticmethod
    def parts(cookie: str, size: int = CHUNK) -> dict[str, str]:
        """Split a cookie into the numbered cookies that carry it."""
        if len(cookie) <= size:
            return {COOKIE: cookie}
        return {f"{COOKIE}.{n}": cookie[at : at + size] for n, at in enumerate(range(0, len(cookie), size))}

    def _rotation(self) -> list[str]:
        if self.behaviour.rotate_chunks is None:
            return []
        self.cookie = self._new_cookie(self.behaviour.rotate_chunks)
        self.cookies.add(self.cookie)
        others = {"_account": "personal", "oai-sc-epoch": "0", "__Secure-next-auth.callback-url": "%2F"}
        tail = "; Domain=.chatgpt.com; Path=/; Max-Age=7776000; Secure; HttpOnly; SameSite=Lax"
        return [f"{name}={value}{tail}" for name, value in {**self.parts(self.cookie), **others}.items()]

    def expired(self) -> tuple[int, Any]:
        """Return the 401 of a bearer that has expired (§1.3)."""
        text = "Provided authentication token is expired. Please try signing in again."
        error = {"message": text, "code": "token_expired"}
        return 401, {"detail": None, **error} if self.behaviour.flat_error_code else {"detail": error}

    def bearer_state(self, header: str | None) -> str:
        """Return good, expired, unknown or none for an Authorization header; counts its use."""
        token = (header or "").removeprefix("Bearer ").strip()
        if not token:
            return "none"
        if token not in self.bearers:
            return "unknown"
        expires, used = self.bearers[token]
        limit = self.behaviour.token_requests
        self.bearers[token] = (expires, used + 1)
        return "expired" if expires <= self.account.clock() or (limit is not None and used >= limit) else "good"
