"""What people's exports and captures look like, imported as a person does: each kind by a small input of our own.

The same is done with the inputs of issue reports, where they lie beside the repository.
"""

from __future__ import annotations

import json
import os
import sqlite3
import struct
import zipfile
from contextlib import closing, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from archive_files import conversation, save, zipped
from mirrored_service import MirroredService

from mirror import app
from mirror.cli.entry import exit_code_of
from mirror.cli.group import cli
from mirror.health.compare import compare
from mirror.simulator import ManualClock, SimulatedAccount, generated_account

if TYPE_CHECKING:
    from collections.abc import Callable

SHARED = Path(__file__).parents[2] / "shared" / "data"
CASES = Path(os.environ.get("CHATMIRROR_REAL_DATA", SHARED / "real")).with_name("cases")
with_cases = pytest.mark.skipif(not CASES.is_dir(), reason=f"no cases at {CASES}; set CHATMIRROR_REAL_DATA")

Json = dict[str, Any]


def node(key: str, parent: str | None, text: str | None, role: str = "user", **message: Any) -> Json:
    """One node of an export's tree, its parts of today's form; text None: a node without a message."""
    content = {"content_type": "text", "parts": [text]}
    author: Json = {"role": role, "name": None, "metadata": {}}
    said: Json = {"id": key, "author": author, "content": content, "metadata": {}, "status": "finished_successfully"}
    said |= {"create_time": 1767225600.0, "recipient": "all"} | message
    return {key: {"id": key, "parent": parent, "children": [], "message": None if text is None else said}}


def chat(n: int, *nodes: Json, **more: Any) -> Json:
    """One conversation of an export."""
    mapping = {key: value for one in nodes for key, value in one.items()}
    return conversation(
        n, **{"mapping": mapping, "current_node": list(mapping)[-1], "default_model_slug": "auto"} | more
    )


class Mirror:
    """A mirror in a folder, filled by the command line without a terminal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "chats.db"

    def imported(self, *paths: Path) -> tuple[int, str, str]:
        """Import; return exit code, stdout and stderr."""
        return self.run("import", "--db", str(self.path), *map(str, paths))

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command; return exit code, stdout and stderr."""
        with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
            code = exit_code_of(lambda: cli.main(list(arguments), "chatmirror", standalone_mode=False), debug=False)
        return code, out.getvalue(), err.getvalue()

    def rows(self, sql: str, *values: object) -> list[Any]:
        """Ask the mirror."""
        with closing(sqlite3.connect(self.path)) as conn:
            return conn.execute(sql, values).fetchall()

    def titles(self) -> list[tuple[str, int]]:
        """Title and number of shown messages of each conversation."""
        return self.rows("SELECT title, message_count FROM conversations ORDER BY id")


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    """An empty mirror."""
    return Mirror(tmp_path)


# -- what holds nothing


def assert_told_that_nothing_came(result: tuple[int, str, str]) -> None:
    code, out, err = result
    assert code != 0
    assert (out, len(err.splitlines())) == ("", 1)
    assert "no conversations" in err


@pytest.mark.parametrize(
    ("name", "value"),
    [("conversations.json", []), ("data.json", {"id": "a-plugin", "version": "1"}), ("conversations.json", {})],
)
def test_a_file_without_conversations_is_no_silent_success(mirror: Mirror, name: str, value: Any) -> None:
    code, out, err = mirror.imported(save(mirror.folder / name, value))
    assert (code != 0, out, len(err.splitlines())) == (True, "", 1)


def test_a_zip_of_something_else_is_no_silent_success(mirror: Mirror) -> None:
    archive = zipped(mirror.folder / "plugin.zip", {"main.js": b"x", "manifest.json": {"id": "p"}, "styles.css": b""})
    assert_told_that_nothing_came(mirror.imported(archive))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")
@pytest.mark.timeout(30)
def test_what_is_no_file_is_named_and_not_waited_for(mirror: Mirror) -> None:
    """As ``<(...)`` in a shell, beside an export; nobody may ever write into it."""
    pipe = mirror.folder / "pipe"
    os.mkfifo(pipe)
    code, _, said = mirror.imported(save(mirror.folder / "c.json", [conversation(0)]), pipe)
    assert (code, "pipe: is neither a file nor a folder" in said) == (3, True)
    assert mirror.rows("SELECT count(*) FROM conversations") == [(1,)]


