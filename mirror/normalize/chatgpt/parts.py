"""The parts of a message: strings, pictures, recordings, transcripts, files, unknown types.

A new type of part is one more entry in ``_READERS``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirror.normalize.chatgpt.readable_text import (
    dicts_in,
    prose_strings,
    readable_strings,
    strings_in,
    with_json_parsed,
)
from mirror.values import as_dict, as_text, first_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirror.normalize.chatgpt.message_draft import MessageDraft

_POINTERS = frozenset({"asset_pointer", "audio_asset_pointer", "video_container_asset_pointer"})
_TRANSCRIPTS = ("transcription", "transcript", "word_transcription")
# Keys of a media part that hold no words for a reader.
_MEDIA_KEYS = frozenset({"content_type", "type", "asset_pointer", "metadata", "name", "file_name", "filename"})


def read_parts(parts: object, draft: MessageDraft) -> None:
    """Add a list of parts (API notes §4) to the draft; a single string or dict is a list of one."""
    for part in parts if isinstance(parts, list) else [parts]:
        if isinstance(part, str):
            draft.add_text(part)
        elif isinstance(part, dict):
            read_part(part, draft)
        elif isinstance(part, list):
            for text in readable_strings(part):
                draft.add_text(text)


def read_part(part: dict[str, Any], draft: MessageDraft) -> None:
    """Add one part that is an object, by its type or else by the general rule."""
    reader = _READERS.get(part_type(part))
    if reader:
        reader(part, draft)
    else:
        _read_unknown(part, draft)


def part_type(part: dict[str, Any]) -> str:
    """Return a part's type in lower case; where it states none, the one that its keys suggest."""
    stated = first_text(part.get("content_type"), part.get("type")).strip().lower()
    if stated:
        return stated
    if isinstance(part.get("asset_pointer"), str):
        return "image_asset_pointer"
    return "text" if isinstance(part.get("text"), str) else ""


def _read_text(part: dict[str, Any], draft: MessageDraft) -> None:
    for text in readable_strings({key: value for key, value in part.items() if key not in {"content_type", "type"}}):
        draft.add_text(text)


def _read_image(part: dict[str, Any], draft: MessageDraft) -> None:
    metadata = as_dict(part.get("metadata"))
    dalle = as_dict(metadata.get("dalle"))
    name = draft.add_attachment(part, "image")
    titles = (metadata.get("title"), part.get("title"), part.get("alt"), name, draft.image_title)
    draft.add_placeholder("image", first_text(dalle.get("prompt"), dalle.get("serialization_title"), *titles))
    draft.traits.add("image")
    if dalle or isinstance(metadata.get("generation"), dict):
        draft.traits.add("generated")
    _read_rest(part, draft)


def _read_transcription(part: dict[str, Any], draft: MessageDraft) -> None:
    draft.add_text(part.get("text"), "voice")
    _read_rest({key: value for key, value in part.items() if key != "text"}, draft)


def _read_recording(part: dict[str, Any], draft: MessageDraft) -> None:
    # One recording or several at once: a spoken turn with a camera holds audio, frames and a video.
    attach_pointers(part, draft)
    draft.add_placeholder("video" if "video_container" in part_type(part) else "audio")
    draft.traits.add("media")
    draft.transcripts += _transcripts(part)
    _read_rest({key: value for key, value in part.items() if key not in _POINTERS}, draft)


def _transcripts(part: dict[str, Any]) -> list[str]:
    """Return the transcripts inside a recording, each a text or a list of words."""
    found = [record.get(key) for _, record in dicts_in(part) for key in _TRANSCRIPTS]
    transcripts = (" ".join(text.strip() for _, text in strings_in(value)) for value in found)
    return [text for text in transcripts if text]


def _read_file(part: dict[str, Any], draft: MessageDraft) -> None:
    record = as_dict(part.get("file")) or part
    draft.add_placeholder("file", first_text(draft.add_attachment(record, "file"), record.get("title")))
    draft.traits.add("file")
    _read_rest(part, draft)


def _read_rest(part: dict[str, Any], draft: MessageDraft) -> None:
    # A known type may have gained a caption since; the keys of the media itself hold no words.
    last = draft.pieces[-1] if draft.pieces else ""
    texts = prose_strings({key: value for key, value in part.items() if key not in _MEDIA_KEYS})
    draft.add_new_texts(text for text in texts if text not in last)


def _read_unknown(part: dict[str, Any], draft: MessageDraft) -> None:
    type_name = part_type(part)
    draft.not_understood.append(f"part:{type_name or 'untyped'}")
    draft.traits.add("other")
    attach_pointers(part, draft)
    rest = {key: value for key, value in part.items() if key not in {"content_type", "type"}}
    texts = readable_strings(with_json_parsed(rest))
    for text in texts:
        draft.add_text(text, "other")
    if not texts and type_name:
        draft.add_placeholder(type_name)


def attach_pointers(value: object, draft: MessageDraft) -> None:
    """Add every file that the value points to, however deep."""
    for key, record in dicts_in(value):
        if as_text(record.get("asset_pointer")).strip():
            draft.add_attachment(record, _media_kind(first_text(record.get("content_type"), key)))
        for name in sorted(_POINTERS - {"asset_pointer"}):
            if isinstance(record.get(name), str):
                draft.add_attachment({"asset_pointer": record[name]}, _media_kind(name))


def _media_kind(type_or_key: str) -> str:
    name = type_or_key.lower()
    kinds = {"video": "video", "audio": "audio", "image": "image", "frames": "image", "screenshot": "image"}
    return next((kind for word, kind in kinds.items() if word in name), "file")


_READERS: dict[str, Callable[[dict[str, Any], MessageDraft], None]] = {
    "text": _read_text,
    "input_text": _read_text,
    "output_text": _read_text,
    "image_asset_pointer": _read_image,
    "image": _read_image,
    "image_url": _read_image,
    "input_image": _read_image,
    "audio_transcription": _read_transcription,
    "audio_asset_pointer": _read_recording,
    "video_container_asset_pointer": _read_recording,
    "real_time_user_audio_video_asset_pointer": _read_recording,
    "file": _read_file,
    "file_asset_pointer": _read_file,
    "input_file": _read_file,
}
