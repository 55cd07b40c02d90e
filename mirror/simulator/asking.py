"""What a request may ask, and the service's answer to what it may not (API notes §1.4)."""

from __future__ import annotations

from typing import Any

Answer = tuple[int, Any]


class BadQueryError(Exception):
    """A parameter that the service refuses. ``answer``: its 422."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("a refused parameter")
        self.answer = answer


def unprocessable(what: str, message: str, given: Any = None, *, where: str = "query") -> Answer:
    """Return the service's 422 about one parameter."""
    return 422, {"detail": [{"type": "value_error", "loc": [where, what], "msg": message, "input": given}]}


def number(query: dict[str, str], name: str, default: int, most: int | None = None) -> int:
    """Return a parameter that is a number of at least 0; raises BadQueryError for anything else."""
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit()):
        raise BadQueryError(unprocessable(name, "Input should be a valid integer, not negative", text))
    if most is not None and int(text) > most:
        raise BadQueryError(unprocessable(name, f"Input should be less than or equal to {most}", text))
    return int(text)