class Terminal(StringIO):
    """What is printed to a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_conversation_that_is_twice_in_a_file_is_not_called_stored_before(mirror: Mirror) -> None:
    archive = save(mirror.folder / "conversations.json", [conversation(1), conversation(1)])
    with redirect_stdout(Terminal()) as out:
        cli.main(["import", "--db", str(mirror.path), str(archive)], "chatmirror", standalone_mode=False)
    assert "imported 1 new and 0 changed; nothing new in 1" in out.getvalue()


def test_importing_again_what_is_stored_is_a_success(mirror: Mirror) -> None:
    archive = save(mirror.folder / "conversations.json", [conversation(1)])
    assert mirror.imported(archive) == (0, "", "")
    assert mirror.imported(archive) == (0, "", "")


def test_a_conversation_whose_row_another_program_deleted_comes_again(mirror: Mirror) -> None:
    """A shell leaves its payload, by which an import would tell that it is stored."""
    archive = save(mirror.folder / "conversations.json", [conversation(1), conversation(2)])
    mirror.imported(archive)
    before = mirror.rows("SELECT id, title, message_count FROM conversations ORDER BY id")
    with closing(sqlite3.connect(mirror.path)) as conn, conn:
        assert conn.execute("DELETE FROM conversations WHERE id = 'id-1'").rowcount == 1
    assert mirror.imported(archive) == (0, "", "")
    assert mirror.rows("SELECT id, title, message_count FROM conversations ORDER BY id") == before


@with_cases
def test_case_nothing_imported(mirror: Mirror) -> None:
    assert_told_that_nothing_came(mirror.imported(CASES / "nothing-imported" / "wrong-plugin.zip"))
    assert_told_that_nothing_came(mirror.imported(CASES / "nothing-imported" / "empty"))


# -- conversations without messages


@pytest.mark.parametrize("name", ["conversations-000.json", "mine.json"])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_conversation_without_a_mapping_is_an_empty_row(mirror: Mirror, name: str, is_first: bool) -> None:
    shells: list[Json] = [
        {"id": "id-8", "conversation_id": "id-8", "title": "Empty", "create_time": 1.0, "update_time": 2.0},
        {"id": "id-9", "title": "Null", "mapping": None, "create_time": 1.0},
    ]
    whole = [conversation(1)]
    export = save(mirror.folder / name, [*shells, *whole] if is_first else [*whole, *shells])
    assert mirror.imported(export) == (0, "", "")
    assert mirror.titles() == [("Title 1", 1), ("Empty", 0), ("Null", 0)]


def test_a_saved_page_of_the_list_makes_no_rows(mirror: Mirror) -> None:
    rows = [{"id": f"id-{n}", "title": "T", "create_time": "2026-01-01", "update_time": "2026-01-01"} for n in range(3)]
    code, _, err = mirror.imported(save(mirror.folder / "page.json", {"items": rows, "total": 3, "limit": 28}))
    assert (code != 0, len(err.splitlines())) == (True, 1)


@with_cases
def test_case_shells(mirror: Mirror) -> None:
    assert mirror.imported(CASES / "shells" / "conversations-000.json") == (0, "", "")
    assert mirror.titles() == [("Chat 50", 2), ("Empty shell", 0), ("null mapping", 0)]


# -- packed in a way that cannot be read


def with_method(path: Path, method: int) -> Path:
    """Say in a ZIP's headers that its members are packed by another method."""
    raw = path.read_bytes()
    for mark, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        at = raw.find(mark)
        while at >= 0:
            raw = raw[: at + offset] + struct.pack("<H", method) + raw[at + offset + 2 :]
            at = raw.find(mark, at + 4)
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize(("method", "name"), [(9, "Deflate64"), (93, "Zstandard"), (77, "method 77")])
def test_a_packing_method_that_python_lacks_is_named(mirror: Mirror, method: int, name: str) -> None:
    archive = zipped(mirror.folder / "export.zip", {"conversations.json": [conversation(1)]}, zipfile.ZIP_STORED)
    code, _, err = mirror.imported(with_method(archive, method))
    assert code == 2
    assert name in err
    assert "unpack the ZIP and import the folder" in err
    assert "damaged" not in err


@pytest.mark.parametrize(
    ("name", "head", "told"),
    [
        ("export.tar", b"conversations.json".ljust(257, b"\0") + b"ustar\0" + b"\0" * 300, "a tar archive"),
        ("export.7z", b"7z\xbc\xaf\x27\x1c" + b"\0" * 30, "7-Zip"),
        ("export.rar", b"Rar!\x1a\x07\x01\x00" + b"\0" * 30, "RAR"),
        ("export.tgz", b"\x1f\x8b\x08" + b"\0" * 30, "gzip"),
        ("export.tar.xz", b"\xfd7zXZ\0" + b"\0" * 30, "xz"),
        ("export.tar.bz2", b"BZh91AY&SY" + b"\0" * 30, "bzip2"),
        ("export.zip.001", b"PK\x03\x04" + b"\0" * 30, "one part of a split ZIP"),
        ("export.z01", b"PK\x07\x08PK\x03\x04" + b"\0" * 30, "one part of a split ZIP"),
    ],
)
def test_other_archives_are_named_with_what_to_do(mirror: Mirror, name: str, head: bytes, told: str) -> None:
    code, _, err = mirror.imported(save(mirror.folder / name, head))
    assert code == 2
    assert told in err
    assert "import the folder" in err


