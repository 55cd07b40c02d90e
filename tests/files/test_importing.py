"""Files of exports of every era are stored, tied to what names them, and share their bytes with what a sync fetched."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
import zipfile
from contextlib import closing
from io import BytesIO
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from archive_files import conversation
from commands import run
from files.file_service import png
from mirrors import make_empty_mirror

from mirror import app
from mirror.archive import Limits, open_assets
from mirror.errors import StorageError
from mirror.files.byte_store import ByteStore
from mirror.timing import Timing

if TYPE_CHECKING:
    from pathlib import Path

    from files.file_service import FileService

OLD, NEW, OTHER = "file-" + "A" * 22, "file_" + "b" * 32, "file_" + "c" * 32
PDF = b"%PDF-1.4\n" + b"words " * 50


def talk(n: int, *ids: str, text: str = "Look.", role: str = "user") -> dict[str, Any]:
    """A conversation of an export that shows these files."""
    made = conversation(n, text)
    message = made["mapping"]["m"]["message"]
    message["author"]["role"] = role
    message["metadata"] = {"attachments": [{"id": id_, "name": f"{id_[:9]}.png"} for id_ in ids]}
    return made


def zipped(path: Path, members: dict[str, bytes], talks: list[dict[str, Any]]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("conversations.json", json.dumps(talks))
        for name, content in members.items():
            opened.writestr(name, content)
    return path


def imported(folder: Path, *paths: Path) -> dict[str, tuple[str | None, str | None, str | None, bytes]]:
    """Import; returns each stored file's name, type, source and bytes by its id."""
    app.import_archives(folder / "chats.db", paths, Timing(), lambda *_: None)
    store = ByteStore(folder / "chats.db")
    with closing(sqlite3.connect(folder / "chats.db")) as conn:
        rows = conn.execute("SELECT id, name, mime_type, source, sha256 FROM files WHERE state = 'stored'").fetchall()
    return {id_: (name, kind, source, store.path_of(sha256).read_bytes()) for id_, name, kind, source, sha256 in rows}


def test_names_by_id(tmp_path: Path) -> None:
    """2024 to May 2026: the id at the beginning of the name, in several folders."""
    members = {
        f"{OLD}-my cat.png": png(1),
        f"user-X/{NEW}-0b1c2d3e-0000-4000-8000-000000000000.png": png(2),
        f"dalle-generations/{'file-' + 'D' * 22}-0b1c2d3e-0000-4000-8000-000000000000.webp": png(3),
        f"0b1c2d3e-0000-4000-8000-000000000000/audio/{OTHER}.wav": b"RIFF\x24\0\0\0WAVEfmt " + b"\0" * 90,
    }
    found = imported(tmp_path, zipped(tmp_path / "export.zip", members, [talk(1, OLD, NEW)]))
    assert found[OLD] == ("file-AAAA.png", "image/png", "upload", png(1))
    assert found[NEW][3] == png(2)
    assert found["file-" + "D" * 22][2:] == ("export", png(3))
    assert found[OTHER][1] == "audio/wav"
    assert len(found) == 4


def test_dat_files_with_the_list_of_names(tmp_path: Path) -> None:
    """From May 2026 on: every file is called ``<id>.dat``, the names stand in a list of their own."""
    names = {f"{NEW}.dat": "report.pdf", f"{OTHER}.dat": "dalle-generations/0b1c2d3e-0000-4000-8000-000000000000.webp"}
    members = {f"{NEW}.dat": PDF, f"{OTHER}.dat": png(4)}
    members["conversation_asset_file_names.json"] = json.dumps(names).encode()
    found = imported(tmp_path, zipped(tmp_path / "export.zip", members, [talk(1)]))
    assert found == {
        NEW: ("report.pdf", "application/pdf", "export", PDF),
        OTHER: (None, "image/png", "export", png(4)),
    }


