"""A conversation as one HTML file that needs nothing else and runs nothing.

It is made of the same pieces as the pages in Datasette, with their style inside. Its content security policy, the first
thing in it, lets a browser load nothing but the pictures, sounds and films beside it.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

from jinja2 import ChoiceLoader, Environment, PackageLoader, Template
from markupsafe import Markup

from mirror.browse.conversation import PageOptions, TurnParts, turns_of
from mirror.browse.pages import TEMPLATES, asset_text
from mirror.browse.pagination import messages_to_show
from mirror.browse.times import local_day_html, local_minute_html
from mirror.services import speaker_of
from mirror.store.branches import Step, TreeNode, by_parent, with_forks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirror.store.file_rows import FileRow
    from mirror.store.threads import ConversationView, MessageView


@dataclass(frozen=True, slots=True)
class _Places:
    """Where files are, for the pieces of a page."""

    addresses: Mapping[str, str]

    def file(self, file_id: str, _sha256: str, /) -> str:
        return self.addresses[file_id]


def page_of(
    view: ConversationView,
    messages: list[MessageView],
    files: Mapping[str, FileRow],
    addresses: Mapping[str, str],
) -> str:
    """Return a conversation as a page; ``addresses``: where the bytes of its files are, by id."""
    nodes = [_node_of(message) for message in messages]
    has_branches = any(message.branch for message in messages)
    steps = with_forks(nodes, by_parent(nodes)) if has_branches else [Step(node, None) for node in nodes]
    shown = messages_to_show(steps, hidden=False, reasoning=True)
    known = {key: row for key, row in files.items() if key in addresses or row.state != "stored"}
    parts = TurnParts({message.rowid: message for message in messages}, known, _Places(addresses))
    return _template().render(
        view=view,
        title=view.title or "Untitled",
        service=speaker_of(view.provider),
        turns=turns_of(shown, parts, view.provider, PageOptions()),
        **_style(),
    )


def _node_of(message: MessageView) -> TreeNode:
    return TreeNode(
        rowid=message.rowid,
        id=message.id,
        parent_id=message.parent_id,
        position=message.position,
        role=message.role,
        kind=message.kind,
        created_at=message.created_at,
        is_hidden=message.is_hidden,
        size=len(message.text.strip()),
        has_links_or_files=bool(message.links or message.attachments),
    )


@lru_cache(maxsize=1)
def _style() -> dict[str, Markup]:
    """Return the pages' style sheet, and its hash as a content security policy names it."""
    style = asset_text("pages.css")[0].replace("</", "<\\/")
    digest = base64.b64encode(sha256(style.encode()).digest()).decode()
    return {"style": Markup(style), "style_hash": Markup(f"sha256-{digest}")}  # noqa: S704 - our own file


@lru_cache(maxsize=1)
def _template() -> Template:
    loader = ChoiceLoader([PackageLoader("mirror.export"), PackageLoader("mirror.browse", TEMPLATES)])
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True)
    environment.lstrip_blocks = True
    environment.filters |= {"day": local_day_html, "moment": local_minute_html}
    return environment.get_template("conversation.html")