def test_the_last_part_of_a_split_zip_is_named(mirror: Mirror) -> None:
    archive = zipped(mirror.folder / "export.zip", {"conversations.json": [conversation(1)]})
    raw = archive.read_bytes()
    end = raw.rfind(b"PK\x05\x06")
    archive.write_bytes(raw[: end + 4] + struct.pack("<HH", 1, 1) + raw[end + 8 :])
    code, _, err = mirror.imported(archive)
    assert code == 2
    assert "one part of a split ZIP" in err


@with_cases
def test_case_deflate64_split(mirror: Mirror) -> None:
    code, _, err = mirror.imported(CASES / "deflate64-split" / "deflate64.zip")
    assert code != 0
    assert "Deflate64" in err
    assert "unpack the ZIP and import the folder" in err
    assert "damaged" not in err


# -- manifests and a person's own files inside an export

MANIFEST = {"version": 1, "logical_files": {"conversations.json": {"files": ["conversations-000.json"]}}}


@pytest.mark.parametrize("text", [{"artifacts": [], "requested_at": 1}, {"omissions": []}, {"version": 1}, 5, b"{"])
@pytest.mark.parametrize("folder", ["", "export/"])
@pytest.mark.parametrize("has_manifest", [True, False])
def test_a_manifest_below_the_exports_folder_is_left_alone(
    mirror: Mirror, folder: str, text: Any, has_manifest: bool
) -> None:
    members = {"conversations-000.json": [conversation(1)], "sites/export_manifest.json": text}
    if has_manifest:
        members["export_manifest.json"] = MANIFEST
    archive = zipped(mirror.folder / "e.zip", {folder + name: value for name, value in members.items()})
    assert mirror.imported(archive) == (0, "", "")
    assert mirror.titles() == [("Title 1", 1)]


def test_an_older_export_below_another_one_is_still_checked_against_its_manifest(mirror: Mirror) -> None:
    both = {"logical_files": {"conversations.json": {"files": ["conversations-000.json", "conversations-001.json"]}}}
    members = {
        "export_manifest.json": MANIFEST,
        "conversations-000.json": [conversation(1)],
        "old/export_manifest.json": both,
        "old/conversations-000.json": [conversation(2)],
    }
    code, _, err = mirror.imported(zipped(mirror.folder / "e.zip", members))
    assert code == 3
    assert "old/conversations-001.json is missing" in err.replace(":", "")


def test_files_that_a_person_uploaded_are_no_conversations(mirror: Mirror) -> None:
    inner = zipped(mirror.folder / "inner.zip", {"conversations.json": [conversation(7)]}).read_bytes()
    members = {
        "conversations-000.json": [conversation(1)],
        "personal/files/notes.json": [conversation(8)],
        "personal/files/broken.json": b"[{",
        "personal/files/thing.zip": b"PK no zip",
        "User Online Activity/Files__mine-0001.zip": inner,
    }
    archive = zipped(mirror.folder / "e.zip", members)
    assert mirror.imported(archive) == (0, "", "")
    folder = mirror.folder / "unpacked"
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    assert mirror.imported(folder) == (0, "", "")
    alone = folder / "User Online Activity" / "Files__mine-0001.zip"
    assert mirror.imported(archive, alone) == (0, "", "")
    assert mirror.imported(alone) == (0, "", "")  # the file in it is stored, as a file
    assert mirror.titles() == [("Title 1", 1)]


@with_cases
@pytest.mark.parametrize("name", ["export.zip", "sites-omissions.zip", "sites-version.zip"])
def test_case_sites_manifest(mirror: Mirror, name: str) -> None:
    assert mirror.imported(CASES / "sites-manifest" / name) == (0, "", "")
    assert len(mirror.titles()) == 1


# -- an import before the first sync

WORDS = 6


def long_chat() -> Json:
    """A conversation of twelve messages, as the service holds it."""
    texts = [(f"{role}{n}", role, f"{role} {n} about glaciers") for n in range(WORDS) for role in ("user", "assistant")]
    before = ["root", *(key for key, _, _ in texts)]
    nodes = [node("root", None, None), *(node(key, before[n], text, role) for n, (key, role, text) in enumerate(texts))]
    return chat(1, *nodes, update_time=1767225900.0, title="Long one")


def tail_of(whole: Json) -> Json:
    """Its second half, as a tree whose first parent is missing."""
    kept = list(whole["mapping"])[WORDS + 1 :]
    return whole | {"mapping": {key: whole["mapping"][key] for key in kept}}


def window_of(whole: Json) -> Json:
    """Its second half, as a flat answer that says that there is more before it."""
    messages = [one["message"] for one in tail_of(whole)["mapping"].values()]
    rest = {key: value for key, value in whole.items() if key not in {"mapping", "id"}}
    return {**rest, "messages": messages, "page_info": {"has_previous_page": True}}


