"""Sessions, cookies and bearers of the simulated service (API notes §1)."""

from __future__ import annotations

import base64
import json
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any

from mirror.simulator.clock import iso

if TYPE_CHECKING:
    from mirror.simulator.account import Account
    from mirror.simulator.knobs import Knobs

COOKIE = "__Secure-next-auth.session-token"
TOKEN_DAYS = 10


class Logins:
    """Which cookies and bearers are good. Older copies of a rotated cookie stay so (§1.1)."""

    def __init__(self, account: Account, knobs: Knobs) -> None:
        self.account, self.knobs = account, knobs
        self.cookie = f"session-{account.user_id}-0-" + "x" * 200
        self.cookies = {self.cookie}
        self.sign_ins = 0
        self.bearers: dict[str, tuple[float, int]] = {}  # token -> (exp, requests made)

    @staticmethod
    def read(header: str | None) -> str | None:
        """Return the logical session cookie of a Cookie header: its parts joined, which go before a whole one."""
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

    def knows(self, header: str | None) -> bool:
        """Whether the request carries a living session cookie."""
        return self.read(header) in self.cookies

    def session(self, header: str | None) -> tuple[Any, list[str]]:
        """Answer ``/api/auth/session``: the body, and the Set-Cookie values."""
        self.sign_ins += 1
        if not self.knows(header) or self.knobs.session == "empty":
            return {}, []
        if self.knobs.session == "banner":
            return {"WARNING_BANNER": "Do not share this."}, []
        body = self._body()
        if self.knobs.session == "refresh_error":
            body = {**body, "error": "RefreshAccessTokenError"}
        return body, self._rotation()

    def _body(self) -> dict[str, Any]:
        now = self.account.clock()
        other = self.knobs.other_account_from is not None and self.sign_ins >= self.knobs.other_account_from
        user = "user-SomebodyElse" if other else self.account.user_id
        expires = now - 86_400 if self.knobs.session == "stale_token" else now + TOKEN_DAYS * 86_400
        token = self._token(user, expires)
        self.bearers[token] = (expires, 0)
        return {
            "WARNING_BANNER": "Do not share this.",
            "user": {
                "id": user,
                "name": self.account.user_name,
                "email": self.account.user_email,
                "idp": "auth0",
                "iat": int(now),
                "mfa": False,
            },
            "expires": iso(now + self.knobs.session_days * 86_400),
            "account": {"id": self.account.workspaces[0].id, "planType": "plus", "structure": "personal"},
            "accessToken": token,
            "authProvider": "auth0",
            "sessionToken": self.cookie,
        }

    def _token(self, user: str, expires: float) -> str:
        def part(value: dict[str, Any]) -> str:
            return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

        claims = {"exp": int(expires), "sub": user, "jti": self.sign_ins}
        return f"{part({'alg': 'none'})}.{part(claims)}.signature"

    def _rotation(self) -> list[str]:
        if self.knobs.rotate_chunks is None:
            return []
        count = self.knobs.rotate_chunks
        self.cookie = f"session-{self.account.user_id}-{self.sign_ins}-" + "y" * 100 * count
        self.cookies.add(self.cookie)
        size = -(-len(self.cookie) // count)
        parts = (
            {f"{COOKIE}.{n}": self.cookie[n * size : (n + 1) * size] for n in range(count)}
            if count > 1
            else {COOKIE: self.cookie}
        )
        tail = "; Path=/; Max-Age=7776000; Secure; HttpOnly; SameSite=Lax"
        return [f"{name}={value}{tail}" for name, value in parts.items()] + [
            f"_account=personal{tail}",
            f"epoch=1{tail}",
        ]

    def bearer(self, header: str | None) -> str:
        """Return good, expired or none for an Authorization header; counts its use."""
        token = (header or "").removeprefix("Bearer ").strip()
        if not token:
            return "none"
        expires, used = self.bearers.get(token, (0.0, 0))
        limit = self.knobs.token_requests
        self.bearers[token] = (expires, used + 1)
        return "expired" if expires <= self.account.clock() or (limit is not None and used >= limit) else "good"
