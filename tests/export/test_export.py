"""``chatmirror export``: a folder of files that a person keeps, edits and synchronises."""

from __future__ import annotations

import errno
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import unicodedata
from contextlib import closing, suppress
from hashlib import sha256
from pathlib import Path

import pytest
from commands import BIN, run_here, started, wait_until
from filelock import FileLock
from mirrors import START, add, add_conversation, add_message, bakery, open_mirror

from mirror.errors import StorageError, UsageError
from mirror.export.names import harmless, key_of
from mirror.export.run import ExportOptions, export
from mirror.files.byte_store import ByteStore, folder_of
from mirror.store.database import connect, open_reader

RECORD = ".chatmirror-export.json"
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 40

pytestmark = pytest.mark.leaves_damage("its rows are written by hand, from no payload")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror of two conversations, made once."""
    path = tmp_path_factory.mktemp("small") / "chats.db"
    bakery(path)
    return path


@pytest.fixture
def vault(small: Path, tmp_path: Path) -> Path:
    """Where a copy of that mirror is exported to."""
    shutil.copy(small, tmp_path / "chats.db")
    return tmp_path / "vault"


def exported(vault: Path, *arguments: str) -> dict[str, bytes]:
    """Run an export and return what the folder holds; a success prints nothing."""
    assert run_here(vault.parent, "export", str(vault), *arguments) == (0, "", "")
    return contents(vault)


def contents(vault: Path) -> dict[str, bytes]:
    """Return the files that a person sees."""
    found = (path for path in vault.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(vault).as_posix(): path.read_bytes() for path in found}


def change(vault: Path, sql: str, *values: object) -> None:
    """Change the mirror as a sync does."""
    with closing(sqlite3.connect(vault.parent / "chats.db")) as conn, conn:
        conn.execute(sql, values)


def front_matter(markdown: bytes) -> dict[str, object]:
    """Return the properties of a note; each value is JSON, which YAML contains."""
    lines = markdown.decode().split("\n---\n")[0].removeprefix("---\n").split("\n")
    return {key: json.loads(value) for key, _, value in (line.partition(": ") for line in lines)}


def stamps(vault: Path) -> dict[str, tuple[int, int]]:
    """Return what differs once a file was written again: its inode and time."""
    return {name: ((vault / name).stat().st_ino, (vault / name).stat().st_mtime_ns) for name in contents(vault)}


def rewritten(vault: Path, *arguments: str) -> list[str]:
    """Run an export and return which files were written."""
    before = stamps(vault)
    exported(vault, *arguments)
    return [name for name, stamp in stamps(vault).items() if before.get(name) != stamp]


def test_a_note_says_what_it_is(vault):
    """Markdown by default, with the properties that notes programs read."""
    found = exported(vault)
    assert sorted(found) == ["2025-01-01 Rye & -b-starter--b-.md", "2025-01-01 Why is the sky blue-.md"]
    note = found["2025-01-01 Rye & -b-starter--b-.md"]
    assert front_matter(note) == {
        "title": "Rye & <b>starter</b>",
        "id": "c-old",
        "url": "https://chatgpt.com/c/c-old",
        "created": START,
        "updated": START,
        "models": ["gpt-4o"],
        "project": "The bakery",
        "tags": ["chatgpt"],
    }
    assert b"How do I feed a rye starter?" in note
    assert oct((vault / "2025-01-01 Rye & -b-starter--b-.md").stat().st_mode)[-2:] == "00"


@pytest.mark.parametrize("form", ["markdown", "html", "json"])
def test_a_second_run_writes_nothing_and_a_rename_one_file_of_the_same_name(vault, form):
    """What did not change is not touched, so that what synchronises the folder has nothing to do."""
    names = sorted(exported(vault, "--format", form))
    record = (vault / RECORD).stat().st_mtime_ns
    assert rewritten(vault, "--format", form) == []
    assert (vault / RECORD).stat().st_mtime_ns == record
    change(vault, "UPDATE conversations SET title = 'A new name' WHERE id = 'c-old'")
    (name,) = rewritten(vault, "--format", form)
    assert b"A new name" in (vault / name).read_bytes()
    assert sorted(contents(vault)) == names


def test_formats_stand_beside_each_other(vault):
    """Each has its own suffix and is kept for itself."""
    exported(vault)
    exported(vault, "--format", "html")
    assert len(exported(vault, "--format", "json")) == 6
    assert rewritten(vault) == []


def test_json_is_what_show_prints(vault):
    """One form of a conversation for programs."""
    found = exported(vault, "--format", "json")
    shown = run_here(vault.parent, "show", "c-new", "--json")[1]
    assert found["2025-01-01 Why is the sky blue-.json"].decode() == shown


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        (["starter"], {"c-old"}),
        (["rye", "twice"], {"c-old"}),  # in two messages
        (["starter", "blue"], set()),
        (["How", "do", "I", "feed", "smells", "rye", "starter", "twice"], {"c-old"}),
        (["How", "do", "I", "feed", "smells", "rye", "starter", "twice", "blue"], set()),  # all of many, too
        (["--", "-sky", "rye"], {"c-old"}),
        (["--project", "the bakery"], {"c-old"}),
        (["--since", "2025-05"], {"c-new"}),
        (["--until", "2025-05"], {"c-old"}),
        (["--role", "assistant"], {"c-old"}),
        (["--role", "assistant", "--branches"], {"c-old", "c-new"}),
        (["rayleigh"], set()),
        (["rayleigh", "--branches"], {"c-new"}),
        (["--archived"], set()),
        (["!!!"], set()),
    ],
)
def test_it_takes_what_a_search_selects(vault, arguments, ids):
    """Words and filters are those of a search; without words all that pass."""
    assert {front_matter(note)["id"] for note in exported(vault, *arguments).values()} == ids


@pytest.mark.parametrize("form", ["markdown", "html", "json"])
def test_branches_are_there_when_asked_for(vault, form):
    """An answer that was regenerated, in each format."""
    assert not any(b"Rayleigh" in note for note in exported(vault, "--format", form).values())
    assert any(b"Rayleigh" in note for note in exported(vault, "--format", form, "--branches").values())


def test_a_page_says_which_branch_of_how_many_a_message_begins(vault):
    """Of three answers, the one that is shown comes last."""
    with closing(open_mirror(vault.parent / "chats.db")) as conn:
        for name, position in (("n3", None), ("n4", 2)):
            add_message(conn, "c-new", name, f"Answer {name}", role="assistant", position=position, parent_id="n1")
        conn.execute("UPDATE messages SET parent_id = 'n1' WHERE conversation_id = 'c-new' AND id = 'n2'")
        conn.commit()
    page = exported(vault, "--format", "html", "--branches")["2025-01-01 Why is the sky blue-.html"].decode()
    assert re.findall(r"Branch (\d of \d), (not shown|shown)", page) == [
        ("1 of 3", "not shown"),
        ("2 of 3", "not shown"),
        ("3 of 3", "shown"),
    ]


def test_what_a_person_edited_or_put_there_stays(vault):
    """Neither a note that was edited nor one that was there before is ever written to."""
    vault.mkdir()
    (vault / "2025-01-01 why is the SKY blue-.md").write_text("my own")
    names = set(exported(vault))
    assert {name for name in names if "sky" in name.lower()} == {
        "2025-01-01 why is the SKY blue-.md",
        "2025-01-01 Why is the sky blue- c-new.md",
    }
    (vault / "2025-01-01 Rye & -b-starter--b-.md").write_text("edited")
    change(vault, "UPDATE conversations SET title = 'A new name'")
    assert rewritten(vault) == ["2025-01-01 Why is the sky blue- c-new.md"]
    assert (vault / "2025-01-01 Rye & -b-starter--b-.md").read_text() == "edited"
    assert (vault / "2025-01-01 why is the SKY blue-.md").read_text() == "my own"


def test_a_note_that_was_deleted_or_emptied_comes_again(vault):
    """Deleting a file is how to get it anew; a power cut leaves empty ones."""
    whole = exported(vault)
    first, second = sorted(whole)
    (vault / first).unlink()
    (vault / second).write_bytes(b"")
    assert sorted(rewritten(vault)) == [first, second]
    assert contents(vault) == whole


def test_a_lost_record_makes_no_second_file(vault):
    """What is there as it would be written is taken for what it is."""
    whole = exported(vault)
    (vault / RECORD).unlink()
    assert rewritten(vault) == []
    change(vault, "UPDATE conversations SET title = 'A new name'")
    assert len(rewritten(vault)) == 2
    assert sorted(contents(vault)) == sorted(whole)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"form": 9, "files": {}}', '{"form": 1, "files": {"a": 1}}', "\xff", '{"form": 1}']
)
def test_a_record_that_cannot_be_read_stops_it(vault, text):
    """Without knowing which files are its own it writes none."""
    exported(vault)
    (vault / RECORD).write_bytes(text.encode("latin-1"))
    code, out, err = subprocess_export(vault)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "nothing was written" in err


def test_a_record_names_no_file_elsewhere(vault):
    """A record that somebody sent leads to no other folder."""
    exported(vault)
    (vault.parent / "mine.md").write_text("mine")
    entry = {"conversation_id": "c-old", "sha256": sha256(b"mine").hexdigest(), "made_of": "", "was": None}
    (vault / RECORD).write_text(json.dumps({"form": 1, "files": {"../mine.md": entry}}))
    run_here(vault.parent, "export", str(vault))
    assert (vault.parent / "mine.md").read_text() == "mine"


def test_what_is_deleted_on_the_service_or_no_longer_selected_stays(vault):
    """A tombstone is a property of the note; what no longer matches is left as it is."""
    exported(vault)
    change(vault, "UPDATE conversations SET deleted_at = ? WHERE id = 'c-old'", START)
    (name,) = rewritten(vault)
    assert front_matter((vault / name).read_bytes())["deleted"] == START
    assert "deleted" in str(front_matter((vault / name).read_bytes())["tags"])
    assert rewritten(vault, "sky") == []
    assert len(contents(vault)) == 2


# -- files


@pytest.fixture
def with_picture(vault: Path) -> Path:
    """A conversation that shows a picture whose name is a trap, and one whose bytes were never stored."""
    digest = sha256(PNG).hexdigest()
    place = folder_of(vault.parent / "chats.db") / digest[:2] / digest
    place.parent.mkdir(parents=True)
    place.write_bytes(PNG)
    with closing(connect(vault.parent / "chats.db")) as conn:
        add_conversation(conn, "c-pic", "Picture")
        rowid = add_message(conn, "c-pic", "n1", "Look")
        known = {"provider": "chatgpt", "kind": "image", "first_seen_at": START}
        picture = {"mime_type": "image/png", "sha256": digest, "size": len(PNG)}
        add(conn, "files", id="f1", name="../../é\u202eCON|.png", state="stored", **picture, **known)
        add(conn, "files", id="f2", name="gone.png", state="gone", reason="deleted", **known)
        for position, key in enumerate(("f1", "f2"), 1):
            add(
                conn,
                "attachments",
                message_rowid=rowid,
                position=position,
                name=f"{key}.png",
                kind="image",
                file_id=key,
            )
    return vault


def test_files_are_linked_where_the_mirror_has_them(with_picture):
    """An address of this computer, as a picture in the note."""
    (note,) = (text for name, text in exported(with_picture).items() if "Picture" in name)
    address = folder_of(with_picture.parent / "chats.db").resolve().as_uri()
    assert f"![image: f1.png](<{address}/" in note.decode()
    assert "- image: f2.png" in note.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has one encoding of names")
def test_names_are_the_same_in_whatever_locale_an_export_runs(vault):
    """As from a job without a language, for which Python takes names for ASCII, after one from a terminal."""
    change(vault, "UPDATE conversations SET title = '\ud55c\uae00 \uc81c\ubaa9' WHERE id = 'c-old'")
    bare = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-m", "mirror", "export", "--db", "chats.db"]
    said = [
        subprocess.run([*command, folder], cwd=vault.parent, env=env, capture_output=True, check=False)
        for folder, env in (("bare", bare), ("vault", dict(os.environ)), ("vault", bare))
    ]
    assert [(one.returncode, one.stdout, one.stderr) for one in said] == [(0, b"", b"")] * 3
    assert contents(vault.parent / "bare") == contents(vault)
    assert "2025-01-01 \ud55c\uae00 \uc81c\ubaa9.md" in contents(vault)


@pytest.mark.parametrize("form", ["markdown", "html", "json"])
def test_files_are_copied_under_harmless_names(with_picture, form):
    """A copy lies in a folder of the export, once, and what a person does with it is theirs."""
    found = exported(with_picture, "--files", "copy", "--format", form)
    (copy,) = (name for name in found if name.startswith("files/"))
    assert found[copy] == PNG
    assert copy == f"files/{sha256(PNG).hexdigest()[:12]} -..-é CON-.png"
    address = "files/" + copy.removeprefix("files/").replace(" ", "%20").replace("é", "%C3%A9")
    assert any(address.encode() in text for text in found.values())
    assert rewritten(with_picture, "--files", "copy", "--format", form) == []
    (with_picture / copy).unlink()
    assert rewritten(with_picture, "--files", "copy", "--format", form) == [copy]


def test_a_picture_that_a_tool_made_is_seen_without_a_click(with_picture):
    """In the exported page, too, it stands below the fold of what the tool did."""
    with closing(connect(with_picture.parent / "chats.db")) as conn:
        made = {"role": "tool", "author": "python", "kind": "output", "parent_id": "n1"}
        rowid = add_message(conn, "c-pic", "n2", "13 weeks\n[image]", **made)
        conn.execute("UPDATE attachments SET message_rowid = ? WHERE file_id = 'f1'", (rowid,))
    found = exported(with_picture, "--format", "html")
    (page,) = (text.decode() for name, text in found.items() if "Picture" in name)
    assert "<img " in page
    assert "<img " not in page[page.index("<details") : page.rindex("</details>")]


def test_files_can_be_left_out(with_picture):
    """Their names stay."""
    (note,) = (text for name, text in exported(with_picture, "--files", "none").items() if "Picture" in name)
    assert b"- image: f1.png" in note
    assert b"file:" not in note


# -- HTML


def test_a_page_runs_and_loads_nothing(vault):
    """What a chat quotes is text; the policy comes before anything else."""
    change(vault, "UPDATE conversations SET title = '</title></style><script>1</script>' WHERE id = 'c-old'")
    change(
        vault,
        "UPDATE messages SET text = text || ? WHERE id = 'n2'",
        "![x](https://evil.example/p.png) [j](javascript:1) \\(x^2\\)\n\n:::note{title='<script>'}\nx\n:::",
    )
    pages = exported(vault, "--format", "html").values()
    assert any(b"<msup>" in page and b'class="card"' in page for page in pages)
    for page in (text.decode() for text in pages):
        assert page.index("Content-Security-Policy") < page.index("<title>") < page.index("<style>")
        assert "<script" not in page
        assert "<button" not in page
        assert 'src="http' not in page
        assert 'href="javascript' not in page
        assert page.count("</style>") == 1


# -- names

TITLES = [
    "CON",
    "nul.md",
    "a" * 400,
    "🧁" * 200,
    "日本語" * 90,
    "ends with dots...",
    " . ",
    "",
    "..",
    "/etc/passwd",
    "..\\..\\x",
    'a<b>c:d"e/f\\g|h?i*j',
    "line\nbreak\r\ttab",
    "nul\x00byte",
    "right\u202eleft",
    "\ufeffmark",
    "\u2028",
    "e\u0301 composed",
    "\u00e9 composed",
    "STRASSE",
    "straße",
    "ﬁne",
    "FINE",
    "fine",
    "👩‍👩‍👧‍👦 family",
    "[[link]] #tag ^block",
    "-rf *",
    "%2e%2e",
    "~",
    "$HOME `id`",
    "a" * 95 + "é",
    "\ud83e half",
    "İstanbul",
    "\U000e0041 tag",
]


def hostile_titles(number: int) -> list[str]:
    """Return titles that nobody should have, those above first."""
    chance = random.Random(7)
    pieces = [*TITLES, *map(chr, (0, 9, 10, 13, 0x7F, 0x85, 0x200D, 0x202E, 0x2029, 0xFE0F, 0xFFFF, 0x1F600, 0xE000))]
    made = ["".join(chance.choices(pieces, k=chance.randint(1, 4))) for _ in range(number)]
    return [*TITLES, *made][:number]


def test_any_title_is_a_name_on_any_system(tmp_path):
    """500 titles, each a file of its own that Windows, macOS and Linux take, and a second run that finds them again."""
    titles = hostile_titles(500)
    with closing(open_mirror(tmp_path / "chats.db")) as conn:
        for number, title in enumerate(titles):
            add_conversation(conn, f"c{number}", title.encode("utf-8", "replace").decode())
            add_message(conn, f"c{number}", "n", "x")
    found = exported(tmp_path / "vault")
    assert len(found) == len(titles)
    assert len({key_of(name) for name in found}) == len(titles)
    for name in found:
        assert len(name.encode()) <= 140
        assert not set(name) & set('<>:"/\\|?*#^[]\n\r\t\0')
        assert all(unicodedata.category(character)[0] != "C" for character in name)
        assert unicodedata.is_normalized("NFC", name)
        assert name.startswith("2025-01-01 ")  # so that no name is a reserved one, hidden, or an option
        assert not name.removesuffix(".md").endswith((" ", "."))
    assert rewritten(tmp_path / "vault") == []


@pytest.mark.parametrize("created_at", [None, "", "../../../x", "/etc/xxxx", "nonsense", "0001-01-01T00:00:00Z"])
def test_what_is_no_date_is_no_part_of_a_name(vault, created_at):
    """A damaged row leads to no other folder."""
    change(vault, "UPDATE conversations SET created_at = ? WHERE id = 'c-old'", created_at)
    assert "undated Rye & -b-starter--b-.md" in exported(vault)


@pytest.mark.parametrize("title", TITLES)
def test_a_part_of_a_name_keeps_its_bound(title):
    """Cut between characters, in bytes."""
    assert len(harmless(title, 20).encode()) <= 20
    assert harmless(harmless(title)) == harmless(title)


# -- trouble


def subprocess_export(vault: Path, *before: str) -> tuple[int, str, str]:
    """Run an export as a process of its own."""
    found = subprocess.run(
        [*before, str(BIN / "chatmirror"), "export", str(vault), "-d", str(vault.parent / "chats.db")],
        capture_output=True,
        check=False,
        timeout=60,
        text=True,
    )
    return found.returncode, found.stdout, found.stderr


def many(path: Path, number: int) -> None:
    """Write a mirror of that many short conversations."""
    with closing(open_mirror(path)) as conn:
        conn.execute("BEGIN")
        for key in range(number):
            add_conversation(conn, f"c{key}", f"Chat {key}")
            add_message(conn, f"c{key}", "n", "word " * 200)
        conn.execute("COMMIT")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_killed_is_completed_by_the_next(tmp_path, how):
    """No half file, no second file, nothing of the killed run left."""
    many(tmp_path / "chats.db", 560)
    whole, vault = exported(tmp_path / "whole"), tmp_path / "vault"
    command = (str(BIN / "chatmirror"), "export", str(vault))
    with started(*command, cwd=tmp_path, env=dict(os.environ), stderr=subprocess.PIPE) as process:
        wait_until(lambda: vault.is_dir() and len(list(vault.glob("*.md"))) > 20, process)
        process.send_signal(how)
        err = process.communicate(timeout=30)[1].decode()
    assert process.returncode == {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[how]
    lines = 0 if how == signal.SIGKILL else 1
    assert (len(err.splitlines()[:1]), err.strip().count("\n"), err.count("Run again")) == (lines, 0, lines), err
    assert all(whole[name] == text for name, text in contents(vault).items())
    assert exported(vault) == whole
    assert {path.name for path in vault.glob(".*")} == {RECORD, ".chatmirror-export.lock"}


def test_a_full_disk_is_one_line_and_the_next_run_completes(tmp_path):
    """What was written is whole."""
    many(tmp_path / "chats.db", 520)
    code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    code += "from mirror.cli import main; main()"
    found = subprocess.run(
        [sys.executable, "-c", code, "export", str(tmp_path / "vault"), "-d", str(tmp_path / "chats.db")],
        capture_output=True,
        check=False,
        timeout=60,
        text=True,
    )
    assert (found.returncode, found.stdout, found.stderr.count("\n")) == (8, "", 1)
    assert "run again" in found.stderr
    assert len(exported(tmp_path / "vault")) == 520


def test_a_place_that_cannot_be_written_is_one_line(vault):
    """A file, a folder in no folder, a folder that nobody may make."""
    (vault.parent / "file").write_text("mine")
    for place, wanted in ((vault.parent / "file", 2), (vault / "deeper", 2), (Path("/proc/chatmirror"), 8)):
        code, out, err = subprocess_export(place) if place.parent == vault.parent else run_elsewhere(vault, place)
        assert (code, out, err.count("\n")) == (wanted, "", 1), err
    assert (vault.parent / "file").read_text() == "mine"


def run_elsewhere(vault: Path, place: Path) -> tuple[int, str, str]:
    """Export the vault's mirror to another place."""
    command = [str(BIN / "chatmirror"), "export", str(place), "-d", str(vault.parent / "chats.db")]
    found = subprocess.run(command, capture_output=True, check=False, timeout=60, text=True)
    return found.returncode, found.stdout, found.stderr


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everything")
def test_a_folder_that_may_not_be_written_is_one_line(vault):
    """Nothing is changed."""
    exported(vault)
    vault.chmod(0o500)
    try:
        assert subprocess_export(vault)[0] == 8
    finally:
        vault.chmod(0o520)


