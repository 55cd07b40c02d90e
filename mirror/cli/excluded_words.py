"""Search words that begin with a minus: ``search sourdough -rye`` leaves out what has the word rye."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class WordsCommand(click.Command):
    """A command of words to search for: what begins with one minus and is none of its options is an excluded word.

    An option of one letter keeps its value where that follows at once and can be one: a number (``-n5``), or the path
    of a file (``-dother.db``, ``-d./chats``).
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Let the words stand behind all options."""
        options, words = self._told_apart(args)
        return super().parse_args(ctx, [*options, "--", *words] if words else options)

    def _told_apart(self, args: Iterable[str]) -> tuple[list[str], list[str]]:
        options: list[str] = []
        words: list[str] = []
        rest: Iterator[str] = iter(args)
        for arg in rest:
            if arg == "--":
                words += rest
            elif arg in self._with_value:
                options += [arg, *([value] if (value := next(rest, None)) is not None else [])]
            elif self._is_excluded_word(arg):
                words.append(_quoted(arg))
            else:
                options.append(arg)
        return options, words

    @property
    def _with_value(self) -> set[str]:
        found = [one for one in self.params if isinstance(one, click.Option) and not one.is_flag]
        return {name for one in found for name in one.opts}

    def _is_excluded_word(self, arg: str) -> bool:
        if not re.match(r"-[^-]", arg) or re.fullmatch(r"-[!-~]", arg):  # a letter alone is a mistyped option
            return False
        value = arg[2:]
        if arg[:2] not in self._with_value:
            return True
        return not (value.isdigit() if arg[:2] == "-n" else re.search(r"[./\\]", value))


def _quoted(word: str) -> str:
    """Return an excluded word as it is searched for: the shell took the quotes of a phrase away."""
    return f'-"{word[1:]}"' if " " in word and '"' not in word else word
