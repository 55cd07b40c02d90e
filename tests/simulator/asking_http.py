"""Asks a simulated service with nothing but the standard library, as a careful stranger would."""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlencode


class Browser:
    """Signed in with the session cookie; every method returns ``(status, JSON or bytes)``."""

    def __init__(self, service):
        self.service, self.account, self.person, self.knobs = service, service.account, service.person, service.knobs
        self.clock = service.account.clock
        self.connection = http.client.HTTPConnection(service.url.removeprefix("http://"), timeout=10)
        self.cookie = service.cookie_header()
        self.token = None
        self.headers, self.set_cookies = {}, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def raw(self, method, path, headers=None, body=None):
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

    def session(self, cookie=None):
        """Ask who one is."""
        return self.raw("GET", "/api/auth/session", {"Cookie": cookie or self.cookie})

    def sign_in(self):
        """Take a bearer; return the session."""
        _, found = self.session()
        self.token = found["accessToken"]
        return found

    def _headers(self, workspace):
        if self.token is None:
            self.sign_in()
        named = {"ChatGPT-Account-ID": workspace} if workspace else {}
        return {"Cookie": self.cookie, "Authorization": f"Bearer {self.token}", **named}

    def get(self, path, workspace=None, **query):
        """Ask the backend."""
        tail = f"?{urlencode(query)}" if query else ""
        return self.raw("GET", f"/backend-api{path}{tail}", self._headers(workspace))

    def batch(self, *ids, workspace=None):
        """Ask for several trees."""
        body = json.dumps({"conversation_ids": ids})
        return self.raw("POST", "/backend-api/conversations/batch", self._headers(workspace), body)

    def listed(self, **query):
        """The ids of one page of the main list."""
        return [row["id"] for row in self.get("/conversations", **query)[1]["items"]]

    def walk(self, limit=100, **query):
        """The ids of the whole list, page by page until an empty one."""
        found = []
        while page := self.listed(offset=len(found), limit=limit, **query):
            found += page
        return found

    def ids(self):
        """What really lives in the account, in the order in which it was made."""
        return list(self.account.conversations)
