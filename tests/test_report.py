"""``chatmirror report``: what a bug report needs, and nothing of the person."""

from __future__ import annotations

import ast
import json
import re
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from archive_files import conversation, zipped
from commands import run
from mirrored_service import MirroredService
from mirrors import bakery, open_mirror

from mirror import app
from mirror.health.bug_report import OTHER, kind_of
from mirror.simulator import ManualClock, SimulatedWorkspace, generated_account
from mirror.simulator.faults import BREAKAGES
from mirror.store import figures

if TYPE_CHECKING:
    from mirror.simulator import ReceivedRequest, SimulatedAccount

pytestmark = pytest.mark.leaves_damage("its rows are written by hand, from no payload")

CANARY = "zcanaryz"  # also looks like a key of a program
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


def marked(value: Any) -> Any:
    """JSON in which every id, text, name and key of a map is a canary."""
    if isinstance(value, dict):
        return {UUID.sub(_marked_id, key): marked(child) for key, child in value.items()}
    if isinstance(value, list):
        return [marked(child) for child in value]
    return UUID.sub(_marked_id, value) if isinstance(value, str) else value


def _marked_id(found: re.Match[str]) -> str:
    return f"{CANARY}-{found[0][:13]}"


def account_of_canaries() -> SimulatedAccount:
    account = generated_account(ManualClock(), 12, 4)
    account.user_id, account.user_name, account.user_email = f"user-{CANARY}", CANARY, f"{CANARY}@example.org"
    account.workspaces[0].id = f"{CANARY}-own"
    account.workspaces[0].name = CANARY
    account.workspaces.append(SimulatedWorkspace(f"{CANARY}-team", f"{CANARY} & Sons", "workspace", CANARY))
    trees = [marked(account.tree(key)) for key in list(account.conversations)]
    account.generate = None
    account.conversations.clear()
    for n, tree in enumerate(trees):
        for node in tree["mapping"].values():
            if message := node["message"]:
                message["content"]["parts"] = [f"{CANARY} text"]
                message["author"] |= {"name": CANARY, "metadata": {CANARY: CANARY}}
                message["metadata"] |= {
                    "notes": {CANARY: {CANARY: CANARY}, "title": CANARY},
                    f"{CANARY.title()} Key": 1,
                    "attachments": [{"id": f"file-{CANARY}", "name": f"{CANARY}.pdf", "mime_type": CANARY}],
                    f"{CANARY}@example.org": 1,
                    f"https://example.org/{CANARY}": 1,
                    "content_references": [{"title": CANARY, "url": f"https://{CANARY}.example", "items": {CANARY: 1}}],
                }
        tree |= {"title": f"{CANARY} {n}", "safe_urls": [f"https://{CANARY}.example"], "labels": {CANARY: 1}}
        account.add(tree, f"{CANARY}-team" if n > 8 else None)
    account.instructions |= {"about_user_message": CANARY, "traits": {CANARY: CANARY}}
    account.gpts[f"g-{CANARY}"] = {"id": f"g-{CANARY}", "display": {"name": CANARY, "tags": {CANARY: CANARY}}}
    trees[0]["gizmo_id"] = f"g-{CANARY}"
    return account


