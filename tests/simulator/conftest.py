"""A running service and somebody who asks it over real HTTP."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from asking_http import Browser

from mirror.simulator import Knobs, ManualClock, Simulator, generated_account


@pytest.fixture
def start():
    """Return a function that starts a service with these knobs and signs a browser in."""
    with ExitStack() as stack:

        def begin(conversations=5, messages=6, *, account=None, archived=0, sleep=lambda _: None, **knobs):
            account = account or generated_account(ManualClock(), conversations, messages, archived=archived)
            service = stack.enter_context(Simulator(account, knobs=Knobs(**knobs), sleep=sleep))
            return stack.enter_context(Browser(service))

        yield begin
