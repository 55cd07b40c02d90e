"""The demo's account: every known form of content is in it, nothing about it is broken, it is the same every time."""

from __future__ import annotations

import json
import random
import re
import uuid
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from mirror.normalize import normalize
from mirror.simulator import ManualClock, demo_account
from mirror.simulator.story.demo_account import UNIQUE_WORDS
from mirror.simulator.story.draft import Drafts

if TYPE_CHECKING:
    from mirror.rows import Message

DAY = 86_400


def words(text):
    return set(text.split())


CONTENT_TYPES = words("""
    text multimodal_text code execution_output tether_quote tether_browsing_display tether_browsing_code system_error
    user_editable_context model_editable_context thoughts reasoning_recap sonic_webpage computer_output
    citable_code_output app_pairing_content system_message system_content super_widget
""")
PART_TYPES = words("""
    image_asset_pointer audio_transcription audio_asset_pointer real_time_user_audio_video_asset_pointer
    video_container_asset_pointer
""")
REFERENCE_TYPES = words("""
    grouped_webpages grouped_webpages_model_predicted_fallback webpage webpage_extended attribution sources_footnote
    hidden file nav_list alt_text image_v2
""")
MARKS = words("cite filecite navlist image_group entity video url i")
CITATION_FORMATS = words("tether_og tether_v4 tether_markdown")
# API notes §3.2: what a single read says of every conversation.
TOP_LEVEL = words("""
    title create_time update_time mapping moderation_results current_node plugin_ids conversation_id
    conversation_template_id gizmo_id gizmo_type is_archived is_starred safe_urls blocked_urls default_model_slug
    conversation_origin is_read_only voice async_status disabled_tool_ids is_do_not_remember is_temporary_chat
    memory_scope context_scopes context_truncation_continuation sugar_item_id sugar_item_visible is_study_mode
    atlas_mode_enabled owner pinned_time workspace_id
""")
# API notes §3.6, and the two that §4.2 and §3.5 add.
METADATA = words("""
    model_slug default_model_slug resolved_model_slug parent_id request_id turn_exchange_id working_turn_id message_type
    message_source timestamp_ is_complete finish_details is_visually_hidden_from_conversation is_user_system_message
    user_context_message_data attachments citations _cite_metadata content_references search_result_groups
    conversation_context_citation_metadata search_queries image_results canvas aggregate_result reasoning_status
    reasoning_title reasoning_titles finished_duration_sec reasoning_start_time reasoning_end_time cot_version
    thinking_effort summary_type dictation dictation_asset_pointer dictation_original_text voice_mode_message
    async_task_id async_task_type async_task_title gizmo_id command args invoked_plugin invoked_resource system_hints
    selected_sources serialization_metadata skill_name chatgpt_sdk connector_tool_payload
    branching_from_conversation_id branching_from_conversation_title branching_from_conversation_owner
""")
# API notes §4: where the text of each content type and part is, and what else is in it.
CONTENT_KEYS = words("""
    text parts language response_format_name title url domain tether_id result summary assets name user_profile
    user_instructions model_set_context repository repo_summary structured_context thoughts chunks finished
    source_analysis_msg_id content snippet pub_date pub_timestamp crawl_date ref_id screenshot state os output_str
    workspaces widgets navlinks videos news asset_pointer size_bytes width height fovea dalle gen_id prompt seed
    parent_gen_id edit_op serialization_title generation gen_size gizmo sanitized watermarked_asset_pointer
    container_pixel_width container_pixel_height direction decoding_id format expiry_datetime start end
    audio_asset_pointer frames_asset_pointers video_container_asset_pointer audio_start_timestamp
""")


def made(seed=1):
    return demo_account(ManualClock(), random.Random(seed))


def data_of(account):
    """All that the account holds, as plain data."""
    return {part: getattr(account, part) for part in ("conversations", "projects", "gpts", "memories", "instructions")}


@pytest.fixture(scope="module")
def account():
    return made()


@pytest.fixture(scope="module")
def chats(account):
    return list(account.conversations.values())


def messages_of(chats):
    return [node["message"] for chat in chats for node in chat["mapping"].values() if node["message"]]


@pytest.fixture(scope="module")
def messages(chats):
    return messages_of(chats)


@pytest.fixture(scope="module")
def normalized(chats):
    return [normalize("chatgpt", chat) for chat in chats]


def parts_of(message):
    return [part for part in message["content"].get("parts", []) if isinstance(part, dict)]


def text_of(message):
    return "".join(part for part in message["content"].get("parts", []) if isinstance(part, str))


def listed(messages, key):
    return [record for message in messages for record in message["metadata"].get(key, [])]