@pytest.mark.parametrize(
    ("row", "is_tied"),
    [
        ({"origination_message_id": "m", "file_name": "a.csv"}, True),
        ({"origination_message_id": "m", "file_name": "other.csv"}, True),
        ({"origination_thread_id": "id-1", "file_name": "a.csv"}, True),
        ({"origination_thread_id": "id-2", "file_name": "a.csv"}, False),
        ({"origination_message_id": "x", "file_name": "b.csv"}, False),
    ],
)
def test_files_of_the_sandbox_are_tied_by_the_library(tmp_path: Path, row: dict[str, Any], is_tied: bool) -> None:
    library = [{"id": {"id": "libfile_1"}, "file_id": NEW, **row}]
    members = {f"{NEW}.dat": b"a,b\n1,2\n", "library_files.json": json.dumps(library).encode()}
    said = talk(1, text="[a](sandbox:/mnt/data/a.csv)", role="assistant")
    found = imported(tmp_path, zipped(tmp_path / "export.zip", members, [said]))
    assert ("sandbox:id-1/m/mnt/data/a.csv" in found) == is_tied
    assert found[NEW][3] == b"a,b\n1,2\n"


def test_a_folder_and_the_zips_of_the_privacy_portal(tmp_path: Path) -> None:
    inner = BytesIO()
    with zipfile.ZipFile(inner, "w") as opened:
        opened.writestr(f"{OLD}-holiday.jpg", b"\xff\xd8\xff\xe0" + b"x" * 50)
        opened.writestr("notes.txt", b"mine")
    portal = tmp_path / "portal.zip"
    with zipfile.ZipFile(portal, "w") as opened:
        conversations = BytesIO()
        with zipfile.ZipFile(conversations, "w") as held:
            held.writestr("conversations.json", json.dumps([talk(1, OLD)]))
        opened.writestr("Conversations__1.zip", conversations.getvalue())
        opened.writestr("Files__1.zip", inner.getvalue())
    found = imported(tmp_path, portal)
    assert found[OLD][1] == "image/jpeg"
    assert {row[0] for key, row in found.items() if key.startswith("export:")} == {"notes.txt"}
    folder = tmp_path / "unpacked"
    folder.mkdir()
    (folder / f"{NEW}-x.png").write_bytes(png(8))
    (folder / "link.dat").symlink_to("/etc/passwd")
    (folder / "conversations.json").write_text(json.dumps([talk(2, NEW)]))
    assert imported(tmp_path, folder)[NEW][3] == png(8)


def test_a_zip_that_a_person_uploaded_is_a_file(tmp_path: Path) -> None:
    inner = BytesIO()
    with zipfile.ZipFile(inner, "w") as opened:
        opened.writestr("conversations.json", json.dumps([talk(9)]))
    found = imported(tmp_path, zipped(tmp_path / "e.zip", {f"{OLD}-x.zip": inner.getvalue()}, [talk(1, OLD)]))
    assert found[OLD][1] == "application/zip"


def test_nothing_is_written_by_a_name(tmp_path: Path) -> None:
    place = tmp_path / "mirror"
    place.mkdir()
    members = {f"../../{OLD}-x.png": png(1), f"/etc/{NEW}-..\\..\\evil.png": png(2), f"a/{OTHER}-\x1b[31m.png": png(3)}
    found = imported(place, zipped(tmp_path / "export.zip", members, [talk(1)]))
    assert set(found) == {OLD, OTHER}  # a path with backslashes ends in a name that is no file's
    written = {path for path in tmp_path.rglob("*") if path.is_file()}
    allowed = {path for path in written if path.parent.parent == place / "chats.files" or "chats.db" in path.name}
    assert written - allowed == {tmp_path / "export.zip"}


def test_a_damaged_member_costs_itself(tmp_path: Path) -> None:
    path = zipped(tmp_path / "export.zip", {f"{OLD}-x.png": png(1), f"{NEW}-y.png": b"unlucky" * 40}, [talk(1, OLD)])
    data = bytearray(path.read_bytes())
    at = data.index(b"-y.png") + 8
    data[at] ^= 0xFF
    path.write_bytes(data)
    result = app.import_archives(tmp_path / "chats.db", [path], Timing(), lambda *_: None)
    assert result.error is not None
    assert result.files == 1
    assert result.new == 1


def test_an_import_again_stores_nothing_new_and_a_sync_fetches_nothing(service: FileService, tmp_path: Path) -> None:
    file = service.add(1)
    export = zipped(tmp_path / "export.zip", {f"{file.id}-cat.png": file.content}, [talk(5)])
    first = app.import_archives(service.mirrored.path, [export], service.mirrored.timing(), lambda *_: None)
    again = app.import_archives(service.mirrored.path, [export], service.mirrored.timing(), lambda *_: None)
    assert (first.files, again.files) == (1, 0)
    assert service.next_run() == 0
    assert service.asked_for_files() == []
    assert service.bytes_of(file.id) == file.content
    assert service.mirrored.value("SELECT name FROM files WHERE id = ?", file.id) == "cat.png"


