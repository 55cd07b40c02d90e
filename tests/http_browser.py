"""A client of the simulated service that uses nothing but the standard library, as a careful stranger would."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode

from mirror.simulator import ManualClock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirror.simulator import Behaviour, Simulator

Answer = tuple[int, Any]  # status, and JSON or bytes


class HttpBrowser:
    """Signed in with the session cookie."""

    def __init__(self, service: Simulator) -> None:
        self.service, self.account, self.person = service, service.account, service.person
        self.connection = http.client.HTTPConnection(service.url.removeprefix("http://"), timeout=10)
        self.cookie = service.cookie_header()
        self.token: str | None = None
        self.headers: dict[str, str] = {}
        self.set_cookies: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    @property
    def behaviour(self) -> Behaviour:
        return self.service.behaviour

    @property
    def clock(self) -> ManualClock:
        assert isinstance(self.account.clock, ManualClock)
        return self.account.clock

    def raw(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: str | None = None) -> Answer:
        """Send exactly this."""
        try:
            self.connection.request(method, path, body=body, headers=headers or {})
            response = self.connection.getresponse()
            content = response.read()
        except (http.client.HTTPException, OSError):
            self.connection.close()
            raise
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.set_cookies = response.headers.get_all("Set-Cookie") or []
        try:
            return response.status, json.loads(content)
        except ValueError:
            return response.status, content

    def session(self, cookie: str | None = None) -> Answer:
        """Ask whose session it is."""
        return self.raw("GET", "/api/auth/session", {"Cookie": cookie or self.cookie})

    def sign_in(self) -> dict[str, Any]:
        """Take a bearer; return the session."""
        found: dict[str, Any] = self.session()[1]
        self.token = found["accessToken"]
        return found

    def signed_headers(self, workspace: str | None = None) -> dict[str, str]:
        """The headers of a signed request."""
        if self.token is None:
            self.sign_in()
        named = {"ChatGPT-Account-ID": workspace} if workspace else {}
        return {"Cookie": self.cookie, "Authorization": f"Bearer {self.token}", **named}

    def get(self, path: str, workspace: str | None = None, **query: object) -> Answer:
        """Ask the backend."""
        tail = f"?{urlencode(query)}" if query else ""
        return self.raw("GET", f"/backend-api{path}{tail}", self.signed_headers(workspace))

    def batch(self, *ids: str, workspace: str | None = None) -> Answer:
        """Ask for several trees."""
        body = json.dumps({"conversation_ids": ids})
        return self.raw("POST", "/backend-api/conversations/batch", self.signed_headers(workspace), body)

    def listed(self, **query: Any) -> list[str]:
        """The ids of one page of the main list."""
        return [row["id"] for row in self.get("/conversations", **query)[1]["items"]]

    def all_listed(self, limit: int = 100, **query: Any) -> list[str]:
        """The ids of the whole list, page by page until an empty one."""
        found: list[str] = []
        while page := self.listed(offset=len(found), limit=limit, **query):
            found += page
        return found

    def ids(self) -> list[str]:
        """What really is in the account, in the order in which it was made."""
        return list(self.account.conversations)
