"""The account of one invented person, for demonstrations and tests.

Mira Sandoval runs a small bakery, looks at the sky at night, and learns Python and Japanese. Her conversations are
pleasant to read, and together they hold every form of content that the API notes name (§3.5 to §4.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirror.simulator.account import Account
from mirror.simulator.clock import iso
from mirror.simulator.person import Person
from mirror.simulator.story import bread as story_bread
from mirror.simulator.story import code as story_code
from mirror.simulator.story import sky as story_sky
from mirror.simulator.story import talk as story_talk
from mirror.simulator.story.draft import DAY, Desk, Draft

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

__all__ = ["RECALL", "Draft", "story_account"]

# Kind of content -> a word that stands in exactly one place of the account.
RECALL: dict[str, str] = {
    "abandoned branch": "marmalade",
    "canvas": "peppernut",
    "cjk": "結露",
    "code": "butterscotch",
    "deep research": "spyglassmaker",
    "file name": "quincewood",
    "memory": "Brambleglass",
    "quote": "Thistledown",
    "system error": "gatekeeperish",
    "thoughts": "lamplighter",
    "title": "weathervane",
    "tool output": "Turnipseed",
    "voice": "lodestarry",
    "webpage": "Hollowmere",
}

_PROJECTS: dict[str, tuple[str, ...]] = {
    "Bakery": ("What sells at the Saturday market", "Opening hours poster", "Comparing the deck oven offer"),
    "Night sky": ("When to watch the Perseids", "Eyepieces for the Dobsonian", "Can I see the comet from town?"),
    "Learning Japanese": ("A Japanese word a day", "日本語で星の話"),
}
_GPT = "g-StarCharts"
_GPT_CHATS = ("Orion for beginners", "A star hop to the Ring Nebula")
_ARCHIVED = frozenset({"Lunar eclipse tonight", "Moonrise above the harbour", "Strange characters in a recipe file"})


def story_account(clock: Callable[[], float], chance: random.Random) -> Account:
    """Return the account as it is now by the clock; the same clock and chance give the same account."""
    account = Account(clock, chance)
    desk = Desk(clock(), chance)
    for part in (story_bread, story_code, story_sky, story_talk):
        for conversation in part.conversations(desk):
            conversation["is_archived"] = conversation["title"] in _ARCHIVED
            account.add(conversation)
    _add_gpt(account, desk)
    _add_projects(account, desk)
    account.memories += [
        _memory(desk, 390, "Bakes with rye and wheat sourdough; opens the bakery at 7:00."),
        _memory(desk, 240, "Owns a 200 mm Dobsonian telescope and 10x50 binoculars."),
        _memory(desk, 60, "Learns Japanese and likes short dialogues."),
    ]
    account.instructions = _instructions()
    return account


def _add_projects(account: Account, desk: Desk) -> None:
    person = Person(account)
    by_title = {conversation["title"]: conversation for conversation in account.conversations.values()}
    for days_ago, (name, titles) in zip((450, 330, 910), _PROJECTS.items(), strict=True):
        chats = [by_title[title] for title in titles]
        project = person.new_project(
            name,
            created_at=iso(desk.now - days_ago * DAY),
            updated_at=iso(desk.now - days_ago * DAY),
            last_interacted_at=iso(max(chat["update_time"] for chat in chats)),
            num_interactions=len(chats),
        )
        for chat in chats:
            chat |= {"gizmo_id": project, "conversation_template_id": project, "gizmo_type": "snorlax"}


def _add_gpt(account: Account, desk: Desk) -> None:
    display = {"name": "Star Chart Helper", "description": "Finds your way among the stars", "emoji": None}
    account.gpts[_GPT] = {
        "id": _GPT,
        "short_url": f"{_GPT}-star-chart-helper",
        "gizmo_type": "gpt",
        "display": display,
        "instructions": None,
        "created_at": iso(desk.now - 800 * DAY),
        "updated_at": iso(desk.now - 700 * DAY),
    }
    fields = {"gizmo_id": _GPT, "conversation_template_id": _GPT, "gizmo_type": "gpt"}
    first, second = (desk.draft(title, 770 - 60 * n, "gpt-4", **fields) for n, title in enumerate(_GPT_CHATS))
    first.system().user("How do I find Orion?", gizmo_id=_GPT).assistant(
        "Look south on a winter evening for **three stars in a row**. Above them is red Betelgeuse, below blue Rigel.",
        gizmo_id=_GPT,
    )
    second.system().user("And the Ring Nebula, from Vega?", gizmo_id=_GPT).assistant(
        """
        1. Put **Vega** in the finder.
        2. Move 7 degrees to the south: two stars of third magnitude, Sheliak and Sulafat.
        3. The nebula lies between them, a little nearer to Sheliak. At 92x it is a smoke ring.
        """,
        gizmo_id=_GPT,
    )
    for draft in (first, second):
        account.add(draft.conversation)


def _memory(desk: Desk, days_ago: float, text: str) -> dict[str, Any]:
    at = desk.now - days_ago * DAY
    return {"id": desk.file_id()[5:], "content": text, "updated_at": iso(at), "created_timestamp": iso(at)}


def _instructions() -> dict[str, Any]:
    return {
        "about_user_message": "I run a small bakery and own a 200 mm telescope.",
        "about_model_message": "Short answers first, details below.",
        "name_user_message": "Mira",
        "role_user_message": "Baker",
        "traits_model_message": "Practical, friendly",
        "other_user_message": "I am learning Python and Japanese.",
        "personality_type_selection": "default",
        "traits_enabled": True,
        "disabled_tools": [],
    }
