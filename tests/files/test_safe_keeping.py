"""Bytes that are stored stay whole, are missed when they are lost, come again, and go where the mirror goes."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from commands import run_here
from files.file_service import FileService, png
from mirrored_service import on_request

from mirror import app
from mirror.errors import UsageError
from mirror.files.byte_store import ByteStore
from mirror.health import freshness
from mirror.health.stored_bytes import SPOT_CHECK
from mirror.store.database import Writer, open_reader

if TYPE_CHECKING:
    from pathlib import Path


def checked(service: FileService, *, repair: bool = False) -> str | None:
    error, _ = app.check(service.mirrored.path, service.mirrored.timing(), lambda *_: None, repair=repair)
    return error.message if error else None


def place_of(service: FileService, id_: str) -> Path:
    return service.store.path_of(service.mirrored.value("SELECT sha256 FROM files WHERE id = ?", id_))


def test_damaged_and_missing_bytes_are_found_and_come_again(service: FileService) -> None:
    damaged, missing, whole = (service.add(n) for n in (1, 2, 3))
    service.next_run()
    assert checked(service) is None
    content = bytearray(place_of(service, damaged.id).read_bytes())
    content[20] ^= 1
    place_of(service, damaged.id).write_bytes(content)
    place_of(service, missing.id).unlink()
    said = checked(service)
    assert said
    assert "the bytes of 1 file are missing and the bytes of 1 file are damaged" in said
    assert "1 file" in (checked(service, repair=True) or "")
    assert service.next_run() == 0
    assert checked(service) is None
    assert [service.bytes_of(one.id) for one in (damaged, missing, whole)] == [png(1), png(2), png(3)]
    assert service.mirrored.service.files.given == {damaged.id: 2, missing.id: 2, whole.id: 1}


@pytest.mark.leaves_damage("the folder of its files is lost")
def test_a_missing_folder_is_said_once_and_plainly(service: FileService) -> None:
    for n in range(1, 4):
        service.add(n)
    service.next_run()
    shutil.rmtree(service.store.folder)
    said = checked(service)
    assert said
    assert "the folder chats.files with the bytes of 3 files is not beside" in said


def lose(folder: Path, how: str) -> None:
    """Let a folder of files be lost in one of these ways."""
    if how == "moved":
        folder.rename(folder.with_name("elsewhere"))
    elif how == "emptied":
        for one in folder.iterdir():
            shutil.rmtree(one)
    else:
        shutil.rmtree(folder)
    if how == "a file":
        folder.write_bytes(b"x")
    elif how == "a link that leads nowhere":
        folder.symlink_to("nowhere")


@pytest.mark.parametrize("how", ["gone", "moved", "emptied", "a file", "a link that leads nowhere"])
def test_a_folder_that_is_lost_is_named_by_every_run_and_status(service: FileService, how: str) -> None:
    """The chats are mirrored without it; what it held is fetched again when the person says so, and not unasked."""
    for n in range(1, SPOT_CHECK + 2):
        service.add(n)
    service.next_run()
    assert said_by_status(service) is None
    lose(service.store.folder, how)
    for _ in range(2):  # also when a new file has made a new folder
        is_blocked = how.startswith("a ")
        if not is_blocked:
            service.add(100 + service.mirrored.value("SELECT count(*) FROM files"))
        assert service.next_run() == 9
        assert service.mirrored.value("SELECT count(*) FROM files WHERE state = 'pending'") == 0
        said = said_by_status(service)
        assert said
        assert said.startswith("The folder chats.files with the bytes of 2")
        assert "chatmirror check --repair" in said
    if service.store.folder.is_symlink() or service.store.folder.is_file():
        service.store.folder.unlink()
    checked(service, repair=True)
    assert service.next_run() == 0
    assert (checked(service), said_by_status(service)) == (None, None)


def test_a_few_files_that_are_lost_come_again_by_themselves(service: FileService) -> None:
    """The next run looks for some, and fetches those that are lacking."""
    files = [service.add(n) for n in range(1, 6)]
    service.next_run()
    place_of(service, files[0].id).unlink()
    assert "1 of the 5" in (said_by_status(service) or "")
    assert service.next_run() == 0
    assert (checked(service), said_by_status(service)) == (None, None)
    assert service.bytes_of(files[0].id) == png(1)


def said_by_status(service: FileService) -> str | None:
    with closing(open_reader(service.mirrored.path)) as conn:
        error = freshness.verdict(freshness.read_status(conn, service.mirrored.path), service.mirrored.clock())
    return error.message if error else None


@pytest.mark.parametrize("value", ["/etc/passwd", "../../outside", "", "AB" * 32])
def test_a_hash_that_is_none_leads_nowhere(service: FileService, tmp_path: Path, value: str) -> None:
    """A damaged row, or a mirror that somebody made up, names no file of this computer."""
    file = service.add(1)
    service.next_run()
    outside = tmp_path / "outside"
    outside.write_text("not ours")
    with closing(sqlite3.connect(service.mirrored.path)) as conn:
        conn.execute("UPDATE files SET sha256 = ? WHERE id = ?", (value, file.id))
        conn.commit()
    assert service.store.path_of(value).parent == service.store.folder
    assert checked(service)
    checked(service, repair=True)
    assert outside.read_text() == "not ours"
    assert service.next_run() == 0
    assert service.bytes_of(file.id) == file.content


def test_bytes_of_no_row_are_left_alone(service: FileService) -> None:
    service.add(1)
    service.next_run()
    with service.store.incoming() as incoming:
        incoming.write(b"of an older mirror")
        sha256 = incoming.keep()
    assert checked(service) is None
    assert checked(service, repair=True) is None
    assert service.store.path_of(sha256).exists()


def test_a_backup_takes_files_along_and_a_restore_brings_them_back(service: FileService, tmp_path: Path) -> None:
    files = [service.add(n) for n in range(1, 4)]
    service.next_run()
    target = tmp_path / "elsewhere" / "copy.db"
    target.parent.mkdir()
    app.backup(service.mirrored.path, target, lambda *_: None)
    copy = ByteStore(target)
    assert sorted(copy.stored()) == sorted(service.store.stored())
    assert all(copy.is_whole(sha256) for sha256 in copy.stored())
    app.backup(service.mirrored.path, target, lambda *_: None)  # over the older one
    shutil.rmtree(service.store.folder)
    service.mirrored.path.unlink()
    app.restore(service.mirrored.path, target, lambda *_: None)
    assert checked(service) is None
    assert [service.bytes_of(file.id) for file in files] == [file.content for file in files]


@pytest.mark.parametrize("spoilt", ["mirror", "backup"])
def test_bytes_that_are_there_and_damaged_are_replaced(service: FileService, tmp_path: Path, spoilt: str) -> None:
    """By a restore the mirror's, by a backup those of the older backup; a damaged byte has the same size."""
    file = service.add(1)
    service.next_run()
    target = tmp_path / "elsewhere" / "copy.db"
    target.parent.mkdir()
    app.backup(service.mirrored.path, target, lambda *_: None)
    sha256 = service.mirrored.value("SELECT sha256 FROM files WHERE id = ?", file.id)
    damaged = ByteStore(service.mirrored.path if spoilt == "mirror" else target).path_of(sha256)
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    if spoilt == "mirror":
        _, error = app.restore(service.mirrored.path, target, lambda *_: None)
    else:
        _, error = app.backup(service.mirrored.path, target, lambda *_: None)
    assert error is None
    assert damaged.read_bytes() == file.content
    assert checked(service) is None


