"""The demonstration's account as the simulator serves it: complete in form, sound, and the same every time."""

import json
import random
import re
import uuid
from collections import Counter

import pytest

from mirror.normalize import normalize
from mirror.simulator import demo_account
from mirror.simulator.corpus import RECALL, demo_account_data
from mirror.simulator.story.draft import Desk

NOW = 1_790_000_000.0
DAY = 86400


def words(text):
    return text.split()


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
MARKS = words("cite filecite navlist image_group entity video url")
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
# API notes §4: where the text of each content type and part lives, and what else is in it.
CONTENT_KEYS = words("""
    text parts language response_format_name title url domain tether_id result summary assets name user_profile
    user_instructions model_set_context repository repo_summary structured_context thoughts chunks finished
    source_analysis_msg_id content snippet pub_date pub_timestamp crawl_date ref_id screenshot state os output_str
    workspaces widgets navlinks videos news asset_pointer size_bytes width height fovea dalle gen_id prompt seed
    parent_gen_id edit_op serialization_title generation gen_size gizmo sanitized watermarked_asset_pointer
    container_pixel_width container_pixel_height direction decoding_id format expiry_datetime start end
    audio_asset_pointer frames_asset_pointers video_container_asset_pointer audio_start_timestamp
""")


@pytest.fixture(scope="module")
def data():
    return demo_account_data(NOW, random.Random(1))


@pytest.fixture(scope="module")
def chats(data):
    return data["conversations"]


def messages_of(chats):
    return [node["message"] for chat in chats for node in chat["mapping"].values() if node["message"]]


@pytest.fixture(scope="module")
def messages(chats):
    return messages_of(chats)


def parts_of(message):
    return [part for part in message["content"].get("parts", []) if isinstance(part, dict)]


def text_of(message):
    return "".join(part for part in message["content"].get("parts", []) if isinstance(part, str))


def listed(messages, key):
    return [record for message in messages for record in message["metadata"].get(key, [])]