def test_importing_again_replaces_bytes_that_a_disk_has_spoilt(tmp_path: Path) -> None:
    """They have the same size; the archive has them whole."""
    archive = zipped(tmp_path / "export.zip", {f"{NEW}-p.png": png(1)}, [talk(1, NEW)])
    found = imported(tmp_path, archive)
    store = ByteStore(tmp_path / "chats.db")
    (sha256,) = store.stored()
    place = store.path_of(sha256)
    place.write_bytes(b"?" + place.read_bytes()[1:])
    assert imported(tmp_path, archive) == found
    assert store.is_whole(sha256)


def test_an_import_brings_what_is_gone_at_the_service(service: FileService, tmp_path: Path) -> None:
    service.add(1)
    file = service.add(2, always="404")
    for _ in range(2):
        service.next_run()
    assert service.state(file.id)[0] == "gone"
    export = zipped(tmp_path / "export.zip", {f"{file.id}.dat": file.content}, [talk(5)])
    app.import_archives(service.mirrored.path, [export], service.mirrored.timing(), lambda *_: None)
    assert service.bytes_of(file.id) == file.content


def test_a_file_of_no_message_has_the_time_of_the_library(tmp_path: Path) -> None:
    library = [{"id": {"id": "libfile_1"}, "file_id": NEW, "file_name": "x.png", "created_at": "2026-03-04T05:06:07Z"}]
    members = {f"{NEW}.dat": png(1), "library_files.json": json.dumps(library).encode()}
    imported(tmp_path, zipped(tmp_path / "export.zip", members, [talk(1)]))
    with closing(sqlite3.connect(tmp_path / "chats.db")) as conn:
        assert conn.execute("SELECT created_at FROM files").fetchone()[0].startswith("2026-03-04T05:06:07")


