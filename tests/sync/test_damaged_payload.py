"""A bit that flipped in one stored payload costs that conversation at most, and what the service gives mends it."""

from __future__ import annotations

import sqlite3
import zlib
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from archive_files import save
from mirrored_service import MirroredService, differences, findings

from mirror import app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAYS = ["flipped", "cut", "empty", "other bytes", "hash"]


@pytest.fixture
def mirrored(tmp_path: Path) -> Iterator[MirroredService]:
    """A mirror after one sync."""
    with MirroredService(tmp_path) as opened:
        opened.sync()
        yield opened


def spoil(path: Path, key: str, way: str = "flipped") -> None:
    """Damage each stored payload of a conversation, as a disk would: no trigger of ours sees it."""
    with closing(sqlite3.connect(path)) as conn:
        for row, body in conn.execute("SELECT id, body FROM _payloads WHERE conversation_id = ?", (key,)).fetchall():
            spoilt = {"cut": body[:-9], "empty": b"", "other bytes": zlib.compress(b"{}")}.get(
                way, body[:50] + bytes([body[50] ^ 4]) + body[51:]
            )
            if way == "hash":
                conn.execute("UPDATE _payloads SET sha256 = 'f' || substr(sha256, 2) WHERE id = ?", (row,))
            else:
                conn.execute("UPDATE _payloads SET body = ? WHERE id = ?", (spoilt, row))
        conn.commit()


@pytest.mark.parametrize("way", WAYS)
def test_one_damaged_payload_stops_no_other_and_is_healed(mirrored: MirroredService, way: str) -> None:
    """Four have changed, one of them is damaged: all are stored, exit 9 says so once, and the next run is current."""
    keys = mirrored.ids()[:4]
    spoil(mirrored.path, keys[1], way)
    for key in keys:
        mirrored.person.new_message(key, "And now?", "Now this.")
    mirrored.clock.advance(86_400)
    outcome = mirrored.sync()
    assert outcome.error is not None
    assert outcome.error.exit_code == 9
    assert f"conversation {keys[1]}: payload" in outcome.error.message
    assert outcome.counts.changed == 4
    assert (differences(mirrored), findings(mirrored)) == ([], [])
    assert mirrored.next_run() == 0


def test_a_rename_of_a_damaged_conversation_heals_it_too(mirrored: MirroredService) -> None:
    """What came is the same but for the title, so its messages are not read again."""
    key = mirrored.ids()[2]
    spoil(mirrored.path, key)
    mirrored.person.rename(key, "Another name")
    assert mirrored.next_run() in {0, 9}
    assert (differences(mirrored), findings(mirrored)) == ([], [])


@pytest.mark.leaves_damage("a payload is damaged")
def test_what_only_damaged_bytes_gave_is_kept(mirrored: MirroredService) -> None:
    """Messages that the service has no more stay readable; the damage stays named, and no rebuild loses them."""
    key = mirrored.ids()[0]
    tree = mirrored.account.tree(key)
    texts = {n: node["message"]["content"]["parts"][0] for n, node in tree["mapping"].items() if node["message"]}
    mirrored.person.edit_prompt(key, "Something else?", "Else.")
    assert mirrored.next_run() == 0
    spoil(mirrored.path, key)
    leaf = mirrored.account.tree(key)["current_node"]
    gone = next(node for node in texts if node != leaf)
    mirrored.alter_answers(lambda _, data: _without(data, gone))
    mirrored.person.new_message(key, "And now?", "Now this.")
    assert [mirrored.next_run() for _ in range(2)] == [9, 9]  # unbelieved at first; then another reading says the same
    sql = "SELECT text, removed_at IS NOT NULL FROM messages WHERE conversation_id = ? AND id = ?"
    assert mirrored.rows(sql, key, gone) == [(texts[gone], 1)]
    assert any(key in finding for finding in findings(mirrored))
    with pytest.raises(Exception, match="payload"):
        app.rebuild(mirrored.path, mirrored.timing(), lambda *_: None)
    assert mirrored.rows(sql, key, gone) == [(texts[gone], 1)]


def _without(data: object, node: str) -> object:
    """Return an answer in which one message is gone, and its children are its parent's."""
    trees = data if isinstance(data, list) else [data]
    for tree in trees:
        if isinstance(tree, dict) and node in tree.get("mapping", {}):
            lost = tree["mapping"].pop(node)
            parent = tree["mapping"][lost["parent"]]
            parent["children"] = [c for c in parent["children"] if c != node] + lost["children"]
            for child in lost["children"]:
                tree["mapping"][child]["parent"] = lost["parent"]
    return data


def test_repair_says_what_a_sync_heals_and_lets_it(mirrored: MirroredService) -> None:
    """Nothing changed at the service: the sync after `check --repair` reads the damaged one anew."""
    key = mirrored.ids()[3]
    spoil(mirrored.path, key, "cut")
    error, _ = app.check(mirrored.path, mirrored.timing(), lambda *_: None)
    assert error is not None
    assert "check --repair`, then `chatmirror sync`" in error.message
    error, _ = app.check(mirrored.path, mirrored.timing(), lambda *_: None, repair=True)
    assert error is not None
    assert error.exit_code == 9
    assert "run `chatmirror sync`, which reads that conversation anew" in error.message
    assert mirrored.next_run() in {0, 9}
    assert (differences(mirrored), findings(mirrored)) == ([], [])
    assert mirrored.next_run() == 0


@pytest.mark.leaves_damage("a payload is damaged")
def test_repair_names_what_no_sync_can_heal(mirrored: MirroredService) -> None:
    """What the service lists no more, and the rows of others are derived again nevertheless."""
    gone, other = mirrored.ids()[:2]
    mirrored.person.delete(gone)
    mirrored.next_run()
    spoil(mirrored.path, gone, "cut")
    with closing(sqlite3.connect(mirrored.path)) as conn:
        conn.execute("UPDATE messages SET role = 'tool' WHERE conversation_id = ?", (other,))
        conn.commit()
    error, repaired = app.check(mirrored.path, mirrored.timing(), lambda *_: None, repair=True)
    assert error is not None
    assert "restore a backup" in error.message
    assert repaired.mended > 0
    assert not any(other in finding for finding in findings(mirrored))


def test_a_batch_that_is_read_again_heals(tmp_path: Path) -> None:
    """The nightly batch of unchanged conversations finds the damage and mends it with the same bytes."""
    with MirroredService(tmp_path, verify=True) as mirrored:
        mirrored.sync()
        spoil(mirrored.path, mirrored.ids()[5])
        codes = [mirrored.next_run() for _ in range(4)]
        assert codes.count(9) == 1
        assert codes[-1] == 0
        assert (differences(mirrored), findings(mirrored)) == ([], [])


def test_importing_the_same_file_again_heals(mirrored: MirroredService, tmp_path: Path) -> None:
    """Its bytes are those that were stored, as their hash tells."""
    path = save(tmp_path / "conversations.json", [mirrored.account.tree(key) for key in mirrored.ids()])
    mirror = tmp_path / "imported.db"
    app.import_archives(mirror, [path], mirrored.timing(), lambda *_: None)
    spoil(mirror, mirrored.ids()[0])
    result = app.import_archives(mirror, [path], mirrored.timing(), lambda *_: None)
    assert result.error is not None
    assert result.error.exit_code == 9
    result = app.import_archives(mirror, [path], mirrored.timing(), lambda *_: None)
    assert (result.error, result.unchanged) == (None, 12)
    assert app.check(mirror, mirrored.timing(), lambda *_: None)[0] is None
