"""What tools, recordings and hidden channels hold besides plain text comes out in words, under the right kind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mirror.normalize import Link, normalize

if TYPE_CHECKING:
    from mirror.normalize import Message

Json = dict[str, Any]


def row_of(content: Any, role: str = "tool", **more: Any) -> Message:
    """The one message of a conversation that holds this content."""
    payload = {"mapping": {"n": {"message": {"author": {"role": role}, "content": content, **more}}}}
    return normalize("chatgpt", payload).messages[0]


def ran(text: str = "", **result: Any) -> str:
    """The text of a code run with an aggregate result."""
    return row_of({"content_type": "execution_output", "text": text}, metadata={"aggregate_result": result}).text


def canvas(text: str, **more: Any) -> Message:
    """The row of a canvas call."""
    return row_of({"content_type": "code", "text": text}, "assistant", recipient="canmore.create_textdoc", **more)


def test_a_code_run_known_only_from_the_notebook_is_readable() -> None:
    """What was printed, returned and raised is found although only the notebook's own messages say so."""
    messages = [
        {"msg_type": "status", "content": {"execution_state": "busy"}},
        {"msg_type": "stream", "content": {"name": "stdout", "text": "printed words\n"}},
        {"msg_type": "execute_result", "content": {"data": {"text/plain": "returned words", "image/png": "AAAA"}}},
        {"msg_type": "error", "content": {"ename": "E", "evalue": "v", "traceback": ["raised", "words"]}},
    ]
    assert ran(jupyter_messages=messages) == "printed words\nreturned words\nraised\nwords"


def test_the_value_of_the_last_expression_is_shown_after_what_was_printed() -> None:
    """A run that prints and returns shows both, and nothing twice."""
    assert ran("printed", final_expression_output="42 apples") == "printed\n42 apples"
    assert ran("[1] 42 apples", final_expression_output="42 apples") == "[1] 42 apples"


def test_a_screen_is_shown_with_all_the_words_of_its_state() -> None:
    """A terminal's output and the words on a page are found, not just a page's title."""
    state = {"type": "terminal", "id": "9", "output": "listing", "dom": "Press the large green button"}
    row = row_of({"content_type": "computer_output", "screenshot": None, "state": state})
    assert row.text.splitlines() == ["listing", "Press the large green button"]


@pytest.mark.parametrize("role", ["tool", "assistant"])
def test_a_task_without_text_shows_title_and_prompt(role: str) -> None:
    """A research that was only started is found by what was to be found out."""
    metadata = {"async_task_id": "deepresch_1", "async_task_title": "Plums", "async_task_prompt": "All about plums"}
    assert row_of({"content_type": "text", "parts": [""]}, role, metadata=metadata).text == "Plums\nAll about plums"


def test_a_widget_without_a_report_shows_its_words() -> None:
    """A research that has only a plan yet is found by the plan; the widget's states are not shown."""
    state = {"status": "running", "view": "expanded", "plan": {"title": "A plan", "steps": ["Look for medlars first"]}}
    metadata = {"chatgpt_sdk": {"widget_state": json.dumps(state)}}
    row = row_of({"content_type": "text", "parts": ["Started"]}, metadata=metadata)
    assert row.text.splitlines() == ["Started", "A plan", "Look for medlars first"]


@pytest.mark.parametrize(
    "metadata",
    [
        {"transcription": "said aloud"},
        {"word_transcription": "said aloud"},
        {"word_transcription": [{"word": "said", "start": 0.1}, {"word": "aloud", "start": 0.4}]},
    ],
)
def test_a_recording_is_read_by_its_own_transcript_if_there_is_no_other(metadata: Json) -> None:
    """A spoken turn is found by its words wherever they are, and they are not shown twice."""
    sound = {"content_type": "audio_asset_pointer", "asset_pointer": "sediment://file_1", "metadata": metadata}
    turn = {"content_type": "real_time_user_audio_video_asset_pointer", "audio_asset_pointer": sound}
    for part in (sound, turn):
        row = row_of({"content_type": "multimodal_text", "parts": [part]}, "user")
        assert (row.kind, row.text) == ("voice", "said aloud")
    better = {"content_type": "audio_transcription", "text": "Said aloud."}
    for parts in ([sound, better], [better, sound]):
        assert row_of({"content_type": "multimodal_text", "parts": parts}, "user").text == "Said aloud."


def test_a_generated_picture_without_a_prompt_shows_its_title() -> None:
    """A picture is found by the title that the service gave it."""
    part = {"content_type": "image_asset_pointer", "asset_pointer": "sediment://file_1", "metadata": {"generation": {}}}
    row = row_of({"content_type": "multimodal_text", "parts": [part]}, metadata={"image_gen_title": "Blue heron"})
    assert (row.kind, row.text) == ("image", "[image: Blue heron]")