def test_an_import_of_files_tells_how_many_bytes_are_done(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    export = files_zip(tmp_path / FILES_ALONE, f"{OLD}-a.png", f"{NEW}.dat")
    app.import_archives(tmp_path / "chats.db", [export], Timing(), lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1] == (len(png(0)) + len(png(1)),) * 2


def files_zip(path: Path, *names: str, mark: int = 0) -> Path:
    """A ZIP of files alone, as the privacy portal packs them."""
    with zipfile.ZipFile(path, "w") as opened:
        for n, name in enumerate(names):
            opened.writestr(name, png(mark + n))
    return path


def damaged(path: Path, at: bytes, flip: int = 1) -> Path:
    """The same file with one byte changed behind this mark."""
    data = bytearray(path.read_bytes())
    data[data.index(at) + len(at) + flip] ^= 0xFF
    path.write_bytes(data)
    return path


def portal(path: Path, **inner: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as opened:
        for name, content in inner.items():
            opened.writestr(f"{name}.zip", content)
    return path


def conversations_zip(*talks: dict[str, Any]) -> bytes:
    made = BytesIO()
    with zipfile.ZipFile(made, "w") as held:
        held.writestr("conversations.json", json.dumps(talks))
    return made.getvalue()


def encrypted(path: Path) -> Path:
    """The same ZIP, whose members say that they need a password."""
    data = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(mark)
        while at >= 0:
            data[at + place] |= 1
            at = data.find(mark, at + 4)
    path.write_bytes(data)
    return path


FILES_ALONE = "Files__2026.zip"


@pytest.mark.parametrize("kind", ["zip", "folder of ZIPs", "folder of files", "zip and conversations apart"])
def test_files_alone_are_imported_and_again_change_nothing(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    paths = [folder]
    if kind in {"zip", "zip and conversations apart"}:
        paths = [files_zip(tmp_path / FILES_ALONE, f"{OLD}-a.png", f"{NEW}.dat")]
    elif kind == "folder of ZIPs":
        files_zip(folder / "Files__1.zip", f"{OLD}-a.png")
        files_zip(folder / "Files__2.zip", f"{NEW}.dat", mark=1)
    else:
        (folder / f"{OLD}-a.png").write_bytes(png(0))
        (folder / f"{NEW}.dat").write_bytes(png(1))
    if kind == "zip and conversations apart":
        paths.append(tmp_path / "Conversations__2026.zip")
        paths[1].write_bytes(conversations_zip(talk(1, OLD)))
    for files, unchanged in ((2, 0), (0, 2)):
        result = app.import_archives(tmp_path / "chats.db", paths, Timing(), lambda *_: None)
        assert (result.files, result.files_unchanged, result.error, result.problems) == (files, unchanged, None, [])
    assert {key: row[3] for key, row in imported(tmp_path, *paths).items()} == {OLD: png(0), NEW: png(1)}


def test_a_damaged_zip_of_files_is_a_problem_and_costs_no_other(tmp_path: Path) -> None:
    """Alone, beside a good one, in a folder, in the portal's ZIP, cut off, or with a password: never a traceback."""
    good = files_zip(tmp_path / "Files__good.zip", f"{OLD}-a.png")
    cut = files_zip(tmp_path / "Files__cut.zip", f"{NEW}-b.png")
    cut.write_bytes(cut.read_bytes()[:-30])
    locked = encrypted(files_zip(tmp_path / "Files__locked.zip", f"{NEW}-b.png"))
    folder = tmp_path / "folder"
    folder.mkdir()
    shutil.copy(cut, folder)
    shutil.copy(good, folder)
    in_portal = portal(
        tmp_path / "portal.zip",
        Conversations__1=conversations_zip(talk(1, OLD)),
        Files__1=cut.read_bytes(),
        Files__2=locked.read_bytes(),
        Files__3=good.read_bytes(),
    )
    for n, (paths, files, problems) in enumerate(
        [([cut], 0, 1), ([locked], 0, 1), ([cut, good], 1, 1), ([folder], 1, 1), ([in_portal], 1, 2)]
    ):
        place = tmp_path / str(n)
        place.mkdir()
        make_empty_mirror(place / "chats.db")
        result = app.import_archives(place / "chats.db", paths, Timing(), lambda *_: None)
        assert (result.files, len(result.problems)) == (files, problems), paths
        assert result.error is not None
        assert result.error.exit_code == (3 if files else 2)
        assert "Files__" in result.error.message
        assert ("all the rest is stored" in result.error.message) == bool(files), result.error.message


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no ZIP at all", b"PK\x05\x06" + b"\0" * 18])
def test_what_is_called_like_a_zip_of_files_and_is_none_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILES_ALONE).write_bytes(content)
    code, _, said = run(tmp_path, "chatmirror", "import", FILES_ALONE)
    assert code in {2, 3}
    assert said.count("\n") == 1
    assert FILES_ALONE in said


def test_any_file_in_a_zip_of_files_is_one(tmp_path: Path) -> None:
    """As in the ZIP of the privacy portal that holds it."""
    found = imported(tmp_path, files_zip(tmp_path / FILES_ALONE, "notes.txt", "conversations.json", f"{OLD}-a.png"))
    assert sorted(row[0] or "" for row in found.values()) == ["a.png", "conversations.json", "notes.txt"]


def test_an_import_of_files_alone_says_so(tmp_path: Path) -> None:
    files_zip(tmp_path / FILES_ALONE, f"{OLD}-a.png")
    assert run(tmp_path, "chatmirror", "import", FILES_ALONE) == (0, "", "")
    assert run(tmp_path, "chatmirror", "import", FILES_ALONE) == (0, "", "")


def test_no_room_to_unpack_a_zip_of_files_is_no_damage_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = portal(tmp_path / "portal.zip", Files__1=files_zip(tmp_path / "x.zip", f"{OLD}-a.png").read_bytes())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no such folder"))
    with (
        pytest.raises(StorageError, match=r"no such folder.*what is stored is safe"),
        open_assets(packed, Limits(spooled=10)),
    ):
        pass


def test_what_came_before_the_disk_was_full_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = iter([1 << 40] * 3 + [1 << 20])  # the first is asked for the database
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=1 << 50, free=next(left)))
    ids = [f"file-{letter * 22}" for letter in "ABC"]
    export = zipped(tmp_path / "x.zip", {f"{id_}-a.txt": id_.encode() for id_ in ids}, [talk(1, *ids)])
    result = app.import_archives(tmp_path / "chats.db", [export], Timing(), lambda *_: None)
    assert (result.new, result.files, result.error and result.error.exit_code) == (1, 2, 8)
    with closing(sqlite3.connect(tmp_path / "chats.db")) as conn:
        assert conn.execute("SELECT new, files, exit_code FROM sync_runs").fetchall() == [(1, 2, 8)]