def readable(value):
    return json.dumps(value, ensure_ascii=False).casefold()


def keys_in(value):
    found: set[str] = set()
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            found.update(one)
        left += one.values() if isinstance(one, dict) else one if isinstance(one, list) else []
    return found


def titled(chats, title):
    return next(chat for chat in chats if chat["title"] == title)


# -- every form of content


def test_every_content_type_is_there(messages):
    """The demo shows every kind of content that the service is known to have, and no other."""
    assert {message["content"]["content_type"] for message in messages} == CONTENT_TYPES


def test_every_part_type_is_there(messages):
    """Pictures, sound, spoken words and video are among the parts of messages."""
    assert {part["content_type"] for message in messages for part in parts_of(message)} == PART_TYPES


def test_every_kind_of_citation_is_there(messages):
    """References, marks and older citations of every kind are in some answer, and marks without a reference."""
    assert {reference["type"] for reference in listed(messages, "content_references")} == REFERENCE_TYPES
    texts = "\n".join(text_of(message) for message in messages)
    assert set(re.findall("\ue200([a-z_]+)", texts)) == MARKS
    assert "\ue203" in texts
    assert "\ue204" in texts
    assert re.search("\u3010\\d+\u2020source\u3011", texts)
    assert {c["citation_format_type"] for c in listed(messages, "citations")} == CITATION_FORMATS
    footnotes = [r for r in listed(messages, "content_references") if r["type"] == "sources_footnote"]
    assert {note["matched_text"] for note in footnotes} == {" ", ""}


def test_citations_point_at_their_marks(messages):
    """A reference's span is the mark that it explains; only footnotes explain nothing in the text."""
    for message in messages:
        text = text_of(message)
        for reference in message["metadata"].get("content_references", []):
            if reference["type"] == "sources_footnote":
                assert reference["matched_text"].strip() == ""
            else:
                assert text[reference["start_idx"] : reference["end_idx"]] == reference["matched_text"] != ""
        for citation in message["metadata"].get("citations", []):
            assert text[citation["start_ix"] : citation["end_ix"]].strip()


def test_every_known_key_is_there(chats, messages):
    """Each field that the service is known to send is sent by the simulator too."""
    assert [key for chat in chats for key in TOP_LEVEL if key not in chat] == []
    assert METADATA - {key for message in messages for key in message["metadata"]} == set()
    assert CONTENT_KEYS - keys_in([message["content"] for message in messages]) == set()
    assert not any("id" in chat for chat in chats)  # single reads carry conversation_id only


def test_files_have_both_generations_of_addresses(messages):
    """Old and new picture addresses, a PDF, a table, a picture, and a file out of the sandbox are among the files."""
    pointers = {part["asset_pointer"] for message in messages for part in parts_of(message) if "asset_pointer" in part}
    assert {pointer.partition("://")[0] for pointer in pointers} == {"file-service", "sediment"}
    types = {attachment["mime_type"] for attachment in listed(messages, "attachments")}
    assert {"application/pdf", "text/csv", "image/jpeg"} <= types
    assert any("](sandbox:/mnt/data/" in text_of(message) for message in messages)


def test_nothing_is_left_to_the_general_rule(chats, normalized):
    """The mirror knows each form of content in the account by name."""
    unknown = {chat["title"]: found.not_understood for chat, found in zip(chats, normalized, strict=True)}
    assert {title: names for title, names in unknown.items() if names} == {}


# -- sound in form


def test_trees_are_sound(chats):
    """Parents and children agree, there is one root, and the page opens at a leaf."""
    for chat in chats:
        mapping = chat["mapping"]
        assert [key for key, node in mapping.items() if node["parent"] is None] == [next(iter(mapping))]
        assert next(iter(mapping.values()))["message"] is None
        for key, node in mapping.items():
            assert key == node["id"] == (node["message"] or node)["id"]
            assert all(mapping[child]["parent"] == key for child in node["children"])
            assert node["parent"] is None or key in mapping[node["parent"]]["children"]
        assert mapping[chat["current_node"]]["children"] == []


def test_ids_are_unique_but_for_the_branched_chat(chats):
    """Messages share an id only where one chat was branched from another; ids look like the service's."""
    keys = [chat["conversation_id"] for chat in chats]
    assert len(set(keys)) == len(keys)
    counts = Counter(message["id"] for message in messages_of(chats))
    source = titled(chats, "Read my flour invoices with Python")
    assert {key for key, n in counts.items() if n > 1} == {m["id"] for m in messages_of([source])}
    assert max(counts.values()) == 2
    assert all(str(uuid.UUID(key)) == key and uuid.UUID(key).version == 4 for key in [*keys, *counts])