def without_tools(whole: Json) -> Json:
    """As an export of June 2026 keeps it: nodes of three keys, messages without their fate."""
    poor = json.loads(json.dumps(whole))
    for one in poor["mapping"].values():
        del one["children"]
        for key in ("status", "recipient"):
            (one["message"] or {}).pop(key, None)
    return cast("Json", poor)


def without_metadata(whole: Json) -> Json:
    """As some exports of 2026 keep it: the tree whole, and messages without their metadata."""
    poor = json.loads(json.dumps(whole))
    for one in poor["mapping"].values():
        (one["message"] or {}).pop("metadata", None)
    return cast("Json", poor)


def account_of(live: Json) -> SimulatedAccount:
    """Return an account that holds one conversation."""
    account = generated_account(ManualClock(1_790_000_000.0), 1, 2)
    ((key, made),) = account.conversations.items()
    del account.conversations[key]
    account.add({**made, **json.loads(json.dumps(live))})
    return account


def after_import_and_sync(folder: Path, live: Json, imported: Path) -> tuple[int, int, int]:
    """Import a file, then sync with a service that holds ``live``; return messages, links and reads of the sync."""
    account = account_of(live)
    with MirroredService(folder, account) as mirrored:
        result = app.import_archives(mirrored.path, [imported], mirrored.timing(), lambda *_: None)
        assert result.error is None
        assert mirrored.next_run() == 0
        messages = mirrored.value("SELECT message_count FROM conversations")
        assert mirrored.value("SELECT is_complete FROM conversations") == 1
        return messages, mirrored.value("SELECT count(*) FROM links"), mirrored.reads()


@pytest.mark.parametrize("made", [tail_of, window_of, without_tools, without_metadata])
def test_a_file_that_is_not_whole_does_not_spare_the_first_sync_its_reading(
    tmp_path: Path, made: Callable[[Json], Json]
) -> None:
    live = long_chat()
    export = save(tmp_path / "conversations.json", [made(live)])
    assert after_import_and_sync(tmp_path, live, export)[::2] == (2 * WORDS, 1)


def test_a_whole_export_spares_the_first_sync_its_reading(tmp_path: Path) -> None:
    live = long_chat()
    export = save(tmp_path / "conversations.json", [live])
    assert after_import_and_sync(tmp_path, live, export)[::2] == (2 * WORDS, 0)


def test_a_poor_export_made_after_a_sync_takes_nothing_away(tmp_path: Path) -> None:
    """Neither words nor tool messages, nor the place of any message; the chat that it changed is read live."""
    live = long_chat()
    live["mapping"]["assistant3"]["message"]["metadata"] = {"model_slug": "gpt-5", "citations": [CITED]}
    account = account_of(live)
    poor = without_tools(live) | {"update_time": live["update_time"] + 5}
    del poor["mapping"]["assistant2"]
    del poor["mapping"]["assistant3"]["message"]["metadata"]
    with MirroredService(tmp_path, account) as mirrored:
        assert mirrored.next_run() == 0
        columns = "id, parent_id, position, text, model, status, recipient, kind, is_hidden, removed_at"
        before = mirrored.rows(f"SELECT {columns} FROM messages"), mirrored.rows("SELECT url FROM links")
        assert before[1] == [(CITED["metadata"]["url"],)]
        export = save(tmp_path / "conversations.json", [poor])
        assert app.import_archives(mirrored.path, [export], mirrored.timing(), lambda *_: None).error is None
        after = mirrored.rows(f"SELECT {columns} FROM messages"), mirrored.rows("SELECT url FROM links")
        assert after == before
        assert mirrored.value("SELECT is_complete FROM conversations") == 1


CITED: Json = {"metadata": {"type": "webpage", "title": "Ice", "url": "https://example.org/ice"}}


@with_cases
@pytest.mark.parametrize("name", ["captured.json", "tail.json"])
def test_case_window_then_sync(tmp_path: Path, name: str) -> None:
    (live,) = json.loads((CASES / "window-then-sync" / "live.json").read_text())
    assert after_import_and_sync(tmp_path, live, CASES / "window-then-sync" / name)[0] == 60


# -- conversations that carry no id


def saved_list(key: str, prompt: str, *answers: str, began: float | None = 1_700_000_000.0) -> list[Json]:
    """A bare list of messages, as a person saves it; it begins with instructions that are the same everywhere."""

    def message(name: str, role: str, text: str, after: int, **more: Any) -> Json:
        content = {"content_type": "text", "parts": [text]}
        time = None if began is None else began + after
        return {"id": f"{name}-{key}", "author": {"role": role}, "create_time": time, "content": content, **more}

    hidden = {"metadata": {"is_visually_hidden_from_conversation": True}}
    instructions = message("context", "system", "Be brief.", 0, **hidden) | {"create_time": None}
    said = [message(f"answer{n}", "assistant", text, n + 1) for n, text in enumerate(answers)]
    return [instructions, message("prompt", "user", prompt, 0), *said]


