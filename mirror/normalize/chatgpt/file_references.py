"""Every file that a message names, wherever it does: the one reader of uploads, pictures, recordings and made files.

A file is named by a pointer (``sediment://file_…``, ``file-service://file-…``) under many keys, by a record in the
metadata (uploads, citations, mounted drives), by a link to the code sandbox in the assistant's text, or by a mark in
it. All pointers of one file, its thumbnail and the pictures of its pages included, are one attachment with one
``file_id``, the key of ``files``.
"""

from __future__ import annotations

import marshal
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from mirror.normalize.chatgpt.links import title_of
from mirror.rows import Attachment
from mirror.values import as_count, as_dict, as_dicts, as_text, first_text, plain

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

_SCHEMES = ("sediment://", "file-service://")
_SANDBOX = "sandbox:"
_SANDBOX_FOLDER = "/mnt/data/"
_SANDBOX_ADDRESS = _SANDBOX + _SANDBOX_FOLDER
# What can stand in a request's path as one segment. Anything else is no id, and is asked for nowhere.
_ID = re.compile(r"(?:mounted:)?[A-Za-z0-9_][A-Za-z0-9_.\-]{0,199}")
# The part of a composite id (``<hash>#file_…#thumbnail``) that is the file itself.
_OWN_PART = re.compile(r"(?:file[-_]|CalpicoFile_|libfile_)[A-Za-z0-9_\-]+")
_MARK_BEGIN = "{{file:"
_MARK = re.compile(r"\{\{file:(file[-_][A-Za-z0-9_\-]{1,190})\}\}")
# Keys of the metadata under which an answer says which files it cites or made.
_CITED = ("content_references", "n7jupd_crefs", "n7jupd_crefs_by_file", "content_references_by_file")
_MOUNTED = "mounted_library_file_references"
# Keys of the metadata that can name a file otherwise than by a pointer.
_NAMING = frozenset((*_CITED, _MOUNTED, "attachments", "mask_attachment", "canvas"))
_SCHEME_BYTES = tuple(scheme.encode() for scheme in _SCHEMES)
_MOST_VERSIONS = 1_000_000  # of a canvas; more is no number of a version
_NOT_FILES = frozenset({"libdir"})
_LONGEST_QUERY = 1_000  # characters beside an id; those seen have some ten
_LONGEST_PATH = 1_000  # characters; a path of the sandbox has at most 4,096 bytes, names of files 255


class _Named(NamedTuple):
    """One place that names a file: the id as it stands there, what stands beside it, and what it is."""

    stated: str
    record: dict[str, Any]
    kind: str
    source: str


def with_references(
    raw: dict[str, Any], role: str | None, read: Collection[Attachment], conversation_id: str
) -> tuple[Attachment, ...]:
    """Return the attachments that the content's readers found, completed, and all others that the message names.

    ``conversation_id``: for the ids of files that only have a path; "" where the payload states none.
    """
    texts, metadata = _texts(raw), as_dict(raw.get("metadata"))
    if not read and not _may_name_files(raw, metadata, texts):
        return ()
    found: dict[str, Attachment] = {}
    for n, attachment in enumerate(read):
        file_id = file_id_in(attachment.id)
        _add(found, replace(attachment, file_id=file_id, source=_source(role, attachment.kind)), f"\0{n}")
    without_id: dict[str | None, list[str]] = {}
    for key, one in reversed(found.items()):
        if one.id is None:
            without_id.setdefault(one.name, []).append(key)
    for named in _named_in(raw, role, texts):
        new = _attachment(named)
        if new.source == "library" and without_id.get(new.name):
            nameless = without_id[new.name].pop()
            found[new.file_id or nameless] = _combined(found.pop(nameless), new)
        else:
            _add(found, new, named.stated)
    for path in dict.fromkeys(_sandbox_paths(texts) if role == "assistant" else ()):
        _add(found, _sandbox_file(path, raw, conversation_id), path)
    if canvas := _canvas_version(as_dict(metadata.get("canvas")), conversation_id):
        _add(found, canvas, "")
    title = title_of(metadata.get("image_gen_title"))
    return tuple(_with_title(one, title) for one in found.values())


def _may_name_files(raw: dict[str, Any], metadata: dict[str, Any], texts: list[str]) -> bool:
    """Whether a message that no reader found a file in can name one: nearly none does, and a search for it is dear."""
    for text in texts:
        # Looking for one rare character first takes a twentieth of the time.
        if _SANDBOX_ADDRESS in text or ("{" in text and _MARK_BEGIN in text) or text.startswith(_SCHEMES):
            return True
    for key, value in metadata.items():
        if value and key in _NAMING:
            return True
    content = raw.get("content")
    return (isinstance(content, dict) and "attachments" in content) or _may_hold_pointers(metadata)


def _may_hold_pointers(value: dict[str, Any]) -> bool:
    try:
        written = marshal.dumps(value)  # holds each text as it is, and takes a quarter of the time to visit each
    except ValueError:  # too deep, or parsed only when it is asked for
        return True
    return b"://" in written and any(scheme in written for scheme in _SCHEME_BYTES)


