"""Every form in which people hold their conversations."""

import base64
import io
import json
import zipfile

import pytest
from archive_files import Read, batched, conversation, plural, save, single, zipped

from mirror.archive import open_archive
from mirror.errors import UsageError

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
def test_every_form_gives_its_conversations(tmp_path, form, chunk):
    """Whatever wrapped them, both conversations come, whole and in order, however the file is read."""
    read = Read(save(tmp_path / "saved.json", FORMS[form]), chunk=chunk)
    assert [item.payload for item in read.found] == TWO
    assert not read.problems
    assert not read.skipped


@pytest.mark.parametrize("chunk", [1, 64])
@pytest.mark.parametrize("name", ["saved.jsonl", "saved.ndjson", "saved.json"])
def test_json_lines(tmp_path, name, chunk):
    """A value a line, with and without a line end at the end."""
    text = "\r\n".join(json.dumps(item) for item in TWO)
    assert Read(save(tmp_path / name, text.encode()), chunk=chunk).titles == ["Title 1", "Title 2"]
    assert Read(save(tmp_path / name, (text + "\n\n").encode()), chunk=chunk).titles == ["Title 1", "Title 2"]


def test_a_broken_line_costs_only_itself(tmp_path):
    """The lines before and after a broken one come."""
    lines = [json.dumps(conversation(1)), json.dumps(conversation(2))[:60], json.dumps(conversation(3))]
    read = Read(save(tmp_path / "saved.jsonl", "\n".join(lines).encode()))
    assert read.titles == ["Title 1", "Title 3"]
    assert [problem.source for problem in read.problems] == ["saved.jsonl[1]"]


def test_raw_is_the_text_of_the_file(tmp_path):
    """Odd spacing, invalid bytes, escapes, repeated keys and NaN stay exactly as they stood."""
    texts = [
        b'{ "title" :"a\\u00e9\\ud800" ,\t"mapping":{ } , "n": NaN, "i":-Infinity, "x": 1.10e2 }',
        b'{"mapping":{},"title":"\xff\xfe\xc3 caf\xc3\xa9","title":"second \\" ] } [ {"}',
        b'{"mapping":{"a":{}},"title":"","b":[[],{},[{"c":"\\\\"}]]}',
    ]
    read = Read(save(tmp_path / "conversations.json", b"[\n" + b" ,\n".join(texts) + b"\n]"), chunk=5)
    assert [item.raw for item in read.found] == texts
    wrapped = Read(save(tmp_path / "one.json", b'{"conversation_id": "c", "conversation": ' + texts[2] + b"}"))
    assert wrapped.found[0].raw == texts[2][:-1] + b',"conversation_id": "c"}'


