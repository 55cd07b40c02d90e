"""The demonstration's account as plain data: the story of one invented baker, in the service's full shapes.

The conversations are told in ``story`` and, where the service has older or odder forms than a story needs, in
``corpus_extras``. Here they get every field that a single read has (API notes §3.2), and the projects, memories and
instructions around them those of §5 and §6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirror.simulator import corpus_extras
from mirror.simulator.story import account as story
from mirror.simulator.story.draft import Desk

if TYPE_CHECKING:
    import random

# Kind of content -> a word that stands in exactly one message or title of the account.
RECALL: dict[str, str] = {**story.RECALL, **corpus_extras.RECALL}

# Fields of a single read that a conversation has even when they say nothing (API notes §3.2).
_BLANK: dict[str, Any] = {"context_truncation_continuation": None, "atlas_mode_enabled": None, "workspace_id": None}

# Project -> what its page shows and what its chats are told.
_PROJECTS: dict[str, tuple[dict[str, str], str]] = {
    "Bakery": (
        {"description": "Prices, posters, ovens", "emoji": "🥖", "theme": "#c2410c"},
        "Weights in grams, temperatures in Celsius. The shop sells from Tuesday to Saturday.",
    ),
    "Night sky": (
        {"description": "What to see and with what", "emoji": "🔭", "theme": "#4338ca"},
        "I observe with a 200 mm Dobsonian from the edge of a small town. Name the hour and the direction.",
    ),
    "Learning Japanese": (
        {"description": "A little every day", "emoji": "🌸", "theme": "#be185d"},
        "Correct me gently. Write readings beside the kanji.",
    ),
}


def demo_account_data(now: float, random: random.Random) -> dict[str, Any]:
    """Return the account at ``now`` (epoch seconds); the same now and state of ``random`` give the same data.

    ``conversations`` (single-read shape, float times), ``projects`` and ``gpts`` (gizmo objects), ``memories`` (rows)
    and ``instructions`` (a ``user_system_message_detail``).
    """
    account = story.story_account(lambda: now, random)
    conversations = list(account.conversations.values())
    conversations += corpus_extras.conversations(Desk(now, random), conversations)
    return {
        "conversations": [_whole(conversation) for conversation in conversations],
        "projects": [_furnished(project) for project in account.projects.values()],
        "gpts": list(account.gpts.values()),
        "memories": [_remembered(memory) for memory in account.memories],
        "instructions": {"object": "user_system_message_detail", "enabled": True, **account.instructions},
    }


def _whole(conversation: dict[str, Any]) -> dict[str, Any]:
    scope = "project_v2" if conversation["gizmo_type"] == "snorlax" else conversation["memory_scope"]
    return {**_BLANK, **conversation, "memory_scope": scope}


def _furnished(project: dict[str, Any]) -> dict[str, Any]:
    name = project["display"]["name"]
    if name not in _PROJECTS:
        return project
    display, instructions = _PROJECTS[name]
    return {
        **project,
        "display": {**project["display"], **display},
        "instructions": instructions,
        "memory_scope": "project_v2",
        "memory_enabled": True,
        "is_archived": False,
    }


def _remembered(memory: dict[str, Any]) -> dict[str, Any]:
    return {"gizmo_id": None, "status": "warm", "conversation_id": None, "labels": [], **memory}
