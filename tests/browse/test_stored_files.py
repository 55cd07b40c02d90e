"""Stored files over HTTP: shown where they cannot run, offered as downloads where they could, and to whom."""

from __future__ import annotations

import http.client
import re
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest
from datasette.utils import tilde_encode  # type: ignore[import-untyped] # it has no types
from files.file_service import png
from mirrors import add, add_conversation, add_message, open_mirror
from served import served_as

from mirror.browse.files import load_pictures_page
from mirror.files.byte_store import ByteStore
from mirror.store import file_texts

if TYPE_CHECKING:
    from pathlib import Path

    from served import Pages

SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(1)</script></svg>"
HTML = b"<!doctype html><script>fetch('/')</script>"
WAV = b"RIFF\x24\0\0\0WAVEfmt " + b"\0" * 2000
FILES: dict[str, tuple[str, bytes, str, str]] = {
    "file_png": ("cat.png", png(1), "image/png", "image"),
    "file_svg": ("drawing.svg", SVG, "image/svg+xml", "image"),
    "file_liar": ("photo.png", HTML, "image/png", "image"),
    "file_html": ("page.html", HTML, "text/html", "document"),
    "file_wav": ("note.wav", WAV, "audio/wav", "audio"),
    "file_pdf": ('a "b"\r\nSet-Cookie: x=1\u202efdp.exe', b"%PDF-1.4\n" + b"x" * 500, "application/pdf", "document"),
    "file_long": ("long " + "y" * 5000, b"some words", "text/plain", "document"),
    "sandbox:c/m/mnt/data/a b.csv": ("a b.csv", b"a,b\n1,2\n", "text/csv", "document"),
}


@served_as("with_files")
def with_files(path: Path) -> None:
    with closing(open_mirror(path)) as conn:
        add_conversation(conn, "c", "Files", message_count=1)
        rowid = add_message(
            conn, "c", "m", "[image: cat.png]\n[file: drawing.svg]\n[file: no such file]\nHere are my files."
        )
        store = ByteStore(path)
        for position, (key, (name, content, mime_type, kind)) in enumerate(FILES.items()):
            with store.incoming() as incoming:
                incoming.write(content)
                sha256 = incoming.keep()
            row = {"id": key, "name": name, "mime_type": mime_type, "kind": kind, "size": len(content)}
            row |= {"sha256": sha256, "provider": "chatgpt", "first_seen_at": "2026-01-01", "prompt": None}
            with suppress(UnicodeDecodeError):
                file_texts.save(conn, sha256, content.decode(), is_whole=True)
            add(conn, "files", **row, state="stored", created_at="2026-02-01T00:00:00.000Z")
            shown = {"id": key, "file_id": key, "name": name, "mime_type": mime_type, "position": position}
            add(conn, "attachments", **shown, message_rowid=rowid, kind="image" if kind == "image" else "file")
        gone = {"id": "file_gone", "name": "lost.png", "kind": "image", "state": "gone", "provider": "chatgpt"}
        add(conn, "files", **gone, reason="the service no longer has it", first_seen_at="2026-01-01")
        add(
            conn,
            "attachments",
            id="g",
            file_id="file_gone",
            name="lost.png",
            position=90,
            message_rowid=rowid,
            kind="image",
        )
        conn.commit()


@served_as("made_pictures")
def made_pictures(path: Path) -> None:
    """Pictures in the output of tools: in a run of several messages, alone, and in a message that the service hides."""
    tool = {"role": "tool", "author": "python", "kind": "output"}
    with closing(open_mirror(path)) as conn, conn:
        with ByteStore(path).incoming() as incoming:
            incoming.write(png(2))
            sha256 = incoming.keep()
        known = {"name": "chart.png", "mime_type": "image/png", "kind": "image"}
        more = {"sha256": sha256, "provider": "chatgpt", "first_seen_at": "2026-01-01", "size": len(png(2))}
        add(conn, "files", id="f", **known, **more, state="stored", created_at="2026-02-01T00:00:00.000Z")
        for key in ("run", "alone", "hidden"):
            add_conversation(conn, key, key)
            add_message(conn, key, "n0", "Draw a chart.")
            if key != "alone":
                add_message(conn, key, "n1", "plot()", role="assistant", kind="code", parent_id="n0")
            above = "n0" if key == "alone" else "n1"
            is_hidden = int(key == "hidden")
            rowid = add_message(conn, key, "n2", "13 weeks\n[image]", parent_id=above, is_hidden=is_hidden, **tool)
            add(conn, "attachments", id="f", file_id="f", **known, position=1, message_rowid=rowid)
            add_message(conn, key, "n3", "See the chart.", role="assistant", parent_id="n2")


