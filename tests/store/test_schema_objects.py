"""What other tools take away or alter beside the tables: indexes, triggers, views, and the full-text indexes."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from commands import run as run_command
from mirrored_service import MirroredService
from mirrors import open_mirror

from mirror import app
from mirror.errors import DamagedError
from mirror.health import integrity
from mirror.store.columns import COLUMNS
from mirror.store.database import Writer
from mirror.store.schema import TRIGGERS, made_objects
from mirror.timing import Timing

if TYPE_CHECKING:
    from pathlib import Path

OBJECTS = made_objects()
SHADOWS = [
    f"{name}_{part}" for name, part in (("messages_fts", "data"), ("messages_fts", "config"), ("messages_cjk", "idx"))
]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror of a few conversations, one of them in Chinese."""
    with MirroredService(tmp_path_factory.mktemp("mirror"), conversations=3) as mirrored:
        mirrored.person.rename(mirrored.ids()[0], "Harbour and 東京")
        assert mirrored.sync().error is None
    return mirrored.path


@pytest.fixture
def mirror(tmp_path: Path, template: Path) -> Path:
    """A copy of it."""
    return shutil.copyfile(template, tmp_path / "chats.db")


def timing() -> Timing:
    return Timing(lambda: 1.8e9, lambda: 0.0, lambda _: None, random.Random(1))


def check(path: Path, *, repair: bool = False) -> str:
    """What ``check`` says; empty where all is well."""
    error, _ = app.check(path, timing(), lambda *_: None, repair=repair)
    return error.message if error else ""


def altered(path: Path, *statements: str) -> None:
    """Let another program write."""
    with closing(sqlite3.connect(path)) as conn:
        for statement in statements:
            conn.execute(statement)
        conn.commit()


def is_found(path: Path) -> bool:
    """Whether a new message and a new title are found, as they are after any run that stores them."""
    with closing(sqlite3.connect(path)) as conn:
        sql = "SELECT (SELECT count(*) FROM messages_fts), (SELECT count(*) FROM messages)"
        sql += ", (SELECT count(*) FROM conversations_fts WHERE conversations_fts MATCH 'harbour')"
        indexed, messages, titles = conn.execute(sql).fetchone()
    return bool(indexed == messages > 0 and titles == 1)


def test_the_columns_that_are_known_are_those_of_the_migrations() -> None:
    """The list is a constant, for to apply the migrations takes a while."""
    with closing(open_mirror()) as conn:
        names = [
            row["name"] for row in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND sql <> ''")
        ]
        made = {
            name: {row["name"]: row["type"] for row in conn.execute(f"PRAGMA table_info({name})")}
            for name in names
            if "_fts" not in name and "_cjk" not in name and not name.startswith(("sqlite_", "_sqlite_"))
        }
    assert made == COLUMNS


def dropped(name: str) -> str:
    return f"DROP { ({'search index': 'TABLE'}.get(OBJECTS[name].kind, OBJECTS[name].kind)) } {name}"


def findings(path: Path) -> list[str]:
    """Every finding of ``check``."""
    with Writer(path) as writer:
        return integrity.check(writer.conn, lambda *_: None).all


GROUPS = {
    "indexes": [name for name, made in OBJECTS.items() if made.kind == "index"],
    "views": [name for name, made in OBJECTS.items() if made.kind == "view"],
    **{name: [name] for name, made in OBJECTS.items() if made.kind not in {"index", "view"}},
}


@pytest.mark.parametrize("group", list(GROUPS))
def test_what_is_missing_is_named_and_made_again(mirror: Path, group: str) -> None:
    """By ``check --repair``, with the search working after it."""
    altered(mirror, *map(dropped, GROUPS[group]))
    assert findings(mirror) == [f"the {OBJECTS[name].kind} {name} is missing" for name in GROUPS[group]]
    assert check(mirror, repair=True) == ""
    assert check(mirror) == ""
    assert is_found(mirror)


