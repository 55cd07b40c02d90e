"""The account of one invented person, for demonstrations and tests.

Mira Sandoval runs a small bakery, looks at the sky at night, and learns Python and Japanese. Her conversations are
pleasant to read, and together they hold every form of content that the API notes name (§3.5 to §4.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirror.simulator import story_bread, story_sky
from mirror.simulator.account import Account
from mirror.simulator.story_draft import Desk, Draft

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

__all__ = ["RECALL", "Draft", "story_account"]

# Kind of content -> a word that stands in exactly one place of the account.
RECALL: dict[str, str] = {
    "abandoned branch": "marmalade",
    "code": "butterscotch",
    "tool output": "Turnipseed",
    "canvas": "peppernut",
    "quote": "Thistledown",
    "file name": "quincewood",
    "thoughts": "lamplighter",
    "deep research": "spyglassmaker",
    "system error": "gatekeeperish",
    "webpage": "Hollowmere",
}


def story_account(clock: Callable[[], float], chance: random.Random) -> Account:
    """Return the account as it is now by the clock; the same clock and chance give the same account."""
    account = Account(clock, chance)
    desk = Desk(clock(), chance)
    for conversation in _conversations(desk):
        account.add(conversation)
    return account


def _conversations(desk: Desk) -> list[dict[str, Any]]:
    return [*story_bread.conversations(desk), *story_sky.conversations(desk)]
