"""Payloads become rows: pure functions without input or output, which are to raise for no JSON value.

``normalize`` reads one payload of a service, ``merge`` folds the payloads of one conversation. A service is one more
package beside ``chatgpt`` and one more entry in ``NORMALIZERS``.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirror.errors import UnreadablePayloadError, place_of
from mirror.normalize.chatgpt import conversation as chatgpt
from mirror.normalize.chatgpt.tool_steps import steps_of
from mirror.normalize.merge import ParsedPayload
from mirror.normalize.merge import merge as _merge
from mirror.rows import Attachment, Conversation, Link, Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = [
    "NORMALIZERS",
    "Attachment",
    "Conversation",
    "Link",
    "Message",
    "Normalizer",
    "ParsedPayload",
    "conversation_id",
    "holds_all",
    "merge",
    "normalize",
    "says_the_same",
    "tool_steps",
    "version_of",
]


@dataclass(frozen=True, slots=True)
class Normalizer:
    """What is known of one service's payloads. No function is to raise, whatever JSON it is given.

    ``from_payload`` returns the whole conversation. ``version`` changes when some payload gives other rows than before.
    ``conversation_id`` returns the id without reading messages, "" where there is none. ``says_the_same``: whether two
    payloads differ at most in the metadata that a list states too; False where that is not sure.
    ``tool_steps``: what a call of a tool did, in a reader's words.
    """

    from_payload: Callable[[object], Conversation]
    version: int
    conversation_id: Callable[[object], str]
    says_the_same: Callable[[object, object], bool] = lambda _new, _old: False
    holds_all: Callable[[object, object], bool] = lambda _new, _old: False
    tool_steps: Callable[[str, str], list[tuple[str, str]]] = lambda _tool, _text: []


NORMALIZERS: dict[str, Normalizer] = {
    "chatgpt": Normalizer(
        from_payload=chatgpt.from_payload,
        version=chatgpt.VERSION,
        conversation_id=chatgpt.conversation_id,
        says_the_same=chatgpt.says_the_same,
        holds_all=chatgpt.holds_all,
        tool_steps=steps_of,
    ),
}


def normalize(provider: str, payload: object) -> Conversation:
    """Return the conversation in a provider's payload.

    Raises ValueError for an unknown provider, UnreadablePayloadError where the normalizer fails.
    """
    read = _normalizer(provider).from_payload
    with _named_as_unreadable():
        return read(payload)


def version_of(provider: str) -> int:
    """Return the version of a provider's normalizer; a rebuild replaces rows that an older one made."""
    return _normalizer(provider).version


def conversation_id(provider: str, payload: object) -> str:
    """Return the id that a payload states, "" where it states none, without reading any message."""
    return _normalizer(provider).conversation_id(payload)


def says_the_same(provider: str, new: object, old: object) -> bool:
    """Return whether two payloads surely differ in nothing but what lists state too; False where that is not sure.

    Raises likewise.
    """
    compare = _normalizer(provider).says_the_same
    with _named_as_unreadable():
        return compare(new, old)


def holds_all(provider: str, new: object, old: object) -> bool:
    """Return whether a payload surely holds every message of an older one, unchanged; False where that is not sure.

    Raises likewise.
    """
    compare = _normalizer(provider).holds_all
    with _named_as_unreadable():
        return compare(new, old)


def tool_steps(provider: str, tool: str, text: str) -> list[tuple[str, str]]:
    """Return what a call of a tool did, and for what: ("Searched the web", "rye"); [] for one that is not known."""
    return NORMALIZERS[provider].tool_steps(tool, text) if provider in NORMALIZERS else []


def merge(payloads: Sequence[ParsedPayload]) -> Conversation:
    """Fold the payloads of one conversation; see ``mirror.normalize.merge``. Raises likewise."""
    with _named_as_unreadable():
        return _merge(payloads)


@contextmanager
def _named_as_unreadable() -> Iterator[None]:
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        raise UnreadablePayloadError(
            f"this version of chatmirror cannot read it ({place_of(error)}); please report it"
        ) from error


def _normalizer(provider: str) -> Normalizer:
    if provider not in NORMALIZERS:
        raise ValueError(f"no normalizer for provider {provider!r}; known are {', '.join(sorted(NORMALIZERS))}")
    return NORMALIZERS[provider]
