"""What stored files say is read, whatever their bytes are, and found by every way to search."""

from __future__ import annotations

import json
import sqlite3
import sys
import time
import tracemalloc
import zlib
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from commands import run_here
from files.file_service import file_id

from mirror import app
from mirror.file_reading import in_batches, read_texts
from mirror.files.pdf import PdfTexts
from mirror.files.text import LONGEST_TEXT, PDF, FileText, decoded, text_of
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
    assert found is not None
    assert (len(found.text), found.is_whole) == (length, False)


@pytest.mark.parametrize(("length", "count"), [(0, 4_000), (100, 4_000), (2_000, 2_000), (900_000, 5)])
def test_texts_are_saved_some_at_a_time_however_little_they_say(length: int, count: int) -> None:
    """A mirror can hold 100,000 contents without text: a kill must not cost all of them, nor counting them hours."""
    found = [(str(n), FileText("a" * length, is_whole=True)) for n in range(count * 2 + 1)]
    assert [len(batch) for batch in in_batches(found)] == [count, count, 1]


def test_what_came_is_counted_where_its_text_cannot_be_saved(service: FileService) -> None:
    service.add(1, b"two ovens", name="a.txt", mime_type="text/plain")
    service.add(2)
    service.next_run(files=False)
    fault = "CREATE TRIGGER x BEFORE INSERT ON file_texts BEGIN SELECT raise(ABORT, 'no'); END"
    spoil_with(service.mirrored.path, fault)
    assert service.next_run() not in {0, 3}
    assert service.mirrored.value("SELECT files FROM sync_runs ORDER BY id DESC") == 2


def checked(service: FileService, *, repair: bool = False) -> str | None:
    error, _ = app.check(service.mirrored.path, service.mirrored.timing(), lambda *_: None, repair=repair)
    return error.message if error else None


def spoil_with(path: Path, sql: str) -> None:
    """What another program does to a mirror."""
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute(sql)


BOMB = pdf("the visible words", filler=b"(a) Tj\n" * 8_000_000)  # 56 MB in 60 kB


@pytest.mark.parametrize(
    ("content", "text", "is_whole"),
    [
        (pdf("first page", "second (page)".replace("(", "\\(").replace(")", "\\)")), "first page\nsecond (page)", True),
        (pdf(""), "", True),
        (b"%PDF-1.4\n" + b"\xff" * 9_000, "", False),
        (pdf("page")[:-200], "", False),  # cut off
        (b"/FlatDecodes".join(pdf("good", "bad").rsplit(b"/FlateDecode", 1)), "good", False),
        (b"", "", False),
        (b"%PDF-1.4\n<</Type/Catalog/Pages 1 0 R>>" * 1000, "", False),
    ],
)
def test_pdf(tmp_path: Path, content: bytes, text: str, is_whole: bool) -> None:
    (tmp_path / "x").write_bytes(content)
    with PdfTexts() as reader:
        assert text_of(tmp_path / "x", "x.pdf", PDF, reader) == (text, is_whole)


def test_a_pdf_made_to_take_all_time_and_memory_costs_its_own_text_only(tmp_path: Path) -> None:
    (tmp_path / "bomb").write_bytes(BOMB)
    (tmp_path / "good").write_bytes(pdf("still here"))
    assert len(BOMB) < 1_000_000
    tracemalloc.start()
    begun = time.monotonic()
    with PdfTexts(seconds=3) as reader:
        assert text_of(tmp_path / "bomb", "x.pdf", PDF, reader) == ("", False)
        assert time.monotonic() - begun < 6
        assert text_of(tmp_path / "good", "x.pdf", PDF, reader) == ("still here", True)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_a_process_that_had_nothing_to_do_for_long_still_reads(tmp_path: Path) -> None:
    """A large picture between two PDFs takes a while; the process ends itself only where an answer takes too long."""
    (tmp_path / "x").write_bytes(pdf("good"))
    with PdfTexts(command=[sys.executable, "-P", "-m", "mirror.files.pdf_process", "1"]) as reader:
        assert reader.text_of(tmp_path / "x") == ("good", True)
        first = reader._process
        time.sleep(1.3)
        assert reader.text_of(tmp_path / "x") == ("good", True)
        assert reader._process is first


def test_a_process_that_was_ended_between_two_files_is_started_again(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(pdf("good"))
    with PdfTexts() as reader:
        reader.text_of(tmp_path / "x")
        assert reader._process is not None
        reader._process.kill()
        reader._process.wait()
        assert reader.text_of(tmp_path / "x") == ("good", True)


def test_a_process_that_nobody_ends_ends_itself(tmp_path: Path) -> None:
    """As after a kill of the run that started it."""
    (tmp_path / "bomb").write_bytes(BOMB)
    begun = time.monotonic()
    with PdfTexts(command=[sys.executable, "-P", "-m", "mirror.files.pdf_process", "1"]) as reader:
        assert reader.text_of(tmp_path / "bomb") == ("", False)
    assert time.monotonic() - begun < 10


def test_a_long_page_is_cut_where_it_is_read(tmp_path: Path) -> None:
    """Windows limits no memory, so no more of a page is handed over than is searched."""
    (tmp_path / "x").write_bytes(pdf("a" * 3_000_000))
    with PdfTexts() as reader:
        text, is_whole = reader.text_of(tmp_path / "x") or ("", True)
    assert (len(text), is_whole) == (LONGEST_TEXT, False)


def test_a_pdf_that_could_not_be_read_is_told_from_one_without_text(service: FileService) -> None:
    """One that ends the process is marked; where it cannot start at all, the next run tries again."""
    service.add(1, pdf("first page"), name="good.pdf", mime_type=PDF)
    service.add(2, b"%PDF-1.4\n" + b"\xff" * 9_000, name="damaged.pdf", mime_type=PDF)
    service.add(3, pdf(""), name="scan.pdf", mime_type=PDF)
    service.next_run()
    rows = "SELECT name, text, is_whole FROM file_texts JOIN files USING (sha256) ORDER BY name"
    whole = [("damaged.pdf", "", 0), ("good.pdf", "first page", 1), ("scan.pdf", "", 1)]
    assert service.mirrored.rows(rows) == whole
    spoil_with(service.mirrored.path, "DELETE FROM file_texts")
    with Writer(service.mirrored.path) as writer:
        read_texts(writer, pdf_command=[sys.executable, "-c", "import no_such_module"])
    assert service.mirrored.rows(rows) == []
    service.next_run()
    assert service.mirrored.rows(rows) == whole


def test_the_process_that_reads_pdfs_is_given_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATGPT_SESSION_TOKEN", "secret")
    monkeypatch.setenv("CHATMIRROR_CONFIG", "secret")
    monkeypatch.setenv("chatgpt_session_token", "secret")
    monkeypatch.setenv("OF_THE_PERSON", "kept")
    told = "import json, os, sys\nfor _ in sys.stdin: print(json.dumps([' '.join(os.environ), True]), flush=True)"
    with PdfTexts(command=[sys.executable, "-c", told]) as reader:
        given, _ = reader.text_of(tmp_path) or ("", False)
    names = given.split()
    assert "OF_THE_PERSON" in names
    assert [name for name in names if name.upper().startswith(("CHATGPT", "CHATMIRROR"))] == []


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
