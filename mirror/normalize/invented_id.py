"""An id for a conversation that carries none, as some exports' do."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mirror.rows import Conversation

_PREFIX = "import-"


def invented_id(payload: object, conversation: Conversation) -> str:
    """Return an id for a conversation without one: the same whenever the same conversation comes.

    Made of when it began, where it says so, and of its first message: id, time and words, which a longer later copy
    shares. What is hidden begins many conversations with the same instructions, so it does not count.
    """
    began = conversation.created_at if "created_at" in conversation.stated else None
    shown = [message for message in conversation.messages if message.text and not message.is_hidden]
    if shown:
        first = min(shown, key=lambda message: message.created_at or "later")
        seed: object = [began, first.message_id or first.id, first.created_at, first.text]
        if began is None and first.created_at is None:
            # The id can be a mere number in the list, and many conversations begin with "Hello": so the answer counts.
            seed = [seed, *(message.text for message in shown[1:2])]
    else:
        seed = payload
    text = json.dumps(seed, sort_keys=True, default=str)
    return f"{_PREFIX}{hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}"


def is_invented(conversation_id: str) -> bool:
    """Whether an id is one of these, under which no service has a page."""
    return conversation_id.startswith(_PREFIX)
