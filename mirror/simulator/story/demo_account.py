"""The account of one invented person, for demonstrations and tests.

Mira Sandoval runs a small bakery, looks at the sky at night, and learns Python and Japanese. Her conversations are
pleasant to read, and together they hold every form of content that the API notes name (§3.2 to §6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mirror.simulator.account import SimulatedAccount
from mirror.simulator.clock import iso_microseconds
from mirror.simulator.person import Person
from mirror.simulator.story.astronomy import astronomy_conversations
from mirror.simulator.story.bakery import bakery_conversations
from mirror.simulator.story.demo_files import add_files
from mirror.simulator.story.draft import DAY, Drafts
from mirror.simulator.story.features import features_conversations
from mirror.simulator.story.languages import languages_conversations
from mirror.simulator.story.programming import programming_conversations

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

# Kind of content -> a word that is in exactly one message, title or file name of the account.
UNIQUE_WORDS: dict[str, str] = {
    "abandoned branch": "marmalade",
    "canvas": "peppernut",
    "cjk": "結露",
    "code": "butterscotch",
    "deep research": "spyglassmaker",
    "edited prompt": "hazelwick",
    "file name": "quincewood",
    "long answer": "Crumbledown",
    "memory": "Brambleglass",
    "picture prompt": "Larkspurgate",
    "quote": "Thistledown",
    "right to left": "חמצמצה",
    "system error": "gatekeeperish",
    "thoughts": "lamplighter",
    "title": "weathervane",
    "tool output": "Turnipseed",
    "unchosen answer": "kettlebrook",
    "voice": "lodestarry",
    "webpage": "Hollowmere",
}


class ProjectPlan(NamedTuple):
    """A project: its age, what its page shows, its instructions, and the titles of its chats."""

    days_ago: int
    display: dict[str, str]
    instructions: str
    titles: tuple[str, ...]


_PROJECTS = (
    ProjectPlan(
        450,
        {"name": "Bakery", "description": "Prices, posters, ovens", "emoji": "🥖", "theme": "#c2410c"},
        "Weights in grams, temperatures in Celsius. The shop sells from Tuesday to Saturday.",
        ("What sells at the Saturday market", "Opening hours poster", "Comparing the deck oven offer"),
    ),
    ProjectPlan(
        330,
        {"name": "Night sky", "description": "What to see and with what", "emoji": "🔭", "theme": "#4338ca"},
        "I observe with a 200 mm Dobsonian from the edge of a small town. Name the hour and the direction.",
        ("When to watch the Perseids", "Eyepieces for the Dobsonian", "Can I see the comet from town?"),
    ),
    ProjectPlan(
        910,
        {"name": "Learning Japanese", "description": "A little every day", "emoji": "🌸", "theme": "#be185d"},
        "Correct me gently. Write readings beside the kanji.",
        ("A Japanese word a day", "日本語で星の話"),
    ),
)
_GPT = "g-StarCharts"
_GPT_CHATS = ("Orion for beginners", "A star hop to the Ring Nebula")
_TOPICS = (
    bakery_conversations,
    programming_conversations,
    astronomy_conversations,
    features_conversations,
    languages_conversations,
)
_ARCHIVED = frozenset({"Lunar eclipse tonight", "Moonrise above the harbour", "Strange characters in a recipe file"})


def demo_account(clock: Callable[[], float], rng: random.Random) -> SimulatedAccount:
    """Return the account as it is now; the same time and state of ``rng`` give the same account."""
    account, drafts = SimulatedAccount(clock, rng), Drafts(clock(), rng)
    for conversations in _TOPICS:
        for conversation in conversations(drafts):
            conversation["is_archived"] = conversation["title"] in _ARCHIVED
            account.add(conversation)
    _add_gpt(account, drafts)
    _add_projects(account, drafts)
    account.memories += [
        _memory(drafts, 390, "Bakes with rye and wheat sourdough; opens the bakery at 7:00."),
        _memory(drafts, 240, "Owns a 200 mm Dobsonian telescope and 10x50 binoculars."),
        _memory(drafts, 60, "Learns Japanese and likes short dialogues."),
    ]
    account.instructions = _demo_instructions()
    add_files(account)
    return account


def _add_projects(account: SimulatedAccount, drafts: Drafts) -> None:
    person = Person(account)
    by_title = {conversation["title"]: conversation for conversation in account.conversations.values()}
    for plan in _PROJECTS:
        chats = [by_title[title] for title in plan.titles]
        begun = iso_microseconds(drafts.now - plan.days_ago * DAY)
        project = person.new_project(
            plan.display["name"],
            display=plan.display,
            instructions=plan.instructions,
            memory_scope="project_v2",
            memory_enabled=True,
            is_archived=False,
            created_at=begun,
            updated_at=begun,
            last_interacted_at=iso_microseconds(max(chat["update_time"] for chat in chats)),
            num_interactions=len(chats),
        )
        placed = {"gizmo_id": project, "conversation_template_id": project}
        for chat in chats:
            chat |= {**placed, "gizmo_type": "snorlax", "memory_scope": "project_v2"}


def _add_gpt(account: SimulatedAccount, drafts: Drafts) -> None:
    display = {"name": "Star Chart Helper", "description": "Finds your way among the stars", "emoji": None}
    account.gpts[_GPT] = {
        "id": _GPT,
        "short_url": f"{_GPT}-star-chart-helper",
        "gizmo_type": "gpt",
        "display": display,
        "instructions": None,
        "created_at": iso_microseconds(drafts.now - 800 * DAY),
        "updated_at": iso_microseconds(drafts.now - 700 * DAY),
    }
    fields = {"gizmo_id": _GPT, "conversation_template_id": _GPT, "gizmo_type": "gpt"}
    first, second = (drafts.begin(title, 770 - 60 * n, "gpt-4", **fields) for n, title in enumerate(_GPT_CHATS))
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


def _memory(drafts: Drafts, days_ago: float, text: str) -> dict[str, Any]:
    at = iso_microseconds(drafts.now - days_ago * DAY)
    row = {"id": drafts.file_id()[5:], "content": text, "updated_at": at, "created_timestamp": at}
    return row | {"gizmo_id": None, "status": "warm", "conversation_id": None, "labels": []}


def _demo_instructions() -> dict[str, Any]:
    return {
        "object": "user_system_message_detail",
        "enabled": True,
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