def saved_tree(name: str, answer: str, began: float) -> Json:
    """A tree whose nodes are named as in any other one."""
    prompt, said = node("x", "r", "Hello", id=f"u-{name}", create_time=began), node("y", "x", answer, "assistant")
    nodes = node("r", None, None) | prompt | said
    return {"title": name, "mapping": nodes, "current_node": "y"}


def without_ids(messages: list[Json]) -> list[Json]:
    return [{key: value for key, value in one.items() if key != "id"} for one in messages]


APART: dict[str, tuple[Any, Any]] = {
    "the same instructions before another prompt": (
        saved_list("a", "How do I bake rye?", "With sourdough."),
        saved_list("b", "What is a quasar?", "A bright nucleus."),
    ),
    "the same prompt": (saved_list("a", "Hello", "Bonjour."), saved_list("b", "Hello", "Hola.")),
    "the same prompt at another time": (
        without_ids(saved_list("", "Hello", "Bonjour.")),
        without_ids(saved_list("", "Hello", "Hola.", began=1_700_086_400.0)),
    ),
    "the same prompt, without ids and times": (
        without_ids(saved_list("", "Hello", "Bonjour.", began=None)),
        without_ids(saved_list("", "Hello", "Hola.", began=None)),
    ),
    "trees with the same names of nodes": (saved_tree("a", "Bonjour.", 1.7e9), saved_tree("b", "Hola.", 1.7e9 + 99)),
}


@pytest.mark.parametrize("two", APART.values(), ids=APART)
def test_conversations_without_ids_stay_apart(mirror: Mirror, two: tuple[Any, Any]) -> None:
    assert mirror.imported(*(save(mirror.folder / f"saved{n}.json", one) for n, one in enumerate(two))) == (0, "", "")
    answers = "SELECT count(*), count(DISTINCT conversation_id) FROM messages WHERE role = 'assistant'"
    assert mirror.rows(answers) == [(2, 2)]


@pytest.mark.parametrize("began", [1_700_000_000.0, None], ids=["with times", "without times"])
def test_a_conversation_without_an_id_is_known_again(mirror: Mirror, began: float | None) -> None:
    """The same file, and a copy made when it had gone on."""
    first = save(mirror.folder / "saved.json", saved_list("a", "Hello", "Bonjour.", began=began))
    longer = save(mirror.folder / "longer.json", saved_list("a", "Hello", "Bonjour.", "Au revoir.", began=began))
    for archive in (first, first, longer):
        assert mirror.imported(archive) == (0, "", "")
    assert [count for _, count in mirror.titles()] == [3]


