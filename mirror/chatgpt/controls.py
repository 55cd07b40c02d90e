"""Conversations that are asked for as a control, before a failure is blamed on more than one conversation.

What fails for one conversation says nothing of its endpoint. A control is a conversation that the endpoint gave before,
in this run or in an earlier one; where there is none, some of those that are wanted anyway, far from those that fail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mirror.chatgpt.memory import ChatGPTMemory

# Controls that are known to have been given, and others, that are asked for at most. Neighbours can be bad together
# (the ten newest of an account), so the others are taken from the far end and the middle. Fewer: a control that is bad
# itself closes an endpoint for a run; more: requests in vain while a service is down.
KNOWN_CONTROLS, OTHER_CONTROLS = 2, 2
# Lasting 429s of a run about which a control is asked: two conversations, each in a batch and by id. Smaller: one
# conversation that is so refused ends every run; larger: more requests against what may become a limit.
MOST_LIMIT_CHECKS = 4
# Controls that are limited, too, before a limit is believed: the first one can be such a conversation itself. 1: two of
# them end every run; larger: more requests against a real limit.
LIMITED_CONTROLS = 2
NO_ENDPOINT = frozenset({404, 405})  # statuses of an address that does not exist


class Controls:
    """The controls of one workspace in one run. ``wanted``: the ids that are being fetched, in their order.

    The last good conversation of each endpoint is kept in the source's memory. ``listed``: the first id and the middle
    one of each list that this run read.
    """

    def __init__(self, memory: ChatGPTMemory) -> None:
        self._remembered = memory.controls
        self._given: dict[str, str] = {}  # endpoint -> the conversation that it gave last in this run
        self._failed: set[tuple[str, str]] = set()
        self.wanted: Sequence[str] = ()
        self.listed: list[str] = []
        self._limit_checks = 0

    def may_ask_about_limit(self) -> bool:
        """Whether controls may be asked for about one more lasting 429; counts it, whatever they will answer."""
        self._limit_checks += 1
        return self._limit_checks <= MOST_LIMIT_CHECKS

    def gave(self, endpoint: str, conversation_id: str) -> None:
        """The endpoint gave this conversation."""
        self._given[endpoint] = self._remembered[endpoint] = conversation_id

    def has_given(self, endpoint: str) -> bool:
        """Whether the endpoint gave anything in this run."""
        return endpoint in self._given

    def failed(self, endpoint: str, conversation_id: str) -> None:
        """The endpoint did not give this one, so that it is no control."""
        self._failed.add((endpoint, conversation_id))

    def candidates(self, endpoint: str, apart_from: Collection[str] = ()) -> list[str]:
        """Return what to ask the endpoint for, the best control first."""
        far = [self.wanted[-1], self.wanted[len(self.wanted) // 2]] if self.wanted else []
        return self._best(endpoint, far, apart_from)

    def shown(self, endpoint: str) -> list[str]:
        """Return the same, with what lists show now in the place of what is wanted, which may be gone."""
        return self._best(endpoint, self.listed)

    def note_listed(self, ids: Sequence[str]) -> None:
        """A list shows these."""
        self.listed += [ids[0], ids[len(ids) // 2]] if ids else []

    def _best(self, endpoint: str, far: Sequence[str], apart_from: Collection[str] = ()) -> list[str]:
        own = [given[endpoint] for given in (self._given, self._remembered) if endpoint in given]
        known = self._usable(endpoint, [*own, *self._given.values(), *self._remembered.values()], apart_from)
        others = self._usable(endpoint, far, {*apart_from, *known})
        return known[:KNOWN_CONTROLS] + others[:OTHER_CONTROLS]

    def _usable(self, endpoint: str, ids: Sequence[str], apart_from: Collection[str]) -> list[str]:
        return [key for key in dict.fromkeys(ids) if key not in apart_from and (endpoint, key) not in self._failed]
