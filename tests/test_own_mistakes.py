"""What nobody foresaw: a mistake of the program's own costs the one conversation at which it happens."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from archive_files import conversation, save
from mirrored_service import MirroredService

from mirror import app, normalize
from mirror.errors import IncompleteError
from mirror.normalize.merge import merge
from mirror.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mirror.normalize.merge import ParsedPayload

WORD = "wormwood"


@pytest.fixture(autouse=True)
def mistaken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the reading of every payload fail that holds a certain word."""
    patch_reading(monkeypatch, normalize.NORMALIZERS["chatgpt"], WORD)


def patch_reading(monkeypatch: pytest.MonkeyPatch, sound: normalize.Normalizer, word: str) -> None:
    def read(payload: object) -> normalize.Conversation:
        if word in repr(payload):
            raise KeyError(word)
        return sound.from_payload(payload)

    newer = replace(sound, from_payload=read, version=sound.version + 1)
    monkeypatch.setitem(normalize.NORMALIZERS, "chatgpt", newer)


@pytest.mark.parametrize("verify", [False, True])
def test_a_sync_stores_all_others_and_names_it(tmp_path: Path, *, verify: bool) -> None:
    """Where it is new, where it was stored before, and where it is only read once more."""
    with MirroredService(tmp_path, conversations=6, verify=verify) as mirrored:
        mirrored.person.new_message(mirrored.ids()[0], f"What is {WORD}?", "A plant.")
        assert mirrored.sync().error is not None
        assert mirrored.value("SELECT count(*) FROM conversations WHERE is_complete") == 5
        mirrored.person.new_message(mirrored.ids()[1], f"And {WORD} tea?", "Bitter.")
        mirrored.person.new_message(mirrored.ids()[2], "And mint?", "Fresh.")
        outcome = mirrored.sync()
        assert isinstance(outcome.error, IncompleteError)
        assert "cannot read it (KeyError in test_own_mistakes.py:" in outcome.error.message
        assert WORD not in outcome.error.message
        assert mirrored.value("SELECT count(*) FROM messages WHERE text = 'Fresh.'") == 1
        assert mirrored.value("SELECT count(*) FROM conversations WHERE is_complete") == 4


def test_it_is_read_as_soon_as_it_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later version reads what was put off, without being asked to."""
    with MirroredService(tmp_path, conversations=3) as mirrored:
        mirrored.person.new_message(mirrored.ids()[0], f"What is {WORD}?", "A plant.")
        mirrored.sync()
        monkeypatch.undo()
        assert [mirrored.next_run() for _ in range(3)][-1] == 0
        assert mirrored.value("SELECT count(*) FROM conversations") == 3


def test_what_was_stored_before_is_whole_and_not_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new version that fails at a stored conversation asks for no backup; backups of it are made."""
    with MirroredService(tmp_path, conversations=3) as mirrored:
        monkeypatch.undo()
        sound = normalize.NORMALIZERS["chatgpt"]
        mirrored.sync()
        word = mirrored.value("SELECT text FROM messages WHERE text <> ''")
        patch_reading(monkeypatch, sound, word)
        error, _ = app.check(mirrored.path, mirrored.timing(), lambda *_: None)
        assert isinstance(error, IncompleteError)
        assert "cannot read it (KeyError in test_own_mistakes.py:" in error.message
        with pytest.raises(IncompleteError):
            app.rebuild(mirrored.path, mirrored.timing(), lambda *_: None)
        assert app.backup(mirrored.path, tmp_path / "bk.db", lambda *_: None)[0] > 0
        error, repaired = app.check(mirrored.path, mirrored.timing(), lambda *_: None, repair=True)
        assert (type(error), repaired.mended) == (IncompleteError, 0)
        assert "cannot read it" in str(error), "also after a rebuild that left its rows as they were"
        # What comes now, and can be read, is stored beside it.
        key = next(key for key in mirrored.ids() if word in repr(mirrored.account.tree(key)))
        for node in mirrored.account.tree(key)["mapping"].values():
            if word in repr(node):
                node["message"]["content"] = {"content_type": "text", "parts": ["Edited away."]}
        mirrored.person.new_message(key, "And now?", "Now it can be read.")
        assert mirrored.next_run() == 0
        assert mirrored.value("SELECT count(*) FROM messages WHERE text = 'Now it can be read.'") == 1


def test_an_import_stores_all_others_and_names_it(tmp_path: Path) -> None:
    """Also what was read in the same transaction."""
    export = save(tmp_path / "conversations.json", [conversation(n, more=WORD if n == 1 else "") for n in range(3)])
    result = app.import_archives(tmp_path / "chats.db", [export], Timing(), lambda *_: None)
    assert result.new == 2
    assert isinstance(result.error, IncompleteError)
    assert "conversations.json[1]" in result.error.message


def test_an_import_stores_all_others_where_copies_of_one_cannot_be_put_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was read, and what fails is the merging with what is stored."""

    def failing(payloads: Sequence[ParsedPayload]) -> normalize.Conversation:
        if any(one.conversation.id == "id-1" for one in payloads):
            raise KeyError(WORD)
        return merge(payloads)

    monkeypatch.setattr(normalize, "_merge", failing)
    export = save(tmp_path / "conversations.json", [conversation(n) for n in range(3)])
    result = app.import_archives(tmp_path / "chats.db", [export], Timing(), lambda *_: None)
    assert (result.new, len(result.problems)) == (2, 1)
    assert "conversations.json[1]: this version of chatmirror cannot read it (KeyError in" in result.problems[0]