def test_pictures_found_on_the_web_are_links() -> None:
    """The pages of pictures that a search brought back can be opened."""
    metadata = {"image_results": [{"url": "https://p.example/1", "title": "A plum"}, {"url": None}]}
    row = row_of({"content_type": "text", "parts": ["look"]}, "assistant", metadata=metadata)
    assert row.links == (Link("https://p.example/1", "A plum", "search"),)


WHOLE = json.dumps({"name": "ode", "type": "document", "content": 'O "tea"\nwarm \u00e9 friend'})


@pytest.mark.parametrize("end", range(1, len(WHOLE)))
def test_a_canvas_that_was_cut_off_still_reads_as_text(end: int) -> None:
    """An answer that was stopped shows the document as far as it came, without any JSON around it."""
    text = canvas(WHOLE[:end]).text
    begun = WHOLE.index('"content": "') + len('"content": "')
    if end > begun:
        assert text.startswith("ode")
        assert '{"' not in text
        assert "\\" not in text
        assert text.removeprefix("ode").strip() in 'O "tea"\nwarm \u00e9 friend'


@pytest.mark.parametrize("text", ["{", "{]", '{"name": "x", oops', '{"content": "a"} tail', '"content', "plain words"])
def test_a_canvas_call_that_is_no_json_stays_as_it_is(text: str) -> None:
    """Nothing is lost where the text makes no sense."""
    assert canvas(text).text == text


@pytest.mark.parametrize("content_type", ["text", "code"])
def test_the_analysis_channel_is_reasoning(content_type: str) -> None:
    """What a model says to itself is marked so and hidden; remarks on the way and answers are shown."""
    content = {"content_type": content_type, "text": "hm"}
    thought = row_of(content, "assistant", channel="analysis", recipient="all")
    assert (thought.kind, thought.is_hidden, thought.text) == ("reasoning", True, "hm")
    for channel in ("commentary", "final", None):
        said = row_of(content, "assistant", channel=channel, recipient="all")
        assert (said.kind, said.is_hidden) == (content_type, False)
    called = row_of(content, "assistant", channel="analysis", recipient="web.run")
    assert (called.kind, called.is_hidden) == ("code", True)


def test_json_inside_a_text_of_an_unknown_shape_is_read_and_not_shown() -> None:
    """A card that carries its content as JSON text reads as words, without braces and ids."""
    packed = json.dumps(
        {"heading": "Old walk", "stops": [{"name": "Gate", "place_id": "ChIJ"}], "z": json.dumps(["in"])}
    )
    assert row_of({"content_type": "map_card", "payload": packed}, "assistant").text == "Old walk\nGate\nin"
    part = {"content_type": "widget", "state_json": packed}
    assert row_of({"content_type": "multimodal_text", "parts": [part]}, "assistant").text == "Old walk\nGate\nin"
    odd = '{"not": json}'
    assert row_of({"content_type": "map_card", "payload": odd}, "assistant").text == odd
    assert row_of({"content_type": "code", "text": packed}, "assistant").text == packed


def test_figures_of_an_unknown_shape_are_read() -> None:
    """Prices, numbers of a table and telephone numbers are words too."""
    content = {"content_type": "table", "rows": [["Oslo", "12000"]], "price": "$20", "phone": "+40 123", "row_id": "77"}
    assert row_of(content, "assistant").text.splitlines() == ["Oslo", "12000", "$20", "+40 123"]


def test_an_answer_of_a_connector_without_text_shows_what_it_returned() -> None:
    """What an app returned is found although the message itself says nothing."""
    metadata = {"connector_tool_payload": {"id": "x1", "structured_content": {"title": "A card", "state": "open"}}}
    assert row_of({"content_type": "text", "parts": [""]}, metadata=metadata).text == "A card"


def test_thoughts_of_another_shape_keep_their_words() -> None:
    """A thought whose content is a list says all of it."""
    thoughts = [{"summary": {"text": "sum"}, "content": ["one", {"text": "two"}]}]
    assert row_of({"content_type": "thoughts", "thoughts": thoughts}, "assistant").text == "sum\none\ntwo"


def test_colours_of_a_terminal_are_no_words() -> None:
    """The output of a program reads without the codes that colour it."""
    text = "\x1b[0;31mValueError\x1b[0m: \x1b[1mbad\x1b[22m"
    assert row_of({"content_type": "execution_output", "text": text}).text == "ValueError: bad"
    assert row_of({"content_type": "text", "parts": [text]}, "user").text == text


def test_an_empty_entry_in_the_list_of_files_is_no_file() -> None:
    """Only what names a file is one."""
    row = row_of(
        {"content_type": "text", "parts": ["x"]}, "user", metadata={"attachments": [None, 5, [], "", {}, "a.pdf"]}
    )
    assert (row.text, [file.name for file in row.attachments]) == ("x\n[file: a.pdf]", ["a.pdf"])