def keys_in(value):
    found, left = set(), [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            found.update(one)
        left += one.values() if isinstance(one, dict) else one if isinstance(one, list) else []
    return found


def titled(chats, title):
    return next(chat for chat in chats if chat["title"] == title)


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_a_content_type_is_there(messages, content_type):
    """The demonstration shows every kind of content that the service is known to have."""
    assert content_type in {message["content"]["content_type"] for message in messages}


@pytest.mark.parametrize("part_type", PART_TYPES)
def test_a_part_type_is_there(messages, part_type):
    """Pictures, sound, spoken words and film are among the parts of messages."""
    assert part_type in {part["content_type"] for message in messages for part in parts_of(message)}


@pytest.mark.parametrize("reference_type", REFERENCE_TYPES)
def test_a_reference_type_is_there(messages, reference_type):
    """Some answer rests on every known kind of reference."""
    assert reference_type in {reference["type"] for reference in listed(messages, "content_references")}


def test_every_mark_and_older_citation_is_there(messages):
    """Both generations of citations stand in some answer, and marks that nothing explains."""
    texts = "\n".join(text_of(message) for message in messages)
    assert set(MARKS) <= set(re.findall("\ue200([a-z_]+)", texts))
    assert "\ue203" in texts
    assert "\ue204" in texts
    assert re.search("\u3010\\d+\u2020source\u3011", texts)
    assert set(CITATION_FORMATS) == {c["citation_format_type"] for c in listed(messages, "citations")}
    footnotes = [r for r in listed(messages, "content_references") if r["type"] == "sources_footnote"]
    assert {note["matched_text"] for note in footnotes} == {" ", ""}


def test_every_known_key_is_there(chats, messages):
    """Each field that the service is known to send is sent by the simulator too."""
    assert [key for chat in chats for key in TOP_LEVEL if key not in chat] == []
    assert set(METADATA) - {key for message in messages for key in message["metadata"]} == set()
    assert set(CONTENT_KEYS) - keys_in([message["content"] for message in messages]) == set()
    assert not any("id" in chat for chat in chats)  # single reads carry conversation_id only


def test_files_have_both_generations_of_addresses(messages):
    """Old and new picture addresses, a PDF, a table, a picture, and a file out of the sandbox are among the files."""
    pointers = {part["asset_pointer"] for message in messages for part in parts_of(message) if "asset_pointer" in part}
    assert {pointer.partition("://")[0] for pointer in pointers} == {"file-service", "sediment"}
    types = {attachment["mime_type"] for attachment in listed(messages, "attachments")}
    assert {"application/pdf", "text/csv", "image/jpeg"} <= types
    assert any("](sandbox:/mnt/data/" in text_of(message) for message in messages)


def test_trees_are_sound(chats):
    """Parents and children agree, everything hangs from one root, and the page opens at a leaf."""
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


def test_the_last_message_is_the_update_and_three_years_are_told(chats):
    """Lists order chats by what was said last, and nothing is dated in the future."""
    for chat in chats:
        times = [message["create_time"] for message in messages_of([chat])]
        assert None in times  # hidden system nodes have no time
        assert chat["create_time"] < chat["update_time"] == max(time for time in times if time is not None) < NOW
    assert NOW - 3 * 366 * DAY < min(chat["create_time"] for chat in chats) < NOW - 2.5 * 365 * DAY


def test_the_data_is_the_same_each_time(data):
    """The same moment and chance tell the same account; another chance gives other ids."""
    assert demo_account_data(NOW, random.Random(1)) == data
    other = demo_account_data(NOW, random.Random(2))["conversations"]
    assert not {c["conversation_id"] for c in other} & {c["conversation_id"] for c in data["conversations"]}


def test_it_survives_json(data):
    """What goes over the wire comes back equal, half an emoji and NUL included."""
    sent = json.dumps(data)
    assert json.loads(sent) == data
    assert re.search(r"\\ud83e(?!\\ud[c-f])", sent)
    assert "\\u0000" in sent


def test_nobody_real_is_named(data):
    """No mailbox stands anywhere, and web addresses are examples or general documentation."""
    text = json.dumps(data)
    assert not re.findall(r"[\w.+-]@[\w-]", text)
    hosts = set(re.findall(r"https?://([\w.-]+)", text))
    assert hosts <= {"example.org", "example.com", "example.net", "docs.python.org", "www.sqlite.org"}


@pytest.mark.parametrize(("kind", "word"), RECALL.items())
def test_a_word_to_recall_stands_in_one_place(data, chats, messages, kind, word):
    """A search for the word finds one message or one title, and the mirror keeps it readable there."""
    wanted = word.casefold()

    def holds(value):
        return wanted in json.dumps(value, ensure_ascii=False).casefold()

    found = [message for message in messages if holds(message)]
    titles = [chat["title"] for chat in chats if holds(chat["title"])]
    assert len(found) + len(titles) == 1, kind
    assert not any(holds(data[part]) for part in ("projects", "gpts", "memories", "instructions"))
    rows = [row for chat in chats for row in normalize("chatgpt", chat).messages]
    readable = [row for row in rows if wanted in row.text.casefold()]
    named = [row for row in rows if any(wanted in (file.name or "").casefold() for file in row.attachments)]
    assert {row.id for row in [*readable, *named]} == {message["id"] for message in found}


def test_nothing_is_left_to_a_general_rule(chats):
    """The mirror knows each form of content in the account by name."""
    unknown = {chat["title"]: normalize("chatgpt", chat).not_understood for chat in chats}
    assert {title: names for title, names in unknown.items() if names} == {}


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
    told = chat["context_truncation_continuation"]
    source = next(c for c in chats if c["conversation_id"] == told["source_conversation_id"])
    assert len(source["mapping"]) > 300
    assert told["boundary_message_id"] in source["mapping"]
    assert told["visible_from_message_id"] in chat["mapping"]


def test_places_and_states_of_chats_are_there(data, chats):
    """Archived, starred, pinned, untitled, scheduled, blocked, unfinished; in projects and with a GPT."""
    assert 36 <= len(chats) <= 50
    for field in ("is_archived", "is_starred", "pinned_time", "is_automation_conversation", "moderation_results"):
        assert any(chat.get(field) for chat in chats), field
    assert any(chat["title"] is None for chat in chats)
    assert any(message["status"] == "in_progress" for message in messages_of(chats))
    for gizmo_type, part in (("snorlax", "projects"), ("gpt", "gpts")):
        placed = {chat["gizmo_id"] for chat in chats if chat["gizmo_type"] == gizmo_type}
        assert placed == {gizmo["id"] for gizmo in data[part]}
    assert all(chat["conversation_template_id"] == chat["gizmo_id"] for chat in chats)
    assert all((chat["gizmo_id"] is None) == (chat["gizmo_type"] is None) for chat in chats)
    assert all((chat["memory_scope"] == "project_v2") == (chat["gizmo_type"] == "snorlax") for chat in chats)


def test_projects_memories_and_instructions_have_their_shape(data):
    """Each project has a face and instructions of its own; memories and instructions all their fields."""
    for project in data["projects"]:
        assert re.fullmatch("g-p-[0-9a-f]{32}", project["id"])
        assert project["short_url"].startswith(project["id"])
        assert project["instructions"]
        assert project["display"]["description"]
        assert not project["display"]["emoji"].isascii()
        assert {"memory_scope", "created_at", "updated_at", "files"} <= project.keys()
    assert len({project["display"]["theme"] for project in data["projects"]}) == len(data["projects"]) >= 2
    row = {"id", "content", "updated_at", "created_timestamp", "gizmo_id", "status", "conversation_id", "labels"}
    assert data["memories"]
    assert all(memory.keys() == row for memory in data["memories"])
    assert data["instructions"]["object"] == "user_system_message_detail"
    assert data["instructions"]["enabled"] is True


def test_the_simulator_serves_it(chats):
    """The demonstration's account is these conversations, none lost on the way."""
    account = demo_account(lambda: NOW, random.Random(1))
    assert list(account.conversations.values()) == chats


def test_a_draft_hangs_each_message_under_the_last():
    """A conversation told line by line has them in that order, and goes back where it is told to."""
    draft = Desk(NOW, random.Random(3)).draft("Told", 1).system().user("one").mark("one").assistant("two")
    draft.branch_at("one").assistant("three")
    rows = normalize("chatgpt", draft.conversation).messages
    assert [row.text for row in rows if row.text] == ["one", "two", "three"]
    assert [row.text for row in rows if row.text and row.position is not None] == ["one", "three"]