def test_a_conversation_under_an_id_of_before_is_known_again(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    """What made ids before gave other ones; the bytes tell."""
    archive = save(mirror.folder / "saved.json", saved_list("a", "Hello", "Bonjour."))
    with monkeypatch.context() as patched:
        patched.setattr("mirror.reader.reading.invented_id", lambda *_: "import-before")
        assert mirror.imported(archive) == (0, "", "")
    assert mirror.imported(archive) == (0, "", "")
    assert mirror.rows("SELECT id FROM conversations") == [("import-before",)]
    with closing(sqlite3.connect(mirror.path)) as conn:
        conn.row_factory = sqlite3.Row
        compared = compare(conn, [archive])
    assert (compared.conversations, compared.absent, compared.incomplete) == (1, [], [])


def test_a_conversation_whose_id_is_ours_has_no_web_address(mirror: Mirror) -> None:
    """ChatGPT has no page for it: wherever it is shown, nobody is sent to one."""
    assert mirror.imported(save(mirror.folder / "saved.json", saved_list("a", "Hello", "Bonjour."))) == (0, "", "")
    [(key, url)] = mirror.rows("SELECT id, url FROM conversations")
    assert key.startswith("import-")
    assert url == key
    of_mirror = ("--db", str(mirror.path))
    shown = [mirror.run(*command, *of_mirror)[1] for command in (["show", "last"], ["search", "Bonjour"])]
    pages = mirror.folder / "pages"
    assert mirror.run("export", str(pages), "--format", "html", *of_mirror)[0] == 0
    shown += [page.read_text() for page in pages.rglob("*.html")]
    assert len(shown) == 3
    for text in shown:
        assert "Bonjour" in text
        assert "chatgpt.com" not in text
        assert "Original" not in text
        assert "<None>" not in text
    assert json.loads(mirror.run("show", "last", "--json", *of_mirror)[1])["url"] is None
    assert json.loads(mirror.run("search", "Bonjour", "--json", *of_mirror)[1])["url"] is None


# -- what the rows say


def shown(mirror: Mirror) -> list[str]:
    """The texts on the visible branch that a reader sees, in order."""
    sql = "SELECT text FROM messages WHERE position IS NOT NULL AND NOT is_hidden ORDER BY position"
    return [text for (text,) in mirror.rows(sql)]


def imported_rows(mirror: Mirror, *chats: Json) -> None:
    """Import an export of these conversations."""
    assert mirror.imported(save(mirror.folder / "conversations.json", list(chats))) == (0, "", "")


@pytest.mark.parametrize("is_shuffled", [False, True])
def test_a_message_whose_parent_is_left_out_follows_the_one_before_it(mirror: Mirror, is_shuffled: bool) -> None:
    nodes = [
        node("root", None, None),
        node("u1", "root", "one", create_time=1.0e9),
        node("a1", "tool-1", "two", "assistant", create_time=1.1e9),
        node("u2", "a1", "three", create_time=1.2e9),
        node("a2", "tool-2", "four", "assistant", create_time=1.3e9),
    ]
    nodes = [nodes[4], nodes[2], nodes[0], nodes[3], nodes[1]] if is_shuffled else nodes
    imported_rows(mirror, chat(1, *nodes, current_node="a2"))
    assert shown(mirror) == ["one", "two", "three", "four"]


@with_cases
def test_case_dangling_parents(mirror: Mirror) -> None:
    assert mirror.imported(CASES / "dangling-parents") == (0, "", "")
    assert len(shown(mirror)) == 4
    assert shown(mirror)[1] == "High water is at a quarter past six."


def test_times_come_from_the_messages_where_the_conversation_states_none(mirror: Mirror) -> None:
    undated = chat(1, node("u", None, "x"), node("a", "u", "y", "assistant", create_time=1767225700.0))
    imported_rows(mirror, {key: value for key, value in undated.items() if key not in {"create_time", "update_time"}})
    assert mirror.rows("SELECT created_at, updated_at FROM conversations") == [
        ("2026-01-01T00:00:00.000Z", "2026-01-01T00:01:40.000Z")
    ]


@with_cases
def test_case_no_times(mirror: Mirror) -> None:
    assert mirror.imported(CASES / "no-times") == (0, "", "")
    found = mirror.rows("SELECT title, created_at, updated_at FROM conversations ORDER BY updated_at DESC")
    assert found[0] == ("No times at top", "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:10.000Z")


def test_an_answer_without_a_model_has_the_conversations(mirror: Mirror) -> None:
    own = {"metadata": {"model_slug": "gpt-5"}}
    nodes = [node("u", None, "x"), node("a", "u", "y", "assistant"), node("b", "a", "z", "assistant", **own)]
    imported_rows(mirror, chat(1, *nodes, default_model_slug="gpt-5-thinking"), chat(2, *nodes))
    models = mirror.rows("SELECT id, model FROM messages ORDER BY conversation_id, position")
    assert models == [("u", None), ("a", "gpt-5-thinking"), ("b", "gpt-5"), ("u", None), ("a", None), ("b", "gpt-5")]


@with_cases
def test_case_model_at_top(mirror: Mirror) -> None:
    assert mirror.imported(CASES / "model-at-top") == (0, "", "")
    code, out, _ = mirror.run("search", "--db", str(mirror.path), "--model", "gpt-5-thinking", "russet")
    assert code == 0
    assert "russet" in out


def test_marks_without_their_special_characters_become_links(mirror: Mirror) -> None:
    quoted = "citeturn2view3turn1search0"
    page = {"title": "Smelting", "url": "https://example.org/iron"}
    reference = {"matched_text": quoted, "type": "grouped_webpages", "items": [page]}
    metadata = {"content_references": [reference]}
    nodes = [
        node("u", None, "What is citeturn0search1 in a text?"),
        node("a", "u", f"Early {quoted} in Anatolia.", "assistant", metadata=metadata),
        node("b", "a", "None here citeturn0search5turn0search15 at all; `citeturn0search5` is code.", "assistant"),
    ]
    imported_rows(mirror, chat(1, *nodes))
    assert shown(mirror) == [
        "What is citeturn0search1 in a text?",
        "Early [Smelting](https://example.org/iron) in Anatolia.",
        "None here at all; `citeturn0search5` is code.",
    ]


@with_cases
def test_case_markers_plain(mirror: Mirror) -> None:
    assert mirror.imported(CASES / "markers-plain") == (0, "", "")
    first, second = shown(mirror)[1:]
    assert "[Smelting](https://example.org/iron) and Nora Example wrote" in first
    assert "citeturn" not in first + second


DRAFTED = ':::writing{variant="email" id="38274" subject="Broken \\"old\\" lift"}'
WRITING = DRAFTED + "\nDear all,\n\nit is **stuck**.\n:::\n\nFirmer?"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (WRITING, 'Broken "old" lift\n\nDear all,\n\nit is **stuck**.\n\nFirmer?'),
        (':::writing{variant="document" id="1"}\nOnly begun', "Only begun"),
        (f"```\n{WRITING}\n```", f"```\n{WRITING}\n```"),
        ("A :::writing word", "A :::writing word"),
    ],
)
def test_a_draft_shows_its_subject_and_words(mirror: Mirror, text: str, expected: str) -> None:
    imported_rows(mirror, chat(1, node("u", None, WRITING), node("a", "u", text, "assistant")))
    assert shown(mirror) == [WRITING, expected]


