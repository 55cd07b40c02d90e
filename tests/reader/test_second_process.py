"""An import whose archive is read by a second process: the same mirror, whatever becomes of that process."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from archive_files import conversation, save
from commands import run, started, wait_until
from mirrors import make_empty_mirror

from mirror import app
from mirror.archive import Known, StoredText, open_archive
from mirror.reader import second_process
from mirror.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirror.importing import Imported

IS_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="which processes there are is read from /proc")
PADDING = "x" * 500_000
ODD = "\ud83d\x00 caf\u00e9 \U0001f600"  # half an emoji, a NUL
TABLES = ("conversations", "messages", "links", "attachments", "changes", "_payloads", "_row_hashes")


def contents() -> list[Any]:
    """Conversations of several shapes, and what is none."""
    cited = conversation(2, "rye bread")
    cited["mapping"]["m"]["message"]["metadata"] = {
        "citations": [{"metadata": {"title": "Rye", "url": "https://example.org/rye"}}],
        "attachments": [{"id": "file-0123456789abcdefghijkl", "name": "rye.pdf", "size": 7}],
    }
    without_id = {key: value for key, value in conversation(3, "no id").items() if "id" not in key}
    unknown = conversation(4)
    unknown["mapping"]["m"]["message"]["content"] = {"content_type": "dream", "of": "sheep"}
    return [conversation(0), conversation(1, ODD), cited, without_id, unknown, 7, {"id": "x"}, conversation(0, "newer")]


def imported(db: Path, export: Path) -> Imported:
    return app.import_archives(db, [export], Timing(now=lambda: 1_800_000_000.0), lambda *_: None)


def rows(db: Path) -> dict[str, list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(db)) as conn:
        return {table: conn.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in TABLES}


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let even small archives be read by a second process, once it is called; also where there is one processor."""

    def begin() -> None:
        monkeypatch.setattr(second_process, "WORTH_A_PROCESS", 0)
        monkeypatch.setattr(second_process, "_processors", lambda: 2)

    return begin


@pytest.mark.parametrize("again", [False, True])
def test_two_processes_make_the_same_mirror(
    tmp_path: Path, always: Callable[[], None], monkeypatch: pytest.MonkeyPatch, *, again: bool
) -> None:
    """Rows, bytes, counts and sentences; also where most of it is stored already."""
    export = save(tmp_path / "conversations.json", contents())
    told = []
    for name in ("one", "two"):
        db = tmp_path / f"{name}.db"
        if again:
            imported(db, save(tmp_path / "first.json", contents()[:4]))
        if name == "two":
            always()
            monkeypatch.setattr(second_process, "readings", None)  # so that nothing is read here
        found = imported(db, export)
        told.append((found.new, found.changed, found.unchanged, found.problems, found.skipped, found.not_understood))
    assert told[0] == told[1]
    assert told[0][3], "there are values that are no conversations"
    assert rows(tmp_path / "one.db") == rows(tmp_path / "two.db")


@pytest.mark.leaves_damage("a payload is damaged, and mended")
def test_what_is_stored_is_not_read_again_unless_it_is_damaged(tmp_path: Path, always: Callable[[], None]) -> None:
    """The bytes come again, and heal those that are stored."""
    always()
    db, export = tmp_path / "chats.db", save(tmp_path / "conversations.json", [conversation(n) for n in range(3)])
    imported(db, export)
    with closing(sqlite3.connect(db)) as conn, conn:
        facts = conn.execute("SELECT sha256, size FROM _payloads").fetchall()
        stored = [StoredText(sha256, size, "export", "chatgpt") for sha256, size in facts]
        conn.execute("UPDATE _payloads SET body = x'00' WHERE conversation_id = 'id-1'")
    with open_archive(export) as archive, closing(second_process.readings_of(export, archive, stored)) as items:
        assert [type(item) for item in items] == [Known] * 3
    found = imported(db, export)
    assert (found.new, found.changed, found.unchanged, len(found.damages)) == (0, 0, 3, 1)
    with closing(sqlite3.connect(db)) as conn:
        assert conn.execute("SELECT count(*) FROM _payloads WHERE length(body) > 20").fetchone() == (3,)


