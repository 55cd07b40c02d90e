"""What a request has to know of the site that it goes to; each service fills in its own record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mirror.skeleton import ApiWords

if TYPE_CHECKING:
    from collections.abc import Callable


class RequestClass(NamedTuple):
    """Requests that the site limits together, so that they are paced together.

    ``spacing``: seconds from one request to the next, before jitter. ``pauses``: seconds to wait after the first,
    second, ... 429 without ``Retry-After``; one more ends the run. ``is_budgeted``: the site grants a number of these
    over a long time, so refusals count over the whole run and teach a budget; otherwise they count in a row.
    """

    name: str
    spacing: float
    pauses: tuple[float, ...]
    is_budgeted: bool = False


NO_WORDS = ApiWords()


def _no_sentence(_body: Any) -> None:
    return None


class Site(NamedTuple):
    """One site.

    ``name`` and ``home_url``: for messages. ``lock_words``: what stands in an answer that says that the person's own
    account is locked; empty where the site has no such answer. ``error_code``: reads the machine's word for the reason
    out of the parsed body of a refusal, None where there is none. ``error_sentence``: its words for a person, likewise.
    ``words``: what may be kept of its answers (``mirror.skeleton``).
    """

    name: str
    home_url: str
    error_code: Callable[[Any], str | None]
    lock_words: bytes = b""
    error_sentence: Callable[[Any], str | None] = _no_sentence
    words: ApiWords = NO_WORDS