@pytest.mark.parametrize(
    ("value", "lane"),
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
def test_an_export_is_told_from_an_answer_of_the_service(tmp_path, value, lane):
    """Both ids, or a place in the export's list, make an export; a batch answer is a list and none."""
    read = Read(save(tmp_path / "saved.json", value))
    assert [item.lane for item in read.found] == [lane]


def test_a_file_called_conversations_is_an_export(tmp_path):
    """Even where its conversations look like a batch answer."""
    assert Read(save(tmp_path / "conversations-002.json", [batched(1)])).found[0].lane == "export"


def test_an_id_that_stands_only_around_the_conversation_is_kept(tmp_path):
    """A wrapper's id, or the key a conversation stands under, becomes part of it; its own id wins."""
    bare = {"title": "T", "mapping": {}}
    uuid = "0c1d2e3f-0000-4000-8000-00000000abcd"
    value = {uuid: bare, "w": {"conversation_id": "around", "conversation": bare}, "own": conversation(3), "key": bare}
    read = Read(save(tmp_path / "saved.json", value))
    assert [item.payload.get("conversation_id") for item in read.found] == [uuid, "around", "id-3", None]


def test_a_bare_list_of_messages_is_one_conversation(tmp_path):
    """Messages, or nodes that hold them, without anything around."""
    message = conversation(1)["mapping"]["m"]["message"]
    read = Read(save(tmp_path / "flat.json", [message, message]))
    assert read.found[0].payload == {"messages": [message, message]}
    read = Read(save(tmp_path / "wrapped.json", [{"message": message, "conversation_id": "c"}]))
    assert read.found[0].payload == {
        "messages": [{"message": message, "conversation_id": "c"}],
        "conversation_id": "c",
    }
    node = {"id": "n", "parent": None, "message": message}
    assert Read(save(tmp_path / "nodes.json", [node])).found[0].payload == {"mapping": [node]}


def test_messages_of_several_conversations_are_not_taken_for_one(tmp_path):
    """A list that mixes them is no conversation."""
    message = conversation(1)["mapping"]["m"]["message"]
    mixed = [{"message": message, "conversation_id": name} for name in ("a", "b")]
    assert not Read(save(tmp_path / "flat.json", mixed)).found


def test_answers_that_a_browser_recorded(tmp_path):
    """A HAR file gives the conversations among its answers, packed or not, and ignores all the rest."""
    bodies = [json.dumps(single(1)), "<html>", "{cut", json.dumps([batched(2), batched(3)]), ""]
    entries = [{"request": {}, "response": {"content": {"text": body}}} for body in bodies]
    packed = base64.b64encode(json.dumps(plural(4)).encode()).decode()
    entries += [{"response": {"content": {"text": packed, "encoding": "base64"}}}, {"response": {}}]
    read = Read(save(tmp_path / "site.json", {"log": {"version": "1.2", "entries": entries}}))
    assert read.titles == ["Title 1", "Title 2", "Title 3", "P"]
    assert {item.lane for item in read.found} == {"capture"}
    assert read.found[1].source == "site.json:log:entries[3][0]"


def test_files_of_other_things_are_skipped_and_not_complained_of(tmp_path):
    """A page of the list, the export's side files and unrelated JSON are told as skipped."""
    row = {"id": "a", "title": "T", "create_time": "2026", "update_time": "2026", "mapping": None}
    save(tmp_path / "page.json", {"items": [row, row], "total": 2, "limit": 28, "offset": 0})
    save(tmp_path / "package.json", {"name": "x", "data": [{"a": 1}], "items": []})
    save(tmp_path / "numbers.json", [1, 2, {"a": []}])
    for name in ("user.json", "message_feedback.json", "shared_conversations.json", "group_chats.json", "chat.html"):
        save(tmp_path / name, [row])
    save(tmp_path / "conversations.json", TWO)
    save(tmp_path / "picture.png", b"\x89PNG")
    save(tmp_path / "file-AbCdEfGhIjKlMnOpQrStUv-conversations.json", [conversation(9)])
    read = Read(tmp_path)
    assert read.titles == ["Title 1", "Title 2"]
    assert not read.problems
    assert len(read.skipped) == 8


def test_a_folder_is_read_in_order_and_without_following_links(tmp_path):
    """Shards come by number, sources are relative, and a link out of the folder is not followed."""
    folder, outside = tmp_path / "export", save(tmp_path / "outside.json", [conversation(99)])
    for n in (10, 2, 0):
        save(folder / f"conversations-{n}.json", [conversation(n)])
    save(folder / "deeper" / "one.json", single(50))
    (folder / "link.json").symlink_to(outside)
    (folder / "linked").symlink_to(tmp_path)
    (folder / "loop").symlink_to(folder)
    read = Read(folder)
    assert read.titles == ["Title 0", "Title 2", "Title 10", "Title 50"]
    assert read.sources[0] == "export/conversations-0.json[0]"
    assert read.sources[3] == "export/deeper/one.json"
    assert [item.source for item in read.skipped] == ["export/link.json"]


@pytest.mark.parametrize("form", ["folder", "zip", "zip with a folder"])
def test_a_shard_that_the_manifest_names_and_is_not_there(tmp_path, form):
    """The missing shard is told by name, those that are there come, wherever the manifest lies."""
    files = ["conversations-000.json", "conversations-001.json", "more.json"]
    manifest = {"version": 1, "logical_files": {"conversations.json": {"files": files, "sharded": True}}}
    manifest["logical_files"]["user.json"] = {"files": ["user.json"], "sharded": False}
    members = {"export_manifest.json": manifest, files[0]: [conversation(0)], files[2]: [conversation(2), None]}
    if form == "folder":
        for name, value in members.items():
            save(tmp_path / "export" / name, value)
        read = Read(tmp_path / "export")
    else:
        under = "some/folder/" if "folder" in form else ""
        read = Read(zipped(tmp_path / "export", {under + name: value for name, value in members.items()}))
    assert read.titles == ["Title 0", "Title 2"]
    assert len(read.problems) == 2
    assert read.problems[0].source.endswith("/conversations-001.json")
    assert "missing" in read.problems[0].reason
    assert read.problems[1].source.endswith("more.json[1]")


def test_a_shard_that_only_the_list_of_files_names(tmp_path):
    """The manifest's second list counts as well."""
    files = [{"path": f"conversations-00{n}.json", "size_bytes": 9} for n in range(2)] + [{"path": "chat.html"}]
    save(tmp_path / "export" / "export_manifest.json", {"logical_files": {}, "export_files": files})
    save(tmp_path / "export" / "conversations-000.json", [conversation(0)])
    read = Read(tmp_path / "export")
    assert read.titles == ["Title 0"]
    assert [problem.source for problem in read.problems] == ["export/conversations-001.json"]


def test_a_zip_with_everything_under_a_folder(tmp_path):
    """The name of the ZIP and of the member tell where each conversation stood."""
    path = zipped(tmp_path / "export.zip", {"a/b/conversations.json": TWO, "a/image.png": b"PNG", "a/user.json": {}})
    read = Read(path)
    assert read.sources == ["export.zip/a/b/conversations.json[0]", "export.zip/a/b/conversations.json[1]"]
    assert [item.source for item in read.skipped] == ["export.zip/a/user.json"]


def test_zips_in_a_zip(tmp_path):
    """The privacy portal's form: the export's ZIPs inside another one."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as opened:
        opened.writestr("conversations.json", json.dumps(TWO))
    names = {"User Online Activity/Conversations__1.zip": inner.getvalue(), "Files__1.zip": inner.getvalue()[:-9]}
    read = Read(zipped(tmp_path / "portal.zip", names))
    assert read.titles == ["Title 1", "Title 2"]
    assert read.sources[0] == "portal.zip/User Online Activity/Conversations__1.zip/conversations.json[0]"
    assert [item.source for item in read.problems] == ["portal.zip/Files__1.zip"]


@pytest.mark.parametrize("name", ["export.zip", "conversations.json", "folder"])
def test_progress_reaches_its_total(tmp_path, name):
    """A progress bar ends full."""
    if name == "export.zip":
        zipped(tmp_path / name, {"conversations.json": TWO, "x.json": [single(3)], "user.json": {}})
    elif name == "folder":
        save(tmp_path / name / "a.json", TWO)
        save(tmp_path / name / "b.json", b"nonsense")
    else:
        save(tmp_path / name, TWO)
    read = Read(tmp_path / name, chunk=100)
    assert read.position == read.total > 0


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
def test_a_hopeless_file_is_refused_by_name(tmp_path, content, said):
    """One sentence with the file and what is wrong, before anything is read."""
    path = tmp_path / "thing.bin"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=said) as caught:
        open_archive(path)
    assert str(path) in caught.value.message


@pytest.mark.parametrize("names", [[], ["user.json", "chat.html"], ["picture.png"]])
def test_a_folder_or_zip_without_conversations_is_refused(tmp_path, names):
    """Nothing there that could hold one."""
    (tmp_path / "folder").mkdir()
    for name in names:
        save(tmp_path / "folder" / name, {})
    zipped(tmp_path / "export.zip", [(name, {}) for name in names])
    for path in (tmp_path / "folder", tmp_path / "export.zip"):
        with pytest.raises(UsageError, match="no conversations"):
            open_archive(path)


def test_an_unreadable_file_is_refused(tmp_path, monkeypatch):
    """What the system says stands in the sentence."""
    path = save(tmp_path / "conversations.json", TWO)

    def refuse(*_args):
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


@pytest.mark.parametrize(
    ("name", "held", "count"),
    [
        ("conversations.json", [CLAUDE] * 30, "30 conversations"),
        ("chat.json", CLAUDE, "1 conversation"),
        ("c.jsonl", CLAUDE, "1 conversation"),
        ("chats.json", {"conversations": [CLAUDE, CLAUDE]}, "2 conversations"),
        ("page.json", {"data": [{**CLAUDE, "chat_messages": []}], "has_more": False}, "1 conversation"),
    ],
)
def test_an_export_of_another_service_is_called_by_its_name(tmp_path, name, held, count):
    """Somebody who picks the wrong ZIP reads once what it is, however many conversations it holds."""
    said = f"holds {count} of Claude (claude.ai), and only those of ChatGPT can be imported"
    read = Read(save(tmp_path / name, held))
    assert not read.found
    assert [(problem.source, problem.reason) for problem in read.problems] == [(name, said)]
    inside = zipped(tmp_path / "data.zip", {name: held, "users.json": [{"uuid": "u", "full_name": "N"}]})
    told = [*Read(inside).problems, *Read(inside).skipped]
    assert (f"data.zip/{name}", said) in [(item.source, item.reason) for item in told]


def test_conversations_of_chatgpt_beside_those_of_another_service_come(tmp_path):
    """A file that somebody merged gives what can be read of it."""
    read = Read(save(tmp_path / "all.json", [CLAUDE, conversation(1), CLAUDE]))
    assert read.titles == ["Title 1"]
    assert [problem.reason[:33] for problem in read.problems] == ["holds 2 conversations of Claude ("]


def test_answers_of_the_compliance_interface_are_called_by_their_name(tmp_path):
    """Conversations of a form that is not read are told as such."""
    record = {"object": "compliance.workspace.conversation", "id": "x", "messages": {"object": "list", "data": []}}
    (problem,) = Read(save(tmp_path / "c.json", {"object": "list", "data": [record]})).problems
    assert problem.reason.startswith("holds 1 conversation of OpenAI's Compliance API")


@pytest.mark.parametrize("held", [{"detail": {"code": "token_expired"}}, {}])
def test_a_file_named_by_itself_that_holds_nothing_is_a_problem(tmp_path, held):
    """Whoever names one file is told why nothing came of it; lying in a folder the same file is passed over."""
    path = save(tmp_path / "saved.json", held)
    assert [problem.reason for problem in Read(path).problems] == ["is an object that is no conversation"]
    assert not Read(tmp_path).problems