def file_id_in(pointer: str | None) -> str | None:
    """Return the key of ``files`` for a pointer or id of any form; None where it is no file's."""
    text = (pointer or "").strip().partition("?")[0]
    for scheme in _SCHEMES:
        text = text.removeprefix(scheme)
    if "#" in text:
        text = next((part for part in text.split("#") if _OWN_PART.fullmatch(part)), "")
    is_id = _ID.fullmatch(text) and text.partition("_")[0] not in _NOT_FILES
    return text if is_id else None


def _add(found: dict[str, Attachment], new: Attachment, otherwise: str) -> None:
    key = new.file_id or otherwise
    known = found.get(key)
    found[key] = _combined(known, new) if known else new


def _combined(known: Attachment, new: Attachment) -> Attachment:
    return Attachment(
        id=known.id or new.id,
        name=known.name or new.name,
        mime_type=known.mime_type or new.mime_type,
        size=new.size if known.size is None else known.size,
        kind=known.kind if known.kind != "file" else new.kind,
        file_id=known.file_id or new.file_id,
        source="generated" if "generated" in {known.source, new.source} else new.source or known.source,
        prompt=known.prompt or new.prompt,
        width=known.width or new.width,
        height=known.height or new.height,
        parameters=known.parameters or new.parameters,
    )


def _source(role: str | None, kind: str) -> str:
    """Return where a file comes from, by who shows it."""
    if kind in {"audio", "video"}:
        return "voice"
    return "upload" if role == "user" else "code"


def _attachment(named: _Named) -> Attachment:
    record, generation = named.record, as_dict(as_dict(named.record.get("metadata")).get("dalle"))
    is_made = bool(generation) or isinstance(as_dict(record.get("metadata")).get("generation"), dict)
    sizes = (as_count(record.get(key)) for key in ("size_bytes", "size", "file_size_bytes", "file_size"))
    return Attachment(
        id=plain(_without_scheme(named.stated)),
        name=title_of(first_text(record.get("name"), record.get("file_name"), record.get("filename"))),
        mime_type=plain(first_text(record.get("mime_type"), record.get("mimeType"))),
        size=next((size for size in sizes if size is not None), None),
        kind=named.kind,
        file_id=file_id_in(named.stated),
        source="generated" if is_made else named.source,
        prompt=plain(first_text(generation.get("prompt"), generation.get("serialization_title"))),
        width=as_count(record.get("width")) or None,
        height=as_count(record.get("height")) or None,
        parameters=plain(named.stated.partition("?")[2][:_LONGEST_QUERY]),
    )


def _without_scheme(stated: str) -> str:
    for scheme in _SCHEMES:
        stated = stated.strip().removeprefix(scheme)
    return stated.partition("?")[0]


def _with_title(attachment: Attachment, title: str | None) -> Attachment:
    if title is None or attachment.prompt or attachment.source == "upload" or attachment.kind != "image":
        return attachment
    return replace(attachment, prompt=title, source="generated")


# -- where a message names files


def _named_in(raw: dict[str, Any], role: str | None, texts: list[str]) -> Iterator[_Named]:
    metadata = as_dict(raw.get("metadata"))
    yield from _pointers(raw.get("content"), role)
    yield from _uploads(as_dicts(metadata.get("attachments")))
    yield from _uploads(as_dicts(as_dict(raw.get("content")).get("attachments")))
    yield from _pointers({key: value for key, value in metadata.items() if key != "attachments"}, role)
    yield from _masks(metadata)
    for key in _CITED:
        if key in metadata:
            yield from _cited(metadata[key])
    for record in as_dicts(metadata.get(_MOUNTED)):
        if stated := as_text(record.get("mounted_library_file_id")):
            yield _Named(f"mounted:{stated}", record, "file", "library")
    for text in texts:
        for mark in _MARK.finditer(text) if _MARK_BEGIN in text else ():
            yield _Named(mark[1], {}, "file", "upload")


def _pointers(value: object, role: str | None) -> Iterator[_Named]:
    """Yield every pointer in a value, however deep: as the text of any key, or of a list."""
    if not any([text.startswith(_SCHEMES) for text in _plain_strings(value)]):  # noqa: C419 - half the time
        return  # true of nearly every message; the keys that lead to each text cost more than the texts
    for keys, record, text in _strings(value):
        if text.startswith(_SCHEMES):
            about = record if keys and keys[-1] in {"asset_pointer", "image_url"} else {}
            kind = _kind(keys, as_text(about.get("content_type")))
            is_code = "aggregate_result" in keys or "screenshot" in keys
            yield _Named(text, about, kind, "code" if is_code else _source(role, kind))


def _kind(keys: tuple[str, ...], content_type: str) -> str:
    words = " ".join([content_type, *reversed(keys)]).lower()
    known = {"audio": "audio", "dictation": "audio", "image": "image", "frames": "image", "screenshot": "image"}
    known |= {"mask": "image", "watermark": "image", "video": "video"}
    # The innermost word counts: a spoken turn with a camera holds its sound and frames inside.
    places = {kind: words.find(word) for word, kind in reversed(known.items()) if word in words}
    return min(places, key=lambda kind: places[kind], default="file")


