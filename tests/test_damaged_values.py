"""Damage in any row, also where no payload says what it should be: found by check, named by every command."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from click.testing import CliRunner
from mirrored_service import MirroredService, differences, findings

from mirror import app
from mirror.cli.entry import exit_code_of
from mirror.cli.group import cli
from mirror.errors import DamagedError
from mirror.files.byte_store import folder_of
from mirror.simulator import ManualClock, demo_account
from mirror.store.columns import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from mirror.simulator.person import Person

pytestmark = pytest.mark.leaves_damage("each test spoils a mirror, and says itself where it is whole again")

COMMANDS = [
    ("check",),
    ("check", "--repair"),
    ("status",),
    ("search", "river"),
    ("search", "river", "--json"),
    ("show", "last"),
    ("rebuild",),
    ("backup", "copy.db"),
    ("sync", "--dry-run"),
    ("sync",),
    ("import", "export.json"),
    ("demo",),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MirroredService]:
    """A mirror with some of everything, after three syncs."""
    account = demo_account(ManualClock(), random.Random(1))
    with MirroredService(tmp_path_factory.mktemp("whole"), account, verify=True) as mirrored:
        mirrored.sync()
        mirrored.person.rename(mirrored.ids()[0], "Another name")
        mirrored.person.new_message(mirrored.ids()[1], "And now?", "Now this.")
        mirrored.person.delete(mirrored.ids()[2])
        mirrored.next_run()
        mirrored.next_run()
        with closing(sqlite3.connect(mirrored.path)) as conn:
            conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        yield mirrored


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MirroredService]:
    """A mirror of three conversations, for tests that run every command."""
    with MirroredService(tmp_path_factory.mktemp("few"), conversations=3) as mirrored:
        mirrored.sync()
        yield mirrored


@contextmanager
def spoilable(mirrored: MirroredService, folder: Path) -> Iterator[MirroredService]:
    """The same, with a copy of its database and of the environment for one test to spoil."""
    path, environ = mirrored.path, mirrored.environ
    mirrored.path, mirrored.environ = folder / "chats.db", dict(environ)
    shutil.copy(path, mirrored.path)
    if folder_of(path).exists():
        shutil.copytree(folder_of(path), folder_of(mirrored.path))
    yield mirrored
    mirrored.path, mirrored.environ = path, environ


@pytest.fixture
def mirrored(whole: MirroredService, tmp_path: Path) -> Iterator[MirroredService]:
    with spoilable(whole, tmp_path) as opened:
        yield opened


@pytest.fixture
def small(few: MirroredService, tmp_path: Path) -> Iterator[MirroredService]:
    with spoilable(few, tmp_path) as opened:
        yield opened


def edit(path: Path, sql: str, *values: object) -> int:
    """Change the file as another program or the disk would; return how many rows."""
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA ignore_check_constraints=ON")
        changed = conn.execute(sql, values).rowcount
        conn.commit()
        return changed


def command(mirrored: MirroredService, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Return a command's exit code, and what it says on stderr."""
    environ = {**mirrored.environ, "CHATMIRROR_DB": str(mirrored.path), "CHATMIRROR_WAIT_SCALE": "0"}

    said = []

    def run() -> None:
        found = CliRunner().invoke(cli, arguments, env=environ, standalone_mode=False)
        said.append(found.stderr)
        if found.exception is not None:
            raise found.exception

    code = exit_code_of(run, debug=False)
    return code, "".join(said) + capsys.readouterr().err


Case = TypeVar("Case")


def some(cases: Sequence[Case], share: int) -> Sequence[Case]:
    """Return one case in so many; all of them where ``CHATMIRROR_LONG`` asks for it: each takes a second or two."""
    return cases if "CHATMIRROR_LONG" in os.environ else cases[::share]


DAMAGE = [
    *(
        f"UPDATE _settings SET value = {value} WHERE key LIKE '{key}%'"
        for key in ("cjk", "normalizer", "owner", "session", "sync", "source")
        for value in ("'{\"a'", "'[[1]]'")
    ),
    "UPDATE _settings SET value = NULL",
    "UPDATE _settings SET value = x'ff00' WHERE key LIKE 'sync%'",
    "UPDATE _settings SET key = x'00' WHERE key LIKE 'owner%'",
    "UPDATE _listed SET list_us = 'abc'",
    "UPDATE _listed SET stored_us = x'01'",
    "UPDATE _listed SET retry_at = 'tomorrow'",
    "UPDATE _listed SET title = x'00ff'",
    "UPDATE _listed SET tries = 'x'",
    "UPDATE _scopes SET watermark_us = 'x'",
    "UPDATE _scopes SET read_to_end_at = 12",
    "UPDATE _payloads SET payload_us = 'x' WHERE id = (SELECT min(id) FROM _payloads)",
    "UPDATE _payloads SET body = 'text' WHERE id = (SELECT min(id) FROM _payloads)",
    "UPDATE _payloads SET fetched_at = 'x' WHERE id = (SELECT min(id) FROM _payloads)",
    "UPDATE sync_runs SET started_at = 'x'",
    "UPDATE sync_runs SET exit_code = 'x', new = 'y'",
    "UPDATE conversations SET message_count = 'x', updated_at = x'00'",
    "UPDATE conversations SET title = x'00ff'",
    "UPDATE conversations SET url = CAST(url AS BLOB)",
    "UPDATE messages SET position = 'x', role = x'00'",
]