def unkind(request: ReceivedRequest, data: Any) -> Any:
    """Sentences with canaries, in failures of every kind."""
    headers = {f"X-{CANARY}": [CANARY], "Content-Type": [f"application/json; boundary={CANARY}"]}
    sentence = {"detail": {"message": f"Sorry, {CANARY}, this is not to be had", "code": CANARY, CANARY: CANARY}}
    if request.path.endswith(("/memories", "/pins", "/user_system_messages")):
        return 403, sentence, headers
    if "batch" in request.path:
        return 404, sentence, headers
    if f"{CANARY}-" in request.path and request.path[-1] in "0123456789a":  # some of the conversations
        return 500, sentence, headers
    return (200, data, headers)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report of a mirror in which everything is a canary."""
    folder = tmp_path_factory.mktemp(CANARY)
    with MirroredService(folder, account_of_canaries()) as mirrored:
        mirrored.path = folder / f"{CANARY}.db"
        project = mirrored.person.new_project(CANARY, description=CANARY, instructions=CANARY)
        mirrored.person.move(mirrored.ids()[1], project)
        mirrored.person.remember(f"{CANARY} likes tea")
        assert mirrored.next_run() == 3, "the files are not to be had"
        assert mirrored.value("SELECT count(*) FROM conversations") == 12
        mirrored.alter_answers(unkind)
        for key in mirrored.ids():
            mirrored.person.new_message(key)
        assert mirrored.next_run(full=True) != 0
        assert CANARY in mirrored.value("SELECT message FROM sync_runs ORDER BY id DESC")
        archive = zipped(
            folder / f"{CANARY}.zip", {"conversations.json": [conversation(1, CANARY), {"mapping": CANARY}]}
        )
        app.import_archives(mirrored.path, [archive], mirrored.timing(), lambda *_: None)
        mirrored.behaviour.session = "empty"
        mirrored.next_run()
        path = mirrored.path
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("SELECT count(*) FROM _listed WHERE error LIKE ?", (f"%{CANARY}%",)).fetchone()[0]
        conn.execute(f"CREATE TABLE {CANARY} (a)")
        conn.execute("UPDATE sync_runs SET outcome = ?, command = ? WHERE id = 1", (CANARY, CANARY))
        conn.execute("UPDATE _scopes SET listed = ? WHERE scope = 'pins'", (CANARY,))
        conn.commit()
    code, out, err = run(folder, "chatmirror", "report", "-d", str(path), "-")
    assert (code, err) == (0, "")
    return out


def test_nothing_of_the_person_is_in_it(written: str) -> None:
    places = [line for line in written.splitlines() if CANARY in line.lower()]
    assert places == []
    assert "example" not in written
    assert UUID.findall(written) == []


def test_what_a_developer_needs_is_in_it(written: str) -> None:
    """Versions, runs with their codes and counts, states, kinds of failure, and what the answers are made of."""
    found = json.loads(written)
    assert found["program"]["sqlite"] == sqlite3.sqlite_version
    assert found["rows"]["conversations"] == 13
    assert found["runs"][0]["exit_code"] == 4
    assert found["runs"][1]["command"] == "import"
    assert found["runs"][-1]["command"] == "other"
    assert found["runs"][2]["requests"] > 5
    assert "HTTP 500" in found["put_off"]
    assert sum(found["incomplete"].values()) == found["conversations"]["incomplete"]
    assert ("memories", "HTTP 403") in [(one["what"], one["kind"]) for one in found["not_read"]]
    assert any(one["endpoint"] == "GET /backend-api/memories" for one in found["drift"])
    assert sum(one["files"] for one in found["files"].values()) == found["rows"]["files"] > 0
    assert not [kind for kind in found["files"] if OTHER in kind]
    keys = found["skeletons"]["POST /backend-api/conversations/batch"]["key"]
    assert keys["[].mapping.*.message.content.parts[]"].startswith("string: ")
    assert not [name for name, section in found.items() if isinstance(section, str) and "not readable" in section]


def test_every_table_of_the_program_is_counted() -> None:
    with closing(open_mirror()) as conn:
        tables = {row["name"] for row in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    own = {name for name in tables if not re.search(r"_fts|_cjk|sqlite_", name)}
    assert set(figures.TABLES) == own


def test_it_writes_a_new_file_that_only_the_person_can_read(tmp_path: Path) -> None:
    bakery(tmp_path / "chats.db")
    assert run(tmp_path, "chatmirror", "report", "bug.json") == (0, "", "")
    file = tmp_path / "bug.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text("utf-8"))["rows"]["conversations"] == 2


@pytest.mark.parametrize("target", ["chats.db", "bug.json", "."])
def test_it_writes_over_nothing(tmp_path: Path, target: str) -> None:
    """Whoever mixes up the arguments keeps the mirror."""
    bakery(tmp_path / "chats.db")
    (tmp_path / "bug.json").write_text("mine")
    before = (tmp_path / "chats.db").read_bytes()
    code, out, err = run(tmp_path, "chatmirror", "report", target)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert (tmp_path / "chats.db").read_bytes() == before
    assert (tmp_path / "bug.json").read_text() == "mine"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    bakery(tmp_path / "chats.db")
    code, _, err = run(tmp_path, "chatmirror", "report", "nowhere/bug.json")
    assert (code, err.count("\n")) == (8, 1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "not readable: usage, exit code 2"),
        (b"", "not readable: usage, exit code 2"),
        (b"no database at all", "not readable: damaged, exit code 9"),
        (b"SQLite format 3\0" + bytes(5000), "not readable: damaged, exit code 9"),
    ],
)
def test_without_a_mirror_there_is_a_report_too(tmp_path: Path, content: bytes | None, said: str) -> None:
    """It is then that somebody reports a bug."""
    if content is not None:
        (tmp_path / "chats.db").write_bytes(content)
    code, out, err = run(tmp_path, "chatmirror", "report", "-")
    assert (code, err) == (0, "")
    assert json.loads(out)["database"] == said
    assert json.loads(out)["program"]["chatmirror"]


def test_a_damaged_part_costs_itself(tmp_path: Path) -> None:
    bakery(tmp_path / "chats.db")
    with closing(sqlite3.connect(tmp_path / "chats.db")) as conn:
        conn.execute("DROP TABLE links")
        conn.commit()
    code, out, _ = run(tmp_path, "chatmirror", "report", "-")
    found = json.loads(out)
    assert (code, found["rows"]) == (0, "not readable: OperationalError")
    assert found["conversations"]["complete"] == 2


def test_a_newer_mirror(tmp_path: Path) -> None:
    bakery(tmp_path / "chats.db")
    with closing(sqlite3.connect(tmp_path / "chats.db")) as conn:
        conn.execute("INSERT INTO _sqlite_migrations VALUES (99, 'chatmirror', 'm0099_x', '2027')")
        conn.commit()
    code, out, _ = run(tmp_path, "chatmirror", "report", "-")
    assert (code, json.loads(out)["database"]) == (0, "not readable: foreign database, exit code 10")


# -- kinds of failure


@pytest.mark.parametrize("breakage", sorted(set(BREAKAGES) - {"challenge", "429"}))
def test_every_failure_of_a_read_has_a_kind(tmp_path: Path, breakage: str) -> None:
    """Otherwise a report says "another reason" where it could help."""
    with MirroredService(tmp_path) as mirrored:
        bad = mirrored.ids()[0]

        def how(request: ReceivedRequest) -> str | None:
            return breakage if bad in request.path + str(request.ids) else None

        mirrored.behaviour.break_request = how
        assert mirrored.next_run() == 3
        reasons = [row[0] for row in mirrored.rows("SELECT error FROM _listed WHERE error IS NOT NULL")]
        assert len(reasons) == 1
        assert kind_of(reasons[0]) != OTHER, reasons


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("HTTP 404 (conversation_not_found)", "HTTP 404 (conversation_not_found)"),
        ("HTTP 404 (annas_code): “Sorry, Anna”", "HTTP 404"),
        ("HTTP 403: “Sorry (conversation_not_found)”", "HTTP 403 (conversation_not_found)"),
        ("it came with 3 messages, and 12 are stored", "it came with fewer messages than are stored"),
        ("no answer within 60 s", "no answer within"),
        ("the service refuses it (HTTP 403: “Sorry, Anna”)", "the service refuses it (HTTP 403)"),
        ("Dear Anna", OTHER),
        ("", OTHER),
        ("Anna: HTTP 404", OTHER),
    ],
)
def test_a_reason_is_told_by_its_kind(reason: str, kind: str) -> None:
    assert kind_of(reason) == kind


# Where the sentences are written that become the reason of a failure, or of what a copy lacks.
REASONS = [
    *(
        "chatgpt/completeness",
        "chatgpt/files",
        "chatgpt/file_library",
        "files/content",
        "fold",
        "json_bytes",
        "large_json",
        "payload_versions",
        "store/file_rows",
    ),
    *("normalize/chatgpt/wholeness", "web/downloads", "web/failures", "web/timed_sockets", "web/transport"),
    *(
        "web/unpacking",
        "sync/files",
        "chatgpt/canvas",
        "chatgpt/single",
        "chatgpt/batch",
        "chatgpt/by_id",
        "chatgpt/plural",
    ),
]
# What stands there beside them: notes of ``-v``, kinds of changes, parts of headers, errors that nobody stores.
NO_REASONS = re.compile(
    "payload .* was damaged|conversation .* has no stored|conversation .* is not stored"
    "|messages (added|edited|removed)|branch switched|gzip, deflate|[A-Z]|wb$|.*=|, |the file “"
)


def sentences(path: Path) -> list[str]:
    """The texts of a module that read like sentences, with a 7 for each value in them."""
    tree = ast.parse(path.read_text("utf-8"))
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            found.append("".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside | statements:
            found.append(node.value)
    return [text for text in found if re.match("[a-z7][^/<>{}]* [^/<>{}]* ", text)]


@pytest.mark.parametrize("module", REASONS)
def test_every_reason_that_the_program_writes_has_a_kind(module: str) -> None:
    """Else a report would say "another reason" of what the program itself worded."""
    program = Path(app.__file__).parent
    unknown = [text for text in sentences(program / f"{module}.py") if kind_of(text) == OTHER]
    assert [text for text in unknown if not NO_REASONS.match(text)] == []
