"""What stored files say is read, whatever their bytes are, and found by every way to search."""

from __future__ import annotations

import json
import sqlite3
import time
import tracemalloc
import zlib
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from commands import run_here
from files.file_service import file_id

from mirror import app
from mirror.files.pdf import PdfTexts
from mirror.files.text import LONGEST_TEXT, PDF, decoded, text_of
from mirror.store.database import Writer
from mirror.timing import Timing

if TYPE_CHECKING:
    from pathlib import Path

    from files.file_service import FileService

GERMAN = "Name;Größe\nMüller;17\nÖzdemir;4\n"


def pdf(*pages: str, filler: bytes = b"") -> bytes:
    """A PDF whose pages say this; ``filler``: more of the last page's content, packed."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>".encode(),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    for n, text in enumerate(pages):
        packed = zlib.compress(f"BT /F1 12 Tf 40 700 Td ({text}) Tj ET\n".encode() + filler)
        objects.append(f"<</Type/Page/Parent 2 0 R/Resources<</Font<</F1 3 0 R>>>>/Contents {5 + 2 * n} 0 R>>".encode())
        head = f"<</Length {len(packed)}/Filter/FlateDecode>>stream\n".encode()
        objects.append(head + packed + b"\nendstream")
    made, places = b"%PDF-1.4\n", []
    for n, body in enumerate(objects, 1):
        places.append(len(made))
        made += f"{n} 0 obj\n".encode() + body + b"\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<</Size {len(objects) + 1}/Root 1 0 R>>\n"
    return made + end.encode() + f"startxref\n{len(made)}\n%%EOF\n".encode()


@pytest.mark.parametrize(
    ("content", "is_stated", "text"),
    [
        (GERMAN.encode(), False, GERMAN),
        (GERMAN.encode("utf-8-sig"), False, GERMAN),
        (GERMAN.encode("utf-16"), False, GERMAN),
        (b"\xfe\xff" + GERMAN.encode("utf-16-be"), False, GERMAN),
        (GERMAN.encode("utf-16-le"), False, GERMAN),
        (GERMAN.encode("utf-16-be"), False, GERMAN),
        (GERMAN.encode("utf-32"), False, GERMAN),
        (GERMAN.encode("cp1252"), True, GERMAN),
        (GERMAN.encode("cp1252"), False, None),
        (b"good text " * 90 + b"\xff" + "ö".encode(), True, "good text " * 90 + "\ufffdö"),
        ("größe".encode()[:-2], False, "grö"),  # cut inside a character
        (b"", False, ""),
        (b"\xff\xfe" + b"no UTF-16 at all " * 9, True, "ÿþ" + "no UTF-16 at all " * 9),
        (("東京の写真です。" * 40).encode("utf-16"), False, "東京の写真です。" * 40),
        (b"PK\x03\x04\x14\0\0\0\x08\0", False, None),
        (bytes(range(256)) * 40, True, None),
        (bytes(range(32)) * 40, True, None),
        (b"\x1b[31mred\x1b[0m\n" * 9, False, "\x1b[31mred\x1b[0m\n" * 9),
        (b"one\0two, with many more words after it", True, "one\0two, with many more words after it"),
    ],
)
def test_text_in_every_usual_encoding(content: bytes, is_stated: bool, text: str | None) -> None:
    assert decoded(content, is_stated=is_stated) == text


@pytest.mark.parametrize(
    ("content", "length"),
    [
        (b"a" * 3_000_000, LONGEST_TEXT),
        ("ä".encode() * 1_000_000, LONGEST_TEXT // 2),
        (b"\0" * 3_000_000, 0),
        (b"\xff\xfe" + b"\0" * 2_000_000, 0),
    ],
)
def test_a_long_file_is_read_up_to_a_megabyte(tmp_path: Path, content: bytes, length: int) -> None:
    (tmp_path / "x").write_bytes(content)
    with PdfTexts() as none:
        found = text_of(tmp_path / "x", "x.txt", "text/plain", none)
    assert (len(found.text), found.is_whole) == (length, False)


def checked(service: FileService, *, repair: bool = False) -> str | None:
    error, _ = app.check(service.mirrored.path, service.mirrored.timing(), lambda *_: None, repair=repair)
    return error.message if error else None


def spoil_with(path: Path, sql: str) -> None:
    """What another program does to a mirror."""
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute(sql)


BOMB = pdf("the visible words", filler=b"(a) Tj\n" * 8_000_000)  # 56 MB in 60 kB


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (pdf("first page", "second (page)".replace("(", "\\(").replace(")", "\\)")), "first page\nsecond (page)"),
        (b"%PDF-1.4\n" + b"\xff" * 9_000, ""),
        (pdf("page")[:-200], ""),  # cut off
        (b"", ""),
        (b"%PDF-1.4\n<</Type/Catalog/Pages 1 0 R>>" * 1000, ""),
    ],
)
def test_pdf(tmp_path: Path, content: bytes, text: str) -> None:
    (tmp_path / "x").write_bytes(content)
    with PdfTexts() as reader:
        assert text_of(tmp_path / "x", "x.pdf", PDF, reader).text == text


def test_a_pdf_made_to_take_all_time_and_memory_costs_its_own_text_only(tmp_path: Path) -> None:
    (tmp_path / "bomb").write_bytes(BOMB)
    (tmp_path / "good").write_bytes(pdf("still here"))
    assert len(BOMB) < 1_000_000
    tracemalloc.start()
    begun = time.monotonic()
    with PdfTexts(seconds=3) as reader:
        assert text_of(tmp_path / "bomb", "x.pdf", PDF, reader).text == ""
        assert time.monotonic() - begun < 6
        assert text_of(tmp_path / "good", "x.pdf", PDF, reader).text == "still here"
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_a_sync_makes_files_searchable(service: FileService) -> None:
    """On the command line each find says what of the file matched, where it lies, and which chat shows it."""
    service.add(1, GERMAN.encode("utf-16"), name="sizes.csv", mime_type="text/csv")
    service.add(2, pdf("Invoice for two ovens"), name="scan.pdf", mime_type=PDF)
    service.add(3, b"\0\1\2\3" * 90, name="blob.bin", mime_type="application/octet-stream")
    service.add(4)
    assert service.next_run() == 0
    folder = service.mirrored.path.parent
    for words, name, kind in [
        ("Müller", "sizes.csv", "file text"),
        ("invoice ovens", "scan.pdf", "file text"),
        ("blob", "blob.bin", "file name"),
    ]:
        found = [json.loads(line) for line in run_here(folder, "search", words, "--json")[1].splitlines()]
        (file,) = [one for one in found if one["kind"] != "conversation"]
        assert (file["name"], file["kind"], file["title"][:4]) == (name, kind, "Talk")
        assert service.store.path_of(file["sha256"]).samefile(file["path"])
    printed = run_here(folder, "search", "ovens")[1]
    assert "scan.pdf  (file text)" in printed
    assert "Invoice for two ovens" in printed
    assert service.mirrored.value("SELECT count(*) FROM file_texts") == 3  # no picture is looked into
    assert run_here(folder, "check")[0] == 0


def test_a_text_that_is_spoilt_or_gone_is_found_and_read_again(service: FileService) -> None:
    service.add(1, b"two ovens", name="a.txt", mime_type="text/plain")
    service.add(2, "東京 flour".encode(), name="b.txt", mime_type="text/plain")
    service.next_run()
    folder, path = service.mirrored.path.parent, service.mirrored.path
    for spoil in (
        "UPDATE file_texts SET text = 'three ovens' WHERE text LIKE 'two%'",
        "DELETE FROM file_texts WHERE text LIKE 'two%'",
        "UPDATE file_texts SET text = 7 WHERE text LIKE 'two%'",
        "UPDATE file_texts SET text = x'ff00' WHERE text LIKE 'two%'",
        "DELETE FROM file_texts_fts_data WHERE id > 10",
        "INSERT INTO file_texts_cjk(file_texts_cjk) VALUES ('delete-all')",
    ):
        spoil_with(path, spoil)
        assert "check --repair" in (checked(service) or ""), spoil
        assert checked(service, repair=True) is None, spoil
        assert checked(service) is None, spoil
        texts = {text for (text,) in service.mirrored.rows("SELECT text FROM file_texts")}
        assert texts == {"two ovens", "東京 flour"}, spoil
        for words in ("ovens", "東京"):
            assert "file text" in run_here(folder, "search", words)[1], (spoil, words)
    assert app.rebuild(path, Timing(), lambda *_: None) == 0
    assert checked(service) is None


def test_texts_are_kept_where_the_bytes_are_lost_and_read_where_they_were_not(service: FileService) -> None:
    """A rebuild without the folder forgets nothing; one with it reads what an older program stored."""
    service.add(1, b"two ovens", name="a.txt", mime_type="text/plain")
    service.next_run()
    service.store.folder.rename(service.store.folder.with_name("away"))
    app.rebuild(service.mirrored.path, Timing(), lambda *_: None)
    assert service.mirrored.value("SELECT text FROM file_texts") == "two ovens"
    service.store.folder.with_name("away").rename(service.store.folder)
    with Writer(service.mirrored.path) as writer, writer.transaction() as conn:
        conn.execute("DELETE FROM file_texts")
    service.next_run()
    assert service.mirrored.value("SELECT text FROM file_texts") == "two ovens"
    assert service.states() == {file_id(1): "stored"}
