"""A chatgpt.com lookalike over real HTTP: an account, a person who uses it, and its faults.

It is no part of the program and shares no code with it, so that a misunderstanding of the service cannot hide in both.
Shapes and behaviour are those of the API notes; every fault is a field of ``Behaviour``.
"""

from mirror.simulator.account import SimulatedAccount, SimulatedFile, SimulatedWorkspace, generated_account
from mirror.simulator.behaviour import Behaviour
from mirror.simulator.clock import ManualClock
from mirror.simulator.exchange import ReceivedRequest
from mirror.simulator.person import Person
from mirror.simulator.service import Simulator
from mirror.simulator.story.demo_account import demo_account

__all__ = [
    "Behaviour",
    "ManualClock",
    "Person",
    "ReceivedRequest",
    "SimulatedAccount",
    "SimulatedFile",
    "SimulatedWorkspace",
    "Simulator",
    "demo_account",
    "generated_account",
]