@with_cases
def test_case_writing_block(mirror: Mirror) -> None:
    assert mirror.imported(CASES / "writing-block") == (0, "", "")
    assert shown(mirror)[1].startswith("Broken lift\n\nDear all,\n\nthe lift has been **stuck** since Monday.\n")
    assert ":::" not in shown(mirror)[1]


REPORT: Json = {"author": {"role": "assistant"}, "content": {"content_type": "text", "parts": ["# On a shallow reef"]}}


def test_a_report_in_the_text_of_a_hidden_tool_message_is_shown(mirror: Mirror) -> None:
    state = json.dumps({"status": "completed", "report_message": REPORT})
    hidden = {"metadata": {"is_visually_hidden_from_conversation": True}}
    told = "The latest state of the widget is: "
    nodes = [
        node("u", None, "Research it."),
        node("t", "u", told + state, "tool", **hidden),
        node("p", "t", told + json.dumps({"plan": {"title": "A study of lighthouses"}}), "tool", **hidden),
        node("x", "p", told + "not JSON", "tool", **hidden),
    ]
    imported_rows(mirror, chat(1, *nodes))
    assert shown(mirror) == ["Research it.", "# On a shallow reef"]
    texts = dict(mirror.rows("SELECT id, text FROM messages"))
    assert (texts["p"], texts["x"]) == ("A study of lighthouses", told + "not JSON")


# -- what else an export holds

STATE: Json = {"version": 1, "title": "Reefs", "widget_state": {"status": "completed", "report_message": REPORT}}
LIBRARY: Json = {
    "file_id": "file_0123456789abcdef01234567",
    "library_artifact_type": "deep_research_report",
    "origination_thread_id": "id-1",
    "origination_message_id": "a",
}


def research(folder: Path, state: Any, *, is_zip: bool) -> Path:
    """An export whose report lies in a file of its own."""
    nodes = [node("u", None, "Research it."), node("a", "u", "", "assistant")]
    members = {"conversations-000.json": [chat(1, *nodes)], "library_files.json": [LIBRARY, 5, {"file_id": 1}]}
    if state is not None:
        members[f"{LIBRARY['file_id']}.dat"] = state
    if is_zip:
        return zipped(folder / "export.zip", members)
    for name, value in members.items():
        save(folder / "export" / name, value)
    return folder / "export"


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_report_in_a_file_of_its_own_is_read_where_it_belongs(mirror: Mirror, is_zip: bool) -> None:
    export = research(mirror.folder, STATE, is_zip=is_zip)
    assert mirror.imported(export) == (0, "", "")
    assert shown(mirror) == ["Research it.", "# On a shallow reef"]
    assert mirror.titles() == [("Title 1", 2)]
    assert mirror.imported(export) == (0, "", "")
    assert mirror.run("check", "--db", str(mirror.path))[0] == 0


def test_a_report_that_is_no_report_is_named(mirror: Mirror) -> None:
    code, _, err = mirror.imported(research(mirror.folder, {"a": 1}, is_zip=True))
    assert code == 3
    assert "it was not imported" in err
    assert mirror.imported(research(mirror.folder, b"\x89PNG", is_zip=True))[0] == 3


def test_a_report_whose_file_is_not_in_the_export_costs_nothing(mirror: Mirror) -> None:
    assert mirror.imported(research(mirror.folder, None, is_zip=True))[0] == 0


@with_cases
def test_case_dr_dat(mirror: Mirror) -> None:
    assert mirror.imported(CASES / "dr-dat") == (0, "", "")
    code, out, _ = mirror.run("search", "--db", str(mirror.path), "shallow reef")
    assert code == 0
    assert "000020" in out or "DR dat" in out
    assert mirror.rows("SELECT url FROM links") == [("https://example.org/towers",)]