@pytest.mark.parametrize("sql", some(DAMAGE, 3))
def test_a_damaged_value_is_named_by_every_command(
    small: MirroredService, tmp_path: Path, capsys: pytest.CaptureFixture[str], sql: str
) -> None:
    """Exit 9 and one line, or the command does its work; never an internal error."""
    assert edit(small.path, sql)
    shutil.copy(small.path, tmp_path / "spoilt.db")
    for arguments in COMMANDS:
        shutil.copy(tmp_path / "spoilt.db", small.path)
        code, err = command(small, capsys, *arguments)
        assert code != 1, (arguments, err)
        assert "internal error" not in err, (arguments, err)
        assert code != 8, (arguments, err)
        if arguments == ("check",):
            assert (code, "damaged" in err, err.count("\n")) == (9, True, 1)


LEARNED_AGAIN = {
    "_settings": "value",
    "_scopes": "watermark_us",
    "_listed": "list_us",
    "_skeletons": "units",
    "_row_hashes": "hash",
}


@pytest.mark.parametrize("table", list(LEARNED_AGAIN))
def test_what_a_sync_learns_again_is_repaired(mirrored: MirroredService, table: str) -> None:
    edit(mirrored.path, f"UPDATE {table} SET {LEARNED_AGAIN[table]} = 'x y'")
    error, repaired = app.check(mirrored.path, mirrored.timing(), lambda *_: None, repair=True)
    assert (error, repaired.mended > 0) == (None, True)
    assert mirrored.next_run() == 0
    assert findings(mirrored) == []


HEALED = [
    *(
        f"UPDATE _settings SET value = {value} WHERE key LIKE 'sync:%'"
        for value in ("''", "'x'", "7", "NULL", "x'ff00'")
    ),
    "UPDATE _settings SET value = '{\"a' WHERE key LIKE 'source:%'",
    "UPDATE _settings SET value = 'x' WHERE key LIKE 'login:%'",
    "INSERT INTO _settings VALUES ('not_read:chatgpt', '7')",
    "UPDATE _settings SET value = 'x' WHERE key LIKE 'session%'",
    "UPDATE _settings SET value = 'x' WHERE key = 'cjk'",
    "UPDATE _settings SET value = 'x' WHERE key LIKE 'files_wanted:%'",
    "UPDATE _settings SET value = '[]' WHERE key LIKE 'files_wanted:%'",
    "UPDATE _scopes SET watermark_us = 'x'",
    "UPDATE _scopes SET read_to_end_at = ''",
    *(f"UPDATE _listed SET {change} WHERE rowid = 2" for change in ("list_us = 'x'", "retry_at = ''", "title = x'00'")),
    "UPDATE _listed SET conversation_id = NULL, provider = '' WHERE rowid = 1",
    "UPDATE _listed SET provider = 'x' WHERE rowid = 1",
]


@pytest.mark.parametrize("sql", HEALED)
def test_what_a_sync_learns_again_stops_no_sync(
    small: MirroredService, capsys: pytest.CaptureFixture[str], sql: str
) -> None:
    """It is said in one line, and everything is as it was."""
    if not edit(small.path, sql):
        pytest.skip("the mirror has no such row")
    code, err = command(small, capsys, "sync", "--no-files")
    assert (code, err.count("\n")) == (0, 1)
    assert "Damage was mended" in err
    assert findings(small) == []
    assert small.value("SELECT count(*) FROM _listed WHERE stored_us = list_us") == 3
    code, err = command(small, capsys, "sync", "--no-files")
    assert (code, "mended" in err) == (0, False)


KEPT = [
    ("UPDATE _settings SET value = 'x' WHERE key LIKE 'owner%'", "owner is damaged"),
    ("UPDATE _settings SET value = 'x' WHERE key LIKE 'normalizer%'", "normalizer is damaged"),
    ("UPDATE _settings SET key = x'00' WHERE key LIKE 'owner%'", "key is damaged"),
    ("UPDATE conversations SET provider = ''", "provider is damaged"),
    ("UPDATE conversations SET provider = 'x' WHERE rowid = 1", "provider is damaged"),
    ("UPDATE conversations SET id = 'x' WHERE rowid = 1", "points to nothing"),
]


def test_a_dry_run_names_a_damaged_setting(small: MirroredService, capsys: pytest.CaptureFixture[str]) -> None:
    """It mends nothing, and reads the setting all the same."""
    assert edit(small.path, "UPDATE _settings SET value = '{' WHERE key = 'owner:chatgpt'") == 1
    code, err = command(small, capsys, "sync", "--dry-run")
    assert (code, "damaged" in err, err.count("\n")) == (9, True, 1)


@pytest.mark.parametrize(("sql", "named"), KEPT)
def test_what_no_sync_learns_again_is_named(
    small: MirroredService, capsys: pytest.CaptureFixture[str], sql: str, named: str
) -> None:
    """Whose the mirror is, and what its rows are: exit 9 and the line of check, and nothing is forgotten."""
    edit(small.path, sql)
    for key in small.ids():
        small.person.new_message(key)
    code, err = command(small, capsys, "sync", "--no-files")
    assert (code, named in err, err.count("\n")) == (9, True, 1)
    assert named in command(small, capsys, "check")[1]
    assert command(small, capsys, "status")[0] == 9  # if only because the last run ended so