@pytest.mark.parametrize("name", ["messages_ai", "messages_cjk"])
def test_rebuild_makes_it_again_too(mirror: Path, name: str) -> None:
    """As it makes everything that is derived."""
    altered(mirror, dropped(name))
    app.rebuild(mirror, timing(), lambda *_: None)
    assert check(mirror) == ""
    assert is_found(mirror)


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("messages_ai", "CREATE TRIGGER messages_ai AFTER INSERT ON messages BEGIN SELECT 1; END"),
        ("conversations_ad", "CREATE TRIGGER conversations_ad AFTER DELETE ON messages BEGIN SELECT 1; END"),
        ("messages_kind", "CREATE INDEX messages_kind ON messages(id)"),
        ("thread", "CREATE VIEW thread AS SELECT 1"),
        ("messages_fts", "CREATE TABLE messages_fts (rowid INTEGER PRIMARY KEY, text)"),
        ("messages_fts", "CREATE VIEW messages_fts AS SELECT text FROM messages"),
        ("conversations_fts", "CREATE VIRTUAL TABLE conversations_fts USING fts5(title)"),
    ],
)
def test_what_was_altered_is_named_and_made_again(mirror: Path, name: str, instead: str) -> None:
    """Its name is there, and something else under it."""
    altered(mirror, dropped(name), instead)
    assert name in check(mirror)
    assert check(mirror, repair=True) == ""
    assert is_found(mirror)


@pytest.mark.parametrize("shadow", SHADOWS)
def test_an_index_that_lost_a_table_of_its_own(mirror: Path, shadow: str) -> None:
    """FTS5 cannot open it then; it is made anew."""
    altered(mirror, f"DROP TABLE {shadow}")
    assert shadow.rpartition("_")[0] in check(mirror)
    assert check(mirror, repair=True) == ""
    assert is_found(mirror)


def test_what_another_tool_adds_is_no_damage(mirror: Path) -> None:
    """Indexes, triggers and views of its own, and whitespace."""
    altered(
        mirror,
        "CREATE INDEX mine ON messages(length(text))",
        "CREATE VIEW mine_too AS SELECT 1",
        "CREATE TABLE counts (n)",
        "CREATE TRIGGER mine_as_well AFTER INSERT ON messages BEGIN INSERT INTO counts VALUES (1); END",
    )
    assert check(mirror) == ""


def test_a_sync_without_an_index_says_what_to_do(tmp_path: Path) -> None:
    """And the next one after the repair stores what came."""
    with MirroredService(tmp_path, conversations=3) as mirrored:
        assert mirrored.sync().error is None
        altered(mirrored.path, "DROP TABLE messages_fts")
        mirrored.person.new_conversation("Another one")
        error = mirrored.sync().error
        assert isinstance(error, DamagedError)
        assert "search index messages_fts is missing. No chat is lost; run `chatmirror check --repair`" in error.message
        assert check(mirrored.path, repair=True) == ""
        assert mirrored.next_run() == 0


def test_a_sync_makes_lost_triggers_again_and_says_so(tmp_path: Path) -> None:
    """Without them it would store what no search finds, in silence."""
    with MirroredService(tmp_path, conversations=3) as mirrored:
        assert mirrored.sync().error is None
        altered(mirrored.path, "DROP TRIGGER messages_ai", "DROP TRIGGER conversations_au")
        mirrored.person.new_message(mirrored.ids()[0], "Where is the quokka?", "On Rottnest.")
        outcome = mirrored.sync()
        assert sorted(outcome.healed) == [
            f"the trigger {name} is missing" for name in ("conversations_au", "messages_ai")
        ]
        assert mirrored.value("SELECT count(*) FROM messages_fts WHERE messages_fts MATCH 'quokka'") == 1
        assert check(mirrored.path) == ""


def test_the_triggers_that_are_known_are_those_of_the_migrations() -> None:
    """The list is a constant, as that of the columns is."""
    assert {name for name, made in OBJECTS.items() if made.kind == "trigger"} == TRIGGERS


@pytest.mark.leaves_damage("a trigger is dropped")
def test_the_command_ends_with_exit_9(mirror: Path) -> None:
    """As for any damage."""
    altered(mirror, "DROP TRIGGER messages_ai")
    code, _, err = run_command(mirror.parent, "chatmirror", "check")
    assert (code, err.count("\n")) == (9, 1)
    assert "trigger messages_ai is missing" in err


def test_an_ordinary_run_need_not_apply_the_migrations(mirror: Path) -> None:
    """What it knows of the tables is a constant: sqlite-utils alone takes a quarter of a second to import."""
    program = (
        "import sys\nfrom pathlib import Path\nfrom mirror.store import settings\n"
        "from mirror.store.database import Writer\n"
        "with Writer(Path('chats.db')) as writer, writer.transaction() as conn:\n    settings.remember(conn, 'a', 1)\n"
        "print('sqlite_utils' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=mirror.parent, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
