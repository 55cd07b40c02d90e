"""A wire to a simulated service in this process: what the transport makes of each response, without a socket.

For tests of thousands of runs, and for those of what a run makes of hundreds of untrue lists and answers: two thirds of
their time would go into HTTP on both ends. Some of the runs go over real HTTP all the same, and every other test does.
"""

from __future__ import annotations

from email.utils import formatdate
from math import inf
from typing import TYPE_CHECKING, Any

from mirror.simulator.exchange import received
from mirror.web.failures import Unreachable
from mirror.web.transport import Reply, WireLimits, refuse_redirect, target_of
from mirror.web.unpacking import whole_body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirror.simulator import Simulator
    from mirror.simulator.exchange import Response


class DirectWire:
    """Hands each request to the service itself; see ``mirror.web.transport.Wire``."""

    def __init__(self, service: Simulator) -> None:
        self.base_url, self._service, self._connection = service.url, service, 1

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any],
        headers: Mapping[str, str],
        body: bytes | None,
        seconds: float = inf,
    ) -> Reply:
        request = received(method, target_of(path, params), headers, body or b"", self._connection)
        return self._received(self._service.respond(*request))

    def renew(self) -> None:
        self._connection += 1

    def _received(self, response: Response) -> Reply:
        """Return what the transport makes of a response."""
        if response.ending == "reset":
            raise Unreachable("the connection was reset")
        if response.length is not None and response.length > len(response.body):
            raise Unreachable("the answer was cut")
        headers = {name.lower(): values[0] for name, values in response.headers.items() if values}
        headers["date"] = formatdate(self._service.now(), usegmt=True)
        body = whole_body([response.body], headers.get("content-encoding", ""), WireLimits().body)
        reply = Reply(response.status, headers, body, tuple(response.headers.get("Set-Cookie", ())))
        refuse_redirect(reply)
        return reply
