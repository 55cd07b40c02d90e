"""Every form in which people hold their conversations."""

from __future__ import annotations

import base64
import io
import json
import re
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from archive_files import Contents, batched, conversation, plural, save, single, zipped

from mirror.archive import RECOGNISERS, ExportFiles, Recogniser, open_archive
from mirror.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

TWO = [conversation(1), conversation(2)]

FORMS = {
    "an array": TWO,
    "an object of conversations": {"version": 1, "conversations": TWO, "more": {"a": [1, "]"]}},
    "an object of items": {"items": TWO, "total": 2},
    "arrays one level deep": [[conversation(1)], [conversation(2)]],
    "objects under names": {"first": conversation(1), "second": conversation(2)},
    "deep inside a share page": {"props": {"page": [{"data": {"serverResponse": conversation(n)}} for n in (1, 2)]}},
    "one after the other": b"\n".join(json.dumps(item).encode() for item in TWO),
    "without a separator": b"[" + b" ".join(json.dumps(item).encode() for item in TWO) + b"]",
    "with blanks and NULs behind": json.dumps(TWO).encode() + b" \r\n\0\0",
    "with a byte order mark": b"\xef\xbb\xbf" + json.dumps(TWO).encode(),
    "in UTF-16": json.dumps(TWO, ensure_ascii=False).encode("utf-16"),
    "in UTF-16 of the other order": b"\xfe\xff" + json.dumps(TWO).encode("utf-16-be"),
    "in UTF-16 without a mark": json.dumps(TWO).encode("utf-16-le"),
    "in UTF-32": json.dumps(TWO).encode("utf-32"),
    "spread over lines": json.dumps(TWO, indent=2).encode(),
}


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_its_conversations(tmp_path: Path, form: str, chunk: int) -> None:
    """Whatever wrapped them, both conversations come, whole and in order, however the file is read."""
    contents = Contents(save(tmp_path / "saved.json", FORMS[form]), chunk=chunk)
    assert [item.payload for item in contents.found] == TWO
    assert not contents.problems
    assert not contents.skipped


@pytest.mark.parametrize("chunk", [1, 64])
@pytest.mark.parametrize("name", ["saved.jsonl", "saved.ndjson", "saved.json"])
def test_json_lines(tmp_path: Path, name: str, chunk: int) -> None:
    """A value a line, with and without a line end at the end."""
    text = "\r\n".join(json.dumps(item) for item in TWO)
    assert Contents(save(tmp_path / name, text.encode()), chunk=chunk).titles == ["Title 1", "Title 2"]
    assert Contents(save(tmp_path / name, (text + "\n\n").encode()), chunk=chunk).titles == ["Title 1", "Title 2"]


def test_a_broken_line_costs_only_itself(tmp_path: Path) -> None:
    """The lines before and after a broken one come."""
    lines = [json.dumps(conversation(1)), json.dumps(conversation(2))[:60], json.dumps(conversation(3))]
    contents = Contents(save(tmp_path / "saved.jsonl", "\n".join(lines).encode()))
    assert contents.titles == ["Title 1", "Title 3"]
    assert [problem.source for problem in contents.problems] == ["saved.jsonl[1]"]


def test_raw_is_the_text_of_the_file(tmp_path: Path) -> None:
    """Unusual spacing, invalid bytes, escapes, repeated keys and NaN are kept exactly."""
    texts = [
        b'{ "title" :"a\\u00e9\\ud800" ,\t"mapping":{ } , "n": NaN, "i":-Infinity, "x": 1.10e2 }',
        b'{"mapping":{},"title":"\xff\xfe\xc3 caf\xc3\xa9","title":"second \\" ] } [ {"}',
        b'{"mapping":{"a":{}},"title":"","b":[[],{},[{"c":"\\\\"}]]}',
    ]
    contents = Contents(save(tmp_path / "conversations.json", b"[\n" + b" ,\n".join(texts) + b"\n]"), chunk=5)
    assert [item.body.raw for item in contents.found] == texts
    wrapped = Contents(save(tmp_path / "one.json", b'{"conversation_id": "c", "conversation": ' + texts[2] + b"}"))
    assert wrapped.found[0].body.raw == texts[2][:-1] + b',"conversation_id": "c"}'