@served_as("many_files")
def many_files(path: Path) -> None:
    with closing(open_mirror(path)) as conn, conn:
        conn.execute(
            "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 600)"
            " INSERT INTO files (id, name, kind, state, first_seen_at, provider)"
            " SELECT 'file_' || n, 'oven ' || n, 'document', 'gone', '2026-01-01', 'chatgpt' FROM numbers"
        )


served_as("without_texts", {"tables": {"file_texts": {"allow": False}}})(with_files)
served_as("without_files", {"tables": {"files": {"allow": False}}})(with_files)


def get(pages: Pages, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", pages.port, timeout=30)) as connection:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def address(key: str, database: str = "with_files") -> str:
    return f"/{database}/-/file/{tilde_encode(key)}?v=1"


@pytest.mark.parametrize("key", FILES)
def test_every_file_comes_whole_and_cannot_run(many: Pages, key: str) -> None:
    status, headers, body = get(many, address(key))
    assert (status, body) == (200, FILES[key][1])
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("default-src 'none'; sandbox")
    is_shown = key in {"file_png", "file_wav"}
    assert headers["content-disposition"].startswith("inline" if is_shown else "attachment")
    shown = {"file_png": "image/png", "file_wav": "audio/wav"}
    assert headers["content-type"] == shown.get(key, "application/octet-stream")


def test_a_name_breaks_no_header(many: Pages) -> None:
    _, headers, _ = get(many, address("file_pdf"))
    assert "set-cookie" not in headers
    assert not re.search("[\u202e\r\n/]|%E2%80%AE|%0A", headers["content-disposition"])


@pytest.mark.parametrize("page", ["conversation/c", "search?q=fdp", "search?q=words", "search?q=long&kind=file"])
def test_a_name_reads_as_it_is_written_and_is_not_endless(many: Pages, page: str) -> None:
    """A mark that turns the direction of text makes ``exe`` look like ``pdf``."""
    text = re.sub("<[^>]*>", "", many.get(f"/with_files/-/{page}")[1])
    assert "\u202e" not in text
    assert "y" * 300 not in text
    assert "fdp.exe" in text or "yyyy" in text


def test_a_name_reads_as_it_is_written_in_the_table(many: Pages) -> None:
    assert "\u202e" not in re.sub("<[^>]*>", "", many.get("/with_files/files")[1])


def test_a_line_that_only_names_a_file_is_left_out_whatever_the_file_is(many: Pages) -> None:
    text = many.get("/with_files/-/conversation/c")[1]
    assert "[file: drawing.svg]" not in text
    assert "[image: cat.png]" not in text
    assert "[file: no such file]" in text
    assert "file: drawing.svg (image/svg+xml" in text  # no picture that a page shows


def test_a_part_of_a_recording_can_be_asked_for(many: Pages) -> None:
    status, headers, body = get(many, address("file_wav"), Range="bytes=8-15")
    assert (status, body, headers["content-range"]) == (206, b"WAVEfmt ", f"bytes 8-15/{len(WAV)}")
    assert get(many, address("file_wav"), Range="bytes=-4")[2] == WAV[-4:]
    assert get(many, address("file_wav"), Range="bytes=99999-")[0] == 416
    assert get(many, address("file_wav"), Range="bytes=x-y")[0] == 200


def test_the_conversation_shows_what_can_be_shown_and_offers_the_rest(many: Pages) -> None:
    status, text = many.get("/with_files/-/conversation/c")
    assert status == 200
    assert len(re.findall(r"<img ", text)) == 2  # one of them is no picture, and its bytes come as a download
    assert "[image: cat.png]" not in text
    assert "not stored: the service no longer has it" in text
    assert "<script>alert" not in text
    for link in re.findall(r'(?:src|href)="(/with_files/-/file/[^"]+)"', text):
        assert get(many, link.replace("&amp;", "&"))[0] == 200


def folds_around_pictures(html: str) -> list[int]:
    """Return for each picture of a page in how many folds it is."""
    depth, found = 0, []
    for tag in re.findall(r"<(/?details|img)\b", html[html.index("<article") :]):
        if tag == "img":
            found.append(depth)
        depth += {"details": 1, "/details": -1}.get(tag, 0)
    return found


@pytest.mark.parametrize(("key", "folds"), [("run", [0]), ("alone", [0]), ("hidden", [2])])
def test_a_picture_that_a_tool_made_for_the_person_is_seen_without_a_click(
    many: Pages, key: str, folds: list[int]
) -> None:
    status, text = many.get(f"/made_pictures/-/conversation/{key}?hidden=on")
    assert status == 200
    assert folds_around_pictures(text) == folds


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("", "cat.png dog.png tree.png"),
        ("猫", "cat.png"),
        ("🐱", "cat.png"),
        ("organiz*", "tree.png"),
        ("png -dog", "cat.png tree.png"),
        ("png -猫 -organiz*", "dog.png"),
        ("-dog", ""),
        ("...", ""),
        ("犬", ""),
    ],
)
def test_the_words_of_pictures_are_those_of_the_search(words: str, names: str) -> None:
    """Characters without spaces, emoji, beginnings, words to leave out; words that find nothing do not show all."""
    with closing(open_mirror()) as conn:
        for name, prompt in (("dog.png", "A dog organ"), ("cat.png", "一只猫 🐱"), ("tree.png", "An organization")):
            known = {"kind": "image", "state": "stored", "mime_type": "image/png", "provider": "chatgpt"}
            add(conn, "files", id=name, name=name, prompt=prompt, sha256=name, first_seen_at="2026-01-01", **known)
        page = load_pictures_page(conn, words, 1)
    assert " ".join(sorted(str(picture.name) for _, found in page.months for picture in found)) == names


