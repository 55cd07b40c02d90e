"""A chatgpt.com lookalike over real HTTP: an account, a person who acts, and everything the service does wrong.

It is no part of the program and shares no code with it, so that a misunderstanding cannot hide in both. Shapes and
behaviour are those of the API notes; every fault is a knob.
"""

from mirror.simulator.account import Account, Workspace, account_of, demo_account, generated_account
from mirror.simulator.clock import ManualClock
from mirror.simulator.knobs import Knobs
from mirror.simulator.person import Person
from mirror.simulator.server import Simulator
from mirror.simulator.wire import Request

__all__ = [
    "Account",
    "Knobs",
    "ManualClock",
    "Person",
    "Request",
    "Simulator",
    "Workspace",
    "account_of",
    "demo_account",
    "generated_account",
]
