"""A running service and a client that asks it over real HTTP."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from http_browser import HttpBrowser

from mirror.simulator import Behaviour, ManualClock, SimulatedAccount, Simulator, generated_account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Start(Protocol):
    """Starts a service that behaves so; returns a signed-in client of it."""

    def __call__(
        self,
        conversations: int = 5,
        messages: int = 6,
        *,
        account: SimulatedAccount | None = None,
        archived: int = 0,
        sleep: Callable[[float], None] = ...,
        **behaviour: Any,
    ) -> HttpBrowser: ...


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:

        def begin(
            conversations: int = 5,
            messages: int = 6,
            *,
            account: SimulatedAccount | None = None,
            archived: int = 0,
            sleep: Callable[[float], None] = lambda _: None,
            **behaviour: Any,
        ) -> HttpBrowser:
            account = account or generated_account(ManualClock(), conversations, messages, archived=archived)
            service = stack.enter_context(Simulator(account, Behaviour(**behaviour), sleep=sleep))
            return stack.enter_context(HttpBrowser(service))

        yield begin
