"""Replace citation marks by the links that a reader of chatgpt.com sees (API notes §4.1).

A mark is found by its text, never by its offset alone (the offsets do not count code points). Each reference takes the
next occurrence of its text. A reference to a blank is a footnote, not an instruction to replace blanks. All spans are
computed on the original text, which is then put together once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from mirror.normalize.chatgpt.citation_marks import (
    LEGACY,
    LOOKALIKES,
    PLAIN,
    Mark,
    addresses,
    legacy_words,
    linked,
    marks,
    source_refs,
    source_refs_in,
    without_marks,
    words,
)
from mirror.normalize.chatgpt.links import (
    PAGE_LISTS,
    link,
    nested_pages,
    pages,
    search_pages,
    tidy_markdown,
    title_of,
    unique,
)
from mirror.normalize.chatgpt.readable_text import MOST_SEARCHED, readable_strings
from mirror.text import one_line
from mirror.values import as_count, as_dict, as_dicts, as_text, first_text

if TYPE_CHECKING:
    from mirror.rows import Link

_HIDDEN = "hidden"
_CLOSED = re.compile("\ue200[^\ue200\ue201]*\ue201")
# Text that is a mark for a reference and nothing else, so that a link may replace it.
_LIKE_A_MARK = re.compile(
    "\u3010[^\u3010\u3011\u2020]*\u2020[^\u3010\u3011]*\u3011"
    r"|\[\^?\d+\^?\]|:contentReference\[[^\]]*\](?:\{[^}]*\})?|(?:(?:file)?cite|navlist|i)?(?:turn\d+[a-z_]+\d+\s*)+"
    r"|(?:entity|products?|image_group|video|url)(?:\[[^\n]*\]|\{[^\n]*\})",
)  # fmt: skip
# Marks of 2023 and 2024 for the service's own page; they name nothing that a payload holds.
_OAICITE = re.compile(r":contentReference\[oaicite:\d+\](?:\{[^}\n]{0,200}+\})?|\u3010oaicite:\d+\u3011")
# Parts of a reference that its card does not show as words; pages are shown as links or not at all.
_NOT_SHOWN = frozenset(
    (*PAGE_LISTS, "refs", "safe_urls", "metadata", "extra_params", "entity_data", "input_pointer", "fff_metadata")
)
_ROW = re.compile(r"\s*\|")
_CLOSES_A_WORD = ".,;:!?)]}%\"'\u2019\u201d"


class CitedText(NamedTuple):
    """A text as a person reads it, and its pages: cited ones in order, then other search results."""

    text: str
    links: list[Link]


class _Span(NamedTuple):
    """The part ``start:end`` of the original text, what replaces it, and the pages cited there."""

    start: int
    end: int
    shown: str
    links: list[Link]


def resolve_citations(text: str, metadata: dict[str, Any], *, legacy: bool) -> CitedText:
    """Replace the marks in a text by links and names; marks that nothing explains are removed.

    ``legacy``: the older bracket marks count too (in an answer; in what a tool read they belong to the page).
    """
    if not metadata.get("content_references") and not metadata.get("citations") and not _may_hold_marks(text):
        return CitedText(text, search_pages(metadata))
    spans, unplaced_pages = _reference_spans(text, as_dicts(metadata.get("content_references")))
    cited = _citations(text, metadata)
    if legacy:
        spans += _legacy_spans(text, cited)
    spans += _mark_spans(text, metadata, cited, spans)
    if legacy:
        spans += _plain_spans(text, metadata, spans)
    # A record without a mark still names a page that the answer is based on.
    unplaced_pages += [page for record in as_dicts(metadata.get("citations")) for page in _citation_shown(record)[1]]
    shown, found = _put_together(text, spans)
    return CitedText(shown, unique([*found, *unplaced_pages, *search_pages(metadata)]))


def _may_hold_marks(text: str) -> bool:
    """Whether there can be marks of any kind in a text; nearly none has any, and the patterns are dear."""
    is_plain = text.isascii() or not ("\ue200" in text or "\ue202" in text or "\u3010" in text)
    return not is_plain or "citeturn" in text or ":contentReference[" in text


def _reference_spans(text: str, references: list[dict[str, Any]]) -> tuple[list[_Span], list[Link]]:
    """Return a span for each reference whose text occurs, and the pages of the other references."""
    if not references:
        return [], []  # true of most messages: looking at every character of their texts would be dear
    plain_text = text.translate(LOOKALIKES)
    # Searching for every mark from the top of the text would take quadratic time.
    first = {found[0]: found.start() for found in reversed(list(_CLOSED.finditer(plain_text)))}
    next_from: dict[str, int] = {}
    left = MOST_SEARCHED
    spans: list[_Span] = []
    unplaced_pages: list[Link] = []
    for reference in sorted(references, key=_start):
        quoted = as_text(reference.get("matched_text")).translate(LOOKALIKES).strip()
        if quoted not in next_from and _CLOSED.fullmatch(quoted):
            at = first.get(quoted, -1)
        else:
            begin = next_from.get(quoted, 0)
            at = plain_text.find(quoted, begin) if quoted and left > 0 else -1
            left -= (at if at >= 0 else len(plain_text)) - begin
        if at < 0:
            next_from[quoted] = len(plain_text)  # what is not there is looked for once
            unplaced_pages += _reference_pages(reference)
            continue
        next_from[quoted] = at + len(quoted)
        if reference.get("type") == _HIDDEN and not quoted.startswith("\ue200"):
            continue  # it hides text that is no mark, or an older mark, which has spans of its own
        spans.append(_reference_span(reference, text, at, at + len(quoted)))
    return spans, unplaced_pages


def _start(reference: dict[str, Any]) -> float:
    start = reference.get("start_idx")
    return start if isinstance(start, int) else float("inf")


def _reference_pages(reference: dict[str, Any]) -> list[Link]:
    if reference.get("type") == _HIDDEN:
        return []
    return pages(reference) or tidy_markdown(as_text(reference.get("alt")))[1] or nested_pages(reference)


def _reference_span(reference: dict[str, Any], text: str, start: int, end: int) -> _Span:
    quoted = text[start:end]
    found = _reference_pages(reference)
    shown = "" if reference.get("type") == _HIDDEN else _shown(reference, quoted, found)
    if as_text(reference.get("alt")).strip() == quoted:
        shown = quoted
    elif quoted not in shown and _has_words(quoted):
        # The text quotes words of a person or the model, perhaps with marks: a reference only adds to them.
        return _Span(end, end, f" {shown}" if shown else "", found)
    return _Span(start, end, shown, found)


def _has_words(quoted: str) -> bool:
    rest = without_marks(quoted)
    return bool(rest) and not _LIKE_A_MARK.fullmatch(rest)


def _shown(reference: dict[str, Any], quoted: str, found: list[Link]) -> str:
    """Return the text in place of a reference: ready text, links, a name, or what its card holds."""
    title = title_of(first_text(*(reference.get(key) for key in ("title", "name", "prompt_text", "location")))) or ""
    if reference.get("type") == "nav_list":
        return _nav_list(reference, title, found)
    alt, _ = tidy_markdown(as_text(reference.get("alt")))
    if alt.strip():
        return alt
    if pages(reference) or as_text(reference.get("type")).startswith("product"):
        return linked(found)
    if title and reference.get("type") == "file":
        return f"({title})"
    mark = next(marks(quoted), None)
    named = title or (words(mark) if mark else "")
    return named or linked(found) if found else _card(reference, named)


def _card(reference: dict[str, Any], named: str) -> str:
    """Return the words inside a card that has no ready text, after its name."""
    inner = {key: value for key, value in reference.items() if isinstance(value, dict | list) and key not in _NOT_SHOWN}
    inside = ", ".join(one_line(text) for text in readable_strings(inner) if text != named)
    return f"{named}: {inside}" if named and inside else named or inside


def _nav_list(reference: dict[str, Any], title: str, found: list[Link]) -> str:
    alt, _ = tidy_markdown(as_text(reference.get("alt")))
    listed = alt if alt.strip() else "\n".join(f"- {linked([page])}" for page in found)
    return listed if title in listed else f"{title}\n{listed}"


def _citations(text: str, metadata: dict[str, Any]) -> list[tuple[int, int, dict[str, Any]]]:
    """Return the older citation records with their spans, in text order; -1 where one is invalid."""
    cited = []
    for record in as_dicts(metadata.get("citations")):
        start, end = record.get("start_ix"), record.get("end_ix")
        if not (isinstance(start, int) and isinstance(end, int) and 0 <= start <= end <= len(text)):
            start = end = -1
        cited.append((start, end, record))
    return sorted(cited, key=lambda item: item[:2])


def _citation_shown(record: dict[str, Any]) -> tuple[str, list[Link]]:
    source = as_dict(record.get("metadata"))
    name = first_text(source.get("title"), source.get("name"))
    page = link(source.get("url"), name, "citation")
    if page:
        return linked([page]), [page]
    return (f"({title_of(name)})" if name else ""), []


def _legacy_spans(text: str, cited: list[tuple[int, int, dict[str, Any]]]) -> list[_Span]:
    if "\u3010" not in text and ":contentReference[" not in text:
        return []  # true of nearly every text, and a hundred times faster than the patterns
    found = [mark for mark in LEGACY.finditer(text) if not _is_quoted(text, mark.start(), mark.end())]
    by_start = {start: record for start, _, record in cited}
    by_number = {_cited_number(record): record for _, _, record in cited}
    in_order = [record for _, _, record in cited] if len(cited) == len(found) else []
    spans = []
    for n, mark in enumerate(found):
        record = by_start.get(mark.start()) or by_number.get(mark["ref"].split(":")[0])
        record = record or (in_order[n] if in_order else {})
        shown, links = _citation_shown(record)
        spans.append(_Span(mark.start(), mark.end(), shown or legacy_words(mark["label"]), links))
    spans += [
        _Span(mark.start(), mark.end(), "", [])
        for mark in _OAICITE.finditer(text)
        if not _is_quoted(text, *mark.span())
    ]
    return spans


def _cited_number(record: dict[str, Any]) -> str | None:
    number = as_count(as_dict(as_dict(record.get("metadata")).get("extra")).get("cited_message_idx"))
    return None if number is None else str(number)


def _is_quoted(text: str, start: int, end: int) -> bool:
    # In `inline code` a mark is shown on purpose.
    return text[start - 1 : start] == "`" == text[end : end + 1]


def _mark_spans(
    text: str, metadata: dict[str, Any], cited: list[tuple[int, int, dict[str, Any]]], other: list[_Span]
) -> list[_Span]:
    """Return spans for newer marks that no other span covers: repetitions, search results, words."""
    found = list(marks(text))
    if not found:
        return []
    covered = {span.start for span in other}
    known = {text[span.start : span.end]: span for span in other}
    sources = _sources(metadata)
    by_start = {start: record for start, _, record in cited}
    spans = []
    for mark in found:
        if mark.start in covered:
            continue
        same = known.get(text[mark.start : mark.end])
        if same:
            spans.append(_Span(mark.start, mark.end, same.shown, same.links))
        else:
            spans.append(_own_span(mark, sources, by_start.get(mark.start, {})))
    return spans


def _plain_spans(text: str, metadata: dict[str, Any], other: list[_Span]) -> list[_Span]:
    """Return spans for marks of which a tool dropped the private-use characters, where no reference explains them."""
    if "citeturn" not in text:
        return []  # true of nearly every text, and a hundred times faster than the pattern
    covered = {span.start for span in other}
    sources = _sources(metadata)
    spans = []
    for mark in PLAIN.finditer(text):
        if mark.start() not in covered and not _is_quoted(text, *mark.span()):
            links = unique(sources.get(ref) for ref in source_refs_in(mark[0]))
            spans.append(_Span(mark.start(), mark.end(), linked(links), links))
    return spans


def _own_span(mark: Mark, sources: dict[str, Link], record: dict[str, Any]) -> _Span:
    """Return the span of a mark without a reference, from its record, its addresses and its words."""
    label = words(mark)
    shown, links = _citation_shown(record)
    if not links:
        own = [link(url, label, "citation") for url in addresses(mark)]
        links = unique([*own, *(sources.get(ref) for ref in source_refs(mark))])
        shown = linked(links, label) or shown
    return _Span(mark.start, mark.end, shown or label, links)


def _sources(metadata: dict[str, Any]) -> dict[str, Link]:
    """Return the search results by the name that marks use for them, such as ``turn0search1``."""
    found: dict[str, Link] = {}
    for group in as_dicts(metadata.get("search_result_groups")):
        for entry in as_dicts(group.get("entries")) or [group]:
            page = link(entry.get("url"), first_text(entry.get("title"), entry.get("attribution")), "citation")
            ref = entry.get("ref_id")
            if isinstance(ref, dict):
                turn, index = as_count(ref.get("turn_index")), as_count(ref.get("ref_index"))
                ref = f"turn{turn}{as_text(ref.get('ref_type'))}{index}"
            if page and isinstance(ref, str):
                found.setdefault(ref, page)
    return found


def _put_together(text: str, spans: list[_Span]) -> tuple[str, list[Link]]:
    if not spans:
        return text, []
    pieces: list[str] = []
    found: list[Link] = []
    done = seen = 0
    is_row: bool | None = None
    # Where spans overlap, the first and longest one is shown; the pages of the others still become links.
    for span in sorted(spans, key=lambda span: (span.start, span.start != span.end, -span.end)):
        if span.start < done:
            found += span.links
            continue
        before = text[done : span.start]
        line = text.rfind("\n", seen, span.start) + 1
        if line or is_row is None:
            is_row = bool(_ROW.match(text, line, span.start))
        seen = span.start
        if not span.shown and before.endswith(" ") and text[span.end : span.end + 1] in {"", " ", "\n", ".", ",", ";"}:
            before = before[:-1]
        pieces.append(before)
        if span.shown.startswith(("[", "(")) and _ends_a_word(before or (pieces[-2] if len(pieces) > 1 else "")):
            pieces.append(" ")
        pieces.append(_in_cell(span.shown) if is_row else span.shown)
        found += span.links
        done = span.end
    pieces.append(text[done:])
    return "".join(pieces), found


def _in_cell(shown: str) -> str:
    return shown.replace("|", "\\|")


def _ends_a_word(text: str) -> bool:
    return bool(text) and (text[-1].isalnum() or text[-1] in _CLOSES_A_WORD)