def test_pictures_are_found_by_their_names(many: Pages) -> None:
    assert many.get("/with_files/-/pictures")[1].count("<img ") == 2  # no drawing, which could run
    assert many.get("/with_files/-/pictures?q=cat")[1].count("<img ") == 1
    assert many.get("/with_files/-/pictures?q=drawing")[1].count("<img ") == 0
    for words in ("%22", "*", "a%20OR", "'", "-x", "NEAR("):
        assert many.get(f"/with_files/-/pictures?q={words}")[0] == 200


@pytest.mark.parametrize(
    ("query", "name", "kind"),
    [
        ("q=drawing", "drawing.svg", "file name"),
        ("q=lost", "lost.png", "file name"),
        ("q=svg+onload", "drawing.svg", "file text"),
        ("q=drawing&kind=file+name", "drawing.svg", "file name"),
        ("q=drawing&kind=file&service=chatgpt&since=2026&sort=newest", "drawing.svg", "file name"),
    ],
)
def test_the_search_page_shows_files_and_what_of_them_matched(many: Pages, query: str, name: str, kind: str) -> None:
    status, text = many.get(f"/with_files/-/search?{query}")
    (section,) = re.findall(r'<section class="files".*?</section>', text, re.DOTALL)
    plain = re.sub(r"\s+", " ", re.sub("<[^>]+>", "", section))
    assert (status, name in plain, kind in plain) == (200, True, True)
    assert "<script>" not in text
    assert "&lt;script&gt;" in section or kind != "file text"
    for link in re.findall(r'href="([^"]+)"', section):
        page = get(many, link.replace("&amp;", "&").partition("#")[0])
        assert page[0] == 200, link
    assert 'class="files"' not in many.get("/with_files/-/search?q=drawing&until=2025")[1]


def test_conversations_are_found_before_files(many: Pages) -> None:
    """What was said is wanted more often; the number of files leads to them."""
    text = many.get("/with_files/-/search?q=drawing")[1]
    assert (
        text.index('href="#files-found"')
        < text.index("/-/conversation/c?find=drawing")
        < text.index('id="files-found"')
    )


def test_a_file_that_is_not_there_is_said_plainly(many: Pages) -> None:
    status, text = many.get(address("file_gone"))
    assert (status, "the service no longer has it" in text) == (404, True)
    for key in ("file_none", "..", "../../chats.db", "%2e%2e"):
        assert many.get(f"/with_files/-/file/{tilde_encode(key)}")[0] == 404


@pytest.mark.parametrize("denied", ["without_files"])
def test_who_may_not_see_files_sees_none(many: Pages, denied: str) -> None:
    assert get(many, address("file_png", denied))[0] == 403
    assert many.get(f"/{denied}/-/pictures")[0] == 403
    assert many.get(f"/{denied}/-/search?q=drawing")[0] == 403


def test_who_may_not_see_what_files_say_finds_none(many: Pages) -> None:
    assert many.get("/without_texts/-/search?q=drawing")[0] == 403


def test_a_page_does_not_call_a_limit_a_count(many: Pages) -> None:
    assert "At least 500 files" in many.get("/many_files/-/search?q=oven")[1]