def test_roots_have_both_forms(chats):
    """Newer chats all name their root alike, older ones by an id of its own."""
    roots = [next(iter(chat["mapping"])) for chat in chats]
    assert roots.count("client-created-root") > 1
    assert len(set(roots)) > 10


def test_the_last_message_is_the_update_and_the_chats_span_three_years(account, chats):
    """Lists order chats by their last message, and nothing is dated in the future."""
    now = account.clock()
    for chat in chats:
        times = [message["create_time"] for message in messages_of([chat])]
        assert None in times  # hidden system nodes have no time
        assert chat["create_time"] < chat["update_time"] == max(time for time in times if time is not None) < now
    assert now - 3 * 366 * DAY < min(chat["create_time"] for chat in chats) < now - 2.5 * 365 * DAY
    assert max(chat["update_time"] for chat in chats) > now - DAY


def test_the_account_is_the_same_each_time(account):
    """The same moment and seed make the same account; another seed gives other ids."""
    assert data_of(made()) == data_of(account)
    assert not made(2).conversations.keys() & account.conversations.keys()


def test_it_survives_json(account):
    """What goes over HTTP comes back equal, a lone surrogate and NUL included."""
    sent = json.dumps(data_of(account))
    assert json.loads(sent) == data_of(account)
    assert re.search(r"\\ud83e(?!\\ud[c-f])", sent)
    assert "\\u0000" in sent


def test_nobody_real_is_named(account):
    """No mailbox is named anywhere, and web addresses are examples or general documentation."""
    text = json.dumps(data_of(account))
    assert not re.findall(r"[\w.+-]@[\w-]", text)
    hosts = set(re.findall(r"https?://([\w.-]+)", text))
    assert hosts == {"example.org", "example.com", "example.net", "docs.python.org", "www.sqlite.org"}


def test_paragraphs_are_lines(messages):
    """A reader's page wraps prose itself; a code block keeps its lines."""
    texts = [text_of(message) for message in messages]
    mould = next(text for text in texts if text.startswith("That looks like **kahm yeast**"))
    assert "*fuzzy*, in round spots" in mould
    assert any("cut off.\n2. `" in text for text in texts)
    assert any("import csv\nfrom decimal import Decimal\n" in text for text in texts)


# -- what a search finds


@pytest.mark.parametrize(("kind", "word"), UNIQUE_WORDS.items())
def test_a_unique_word_is_in_one_place(account, chats, messages, normalized, kind, word):
    """A search for the word finds one message or one title, and the mirror keeps it readable there."""
    wanted = word.casefold()
    found = [message for message in messages if wanted in readable(message)]
    titles = [chat["title"] for chat in chats if wanted in readable(chat["title"])]
    assert len(found) + len(titles) == 1, kind
    others = (account.projects, account.gpts, account.memories, account.instructions)
    assert not any(wanted in readable(part) for part in others)
    rows = [row for conversation in normalized for row in conversation.messages]
    in_text = [row for row in rows if wanted in row.text.casefold()]
    in_names = [row for row in rows if any(wanted in (file.name or "").casefold() for file in row.attachments)]
    assert {row.id for row in [*in_text, *in_names]} == {message["id"] for message in found}


def test_a_unique_word_is_where_its_key_says(normalized):
    """Each word is in the kind of content that its key names."""
    rows: dict[str, Message] = {}
    for conversation in normalized:
        for row in conversation.messages:
            rows |= {kind: row for kind, word in UNIQUE_WORDS.items() if word.casefold() in row.text.casefold()}
    wanted = {
        "code": "code",
        "tool output": "output",
        "canvas": "canvas",
        "thoughts": "reasoning",
        "quote": "quote",
        "voice": "voice",
        "system error": "error",
        "memory": "context",
        "webpage": "quote",
    }
    assert {kind: rows[kind].kind for kind in wanted} == wanted
    assert all(rows[kind].position is None for kind in ("abandoned branch", "edited prompt", "unchosen answer"))
    assert all(rows[kind].position is not None for kind in ("cjk", "long answer", "right to left"))
    assert [file.name for file in rows["file name"].attachments] == ["quincewood-sales.csv"]
    assert rows["deep research"].role == "tool"
    assert len(rows["long answer"].text) > 2000


def test_sourdough_is_found_in_several_chats(chats):
    """The word that README searches for finds the chat about the starter, and others."""
    found = [chat["title"] for chat in chats if "sourdough" in readable(chat)]
    assert len(found) >= 5
    assert "Reviving a neglected sourdough starter" in found


# -- states of a chat