@pytest.mark.parametrize(
    ("value", "origin"),
    [
        (conversation(1), "export"),
        ([conversation(1)], "export"),
        ([single(1)], "export"),
        (single(1), "capture"),
        (plural(1), "capture"),
        ([batched(1)], "capture"),
        ({"conversations": [batched(1)]}, "capture"),
        ({"conversation_id": "id-1", "conversation": batched(1)}, "capture"),
    ],
)
def test_an_export_differs_from_an_answer_of_the_service(tmp_path: Path, value: Any, origin: str) -> None:
    """Both ids, or a place in the export's list, make an export; a batch answer is a list and none."""
    contents = Contents(save(tmp_path / "saved.json", value))
    assert [item.origin for item in contents.found] == [origin]


def test_a_file_called_conversations_is_an_export(tmp_path: Path) -> None:
    """Even where its conversations look like a batch answer."""
    assert Contents(save(tmp_path / "conversations-002.json", [batched(1)])).found[0].origin == "export"


def test_an_id_that_only_the_wrapper_states_is_kept(tmp_path: Path) -> None:
    """A wrapper's id, or the key of a conversation, becomes part of it; its own id takes precedence."""
    bare = {"title": "T", "mapping": {}}
    uuid = "0c1d2e3f-0000-4000-8000-00000000abcd"
    value = {uuid: bare, "w": {"conversation_id": "around", "conversation": bare}, "own": conversation(3), "key": bare}
    contents = Contents(save(tmp_path / "saved.json", value))
    assert [item.payload.get("conversation_id") for item in contents.found] == [uuid, "around", "id-3", None]


def test_a_bare_list_of_messages_is_one_conversation(tmp_path: Path) -> None:
    """Messages, or nodes that hold them, without anything around."""
    message = conversation(1)["mapping"]["m"]["message"]
    contents = Contents(save(tmp_path / "flat.json", [message, message]))
    assert contents.found[0].payload == {"messages": [message, message]}
    contents = Contents(save(tmp_path / "wrapped.json", [{"message": message, "conversation_id": "c"}]))
    assert contents.found[0].payload == {
        "messages": [{"message": message, "conversation_id": "c"}],
        "conversation_id": "c",
    }
    node = {"id": "n", "parent": None, "message": message}
    assert Contents(save(tmp_path / "nodes.json", [node])).found[0].payload == {"mapping": [node]}


def test_a_bare_list_that_begins_with_a_long_message(tmp_path: Path) -> None:
    """Whether it is one is told without reading all of it."""
    message = {"author": {"role": "user"}, "content": {"parts": ["long " * 100_000]}, "metadata": {"x": ["y"] * 50_000}}
    assert Contents(save(tmp_path / "m.json", [message])).found[0].payload == {"messages": [message]}
    assert Contents(save(tmp_path / "n.json", [{"message": message}])).found[0].payload == {
        "messages": [{"message": message}]
    }


@pytest.mark.parametrize("damage", [(b'["y"', b'["y" 5'), (b'["y"', b'[,"y"'), (b'"x": [', b'"x": , "z": [')])
def test_a_damaged_long_message_costs_only_itself(tmp_path: Path, damage: tuple[bytes, bytes]) -> None:
    """Though the file begins with it, the conversation after it comes."""
    message = {"author": {"role": "user"}, "content": {"parts": ["hi"]}, "metadata": {"x": ["y"] * 50_000}}
    content = b"[%s, %s]" % (json.dumps(message).encode().replace(*damage), json.dumps(conversation(1)).encode())
    for text in (content, content.replace(b'"metadata"', b'"message"', 1)):
        contents = Contents(save(tmp_path / "conversations.json", text))
        assert contents.titles == ["Title 1"]
        assert [problem.source for problem in contents.problems] == ["conversations.json[0]"]


def test_messages_of_several_conversations_are_not_taken_for_one(tmp_path: Path) -> None:
    """A list that mixes them is no conversation."""
    message = conversation(1)["mapping"]["m"]["message"]
    mixed = [{"message": message, "conversation_id": name} for name in ("a", "b")]
    assert not Contents(save(tmp_path / "flat.json", mixed)).found


def test_answers_that_a_browser_recorded(tmp_path: Path) -> None:
    """A HAR file gives the conversations among its answers, packed or not, and ignores all the rest."""
    bodies = [json.dumps(single(1)), "<html>", "{cut", json.dumps([batched(2), batched(3)]), ""]
    entries = [{"request": {}, "response": {"content": {"text": body}}} for body in bodies]
    packed = base64.b64encode(json.dumps(plural(4)).encode()).decode()
    entries += [{"response": {"content": {"text": packed, "encoding": "base64"}}}, {"response": {}}]
    contents = Contents(save(tmp_path / "site.json", {"log": {"version": "1.2", "entries": entries}}))
    assert contents.titles == ["Title 1", "Title 2", "Title 3", "P"]
    assert {item.origin for item in contents.found} == {"capture"}
    assert contents.found[1].source == "site.json:log:entries[3][0]"


