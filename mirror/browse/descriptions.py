"""Descriptions of our tables and columns on Datasette's own pages, which show them to those who may view the table.

What somebody wrote in their own metadata takes precedence over ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from mirror.browse.databases import dict_at
from mirror.browse.links import link_lines
from mirror.store.datasette_internal import state_descriptions
from mirror.store.descriptions import table_descriptions

if TYPE_CHECKING:
    from collections.abc import Iterable

_WITH_LINKS = ("conversations", "messages")  # 0.65 has no other place for links above a table
_OWN = {"description", "description_html"}


def describe_in_metadata(datasette: Any, databases: dict[str, Any]) -> None:
    """Add descriptions, and the lines of links, to the settings for 0.65."""
    for name, settings in databases.items():
        stated = dict_at(getattr(datasette, "_metadata_local", None) or {}, "databases", name)
        # So that 0.65 adds canned queries to a copy of this, and not to somebody's own metadata.
        settings["queries"] = {}
        links = link_lines(datasette, [name]) or Markup()
        if not _OWN & stated.keys():
            settings["description_html"] = links
        for table, described in table_descriptions().items():
            own = settings["tables"].setdefault(table, {})
            own["columns"] = dict(described.columns)
            if not _OWN & dict_at(stated, "tables", table).keys():
                text = Markup("<p>{}</p>").format(described.text)
                own["description_html"] = links + text if table in _WITH_LINKS else text


async def describe_in_internal_database(datasette: Any, databases: Iterable[str]) -> None:
    """Add descriptions to the internal database of 1.0, where somebody's own stand already."""
    names = list(databases)
    await datasette.get_internal_database().execute_write_fn(lambda conn: state_descriptions(conn, names))
