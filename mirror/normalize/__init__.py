"""Payloads become rows: pure functions that never raise on any JSON value, and no input or output.

``normalize`` reads one payload of a service, ``merge`` folds the payloads of one conversation. A service is one more
entry in the table below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirror.normalize.chatgpt import conversation
from mirror.normalize.merge import Layer, merge
from mirror.normalize.rows import Attachment, Conversation, Link, Message

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = 1  # raise it when some payload reads differently than before: mirrors then know that they can be rebuilt

__all__ = ["VERSION", "Attachment", "Conversation", "Layer", "Link", "Message", "merge", "normalize"]

_NORMALIZERS: dict[str, Callable[[object], Conversation]] = {"chatgpt": conversation.from_payload}


def normalize(provider: str, payload: object) -> Conversation:
    """Return the conversation that a provider's payload tells; raises ValueError for an unknown provider only."""
    if provider not in _NORMALIZERS:
        raise ValueError(f"no normalizer for provider {provider!r}; there is {', '.join(sorted(_NORMALIZERS))}")
    return _NORMALIZERS[provider](payload)