def test_files_of_other_things_are_skipped_without_a_problem(tmp_path: Path) -> None:
    """A page of the list, the export's side files and unrelated JSON are reported as skipped."""
    row = {"id": "a", "title": "T", "create_time": "2026", "update_time": "2026", "mapping": None}
    save(tmp_path / "page.json", {"items": [row, row], "total": 2, "limit": 28, "offset": 0})
    save(tmp_path / "package.json", {"name": "x", "data": [{"a": 1}], "items": []})
    save(tmp_path / "numbers.json", [1, 2, {"a": []}])
    for name in ("user.json", "message_feedback.json", "shared_conversations.json", "group_chats.json", "chat.html"):
        save(tmp_path / name, [row])
    save(tmp_path / "conversations.json", TWO)
    save(tmp_path / "picture.png", b"\x89PNG")
    save(tmp_path / "file-AbCdEfGhIjKlMnOpQrStUv-conversations.json", [conversation(9)])
    contents = Contents(tmp_path)
    assert contents.titles == ["Title 1", "Title 2"]
    assert not contents.problems
    assert len(contents.skipped) == 8


def test_a_folder_is_read_in_order_and_without_following_links(tmp_path: Path) -> None:
    """Shards come by number, sources are relative, and a link out of the folder is not followed."""
    folder, outside = tmp_path / "export", save(tmp_path / "outside.json", [conversation(99)])
    for n in (10, 2, 0):
        save(folder / f"conversations-{n}.json", [conversation(n)])
    save(folder / "deeper" / "one.json", single(50))
    (folder / "link.json").symlink_to(outside)
    (folder / "linked").symlink_to(tmp_path)
    (folder / "loop").symlink_to(folder)
    contents = Contents(folder)
    assert contents.titles == ["Title 0", "Title 2", "Title 10", "Title 50"]
    assert contents.sources[0] == "export/conversations-0.json[0]"
    assert contents.sources[3] == "export/deeper/one.json"
    assert [item.source for item in contents.skipped] == ["export/link.json"]


@pytest.mark.parametrize("form", ["folder", "zip", "zip with a folder"])
def test_a_shard_that_the_manifest_names_and_is_not_there(tmp_path: Path, form: str) -> None:
    """The missing shard is reported by name, the others are read, wherever the manifest is."""
    files = ["conversations-000.json", "conversations-001.json", "more.json"]
    manifest: Any = {"version": 1, "logical_files": {"conversations.json": {"files": files, "sharded": True}}}
    manifest["logical_files"]["user.json"] = {"files": ["user.json"], "sharded": False}
    members = {"export_manifest.json": manifest, files[0]: [conversation(0)], files[2]: [conversation(2), None]}
    if form == "folder":
        for name, value in members.items():
            save(tmp_path / "export" / name, value)
        contents = Contents(tmp_path / "export")
    else:
        under = "some/folder/" if "folder" in form else ""
        contents = Contents(zipped(tmp_path / "export", {under + name: value for name, value in members.items()}))
    assert contents.titles == ["Title 0", "Title 2"]
    assert len(contents.problems) == 2
    assert contents.problems[0].source.endswith("/conversations-001.json")
    assert "missing" in contents.problems[0].reason
    assert contents.problems[1].source.endswith("more.json[1]")


def test_a_shard_that_only_the_list_of_files_names(tmp_path: Path) -> None:
    """The manifest's second list counts as well."""
    files = [{"path": f"conversations-00{n}.json", "size_bytes": 9} for n in range(2)] + [{"path": "chat.html"}]
    save(tmp_path / "export" / "export_manifest.json", {"logical_files": {}, "export_files": files})
    save(tmp_path / "export" / "conversations-000.json", [conversation(0)])
    contents = Contents(tmp_path / "export")
    assert contents.titles == ["Title 0"]
    assert [problem.source for problem in contents.problems] == ["export/conversations-001.json"]


def test_a_zip_with_everything_under_a_folder(tmp_path: Path) -> None:
    """The names of the ZIP and of the member say where each conversation was found."""
    path = zipped(tmp_path / "export.zip", {"a/b/conversations.json": TWO, "a/image.png": b"PNG", "a/user.json": {}})
    contents = Contents(path)
    assert contents.sources == ["export.zip/a/b/conversations.json[0]", "export.zip/a/b/conversations.json[1]"]
    assert [item.source for item in contents.skipped] == ["export.zip/a/user.json"]


