"""An id for a conversation that carries none, as some exports' do."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mirror.rows import Conversation


def invented_id(payload: object, conversation: Conversation) -> str:
    """Return an id for a conversation without one: the same whenever the same conversation comes.

    Made of when it began and its first words, which a longer later copy of it shares.
    """
    began = conversation.created_at if "created_at" in conversation.stated else None
    first = next((m.text for m in conversation.messages if m.text), None)
    seed = json.dumps([began, first] if first else payload, sort_keys=True, default=str)
    return f"import-{hashlib.sha256(seed.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}"
