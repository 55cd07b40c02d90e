"""The parts of a message: plain strings, pictures, recordings, transcripts, files, and what nobody has met yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirror.normalize.chatgpt.unknown import dicts, prose, readable, strings, unpacked
from mirror.values import as_dict, as_text, first_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirror.normalize.chatgpt.draft import Reading

_POINTERS = frozenset({"asset_pointer", "audio_asset_pointer", "video_container_asset_pointer"})
_TRANSCRIPTS = ("transcription", "transcript", "word_transcription")
# What a part holds besides its words: nothing of it is written for a reader.
_MEDIA_KEYS = frozenset({"content_type", "type", "asset_pointer", "metadata", "name", "file_name", "filename"})


def read_parts(parts: object, reading: Reading) -> None:
    """Read a list of parts (API notes §4) into the reading; a lone string or dict counts as a list of one."""
    for part in parts if isinstance(parts, list) else [parts]:
        if isinstance(part, str):
            reading.say(part)
        elif isinstance(part, dict):
            read_part(part, reading)
        elif isinstance(part, list):
            for text in readable(part):
                reading.say(text)


def read_part(part: dict[str, Any], reading: Reading) -> None:
    """Read one part that is an object, by its type or else by what it holds."""
    reader = _READERS.get(part_type(part))
    if reader:
        reader(part, reading)
    else:
        _read_unknown(part, reading)


def part_type(part: dict[str, Any]) -> str:
    """Return a part's type in lower case; where it states none, the one its keys speak for."""
    stated = first_text(part.get("content_type"), part.get("type")).strip().lower()
    if stated:
        return stated
    if isinstance(part.get("asset_pointer"), str):
        return "image_asset_pointer"
    return "text" if isinstance(part.get("text"), str) else ""


def _read_text(part: dict[str, Any], reading: Reading) -> None:
    for text in readable({key: value for key, value in part.items() if key not in {"content_type", "type"}}):
        reading.say(text)


def _read_image(part: dict[str, Any], reading: Reading) -> None:
    metadata = as_dict(part.get("metadata"))
    dalle = as_dict(metadata.get("dalle"))
    name = reading.attach(part, "image")
    titles = (metadata.get("title"), part.get("title"), part.get("alt"), name, reading.title)
    reading.show("image", first_text(dalle.get("prompt"), dalle.get("serialization_title"), *titles))
    reading.traits.add("image")
    if dalle or isinstance(metadata.get("generation"), dict):
        reading.traits.add("generated")
    _read_rest(part, reading)


def _read_transcription(part: dict[str, Any], reading: Reading) -> None:
    reading.say(part.get("text"), "voice")
    _read_rest({key: value for key, value in part.items() if key != "text"}, reading)


def _read_recording(part: dict[str, Any], reading: Reading) -> None:
    # One recording or several at once: a spoken turn with a camera holds sound, frames and a film.
    attach_pointers(part, reading)
    reading.show("video" if "video_container" in part_type(part) else "audio")
    reading.traits.add("media")
    reading.heard += _transcripts(part)
    _read_rest({key: value for key, value in part.items() if key not in _POINTERS}, reading)


def _transcripts(part: dict[str, Any]) -> list[str]:
    """Return the words that a recording carries itself, as a text or word by word."""
    said = [record.get(key) for _, record in dicts(part) for key in _TRANSCRIPTS]
    words = (" ".join(text.strip() for _, text in strings(value)) for value in said)
    return [text for text in words if text]


def _read_file(part: dict[str, Any], reading: Reading) -> None:
    record = as_dict(part.get("file")) or part
    reading.show("file", first_text(reading.attach(record, "file"), record.get("title")))
    reading.traits.add("file")
    _read_rest(part, reading)


def _read_rest(part: dict[str, Any], reading: Reading) -> None:
    # A known part may have learned to carry a caption since; the keys of the media itself are no reading.
    shown = reading.pieces[-1] if reading.pieces else ""
    words = prose({key: value for key, value in part.items() if key not in _MEDIA_KEYS})
    reading.say_new(text for text in words if text not in shown)


def _read_unknown(part: dict[str, Any], reading: Reading) -> None:
    kind = part_type(part)
    reading.unknown.append(f"part:{kind or 'untyped'}")
    reading.traits.add("other")
    attach_pointers(part, reading)
    words = readable(unpacked({key: value for key, value in part.items() if key not in {"content_type", "type"}}))
    for text in words:
        reading.say(text, "other")
    if not words and kind:
        reading.show(kind)


def attach_pointers(value: object, reading: Reading) -> None:
    """Take in every file that the value points to, however deep."""
    for key, record in dicts(value):
        if as_text(record.get("asset_pointer")).strip():
            reading.attach(record, _media_kind(first_text(record.get("content_type"), key)))
        for name in sorted(_POINTERS - {"asset_pointer"}):
            if isinstance(record.get(name), str):
                reading.attach({"asset_pointer": record[name]}, _media_kind(name))


def _media_kind(named: str) -> str:
    named = named.lower()
    kinds = {"video": "video", "audio": "audio", "image": "image", "frames": "image", "screenshot": "image"}
    return next((kind for word, kind in kinds.items() if word in named), "file")


_READERS: dict[str, Callable[[dict[str, Any], Reading], None]] = {
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