def test_a_disk_that_fails_is_said_and_one_that_cannot_sync_is_not(vault, monkeypatch):
    """Some shares sync nothing, or no folders."""

    def refuse(code: int, number: int = 1) -> None:
        left = iter(range(number - 1))

        def fsync(_: int) -> None:
            if next(left, None) is None:
                raise OSError(code, os.strerror(code))

        monkeypatch.setattr("os.fsync", fsync)

    expected = exported(vault.parent / "other")
    for number in (1, 2, 5):
        refuse(errno.EIO, number)
        with pytest.raises(StorageError, match="Cannot write"):
            run_here(vault.parent, "export", str(vault))
    refuse(errno.EINVAL)
    assert exported(vault) == expected


def test_two_exports_do_not_meet(vault):
    """The second one says so."""
    exported(vault)
    with FileLock(vault / ".chatmirror-export.lock"):
        code, out, err = subprocess_export(vault)
    assert (code, out, err.count("\n")) == (11, "", 1)


def test_a_person_at_a_terminal_sees_what_is_done(vault):
    """A bar while it runs, and what was left alone."""
    pexpect = pytest.importorskip("pexpect")
    name = min(exported(vault))
    (vault / name).write_text("edited")
    child = pexpect.spawn(str(BIN / "chatmirror"), ["export", str(vault)], cwd=str(vault.parent), timeout=60)
    seen = child.read().decode()
    with suppress(OSError):
        child.close()
    assert "Exporting" in seen
    assert "2 conversations" in seen
    assert "1 left alone because you edited them" in seen
    assert name in seen