def test_zips_in_a_zip(tmp_path: Path) -> None:
    """The privacy portal's form: the export's ZIPs inside another one."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as opened:
        opened.writestr("conversations.json", json.dumps(TWO))
    names = {
        "User Online Activity/Conversations__1.zip": inner.getvalue(),
        "Conversations__2.zip": inner.getvalue()[:-9],
    }
    contents = Contents(zipped(tmp_path / "portal.zip", names))
    assert contents.titles == ["Title 1", "Title 2"]
    assert contents.sources[0] == "portal.zip/User Online Activity/Conversations__1.zip/conversations.json[0]"
    assert [item.source for item in contents.problems] == ["portal.zip/Conversations__2.zip"]


@pytest.mark.parametrize("name", ["export.zip", "conversations.json", "folder"])
def test_progress_reaches_its_total(tmp_path: Path, name: str) -> None:
    """A progress bar ends full."""
    if name == "export.zip":
        zipped(tmp_path / name, {"conversations.json": TWO, "x.json": [single(3)], "user.json": {}})
    elif name == "folder":
        save(tmp_path / name / "a.json", TWO)
        save(tmp_path / name / "b.json", b"nonsense")
    else:
        save(tmp_path / name, TWO)
    contents = Contents(tmp_path / name, chunk=100)
    assert contents.position == contents.total > 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"hello", "neither JSON nor a ZIP"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\x1f\x8b\x08\0", "gzip"),
        (b"PK\x03\x04" + b"x" * 100, "not a complete ZIP"),
        (None, "no such file"),
    ],
)
def test_an_unusable_file_is_refused_by_name(tmp_path: Path, content: bytes | None, said: str) -> None:
    """One sentence with the file and what is wrong, before anything is read."""
    path = tmp_path / "thing.bin"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=said) as caught:
        open_archive(path)
    assert str(path) in caught.value.message


@pytest.mark.parametrize("names", [[], ["user.json", "chat.html"], ["picture.png"]])
def test_a_folder_or_zip_without_conversations_is_refused(tmp_path: Path, names: list[str]) -> None:
    """Nothing there that could hold one."""
    (tmp_path / "folder").mkdir()
    for name in names:
        save(tmp_path / "folder" / name, {})
    zipped(tmp_path / "export.zip", [(name, {}) for name in names])
    for path in (tmp_path / "folder", tmp_path / "export.zip"):
        with pytest.raises(UsageError, match="no conversations"):
            open_archive(path)


def test_an_unreadable_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence contains what the system says."""
    path = save(tmp_path / "conversations.json", TWO)

    def refuse(*_args: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", refuse)
    with pytest.raises(UsageError, match="Permission denied"):
        open_archive(path)


CLAUDE = {
    "uuid": "c1",
    "name": "A chat",
    "account": {"uuid": "a"},
    "created_at": "2025-01-01T00:00:00.000000Z",
    "chat_messages": [{"uuid": "m", "text": "hi", "sender": "human", "content": [{"type": "text", "text": "hi"}]}],
}


DESIGN = {
    "uuid": "d1",
    "project": {"uuid": "p", "name": "A project"},
    "messages": [{"uuid": "m", "role": "user", "content": {"role": "user", "content": "Hi", "authorName": "N"}}],
}
# What a tool of Claude was asked can have the very form of a conversation of ChatGPT.
CLAUDE_WITH_A_TREE = {
    **CLAUDE,
    "chat_messages": [{"uuid": "m", "content": [{"type": "tool_use", "input": conversation(7)}]}],
}


@pytest.mark.parametrize(
    ("name", "held", "count"),
    [
        ("conversations.json", [CLAUDE] * 30, "30 conversations of Claude"),
        ("chat.json", CLAUDE, "1 conversation of Claude"),
        ("c.jsonl", CLAUDE, "1 conversation of Claude"),
        ("chats.json", {"conversations": [CLAUDE, CLAUDE]}, "2 conversations of Claude"),
        ("page.json", {"data": [{**CLAUDE, "chat_messages": []}], "has_more": False}, "1 conversation of Claude"),
        ("deep.json", {"export": {"chats_by_day": {"2025": [CLAUDE]}}}, "1 conversation of Claude"),
        ("tool.json", [CLAUDE_WITH_A_TREE], "1 conversation of Claude"),
        ("d1.json", DESIGN, "1 conversation of Claude Design"),
        ("designs.json", [DESIGN, {**DESIGN, "messages": []}], "2 conversations of Claude Design"),
        ("design_chats/d1.json", {"data": [DESIGN]}, "1 conversation of Claude Design"),
        ("messages.json", DESIGN["messages"], "1 conversation of Claude Design"),
    ],
)
def test_an_export_of_another_service_is_refused_by_name(tmp_path: Path, name: str, held: Any, count: str) -> None:
    """Somebody who picks the wrong file reads once what it is, and none of it is stored as ChatGPT's."""
    said = f"holds {count} (claude.ai), and only those of ChatGPT can be imported"
    contents = Contents(save(tmp_path / name, held))
    assert not contents.found
    file_name = name.rsplit("/", 1)[-1]
    assert [(problem.source, problem.reason) for problem in contents.problems] == [(file_name, said)]
    inside = Contents(zipped(tmp_path / "data.zip", {name: held, "users.json": [{"uuid": "u", "full_name": "N"}]}))
    assert not inside.found
    assert (f"data.zip/{name}", said) in [(item.source, item.reason) for item in inside.problems]


def test_conversations_of_chatgpt_beside_those_of_another_service_are_read(tmp_path: Path) -> None:
    """A file that somebody merged gives what can be read of it."""
    contents = Contents(save(tmp_path / "all.json", [CLAUDE, conversation(1), CLAUDE]))
    assert contents.titles == ["Title 1"]
    assert [problem.reason[:33] for problem in contents.problems] == ["holds 2 conversations of Claude ("]


def test_answers_of_the_compliance_interface_are_called_by_their_name(tmp_path: Path) -> None:
    """Conversations of a form that is not read are reported as such."""
    record = {"object": "compliance.workspace.conversation", "id": "x", "messages": {"object": "list", "data": []}}
    (problem,) = Contents(save(tmp_path / "c.json", {"object": "list", "data": [record]})).problems
    assert problem.reason.startswith("holds 1 record of OpenAI's Compliance API")


@pytest.mark.parametrize("held", [{"detail": {"code": "token_expired"}}, {}])
def test_a_file_given_on_its_own_that_holds_nothing_is_a_problem(tmp_path: Path, held: Any) -> None:
    """Whoever names one file learns why nothing came of it; in a folder the same file is only skipped."""
    path = save(tmp_path / "saved.json", held)
    assert [problem.reason for problem in Contents(path).problems] == ["is JSON, but no conversation"]
    assert not Contents(tmp_path).problems


def test_messages_whose_conversation_is_named_by_no_text_are_read_all_the_same(tmp_path: Path) -> None:
    """An id of a strange type does not stop the file from being read."""
    message = conversation(1)["mapping"]["m"]["message"]
    contents = Contents(save(tmp_path / "flat.json", [{**message, "conversation_id": ["x"]}]))
    assert len(contents.found) == 1


def test_each_conversation_says_which_service_it_is_of(tmp_path: Path) -> None:
    """Whoever stores it need not know which services there are."""
    assert [item.provider for item in Contents(save(tmp_path / "a.json", TWO)).found] == ["chatgpt", "chatgpt"]


def test_another_service_is_one_more_recogniser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an entry in the table, the export of a made-up service is read beside ChatGPT's."""
    made_up = Recogniser(
        provider="made-up",
        recognises=lambda value: "yes" if isinstance(value, dict) and "turns" in value else "no",
        lists={"talks": "list"},
        message_keys=("turns",),
        id_keys=("talk",),
        files=ExportFiles(
            conversations=re.compile(r"talks\.json"),
            without_conversations=frozenset({"person.json", "contents.json"}),
            manifest="contents.json",
            shards=lambda text: json.loads(text)["files"],
        ),
    )
    monkeypatch.setitem(RECOGNISERS, "made-up", made_up)
    talk = {"talk": "t1", "turns": [{"text": "hello"}]}
    save(tmp_path / "export" / "talks.json", {"talks": [talk, {"turns": []}, conversation(1)]})
    save(tmp_path / "export" / "person.json", {"name": "N"})
    save(tmp_path / "export" / "contents.json", {"files": ["talks.json", "more.json"]})
    save(tmp_path / "export" / "wrapped.json", {"talk": "t2", "held": {"turns": []}})
    contents = Contents(tmp_path / "export")
    assert [(item.provider, item.payload.get("talk"), item.origin) for item in contents.found] == [
        ("made-up", "t1", "export"),
        ("made-up", None, "export"),
        ("chatgpt", None, "export"),
        ("made-up", "t2", "export"),
    ]
    assert [problem.source for problem in contents.problems] == ["export/more.json"]
    assert [item.source for item in contents.skipped] == ["export/contents.json", "export/person.json"]
