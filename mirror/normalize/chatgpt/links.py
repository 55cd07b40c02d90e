"""Web pages: which strings are addresses, how a link is written, where a payload keeps pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mirror.normalize.chatgpt.readable_text import dicts_in
from mirror.rows import Link
from mirror.text import one_line
from mirror.values import as_dict, as_dicts, first_text, plain

if TYPE_CHECKING:
    from collections.abc import Iterable

_WEB = re.compile(r"https?://[^\s/?#]", re.IGNORECASE)
_BREAKS_A_LINK = re.compile(r"[\s\x00-\x1f\x7f<>()\\\"`]")
_SPACES = re.compile(r"[\s\x00-\x1f\x7f]+")
_MARKDOWN_LINK = re.compile(r"(!?)\[((?:[^\[\]\\\n]|\\.)*)\]\(([^\s()]*(?:\([^\s()]*\)[^\s()]*)*)\)")
# Where a reference keeps its pages, in the order in which the service shows them (API notes §4.1).
PAGE_LISTS = ("items", "sources", "supporting_websites", "fallback_items", "images", "entries")

_SEARCH_KEYS = frozenset({"search_result_groups", "_cite_metadata", "image_results"})  # where found pages stand


def web_url(value: object) -> str | None:
    """Return an http(s) address without blanks, or None for anything else."""
    url = (plain(value) or "").strip()
    return _SPACES.sub("%20", url) if _WEB.match(url) else None


def link(url: object, title: object, kind: str) -> Link | None:
    """Return a Link row, or None where the address is no web page."""
    address = web_url(url)
    return Link(address, title_of(title), kind) if address else None


def title_of(value: object) -> str | None:
    """Return a title or name on one line, or None for what is blank or no string."""
    title = plain(value)
    return one_line(title) if title else None


def markdown(page: Link) -> str:
    """Return a page as a Markdown link; no character in its title or address breaks it."""
    title = page.title or page.url.split("/")[2]
    title = title.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    return f"[{title}]({_BREAKS_A_LINK.sub(lambda found: quote(found[0], safe=''), page.url)})"


def page(record: dict[str, Any], kind: str = "citation") -> Link | None:
    """Return the page that a record names by its ``url``; the title from the first of several keys."""
    title = first_text(record.get("title"), record.get("attribution"), record.get("name"), record.get("domain"))
    return link(record.get("url"), title, kind)


def pages(reference: dict[str, Any], kind: str = "citation") -> list[Link]:
    """Return the pages of one reference, the main ones first, each address once."""
    found = [page(reference, kind)]
    for key in PAGE_LISTS:
        for item in as_dicts(reference.get(key)):
            found.append(page(item, kind))
            found.extend(page(site, kind) for site in as_dicts(item.get("supporting_websites")))
    return unique(found)


def nested_pages(reference: dict[str, Any]) -> list[Link]:
    """Return the pages deeper inside a reference of another shape: products, pictures, other cards."""
    inside = (value for key, value in reference.items() if key not in {"attributions_debug", "metadata"})
    records = (record for value in inside for _, record in dicts_in(value))
    return unique(page(record, "widget") for record in records if first_text(record.get("title"), record.get("name")))


def unique(links: Iterable[Link | None]) -> list[Link]:
    """Return the links in order, each address once."""
    found: dict[str, Link] = {}
    for item in links:
        if item is not None:
            found.setdefault(item.url, item)
    return list(found.values())


def search_pages(metadata: dict[str, Any]) -> list[Link]:
    """Return the pages that a search found, cited or not (API notes §3.6)."""
    if _SEARCH_KEYS.isdisjoint(metadata):
        return []
    groups = as_dicts(metadata.get("search_result_groups"))
    entries = [entry for group in groups for entry in (as_dicts(group.get("entries")) or [group])]
    listed = as_dicts(as_dict(metadata.get("_cite_metadata")).get("metadata_list"))
    pictures = as_dicts(metadata.get("image_results"))
    return unique(page(entry, "search") for entry in [*entries, *listed, *pictures])


def tidy_markdown(text: str) -> tuple[str, list[Link]]:
    """Return Markdown with images as words and only web links, and the pages that it links to."""
    found: list[Link | None] = []

    def rewrite(match: re.Match[str]) -> str:
        mark, label, url = match.groups()
        address = web_url(url)
        if mark:
            return f"[image: {label}]" if label else "[image]"
        if address is None:
            return label
        found.append(link(address, label.replace("\\", ""), "citation"))
        return match[0]

    return _MARKDOWN_LINK.sub(rewrite, text), unique(found)