def _uploads(records: list[dict[str, Any]]) -> Iterator[_Named]:
    for record in records:
        stated = first_text(record.get("id"), record.get("file_id"))
        library = as_text(record.get("library_file_id"))
        is_image = first_text(record.get("mime_type"), record.get("mimeType")).startswith("image/")
        if stated or library:
            is_library = record.get("source") == "library" or not stated
            source = "library" if is_library else "upload"
            yield _Named(stated or library, record, "image" if is_image else "file", source)


def _masks(metadata: dict[str, Any]) -> Iterator[_Named]:
    mask = as_dict(metadata.get("mask_attachment"))
    if stated := first_text(mask.get("id"), mask.get("file_id")):
        yield _Named(stated, mask, "image", "upload")


def _cited(value: object) -> Iterator[_Named]:
    for record in _records(value):
        stated = first_text(record.get("file_id"), record.get("id"))
        if _OWN_PART.fullmatch(stated):
            yield _Named(stated, record, "file", "code" if record.get("file_id") else "upload")
        elif _OWN_PART.fullmatch(library := as_text(record.get("library_file_id"))):
            yield _Named(library, record, "file", "library")


def _strings(value: object) -> Iterator[tuple[tuple[str, ...], dict[str, Any], str]]:
    """Yield the keys that lead to each text, the innermost object around it, and the text, in document order."""
    waiting: list[tuple[tuple[str, ...], dict[str, Any], object]] = [((), {}, value)]
    while waiting:
        keys, record, found = waiting.pop()
        if isinstance(found, str):
            yield keys, record, found
        elif isinstance(found, dict):
            waiting += [((*keys[-5:], str(key)), found, held) for key, held in reversed(found.items())]
        elif isinstance(found, list):
            waiting += [(keys, record, held) for held in reversed(found)]


def _plain_strings(value: object) -> list[str]:
    """Return each text, in document order."""
    found, waiting = [], [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            found.append(one)
        elif isinstance(one, dict):
            waiting += reversed(one.values())
        elif isinstance(one, list):
            waiting += reversed(one)
    return found


def _records(value: object) -> Iterator[dict[str, Any]]:
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            yield found
            waiting += reversed(found.values())
        elif isinstance(found, list):
            waiting += reversed(found)


def _texts(raw: dict[str, Any]) -> list[str]:
    content = raw.get("content")
    return _plain_strings(content if content is not None else raw.get("text"))


# -- files of the code sandbox


def _sandbox_paths(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        start = text.find(_SANDBOX_ADDRESS)
        while start >= 0:
            target = _link_target(text, start)
            if path := _checked_path(target):
                yield path
            start = text.find(_SANDBOX_ADDRESS, start + max(1, len(target)))


def _link_target(text: str, start: int) -> str:
    """Return the address that begins at ``start``: of a Markdown link, which may hold blanks and brackets, or alone."""
    tail = text[start : start + _LONGEST_PATH].partition("\n")[0]
    if text.endswith("<", 0, start):
        return tail.partition(">")[0]
    if not text.endswith("](", 0, start):
        return re.split(r"[\s)\]>\"'`]", tail, maxsplit=1)[0]
    depth = 0
    for n, sign in enumerate(tail):
        depth += (sign == "(") - (sign == ")")
        if depth < 0:
            return tail[:n]
    return tail


def _checked_path(target: str) -> str | None:
    """Return the path in the sandbox that an address names; None where it is none that the service would take."""
    path = unquote(re.split(r"[?#]", target.removeprefix(_SANDBOX), maxsplit=1)[0], errors="replace").strip()
    is_fit = path.startswith(_SANDBOX_FOLDER) and path != _SANDBOX_FOLDER and ".." not in path.split("/")
    return path if is_fit and path.isprintable() else None


def _sandbox_file(path: str, raw: dict[str, Any], conversation_id: str) -> Attachment:
    message_id = plain(raw.get("id"))
    has_place = bool(conversation_id and message_id)
    return Attachment(
        id=f"{_SANDBOX}{path}",
        name=title_of(path.rpartition("/")[2]),
        kind="file",
        file_id=f"{_SANDBOX}{conversation_id}/{message_id}{path}" if has_place else None,
        source="code",
    )


# -- canvases


def _canvas_version(canvas: dict[str, Any], conversation_id: str) -> Attachment | None:
    """Return the version of a canvas that a tool's message says it has made."""
    textdoc, version = as_text(canvas.get("textdoc_id")), as_count(canvas.get("version"))
    if not (version and version <= _MOST_VERSIONS and _ID.fullmatch(textdoc) and _ID.fullmatch(conversation_id)):
        return None
    title = title_of(canvas.get("title")) or "Canvas"
    is_code = as_text(canvas.get("textdoc_type")).startswith("code")
    stem, dot, suffix = title.rpartition(".") if is_code and "." in title else (title, "", "")
    name = f"{stem} (version {version}){dot}{suffix}" + ("" if is_code else ".md")
    return Attachment(
        id=textdoc,
        name=name,
        kind="file",
        file_id=f"canvas:{conversation_id}/{textdoc}/{version}",
        source="canvas",
    )