def test_group_chats_are_conversations(mirror: Mirror) -> None:
    room = {
        "name": "Holiday",
        "created_at": "2026-01-01T00:00:00Z",
        "messages": [{"role": "user", "text": "Where to?"}, {"role": "assistant", "text": "To the sea."}],
    }
    members = {"conversations.json": [conversation(1)], "group_chats.json": {"chats": [room]}}
    assert mirror.imported(zipped(mirror.folder / "e.zip", members)) == (0, "", "")
    sql = "SELECT title, message_count, created_at, is_complete FROM conversations WHERE title = 'Holiday'"
    assert mirror.rows(sql) == [("Holiday", 2, "2026-01-01T00:00:00.000Z", 1)]
    none = {"conversations.json": [conversation(1)], "group_chats.json": {"chats": []}, "codex.json": [{"id": "x"}]}
    assert mirror.imported(zipped(mirror.folder / "f.zip", none)) == (0, "", "")


COMPLIANCE: Json = {"object": "compliance.workspace.conversation", "id": "x", "title": "T", "message": {"id": "m"}}
DEEPSEEK: Json = {
    "id": "x",
    "title": "T",
    "mapping": {"1": {"id": "1", "message": {"model": "m", "fragments": [{"type": "REQUEST", "content": "hi"}]}}},
}


@pytest.mark.parametrize(("payload", "name"), [(COMPLIANCE, "Compliance API"), (DEEPSEEK, "DeepSeek")])
def test_what_is_not_read_is_refused_by_name(mirror: Mirror, payload: Json, name: str) -> None:
    code, _, err = mirror.imported(save(mirror.folder / "conversations.json", [payload]))
    assert code != 0
    assert name in err
    assert not mirror.path.exists()


SAID: Json = {
    "id": "m",
    "object": "compliance.workspace.conversation.message",
    "author": {"role": "user"},
    "content": {"type": "text", "value": "hi"},
}
EVENT: Json = {"id": "e", "event_type": "CONVERSATION_MESSAGE", "file_name": "x.jsonl", "file_sha256": "ab"}


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ([SAID, SAID], "2 records"),
        ([{**COMPLIANCE, "message": SAID}] * 3, "3 records"),
        ({"object": "list", "data": [SAID]}, "1 record"),
        ({"data": [EVENT], "has_more": False, "last_end_time": "2026-06-01T00:00:00Z"}, "1 record"),
        (SAID, "1 record"),
    ],
)
def test_every_form_of_the_compliance_api_is_refused_by_name(mirror: Mirror, value: Any, count: str) -> None:
    """Lists of its messages look like lists of ChatGPT's, and are no chat without a title."""
    code, _, err = mirror.imported(save(mirror.folder / "a.json", value))
    assert code != 0
    assert f"holds {count} of OpenAI's Compliance API" in err
    assert not mirror.path.exists()


def test_a_form_that_is_refused_costs_no_conversation_beside_it(mirror: Mirror) -> None:
    code, _, err = mirror.imported(save(mirror.folder / "conversations.json", [COMPLIANCE, conversation(1), SAID]))
    assert (code, "2 records" in err, len(mirror.titles())) == (3, True, 1)


def shared(key: str, **more: Any) -> Json:
    """A shared page's copy: its id is the share's."""
    said = chat(1, node("u", None, "Hi"), node("a", "u", "Hello", "assistant"))
    return {**said, "id": "share-1", "conversation_id": key, **more}


@pytest.mark.parametrize("wrap", [lambda one: one, lambda one: {"serverResponse": {"data": one}}, lambda one: [one]])
def test_a_shared_copy_belongs_to_the_conversation_it_was_made_of(mirror: Mirror, wrap: Callable[[Json], Any]) -> None:
    """It is kept under that conversation's id, and is not taken for the whole of it."""
    copy = shared("share-1", backing_conversation_id="real-1")
    assert mirror.imported(save(mirror.folder / "a.json", wrap(copy))) == (0, "", "")
    assert mirror.rows("SELECT id, url, is_complete, incomplete_reason FROM conversations") == [
        ("real-1", "https://chatgpt.com/c/real-1", 0, "the file holds only what was shared of it")
    ]
    assert mirror.rows("SELECT origin FROM _payloads") == [("capture",)]
    whole = conversation(1, "Hello and more", id="real-1", conversation_id="real-1")
    assert mirror.imported(save(mirror.folder / "conversations.json", [whole])) == (0, "", "")
    assert mirror.rows("SELECT count(*) FROM conversations") == [(1,)]


@pytest.mark.parametrize("backing", [None, "", {}])
def test_a_shared_copy_that_does_not_say_of_what_keeps_its_own_id(mirror: Mirror, backing: Any) -> None:
    copy = shared("share-1", backing_conversation_id=backing)
    assert mirror.imported(save(mirror.folder / "a.json", copy)) == (0, "", "")
    assert mirror.rows("SELECT id FROM conversations") == [("share-1",)]


@with_cases
@pytest.mark.parametrize("name", ["messages.jsonl", "list.json"])
def test_case_compliance_logs(mirror: Mirror, name: str) -> None:
    code, _, err = mirror.imported(CASES / "compliance-logs" / name)
    assert code != 0
    assert "Compliance API" in err
    assert "only those of ChatGPT" not in err