def test_a_backup_that_would_share_the_folder_of_files_is_refused(service: FileService) -> None:
    """Beside ``chats.db`` a ``chats.bak`` would have its files in the same ``chats.files``: that is no copy of them."""
    service.add(1)
    service.next_run()
    path = service.mirrored.path
    with pytest.raises(
        UsageError, match=r"chats\.files, where those of .* are, so they would be in no backup; nothing"
    ):
        app.backup(path, path.with_suffix(".bak"), lambda *_: None)
    assert not path.with_suffix(".bak").exists()
    app.backup(path, path.with_name("other.bak"), lambda *_: None)
    assert list(ByteStore(path.with_name("other.bak")).stored()) == list(service.store.stored())


def test_a_run_of_another_mirror_with_the_same_folder_leaves_what_is_on_its_way(service: FileService) -> None:
    """``chats.db`` and ``chats.sqlite`` both have ``chats.files``, and each has a lock of its own."""
    with service.store.incoming() as incoming:
        incoming.write(b"half of it")
        with Writer(service.mirrored.path.with_suffix(".sqlite")):
            pass
        incoming.write(b", and the rest")
        sha256 = incoming.keep()
    assert service.store.is_whole(sha256)


@pytest.mark.leaves_damage("the bytes of a file are damaged")
def test_a_damaged_byte_gets_into_no_backup(service: FileService, tmp_path: Path) -> None:
    """The backup has all chats, and says that it lacks a file: exit 3."""
    file = service.add(1)
    service.next_run()
    place_of(service, file.id).write_bytes(png(2))
    _, error = app.backup(service.mirrored.path, tmp_path / "copy.db", lambda *_: None)
    assert error is not None
    assert (error.exit_code, "lacks the bytes of 1 file," in error.message) == (3, True)
    assert list(ByteStore(tmp_path / "copy.db").stored()) == []


