"""Every file that a message names is found, wherever the message names it, and each file once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.normalize import normalize
from mirror.normalize.chatgpt.file_references import file_id_in
from mirror.normalize.chatgpt.message import message_row

if TYPE_CHECKING:
    from mirror.rows import Attachment

A, B, C = "file_" + "a" * 32, "file_" + "b" * 32, "file-" + "C" * 22
PICTURE = {"content_type": "image_asset_pointer", "asset_pointer": f"sediment://{A}", "width": 4, "height": 3}


def files(
    content: Any = "x", role: str = "user", metadata: dict[str, Any] | None = None, **fields: Any
) -> list[Attachment]:
    if not isinstance(content, dict):
        content = {"content_type": "text", "parts": content if isinstance(content, list) else [content]}
    raw = {"id": "m1", "author": {"role": role}, "content": content, "metadata": metadata or {}, **fields}
    return list(message_row("n1", None, raw, "c1")[0].attachments)


def found(*given: Any, **named: Any) -> list[tuple[str | None, str, str | None]]:
    return [(one.file_id, one.kind, one.source) for one in files(*given, **named)]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"attachments": [{"id": A, "name": "a.pdf", "size": 3}]}, [(A, "file", "upload")]),
        ({"attachments": [{"id": A, "mimeType": "image/png"}]}, [(A, "image", "upload")]),
        ({"attachments": [{"library_file_id": "libfile_9", "name": "x"}]}, [("libfile_9", "file", "library")]),
        ({"attachments": [{"id": A, "source": "library"}]}, [(A, "file", "library")]),
        ({"dictation_asset_pointer": f"sediment://{A}"}, [(A, "audio", "voice")]),
        ({"mask_pointer": f"sediment://{A}"}, [(A, "image", "upload")]),
        ({"mask_attachment": {"id": A}}, [(A, "image", "upload")]),
        ({"content_references": [{"type": "file", "id": A, "name": "q"}]}, [(A, "file", "upload")]),
        ({"content_references": [{"type": "file", "file_id": A}]}, [(A, "file", "code")]),
        ({"content_references": [{"type": "webpage", "id": "turn0search0"}]}, []),
        ({"n7jupd_crefs": [{"id": C}]}, [(C, "file", "upload")]),
        ({"n7jupd_crefs_by_file": {C: [{"id": C}]}}, [(C, "file", "upload")]),
        (
            {"mounted_library_file_references": [{"mounted_library_file_id": "mnt_1", "name": "d"}]},
            [("mounted:mnt_1", "file", "library")],
        ),
        ({"dalle": {"watermarked_asset_pointer": f"sediment://{A}"}}, [(A, "image", "upload")]),
    ],
)
def test_what_the_metadata_names_is_found(where: dict[str, Any], expected: list[Any]) -> None:
    assert found(metadata=where) == expected


@pytest.mark.parametrize("name", ["video_asset_pointer", "simple_image_asset_pointer", "arbitrary_asset_pointer"])
def test_every_type_of_pointer_is_found(name: str) -> None:
    part = {"content_type": name, "asset_pointer": f"sediment://{A}"}
    assert [one[0] for one in found([part])] == [A]


def test_a_spoken_turn_holds_its_recordings_inside() -> None:
    inner = {"content_type": "audio_asset_pointer", "asset_pointer": f"sediment://{A}", "size_bytes": 7}
    turn = {
        "content_type": "real_time_user_audio_video_asset_pointer",
        "audio_asset_pointer": inner,
        "frames_asset_pointers": [{"asset_pointer": f"sediment://{B}"}],
        "video_container_asset_pointer": f"sediment://{'file_' + 'd' * 32}",
    }
    assert {(one[0], one[1]) for one in found([turn])} == {
        (A, "audio"),
        (B, "image"),
        ("file_" + "d" * 32, "video"),
    }


def test_a_generated_picture_has_its_prompt_and_a_plot_is_of_code() -> None:
    dalle = {**PICTURE, "metadata": {"dalle": {"prompt": "a loaf"}}}
    made = files({"content_type": "multimodal_text", "parts": [dalle]}, "tool")
    assert [(one.source, one.prompt, one.width, one.height) for one in made] == [("generated", "a loaf", 4, 3)]
    titled = files({"content_type": "multimodal_text", "parts": [PICTURE]}, "tool", {"image_gen_title": "Loaf"})
    assert [(one.source, one.prompt) for one in titled] == [("generated", "Loaf")]
    plot = {"messages": [{"message_type": "image", "image_url": f"file-service://{C}"}]}
    assert found("ran", "tool", {"aggregate_result": plot}) == [(C, "image", "code")]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("Done: [a](sandbox:/mnt/data/a.pdf)", "/mnt/data/a.pdf"),
        ("[a b](sandbox:/mnt/data/my file (2).csv) and", "/mnt/data/my file (2).csv"),
        ("[a](sandbox:/mnt/data/a%20b.csv?x=1#y)", "/mnt/data/a b.csv"),
        ("see <sandbox:/mnt/data/x y.txt>", "/mnt/data/x y.txt"),
        ("see sandbox:/mnt/data/plain.txt.", "/mnt/data/plain.txt."),
    ],
)
def test_links_to_the_sandbox_are_found(text: str, path: str) -> None:
    assert [one.file_id for one in files(text, "assistant")] == [f"sandbox:c1/m1{path}"]


@pytest.mark.parametrize("path", ["../../etc/passwd", "a/../../b", "", "a%00b", "a%0ab"])
def test_a_path_that_leads_elsewhere_names_no_file(path: str) -> None:
    assert files(f"[a](sandbox:/mnt/data/{path})", "assistant") == []


def test_a_person_can_write_of_the_sandbox_without_naming_a_file() -> None:
    assert files("what is [a](sandbox:/mnt/data/a.pdf)?", "user") == []


def test_a_mark_in_the_text_names_a_file() -> None:
    assert found(f"As {{{{file:{C}}}}} says", "assistant") == [(C, "file", "upload")]


def test_all_pointers_of_one_file_are_one_attachment() -> None:
    thumbnail = f"sediment://{'0' * 40}#{A}#thumbnail"
    page = f"sediment://{'0' * 40}#{A}#p_0.{'1' * 40}.jpg"
    parts = [PICTURE, *({"content_type": "image_asset_pointer", "asset_pointer": one} for one in (thumbnail, page))]
    uploads = [{"id": A, "name": "cat.png", "mime_type": "image/png", "size": 9}]
    assert [(one.file_id, one.name, one.size) for one in files(parts, metadata={"attachments": uploads})] == [
        (A, "cat.png", 9)
    ]


@pytest.mark.parametrize(
    ("pointer", "file_id"),
    [
        (f"sediment://{A}?shared=1", A),
        (f"file-service://{C}", C),
        (f"{'0' * 40}#{A}#unfurl", A),
        (f"{A}#thumbnail", A),
        ("CalpicoFile_1", "CalpicoFile_1"),
        ("../../x", None),
        ("a/b", None),
        ("a#b", None),
        ("libdir_1", None),
        ("x" * 300, None),
        ("https://evil.test/a", None),
        ("", None),
    ],
)
def test_only_what_fits_a_request_is_an_id(pointer: str, file_id: str | None) -> None:
    assert file_id_in(pointer) == file_id


def test_files_on_every_branch_are_found() -> None:
    def node(n: str, parent: str | None, pointer: str) -> dict[str, Any]:
        part = {"content_type": "image_asset_pointer", "asset_pointer": pointer}
        content = {"content_type": "multimodal_text", "parts": [part]}
        return {"id": n, "parent": parent, "message": {"id": n, "author": {"role": "user"}, "content": content}}

    mapping = {"r": {"id": "r", "parent": None, "message": None}}
    mapping |= {"a": node("a", "r", f"sediment://{A}"), "b": node("b", "r", f"sediment://{B}")}
    payload = {"conversation_id": "c", "mapping": mapping, "current_node": "b"}
    rows = normalize("chatgpt", payload).messages
    assert {one.file_id for row in rows for one in row.attachments} == {A, B}


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from([f"sediment://{A}", "sandbox:/mnt/data/é"]),
    lambda held: st.lists(held) | st.dictionaries(st.text() | st.sampled_from(["attachments", "id", "parts"]), held),
    max_leaves=20,
)


@given(_json, _json)
def test_no_shape_of_a_message_raises(content: Any, metadata: Any) -> None:
    message_row("n", None, {"id": "m", "content": content, "metadata": metadata}, "c")
