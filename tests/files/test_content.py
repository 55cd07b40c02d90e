"""What the bytes of a file are: whole pictures, cut ones, and errors that came in place of a file."""

from __future__ import annotations

import pytest
from files.file_service import png

from mirror.files.content import TAIL, error_in_disguise, is_cut_off

JPEG = b"\xff\xd8\xff\xe0" + bytes(100) + b"\xff\xd9"
GIF = b"GIF89a" + bytes(50) + b";"
WEBP = b"RIFF" + (104).to_bytes(4, "little") + b"WEBP" + bytes(100)


@pytest.mark.parametrize(
    ("content", "is_cut"),
    [
        (png(), False),
        (png()[:-12], True),
        (png() + b"notes of a camera", False),
        (JPEG, False),
        (JPEG[:-2], True),
        (JPEG + bytes(1000), False),
        (GIF, False),
        (GIF + b"\0\0", False),
        (GIF[:-1], True),
        (WEBP, False),
        (WEBP + b"more", False),
        (WEBP[:-1], True),
        (b"%PDF-1.4 half of", False),
        (b"", False),
    ],
)
def test_a_picture_that_ends_before_its_end(content: bytes, *, is_cut: bool) -> None:
    assert is_cut_off(content, content[-TAIL:], len(content)) is is_cut


AZURE = b'<?xml version="1.0" encoding="utf-8"?><Error><Code>AuthenticationFailed</Code></Error>'


@pytest.mark.parametrize(
    ("head", "name", "is_error"),
    [
        (AZURE, "plan.pdf", True),
        (b"\xef\xbb\xbf" + AZURE, "plan.pdf", True),
        (AZURE, "answer.xml", False),
        (b"<?xml version='1.0'?><note>Errors are named.</note>", "plan.txt", False),
        (b"words", "plan.pdf", False),
    ],
)
def test_an_error_of_a_host(head: bytes, name: str, *, is_error: bool) -> None:
    found = error_in_disguise(head, len(head), None, name, None)
    assert (found == "an error message of its host came in its place") is is_error
