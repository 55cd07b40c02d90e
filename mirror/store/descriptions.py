"""What every table and column means, in the words of docs/schema.md, for those who see the tables in a program."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class TableDescription:
    """What a table or view holds. ``columns``: name -> meaning. Without Markdown's marks."""

    text: str
    columns: Mapping[str, str]


@cache
def table_descriptions() -> Mapping[str, TableDescription]:
    """Return the descriptions by table."""
    stated = tomllib.loads(files("mirror.store").joinpath("descriptions.toml").read_text("utf-8"))
    return {table: _described(meanings) for table, meanings in stated.items()}


def _described(meanings: Mapping[str, str]) -> TableDescription:
    plain = {column: text.replace("`", "") for column, text in meanings.items()}
    return TableDescription(plain.pop(""), plain)