def test_what_a_person_writes_while_it_runs_stays(vault: Path) -> None:
    """Between the look at a file and the writing of it, which are some hundred conversations apart."""
    names = sorted(exported(vault))
    change(vault, "UPDATE conversations SET title = 'New ' || title")

    def progress(done: int, total: int) -> None:
        if done == total - 1:
            (vault / names[0]).write_text("my own words")

    with closing(open_reader(vault.parent / "chats.db")) as conn:
        ids = [row["id"] for row in conn.execute("SELECT id FROM conversations ORDER BY created_at, id")]
        result = export(conn, ids, vault, ByteStore(vault.parent / "chats.db"), ExportOptions(), progress)
    assert (result.edited, result.written) == ([names[0]], 1)
    assert (vault / names[0]).read_text() == "my own words"
    assert rewritten(vault) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_of_a_notes_name_is_somebody_elses(vault: Path) -> None:
    """To read it would wait for ever."""
    names = sorted(exported(vault))
    (vault / names[0]).unlink()
    os.mkfifo(vault / names[0])
    done = subprocess_export(vault)
    assert done[0] == 0


def test_a_copy_that_a_person_edited_stays(with_picture: Path) -> None:
    """A lost or empty one comes again."""
    exported(with_picture, "--files", "copy")
    (copy,) = [path for path in (with_picture / "files").iterdir() if path.suffix == ".png"][:1]
    original = copy.read_bytes()
    copy.write_bytes(b"my own")
    change(with_picture, "UPDATE conversations SET title = 'New ' || title")
    exported(with_picture, "--files", "copy")
    assert copy.read_bytes() == b"my own"
    copy.write_bytes(b"")
    change(with_picture, "UPDATE conversations SET title = 'New ' || title")
    exported(with_picture, "--files", "copy")
    assert copy.read_bytes() == original


def test_copies_do_not_follow_a_link_out_of_the_folder(with_picture: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    with_picture.mkdir()
    (with_picture / "files").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="leads elsewhere"):
        run_here(tmp_path, "export", str(with_picture), "--files", "copy")
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([""], "DIR is empty"),
        (["out", "--role", "bogus"], "There is no role"),
        (["out", "--model", "bogus"], "There is no model"),
        (["out", "--kind", "file text"], "use `search`"),
    ],
)
def test_what_would_export_nothing_or_elsewhere_is_refused(vault: Path, arguments: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        run_here(vault.parent, "export", *arguments)
    assert not list(vault.parent.rglob("*.md"))
