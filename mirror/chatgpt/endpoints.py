"""Which of the three endpoints that give conversations answer for this account (API notes §3.1).

*batch* gives ten whole trees a request and is hardly limited. *single* gives one whole tree. *plural* gives one
conversation's visible branch, page by page. No account has all three for sure; which ones answer is found out by
asking.

An endpoint that *refuses* even a control is dead for this account: that is remembered, and one request a run asks
again. One that *fails* even for a control (server errors, nothing usable) is closed for this run only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from mirror.chatgpt.memory import ChatGPTMemory

Endpoint = Literal["batch", "single", "plural"]  # also stored, as the origin of a payload
ENDPOINTS: tuple[Endpoint, ...] = get_args(Endpoint)
# Conversations in a row, just listed, that an endpoint refuses before a control is asked for; then after twice as many,
# and so on. 1: a control for each conversation of another workspace; large: requests in vain.
DENIALS_TO_CHECK = 3
# The same where it fails with server errors; the first failure of all is checked at once. 1: a control for each broken
# conversation; large: minutes of retries while a service is down.
FAILURES_TO_CHECK = 2


class Endpoints:
    """The endpoints that are worth a request. Which ones are dead is kept in the source's memory."""

    def __init__(self, memory: ChatGPTMemory) -> None:
        self._dead = memory.dead_endpoints
        self._tested: set[Endpoint] = set()  # dead ones that were asked again in this run
        self._failing: dict[Endpoint, str] = {}  # closed for this run, and why
        self._in_a_row = dict.fromkeys(ENDPOINTS, 0)
        self._check_at = dict.fromkeys(ENDPOINTS, 0)  # so many in a row ask for a control; 0: not decided

    def is_open(self, endpoint: Endpoint) -> bool:
        """Whether the endpoint is worth a request: a dead one is for the first request of a run."""
        return endpoint not in self._failing and not (endpoint in self._dead and endpoint in self._tested)

    def is_dead(self, endpoint: Endpoint) -> bool:
        """Whether the endpoint was found to be of no use, in this run or an earlier one."""
        return endpoint in self._failing or endpoint in self._dead

    def why_closed(self, endpoint: Endpoint) -> str:
        """Return a sentence about a closed endpoint."""
        if endpoint in self._failing:
            return f"the {endpoint} endpoint fails for every conversation in this run ({self._failing[endpoint]})"
        return f"this account cannot use the {endpoint} endpoint ({self._dead.get(endpoint, 'not asked')})"

    def note_asked(self, endpoint: Endpoint) -> None:
        """A request is sent; where the endpoint is dead, it is the only one of this run."""
        if endpoint in self._dead:
            self._tested.add(endpoint)

    def gave(self, endpoint: Endpoint) -> None:
        """The endpoint gave a conversation."""
        self._in_a_row[endpoint] = self._check_at[endpoint] = 0
        self._dead.pop(endpoint, None)

    def needs_control(self, endpoint: Endpoint, *, is_denial: bool, has_given: bool) -> bool:
        """Note that the endpoint did not give a conversation; return whether a control should be asked for now."""
        self._in_a_row[endpoint] += 1
        first = DENIALS_TO_CHECK if is_denial else (FAILURES_TO_CHECK if has_given else 1)
        if self._in_a_row[endpoint] < (self._check_at[endpoint] or first):
            return False
        self._check_at[endpoint] = 2 * self._in_a_row[endpoint]
        return self.is_open(endpoint)

    def close(self, endpoint: Endpoint, why: str, *, is_denial: bool) -> None:
        """Not even a control came: a denial is remembered, a failure counts for this run only."""
        if is_denial:
            self._dead[endpoint] = why
            self._tested.add(endpoint)
        else:
            self._failing[endpoint] = why

    def reopen(self) -> None:
        """Ask every endpoint again that is remembered as dead."""
        self._dead.clear()
        self._tested.clear()

    @property
    def failure_by_id(self) -> str | None:
        """Why no conversation can be read by id in this run, where failures are the cause; None while one can."""
        if self.is_open("single") or self.is_open("plural"):
            return None
        return self._failing.get("single") or self._failing.get("plural")
