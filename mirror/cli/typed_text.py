"""What a person types to find something: words, a reference, a model or project."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mirror.values import clean_text

if TYPE_CHECKING:
    TextType = click.ParamType[str]
else:
    TextType = click.ParamType


class TypedText(TextType):
    """Text that SQLite can be asked for: a byte of it that is not in the terminal's encoding becomes U+FFFD."""

    name = "text"

    def convert(self, value: object, _param: click.Parameter | None, _ctx: click.Context | None) -> str:
        """Return the text."""
        return clean_text(str(value))[0]


TYPED_TEXT = TypedText()
