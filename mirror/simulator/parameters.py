"""The parameters of a request, and the service's answer to those it refuses (API notes §1.4)."""

from __future__ import annotations

from typing import Any

JsonAnswer = tuple[int, Any]  # status and JSON


class RefusedParameterError(Exception):
    """A parameter that the service refuses. ``answer``: its 422."""

    def __init__(self, answer: JsonAnswer) -> None:
        super().__init__("a refused parameter")
        self.answer = answer


def unprocessable(what: str, message: str, given: Any = None, *, where: str = "query") -> JsonAnswer:
    """Return the service's 422 about one parameter."""
    return 422, {"detail": [{"type": "value_error", "loc": [where, what], "msg": message, "input": given}]}


def number(query: dict[str, str], name: str, default: int, most: int | None = None) -> int:
    """Return a parameter that is a number from 0 on; raises RefusedParameterError for anything else."""
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit()):
        raise RefusedParameterError(unprocessable(name, "Input should be a valid integer, not negative", text))
    if most is not None and int(text) > most:
        raise RefusedParameterError(unprocessable(name, f"Input should be less than or equal to {most}", text))
    return int(text)