@pytest.mark.parametrize("change", ["list_us = 'x'", "error = x'00'"])
def test_much_damage_is_no_syncs_to_mend(
    mirrored: MirroredService, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    """All rows of the lists at once: a person should look first, also where no run would meet it."""
    edit(mirrored.path, f"UPDATE _listed SET {change}")
    code, err = command(mirrored, capsys, "sync", "--no-files")
    assert (code, "is damaged" in err) == (9, True)


LISTED = ["list_us", "stored_us", "retry_at", "title", "tries", "error", "read_at", "gone_proofs", "is_branch_only"]


@pytest.mark.parametrize("column", LISTED)
def test_what_was_deleted_stays_so_when_its_row_is_mended(tmp_path: Path, column: str) -> None:
    """Of a row that no list shows any more only the damaged value is forgotten, and the watermarks of the lists."""
    with MirroredService(tmp_path, conversations=6) as mirrored:
        mirrored.next_run()
        gone = mirrored.ids()[2]
        mirrored.person.delete(gone)
        for _ in range(3):
            mirrored.next_run()
        asked = "SELECT deleted_at FROM conversations WHERE id = ?"
        deleted_at = mirrored.value(asked, gone)
        assert deleted_at is not None
        edit(mirrored.path, f"UPDATE _listed SET {column} = x'00' WHERE conversation_id = ?", gone)
        assert mirrored.next_run() == 0
        assert (findings(mirrored), mirrored.value(asked, gone)) == ([], deleted_at)
        assert [mirrored.next_run() for _ in range(2)] == [0, 0]
        assert mirrored.value(asked, gone) == deleted_at


def test_mended_damage_is_told_also_where_the_run_fails(
    small: MirroredService, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(small.path, "UPDATE _listed SET retry_at = 'x' WHERE rowid = 2")
    small.environ["CHATGPT_SESSION_TOKEN"] = "x" * 40
    code, err = command(small, capsys, "sync", "--no-files")
    assert (code, "Damage was mended" in err, err.count("\n")) == (4, True, 1)
    assert "Damage was mended" in small.value("SELECT message FROM sync_runs ORDER BY id DESC")


@pytest.mark.parametrize(
    ("table", "column"),
    [("messages", "text"), ("_payloads", "payload_us"), ("conversations", "title"), ("links", "url")],
)
@pytest.mark.parametrize("sql", ["ALTER TABLE {0} RENAME COLUMN {1} TO other", "ALTER TABLE {0} RENAME TO other"])
def test_a_renamed_column_or_table_is_named_by_every_command(
    small: MirroredService, tmp_path: Path, capsys: pytest.CaptureFixture[str], table: str, column: str, sql: str
) -> None:
    """Exit 10 and one line, or the command does its work without it."""
    edit(small.path, sql.format(table, column))
    shutil.copy(small.path, tmp_path / "altered.db")
    for arguments in COMMANDS:
        shutil.copy(tmp_path / "altered.db", small.path)
        code, err = command(small, capsys, *arguments)
        assert code in {0, 3, 4, 5, 10, 2}, (arguments, code, err)
        assert "internal error" not in err
        if arguments[0] == "check":
            assert (code, table in err, err.count("\n")) == (10, True, 1)


# The number of a message's row is nobody's: what points to it is checked as a reference.
NOT_SAID = {("messages", "rowid"), ("links", "id"), ("attachments", "rowid")}
COUNTED = {"_skeletons", "_drift"}  # what answers were made of: of no one's chats, and learned again
ALL_COLUMNS = [(table, column) for table, columns in COLUMNS.items() if table not in COUNTED for column in columns]


@pytest.mark.parametrize(("table", "column"), some([pair for pair in ALL_COLUMNS if pair not in NOT_SAID], 6))
def test_an_edit_of_any_column_is_found(mirrored: MirroredService, table: str, column: str) -> None:
    """Whatever the row is: derived from a payload, or hashed."""
    kind = COLUMNS[table][column]
    other = {"INTEGER": f"coalesce({column}, 0) + 1000003", "REAL": "7.25", "BLOB": "x'0102'"}.get(
        kind, "'2031-01-01T00:00:00'"
    )
    if not mirrored.value(f"SELECT count(*) FROM {table}"):
        pytest.skip(f"the mirror has no row of {table}")
    key = {"_row_hashes": "row_key"}.get(table, "rowid")
    edit(mirrored.path, f"UPDATE {table} SET {column} = {other} WHERE {key} = (SELECT max({key}) FROM {table})")
    assert findings(mirrored) != []


@pytest.mark.parametrize("table", ["memories", "projects", "changes", "_listed", "sync_runs", "accounts", "_settings"])
def test_a_row_that_is_gone_or_added_is_found(mirrored: MirroredService, table: str) -> None:
    if not mirrored.value(f"SELECT count(*) FROM {table}"):
        pytest.skip(f"the mirror has no row of {table}")
    edit(mirrored.path, f"DELETE FROM {table} WHERE rowid = (SELECT max(rowid) FROM {table})")
    assert any("is gone" in what or "points to nothing" in what for what in findings(mirrored))


def test_what_nothing_can_be_compared_with_is_taken_as_it_is_by_repair(mirrored: MirroredService) -> None:
    """The line of check says so before; a person who changed it on purpose has their way."""
    edit(mirrored.path, "UPDATE conversations SET deleted_at = '2031-01-01T00:00:00.000Z' WHERE rowid = 1")
    error, _ = app.check(mirrored.path, mirrored.timing(), lambda *_: None)
    assert error is not None
    assert "take what is there now" in error.message
    assert app.check(mirrored.path, mirrored.timing(), lambda *_: None, repair=True)[0] is None
    assert findings(mirrored) == []


def test_news_of_a_chat_write_over_a_damaged_flag(mirrored: MirroredService) -> None:
    """A sync writes what differs alone, and a flag of 3 says yes as 1 does; it is not taken for what was written."""
    key = mirrored.value("SELECT id FROM conversations WHERE is_archived AND deleted_at IS NULL")
    assert edit(mirrored.path, "UPDATE conversations SET is_archived = 3 WHERE id = ?", key) == 1
    mirrored.person.rename(key, "A third name")
    mirrored.next_run()
    assert mirrored.rows("SELECT title, is_archived FROM conversations WHERE id = ?", key) == [("A third name", 1)]
    assert findings(mirrored) == []


@pytest.mark.parametrize("value", ["x'ff00'", "x'61'"])
@pytest.mark.parametrize("column", ["title", "project_id", "current_node_id"])
def test_a_damaged_value_is_no_change_of_the_persons(tmp_path: Path, column: str, value: str) -> None:
    """What a damaged value was before is not written into the list of changes, where no repair would mend it."""
    with MirroredService(tmp_path, conversations=3) as mirrored:
        mirrored.next_run()
        key = mirrored.ids()[1]
        before = mirrored.rows("SELECT * FROM changes")
        assert edit(mirrored.path, f"UPDATE conversations SET {column} = {value} WHERE id = ?", key) == 1
        mirrored.person.new_message(key, "And now?", "Now this.")
        mirrored.next_run()
        new = mirrored.rows("SELECT kind, typeof(before) FROM changes")[len(before) :]
        assert new == [("messages added", "null")]
        app.check(mirrored.path, mirrored.timing(), lambda *_: None, repair=True)
        assert app.check(mirrored.path, mirrored.timing(), lambda *_: None)[0] is None


# Columns of a conversation's own row, each with another value. Lists state some of them, too.
ALTERED = {
    "message_count": "message_count + 99",
    "created_at": "'2001-01-01T00:00:00.000Z'",
    "model": "'another'",
    "current_node_id": "'no node'",
    "url": "'https://example.org/'",
    "title": "'Nobody named it so'",
    "updated_at": "'2001-01-01T00:00:00.000Z'",
    "is_complete": "0",
    "gpt_id": "NULL, is_starred = 1 - is_starred",
}
NEWS: dict[str, Callable[[Person, str], object]] = {
    "a star": lambda person, key: person.star(key),
    "a name": lambda person, key: person.rename(key, "A third name"),
    "archived": lambda person, key: person.archive(key),
    "deleted": lambda person, key: person.delete(key),
}


@pytest.mark.parametrize("news", NEWS)
@pytest.mark.parametrize("column", ALTERED)
def test_no_news_of_a_chat_covers_an_altered_row_up(tmp_path: Path, column: str, news: str) -> None:
    """What a list alone tells is written without deriving the row again: what was wrong before stays a finding."""
    with MirroredService(tmp_path, conversations=3) as mirrored:
        mirrored.next_run()
        key = mirrored.ids()[1]
        sql = f"UPDATE conversations SET {column} = {ALTERED[column]} WHERE id = ?"
        assert edit(mirrored.path, sql, key) == 1
        NEWS[news](mirrored.person, key)
        for _ in range(2):
            mirrored.next_run()
        if app.check(mirrored.path, mirrored.timing(), lambda *_: None)[0] is not None:
            assert app.check(mirrored.path, mirrored.timing(), lambda *_: None, repair=True)[0] is None
        assert app.rebuild(mirrored.path, mirrored.timing(), lambda *_: None) == 0, "what no check found is not right"
        assert app.check(mirrored.path, mirrored.timing(), lambda *_: None)[0] is None


def test_rows_that_nobody_compared_yet_are_not_trusted_for_news(tmp_path: Path) -> None:
    """An older program's mirror has no such hash; news of a list make none of a row that is altered."""
    with MirroredService(tmp_path, conversations=3) as mirrored:
        mirrored.next_run()
        key = mirrored.ids()[1]
        edit(mirrored.path, "DELETE FROM _row_hashes WHERE table_name = 'messages'")
        edit(mirrored.path, "UPDATE conversations SET model = 'another' WHERE id = ?", key)
        mirrored.person.star(key)
        mirrored.next_run()
        assert "model" in str(app.check(mirrored.path, mirrored.timing(), lambda *_: None)[0])


# What a flipped bit can do to a row: to its values, or to the types of them, which stand before them.
MENDED = [
    "UPDATE messages SET text = CAST(text AS BLOB) WHERE rowid = 3",
    "UPDATE messages SET text = CAST(x'41c3' AS TEXT) WHERE rowid = 3",  # no UTF-8
    "UPDATE messages SET created_at = x'00ff', role = x'00', position = 'x' WHERE rowid = 3",
    "UPDATE attachments SET kind = x'41' WHERE rowid = (SELECT min(rowid) FROM attachments)",
    "UPDATE conversations SET title = CAST(title AS BLOB) WHERE rowid = 1",
    "UPDATE conversations SET url = CAST(url AS BLOB), is_archived = 'x' WHERE rowid = 2",
    "UPDATE conversations SET provider = 'chatgpu' WHERE rowid = 1",
    "UPDATE conversations SET provider = CAST(provider AS BLOB), last_seen_at = CAST(last_seen_at AS BLOB)",
    "UPDATE conversations SET deleted_at = replace(deleted_at, 'T', 'U') WHERE deleted_at IS NOT NULL",
    "UPDATE accounts SET name = replace(name, 'e', 'd'), provider = 'chatgpu'",
    "UPDATE memories SET content = CAST(content AS BLOB) WHERE rowid = 1",
    "UPDATE memories SET content = char(unicode(content) | 1) || substr(content, 2) WHERE unicode(content) & 1 = 0",
    "UPDATE _payloads SET payload_us = payload_us + (1 << 20) WHERE payload_us & (1 << 20) = 0",
    "UPDATE _settings SET value = '#' || substr(value, 2) WHERE key LIKE 'owner%'",
    "UPDATE _settings SET value = 'z' || substr(value, 2) WHERE key LIKE 'source%' OR key LIKE 'sync%'",
    "UPDATE sync_runs SET started_at = replace(started_at, 'T', 'U') WHERE id = 1",
    "UPDATE sync_runs SET command = 'rync' WHERE id = 1",
    "UPDATE _payloads SET body = CAST(body AS TEXT) WHERE id = 1",
    "UPDATE changes SET kind = CAST(kind AS BLOB) WHERE id = 1",
    # Names of rows that are not there, and of rows that others name.
    "UPDATE conversations SET gpt_id = '' WHERE rowid = 2",
    "UPDATE conversations SET account_id = 'nobody' WHERE rowid = 1",
    "UPDATE conversations SET project_id = 'f' || substr(project_id, 2) WHERE project_id LIKE 'g%'",
    "UPDATE attachments SET file_id = 'nothing' WHERE file_id IS NOT NULL",
    "UPDATE files SET project_id = 'nothing' WHERE rowid = 1",
    "UPDATE projects SET id = 'f' || substr(id, 2) WHERE rowid = 1",
    "UPDATE gpts SET id = 'f' || substr(id, 2) WHERE rowid = 1",
    "UPDATE accounts SET id = char(unicode(id) + 1 - 2 * (unicode(id) & 1)) || substr(id, 2) WHERE rowid = 1",
    "UPDATE conversations SET id = 'another' WHERE rowid = 1",
    "UPDATE messages SET conversation_id = 'nothing' WHERE rowid = 3",
    # Rows that others name are gone, as a shell takes them away, which looks at no references.
    "DELETE FROM messages",
    # Of which conversation a payload is, and what its bytes tell, too; and a key that is no text at all.
    "UPDATE _payloads SET conversation_id = iif(id = 1, 'nothing', conversation_id), size = iif(id = 2, 7, size)",
    "UPDATE _payloads SET sha256 = 'another' WHERE id = 3",
    "UPDATE _settings SET key = x'00ff' WHERE key LIKE 'sync:%'",
]


def content(path: Path) -> dict[str, list[Any]]:
    """What is stored, but for runs, hashes, and the numbers of rows that are derived again."""
    tables = {name: list(columns) for name, columns in COLUMNS.items() if name not in {"sync_runs", "_row_hashes"}}
    tables["messages"].remove("rowid")
    own = {"id", "rowid", "message_rowid"}
    for name in ("links", "attachments"):
        tables[name] = ["message_rowid", *(column for column in COLUMNS[name] if column not in own)]
    with closing(sqlite3.connect(path)) as conn:
        conn.text_factory = bytes
        rows = {
            name: conn.execute(f"SELECT {', '.join(names)} FROM {name}").fetchall() for name, names in tables.items()
        }
        places = dict(conn.execute("SELECT rowid, conversation_id || id FROM messages"))
    for name in ("links", "attachments"):
        rows[name] = [(places[row[0]], *row[1:]) for row in rows[name]]
    return {name: sorted(found, key=repr) for name, found in rows.items()}


@pytest.mark.parametrize("sql", MENDED)
def test_flipped_bits_are_turned_back(mirrored: MirroredService, sql: str) -> None:
    """By the hash of the row, or from the payload: all is as it was, without a backup and without the service."""
    before = content(mirrored.path)
    assert edit(mirrored.path, sql)
    error, _ = app.check(mirrored.path, mirrored.timing(), lambda *_: None)
    assert error is not None
    assert "`chatmirror check --repair`" in error.message
    error, _ = app.check(mirrored.path, mirrored.timing(), lambda *_: None, repair=True)
    assert (error, findings(mirrored)) == (None, [])
    assert content(mirrored.path) == before


def test_a_conversation_whose_row_is_gone_is_derived_again(mirrored: MirroredService) -> None:
    """By ``DELETE FROM conversations`` in a shell, which leaves all that names it; only the time of a list is lost."""
    columns = ", ".join(name for name in COLUMNS["conversations"] if name != "last_seen_at")
    rows = f"SELECT {columns} FROM conversations ORDER BY id"
    before, row = content(mirrored.path), mirrored.rows(rows)
    assert edit(mirrored.path, "DELETE FROM conversations WHERE deleted_at IS NULL") > 5
    error, _ = app.check(mirrored.path, mirrored.timing(), lambda *_: None, repair=True)
    assert (error, findings(mirrored), mirrored.rows(rows)) == (None, [], row)
    assert content(mirrored.path) | {"conversations": []} == before | {"conversations": []}


@pytest.mark.parametrize("is_changed", [False, True])
def test_a_sync_reads_again_what_is_gone_and_loses_no_older_text(
    small: MirroredService, capsys: pytest.CaptureFixture[str], *, is_changed: bool
) -> None:
    """A conversation's row that another program deleted: what only an older payload says is kept."""
    key = small.ids()[1]
    node = small.person.new_message(key, "A question", "An answer that ChatGPT takes back")
    small.next_run()
    small.account.tree(key)["mapping"][node]["message"]["content"]["parts"] = [""]
    small.person.new_message(key)
    small.next_run()
    said = "SELECT id, text FROM messages WHERE conversation_id = ? ORDER BY id"
    before = small.rows(said, key)
    edit(small.path, "DELETE FROM conversations WHERE id = ?", key)
    if is_changed:
        small.person.new_message(key, "News", "Old")
    code, err = command(small, capsys, "sync", "--no-files")
    assert (code, err.count("\n"), "Damage was mended" in err) == (0, 1, True)
    assert small.value("SELECT count(*) FROM conversations WHERE id = ?", key) == 1
    after = small.rows(said, key)
    assert set(before) <= set(after)
    assert any("takes back" in text for _, text in after)
    assert findings(small) == []


def test_many_conversations_that_are_gone_are_no_syncs_to_mend(
    mirrored: MirroredService, capsys: pytest.CaptureFixture[str]
) -> None:
    """A person should look first; a repair brings them back without the service."""
    edit(mirrored.path, "DELETE FROM conversations")
    code, err = command(mirrored, capsys, "sync", "--no-files")
    assert (code, "conversations are gone" in err, "check --repair" in err) == (9, True, True)
    assert command(mirrored, capsys, "status")[0] == 9
    assert app.check(mirrored.path, mirrored.timing(), lambda *_: None, repair=True)[0] is None
    assert command(mirrored, capsys, "sync", "--no-files")[0] == 0


@pytest.mark.parametrize("sql", ["DELETE FROM _payloads", "UPDATE _payloads SET body = x'00'"])
@pytest.mark.leaves_damage("payloads are gone or no longer what came")
def test_a_payload_that_cannot_be_read_is_said_to_be_damaged(
    mirrored: MirroredService, capsys: pytest.CaptureFixture[str], sql: str
) -> None:
    edit(mirrored.path, sql)
    code, err = command(mirrored, capsys, "show", "last", "--raw")
    assert (code, err.count("\n"), "has no payload that can be read" in err) == (9, 1, True)


def test_a_key_that_acts_on_a_terminal_is_printed_as_what_it_is(
    mirrored: MirroredService, capsys: pytest.CaptureFixture[str]
) -> None:
    """Keys of rows are the service's, or another program's."""
    edit(mirrored.path, "INSERT INTO projects (id, name, url) VALUES (char(27) || ']0;x' || char(7), 'x', 'x')")
    environ = {"CHATMIRROR_DB": str(mirrored.path)}
    found = CliRunner().invoke(cli, ["check", "--repair"], env=environ)
    assert (found.exit_code, "\x1b" in found.output, r"\x1b]0;x\x07" in found.output) == (0, False, True)


def test_the_changes_of_a_run_that_is_gone_go_with_it(mirrored: MirroredService) -> None:
    """As the schema says; no payload tells what a run was."""
    conversations = "SELECT * FROM conversations ORDER BY id"
    before = mirrored.rows(conversations)
    edit(mirrored.path, "UPDATE files SET project_id = 'nothing' WHERE project_id IS NULL")
    assert edit(mirrored.path, "DELETE FROM sync_runs WHERE id = (SELECT min(run_id) FROM changes)") == 1
    error, repaired = app.check(mirrored.path, mirrored.timing(), lambda *_: None, repair=True)
    assert (error, findings(mirrored), mirrored.rows(conversations)) == (None, [], before)
    assert any("of sync_runs is gone" in what for what in repaired.accepted)


@pytest.mark.parametrize("table", ["accounts", "projects", "gpts"])
def test_what_others_name_by_its_id_and_is_gone_is_said(mirrored: MirroredService, table: str) -> None:
    """Nothing that names it is emptied, so that the next sync brings its name and writes nothing twice."""
    naming = {
        "accounts": "SELECT (SELECT group_concat(id || ifnull(account_id, '-')) FROM memories),"
        " (SELECT group_concat(id || ifnull(account_id, '-')) FROM projects)",
        "projects": "SELECT group_concat(id || ifnull(project_id, '-')) FROM conversations",
        "gpts": "SELECT group_concat(id || ifnull(gpt_id, '-')) FROM conversations",
    }[table]
    before, names = mirrored.rows(naming), mirrored.rows(f"SELECT id, name FROM {table} ORDER BY id")
    assert edit(mirrored.path, f"DELETE FROM {table}") >= 1
    error, repaired = app.check(mirrored.path, mirrored.timing(), lambda *_: None, repair=True)
    assert (error, findings(mirrored), mirrored.rows(naming)) == (None, [], before)
    assert any(f"of {table} is gone" in what for what in repaired.accepted)
    assert mirrored.next_run(full=True) == 0
    assert mirrored.rows(f"SELECT id, name FROM {table} ORDER BY id") == names
    assert mirrored.rows(naming) == before


def test_a_payload_of_nowhere_makes_no_conversation(mirrored: MirroredService) -> None:
    """Two values of a row are not what they were, so that nothing proves whose it is; a backup knows."""
    before = mirrored.value("SELECT count(*) FROM conversations")
    edit(mirrored.path, "UPDATE _payloads SET conversation_id = 'nothing', source = 'nowhere' WHERE id = 1")
    with pytest.raises(DamagedError, match="points to nothing"):
        app.check(mirrored.path, mirrored.timing(), lambda *_: None, repair=True)
    assert mirrored.value("SELECT count(*) FROM conversations") == before
    assert mirrored.value("SELECT conversation_id FROM _payloads WHERE id = 1") == "nothing"


def test_a_message_of_nowhere_goes_once_its_conversation_has_it_again(mirrored: MirroredService) -> None:
    before = content(mirrored.path)
    copied = "SELECT id, 'nothing', text, kind FROM messages WHERE conversation_id = ?"
    assert edit(mirrored.path, f"INSERT INTO messages (id, conversation_id, text, kind) {copied}", mirrored.ids()[1])
    assert app.check(mirrored.path, mirrored.timing(), lambda *_: None, repair=True)[0] is None
    assert (findings(mirrored), content(mirrored.path)) == ([], before)


def test_a_flipped_bit_of_a_payload_is_turned_back(mirrored: MirroredService) -> None:
    """Also of a chat that the service no longer has."""
    before = content(mirrored.path)
    with closing(sqlite3.connect(mirrored.path)) as conn, conn:
        key, body = conn.execute(
            "SELECT p.id, body FROM _payloads p JOIN conversations c ON c.id = p.conversation_id WHERE deleted_at > ''"
        ).fetchone()
        spoilt = body[:100] + bytes([body[100] ^ 8]) + body[101:]
        conn.execute("UPDATE _payloads SET body = ? WHERE id = ?", (spoilt, key))
    assert app.check(mirrored.path, mirrored.timing(), lambda *_: None, repair=True)[0] is None
    assert content(mirrored.path) == before


UNREADABLE = [
    "UPDATE messages SET text = CAST(text || x'c3' AS TEXT) WHERE rowid IN (2, 5)",
    "UPDATE messages SET id = CAST(id AS BLOB) WHERE rowid = 3",
    "UPDATE attachments SET position = 'x'",
    "UPDATE conversations SET title = CAST(x'41c3c3' AS TEXT) WHERE rowid = 2",
    "UPDATE _listed SET title = CAST(x'41c3c3' AS TEXT) WHERE rowid = 2",
    "UPDATE _settings SET value = CAST(value || x'c3' AS TEXT) WHERE key LIKE 'source%'",
    "UPDATE memories SET content = CAST(x'41c3c3' AS TEXT) WHERE rowid = 1",
    "UPDATE files SET name = CAST(x'41c3c3' AS TEXT) WHERE rowid = 1",
]


@pytest.mark.parametrize("sql", UNREADABLE)
def test_a_repair_takes_no_message_away(mirrored: MirroredService, sql: str) -> None:
    """Also where the payload is damaged, too, so that nothing tells what the value was: the rest is kept."""
    edit(mirrored.path, "UPDATE _payloads SET body = zeroblob(500)")
    edit(mirrored.path, sql)
    with closing(sqlite3.connect(mirrored.path)) as conn:
        conn.text_factory = bytes
        before = conn.execute("SELECT count(*), sum(length(CAST(text AS BLOB)) > 1) FROM messages").fetchone()
    for _ in range(2):
        error, _ = app.check(mirrored.path, mirrored.timing(), lambda *_: None, repair=True)
        assert error is not None
        assert "does not unpack" in error.message
    with closing(sqlite3.connect(mirrored.path)) as conn:
        assert conn.execute("SELECT count(*), sum(length(text) > 1) FROM messages").fetchone() == before


ADDED = [
    "INSERT INTO links (message_rowid, position, url, kind) VALUES (5, 7, 'https://other.example', 'citation')",
    "INSERT INTO attachments (message_rowid, position, name, kind) VALUES (6, 2, 'other.pdf', 'file')",
]


@pytest.mark.parametrize("sql", ADDED)
def test_what_another_program_gave_to_a_message_is_found_and_taken_away(mirrored: MirroredService, sql: str) -> None:
    """Also under a number that says that it is not the first, where there is no first."""
    before = content(mirrored.path)
    assert edit(mirrored.path, sql) == 1
    assert "differ from its payload (messages)" in str(app.check(mirrored.path, mirrored.timing(), lambda *_: None)[0])
    assert app.check(mirrored.path, mirrored.timing(), lambda *_: None, repair=True)[0] is None
    assert content(mirrored.path) == before


GONE = ["DELETE FROM _payloads WHERE conversation_id = ?", "DELETE FROM conversations WHERE id = ?"]


@pytest.mark.parametrize("sql", GONE)
def test_what_is_gone_is_read_again_after_a_repair(small: MirroredService, sql: str) -> None:
    """A payload, or a whole conversation, that something took away."""
    key = small.ids()[1]
    with closing(sqlite3.connect(small.path)) as conn, conn:
        conn.execute("PRAGMA foreign_keys=ON")
        conn.execute(sql, (key,))
    app.check(small.path, small.timing(), lambda *_: None, repair=True)
    codes = [small.next_run(), small.next_run()]
    assert codes[-1] == 0
    assert (differences(small), findings(small)) == ([], [])


@pytest.mark.parametrize("sql", ["", "UPDATE messages SET text = CAST(text AS BLOB) WHERE rowid = 3"])
def test_a_lost_index_and_a_damaged_value_are_mended_together(mirrored: MirroredService, sql: str) -> None:
    before = content(mirrored.path)
    edit(mirrored.path, sql or "SELECT 1")
    edit(mirrored.path, "DROP TABLE messages_fts")
    assert app.check(mirrored.path, mirrored.timing(), lambda *_: None, repair=True)[0] is None
    assert (findings(mirrored), content(mirrored.path)) == ([], before)


@pytest.mark.timeout(60)
def test_a_long_value_holds_no_repair_up(mirrored: MirroredService) -> None:
    edit(mirrored.path, "UPDATE memories SET content = hex(zeroblob(2500000)) WHERE rowid = 1")
    assert app.check(mirrored.path, mirrored.timing(), lambda *_: None, repair=True)[0] is None


def test_an_index_that_lacks_rows_is_made_again(mirrored: MirroredService) -> None:
    """One that SQLite keeps, not the search's: nothing is read wrongly from its table."""
    before = content(mirrored.path)
    with closing(sqlite3.connect(mirrored.path)) as conn, conn:
        (sql,) = conn.execute("SELECT sql FROM sqlite_master WHERE name = 'messages_kind'").fetchone()
        conn.execute("PRAGMA writable_schema=ON")
        conn.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'messages_kind'", (f"{sql} WHERE kind = 'text'",))
        conn.execute("PRAGMA writable_schema=RESET")
        conn.execute("REINDEX messages_kind")
        conn.execute("PRAGMA writable_schema=ON")
        conn.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'messages_kind'", (sql,))
    assert any("missing from index" in what for what in findings(mirrored))
    assert app.check(mirrored.path, mirrored.timing(), lambda *_: None, repair=True)[0] is None
    assert (findings(mirrored), content(mirrored.path)) == ([], before)


def test_what_is_taken_as_it_is_is_not_said_to_be_repaired(
    mirrored: MirroredService, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where other damage is mended with it."""
    edit(mirrored.path, "UPDATE memories SET content = 'garbage garbage' WHERE rowid = 1")
    edit(mirrored.path, "UPDATE messages SET role = 'tool' WHERE rowid = 3")
    code, err = command(mirrored, capsys, "check")
    assert (code, "takes rows as they are now" in err) == (9, True)
    out = CliRunner().invoke(cli, ["check", "--repair", "-d", str(mirrored.path)]).output
    assert "Repaired 1 finding." in out
    assert "Nothing tells what 1 row said before" in out
    assert "row 1 of memories" in out


def test_one_value_beyond_help_keeps_no_other_from_being_mended(mirrored: MirroredService) -> None:
    before = content(mirrored.path)
    edit(mirrored.path, "UPDATE sync_runs SET started_at = 'x y' WHERE id = 1")
    edit(mirrored.path, "UPDATE messages SET role = 'tool' WHERE rowid = 3")
    edit(mirrored.path, "UPDATE messages SET text = CAST(text AS BLOB) WHERE rowid = 4")
    error, _ = app.check(mirrored.path, mirrored.timing(), lambda *_: None, repair=True)
    assert error is not None
    assert "started_at is damaged in row 1 of sync_runs" in error.message
    assert "restore a backup" in error.message
    assert content(mirrored.path) == before


def test_columns_and_tables_of_other_programs_are_no_damage(mirrored: MirroredService) -> None:
    """A person may add to the database what they like."""
    edit(mirrored.path, "ALTER TABLE conversations ADD COLUMN my_notes TEXT")
    edit(mirrored.path, "UPDATE conversations SET my_notes = 'mine'")
    edit(mirrored.path, "CREATE TABLE my_tags(tag)")
    assert findings(mirrored) == []