def test_without_a_second_process_this_one_reads(
    tmp_path: Path, always: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be no Python that could be started: none is known, it is not there, or it ends at once."""
    always()
    export = save(tmp_path / "conversations.json", contents())
    for n, program in enumerate(["", str(tmp_path / "nothing"), "/bin/false"]):
        monkeypatch.setattr(sys, "executable", program)
        assert imported(tmp_path / f"{n}.db", export).new == 5


def test_another_module_in_the_working_folder_is_not_run(
    tmp_path: Path, always: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of downloads may hold a ``json.py``."""
    always()
    for name in ("json", "pickle", "mirror"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'was_run')!r}, 'w')")
    monkeypatch.chdir(tmp_path)
    assert imported(tmp_path / "chats.db", save(tmp_path / "conversations.json", contents())).new
    assert not (tmp_path / "was_run").exists()


def test_another_module_beside_the_package_takes_the_place_of_none_of_pythons(
    tmp_path: Path, always: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where packages are installed there may be an old ``dataclasses``, which the first process never meets."""
    always()
    (tmp_path / "dataclasses.py").write_text(f"open({str(tmp_path / 'was_run')!r}, 'w')")
    monkeypatch.setattr(second_process, "__file__", str(tmp_path / "mirror" / "reader" / "second_process.py"))
    assert imported(tmp_path / "chats.db", save(tmp_path / "conversations.json", contents())).new
    assert not (tmp_path / "was_run").exists()


# What may be printed before this program is reached, by a ``.pth`` file, say. To pickle, the first two say that all is
# read, the others are a list, a class that nobody knows and more bytes than there is memory.
NOISE = (b"N.", b"\nN.", b"(lp0\nI1\na.", b"cos\nnothing\n.", b"\x80\x05\x8e" + b"\xff" * 7 + b"\x7f")


@IS_LINUX
@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("and_then", ["exit 1", f'exec {sys.executable} "$@"'])
def test_what_others_print_in_the_second_process_is_not_taken_for_its_answer(
    tmp_path: Path, always: Callable[[], None], monkeypatch: pytest.MonkeyPatch, noise: bytes, and_then: str
) -> None:
    always()
    (tmp_path / "noise").write_bytes(noise)
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\ncat {tmp_path / 'noise'}\n{and_then}\n")
    python.chmod(0o700)
    export = save(tmp_path / "conversations.json", contents())
    monkeypatch.setattr(sys, "executable", str(python))
    assert imported(tmp_path / "chats.db", export).new == 5


def test_what_is_set_for_the_first_process_counts_in_the_second(tmp_path: Path, always: Callable[[], None]) -> None:
    """How long a number may be, here."""
    whole = conversation(0)
    whole["mapping"]["m"]["message"]["metadata"] = {"number": 10**999}
    export, before = save(tmp_path / "conversations.json", [whole, conversation(1)]), sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)
    try:
        alone = imported(tmp_path / "one.db", export)
        always()
        assert imported(tmp_path / "two.db", export) == alone
    finally:
        sys.set_int_max_str_digits(before)
    assert rows(tmp_path / "one.db") == rows(tmp_path / "two.db")


def test_names_of_files_are_the_same_whatever_they_are_encoded_in(tmp_path: Path) -> None:
    """Python can be told to take names for ASCII, and what is told by its variables reaches no isolated Python."""
    folder = tmp_path / "export"
    folder.mkdir()
    save(folder / "conversations-caf\u00e9.json", [conversation(0), 7])
    code = "from mirror.reader import second_process as s; s.WORTH_A_PROCESS = 0; s._processors = lambda: {}; "
    env = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    said = []
    for n in (1, 2):
        main = f"{code.format(n)}from mirror.cli import main; main()"
        command = (sys.executable, "-c", main, "import", "export", "-d", f"{n}.db")
        said.append(subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, check=False).stderr)
    assert said[0] == said[1]
    assert b"is a number" in said[0]


# -- a real command, and what becomes of its second process


def children(process: int) -> list[int]:
    """The processes that a process has started and that still run."""
    found = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    return [int(number) for number in found.split()]


def is_running(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def stored(db: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True)) as conn:
            return int(conn.execute("SELECT count(*) FROM conversations").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def has_begun(db: Path, process: subprocess.Popen[bytes]) -> bool:
    return stored(db) > 0 and bool(children(process.pid))


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """An export that is worth a second process: 60 conversations of half a megabyte."""
    if second_process._processors() < 2:
        pytest.skip("there is one processor only")
    return save(tmp_path / "conversations.json", [conversation(n, more=PADDING) for n in range(60)])


def importing(db: Path) -> Any:
    command = (sys.executable, "-m", "mirror", "import", "conversations.json", "-d", str(db))
    return started(*command, cwd=db.parent, env=os.environ, stderr=subprocess.PIPE)


@IS_LINUX
@pytest.mark.usefixtures("large")
def test_the_import_goes_on_where_its_second_process_is_killed(tmp_path: Path) -> None:
    """By the system, for want of memory, say: every conversation is imported once, and nothing is said."""
    db = tmp_path / "chats.db"
    with importing(db) as process:
        wait_until(partial(has_begun, db, process), process)
        os.kill(children(process.pid)[0], signal.SIGKILL)
        assert process.wait(60) == 0
        assert process.stderr.read() == b""
    assert stored(db) == 60
    with closing(sqlite3.connect(db)) as conn:
        assert conn.execute("SELECT outcome, new, unchanged FROM sync_runs").fetchall() == [("current", 60, 0)]


@IS_LINUX
@pytest.mark.usefixtures("large")
@pytest.mark.parametrize(("number", "wanted"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_no_second_process_is_left(tmp_path: Path, number: signal.Signals, wanted: int) -> None:
    """However the command is ended; Ctrl-C reaches both of them."""
    db = tmp_path / "chats.db"
    with importing(db) as process:
        wait_until(partial(has_begun, db, process), process)
        [second] = children(process.pid)
        if number == signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        said = process.stderr.read()
        assert process.wait(60) == wanted
        assert b"Traceback" not in said
        end = time.monotonic() + 20
        while is_running(second):
            assert time.monotonic() < end, "it still runs"
            time.sleep(0.01)
    assert run(tmp_path, "chatmirror", "import", "conversations.json", "-d", str(db)) == (0, "", "")
    assert stored(db) == 60


def is_reading(process: int, file: Path) -> bool:
    try:
        return any(link.readlink() == file for link in Path(f"/proc/{process}/fd").iterdir())
    except OSError:
        return False


@IS_LINUX
def test_a_second_process_that_finds_nothing_to_say_is_not_left_either(tmp_path: Path, large: Path) -> None:
    """It reads minutes on in what holds no conversations, and meets no closed pipe meanwhile."""
    large.write_bytes(b"[" + b"1," * (second_process.WORTH_A_PROCESS // 2) + b"1]")
    make_empty_mirror(tmp_path / "chats.db")  # where there is none, this process looks for a first conversation
    with importing(tmp_path / "chats.db") as process:
        wait_until(lambda: any(is_reading(child, large) for child in children(process.pid)), process)
        [second] = children(process.pid)
        process.kill()
        end = time.monotonic() + 20
        while is_running(second):
            assert time.monotonic() < end, "it still runs"
            time.sleep(0.01)


@IS_LINUX
def test_one_processor_is_enough(tmp_path: Path, large: Path) -> None:
    """Where there is no second one, nothing is gained by a second process."""
    here = "import os, sys; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); from mirror.cli import main; "
    code = f"{here}sys.argv[1:] = ['import', {large.name!r}, '-d', 'chats.db']; main()"
    db = tmp_path / "chats.db"
    with started(sys.executable, "-c", code, cwd=tmp_path, env=os.environ) as process:
        wait_until(lambda: stored(db) > 0, process)
        assert children(process.pid) == []
        assert process.wait(60) == 0