def test_every_state_of_a_chat_is_there(account, chats, messages):
    """Archived, starred, pinned, untitled, scheduled, blocked, unfinished, very long; in projects and with a GPT."""
    assert 36 <= len(chats) <= 50
    for field in ("is_archived", "is_starred", "pinned_time", "is_automation_conversation"):
        assert any(chat.get(field) for chat in chats), field
    assert any(chat["title"] is None for chat in chats)
    assert any(message["status"] == "in_progress" for message in messages)
    for gizmo_type, gizmos in (("snorlax", account.projects), ("gpt", account.gpts)):
        assert {chat["gizmo_id"] for chat in chats if chat["gizmo_type"] == gizmo_type} == gizmos.keys()
    assert all(chat["conversation_template_id"] == chat["gizmo_id"] for chat in chats)
    assert all((chat["gizmo_id"] is None) == (chat["gizmo_type"] is None) for chat in chats)
    assert all((chat["memory_scope"] == "project_v2") == (chat["gizmo_type"] == "snorlax") for chat in chats)
    blocked = [result["message_id"] for chat in chats for result in chat["moderation_results"] if result["blocked"]]
    assert blocked
    assert all(any(key in chat["mapping"] for chat in chats) for key in blocked)
    assert max(len(chat["mapping"]) for chat in chats) >= 300
    stopped = titled(chats, "A website for the bakery")
    assert stopped["async_status"] is None
    assert stopped["mapping"][stopped["current_node"]]["message"]["status"] == "in_progress"


def test_projects_memories_and_instructions_have_their_shape(account):
    """Each project has a face and instructions of its own; memories and instructions all their fields."""
    for project in account.projects.values():
        assert re.fullmatch("g-p-[0-9a-f]{32}", project["id"])
        assert project["short_url"].startswith(project["id"])
        assert project["instructions"]
        assert project["display"]["description"]
        assert not project["display"]["emoji"].isascii()
        assert {"memory_scope", "created_at", "updated_at", "files"} <= project.keys()
    themes = {project["display"]["theme"] for project in account.projects.values()}
    assert len(themes) == len(account.projects) == 3
    row = {"id", "content", "updated_at", "created_timestamp", "gizmo_id", "status", "conversation_id", "labels"}
    assert account.memories
    assert all(memory.keys() == row for memory in account.memories)
    assert account.instructions["object"] == "user_system_message_detail"
    assert account.instructions["enabled"] is True


def test_branches_are_there(chats):
    """A prompt was edited and an answer given again; one chat begins with another chat's messages."""
    edited = titled(chats, "Croissant lamination schedule")
    assert sorted(len(node["children"]) for node in edited["mapping"].values())[-2:] == [2, 2]
    assert edited["current_node"] != list(edited["mapping"])[-1]
    source, branched = (
        titled(chats, "Read my flour invoices with Python"),
        titled(chats, "Branch: invoices into SQLite"),
    )
    assert source["mapping"].keys() < branched["mapping"].keys()
    assert source["conversation_id"] != branched["conversation_id"]


def test_the_kept_answer_is_neither_first_nor_last(chats):
    """An edited question and an answer given three times: the page shows the second, and goes on from it."""
    chat = titled(chats, "Baker's percentages from the beginning")
    children = sorted(len(node["children"]) for node in chat["mapping"].values())
    assert children[-2:] == [2, 3]
    shown = {row.id for row in normalize("chatgpt", chat).messages if row.position is not None}
    siblings = next(node["children"] for node in chat["mapping"].values() if len(node["children"]) == 3)
    assert [key in shown for key in siblings] == [False, True, False]
    assert len(text_of(chat["mapping"][siblings[1]]["message"])) > 2000


def test_a_full_chat_goes_on_in_another(chats):
    """The continued chat names the long one and a message in each."""
    chat = titled(chats, "A Japanese word a day, continued")
    continuation = chat["context_truncation_continuation"]
    source = next(c for c in chats if c["conversation_id"] == continuation["source_conversation_id"])
    assert len(source["mapping"]) > 300
    assert continuation["boundary_message_id"] in source["mapping"]
    assert continuation["visible_from_message_id"] in chat["mapping"]


def test_a_draft_adds_each_message_after_the_last():
    """Messages are in the order in which they were written, and go on from a marked one where another branch begins."""
    draft = Drafts(ManualClock()(), random.Random(3)).begin("Title", 1).system().user("one").mark("one")
    draft.assistant("two").branch_at("one").assistant("three")
    rows = normalize("chatgpt", draft.conversation).messages
    assert [row.text for row in rows if row.text] == ["one", "two", "three"]
    assert [row.text for row in rows if row.text and row.position is not None] == ["one", "three"]