def test_moving_the_database_and_its_folder_together_keeps_working(service: FileService, tmp_path: Path) -> None:
    file = service.add(1)
    service.next_run()
    new = tmp_path / "moved" / "mine.db"
    new.parent.mkdir()
    shutil.move(service.mirrored.path, new)
    shutil.move(service.store.folder, new.parent / "mine.files")
    error, _ = app.check(new, service.mirrored.timing(), lambda *_: None)
    assert error is None
    assert file.id in service.states_of(new)


@pytest.mark.parametrize("stop_after", range(1, 21, 3))
def test_an_interruption_costs_at_most_the_file_in_flight(service: FileService, stop_after: int) -> None:
    for n in range(1, 11):
        service.add(n)
    asked = 0

    def stop(line: str) -> None:
        nonlocal asked
        asked += "file" in line
        if asked == stop_after:
            asked += 1
            raise KeyboardInterrupt

    with on_request(stop), pytest.raises(KeyboardInterrupt):
        service.next_run()
    assert checked(service) is None
    assert service.next_run() == 0
    assert set(service.states().values()) == {"stored"}
    assert sum(service.mirrored.service.files.given.values()) <= 11
    assert [path.name for path in service.store.folder.iterdir() if path.name.startswith(".")] == []


def test_a_full_disk_ends_files_and_loses_nothing(service: FileService) -> None:
    service.add(1)
    service.next_run()
    service.add(2)
    service.add(3, b"%PDF-1.4", name="huge.pdf", mime_type="application/pdf")
    service.account.conversations[max(service.account.conversations)]["mapping"][
        f"00000000-0000-4000-8000-{6003:012x}"
    ]["message"]["metadata"]["attachments"][0]["size"] = 10**18
    assert service.next_run() == 8
    assert checked(service) is None
    assert service.mirrored.value("SELECT count(*) FROM conversations") == 3


@pytest.mark.parametrize("name", [".incoming-abc", ".incoming-{database}-abc"])
@pytest.mark.parametrize("command", ["sync", "check", "rebuild", "backup"])
def test_what_a_killed_run_left_of_a_file_is_gone_after_the_next_one(
    service: FileService, command: str, name: str
) -> None:
    """It is private, and nothing else would ever remove it."""
    service.add(1)
    service.next_run()
    folder = service.store.folder
    copy = folder.with_name("copy.files")
    copy.mkdir()
    database = "copy.db" if command == "backup" else service.mirrored.path.name
    left = (copy if command == "backup" else folder) / name.format(database=database)
    left.write_bytes(b"private")
    if command == "sync":
        service.next_run()
    elif command == "backup":
        run_here(folder.parent, "backup", str(folder.with_name("copy.db")))
    else:
        run_here(folder.parent, command)
    assert not left.exists()
    assert (copy if command == "backup" else folder).is_dir()
