"""Features beside typed chat: voice, camera, memories, plugins, tasks, connectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirror.simulator.story.draft import DAY, json_text, multimodal

if TYPE_CHECKING:
    from mirror.simulator.story.draft import Drafts


def features_conversations(drafts: Drafts) -> list[dict[str, Any]]:
    """Return the conversations that show one feature each."""
    writers = (spoken, camera, settings, plugin, morning_task, connected)
    return [writer(drafts) for writer in writers]


def _sound(drafts: Drafts, seconds: float) -> dict[str, Any]:
    return {
        "content_type": "audio_asset_pointer",
        "asset_pointer": f"sediment://{drafts.file_id()}",
        "size_bytes": int(seconds * 48_000),
        "format": "wav",
        "expiry_datetime": None,
        "metadata": {
            "start": 0.0,
            "end": seconds,
            "start_timestamp": None,
            "end_timestamp": None,
            "interactions": None,
        },
    }


def _words(text: str, direction: str) -> dict[str, Any]:
    return {"content_type": "audio_transcription", "text": text, "direction": direction, "decoding_id": None}


def spoken(drafts: Drafts) -> dict[str, Any]:
    """A voice chat at the telescope."""
    asked = "I am outside with cold fingers. Which way do I turn the knob to follow Jupiter, the lodestarry thing?"
    told = "Turn it slowly, so that Jupiter stays in the middle. In your telescope everything drifts towards the west."
    draft = drafts.begin("Hands-free at the telescope", 176, "gpt-4o", voice="cove").system()
    draft.user(multimodal(_words(asked, "in"), _sound(drafts, 6.4)), voice_mode_message=True)
    draft.assistant(multimodal(_words(told, "out"), _sound(drafts, 8.1)), voice_mode_message=True)
    return draft.conversation


def camera(drafts: Drafts) -> dict[str, Any]:
    """A spoken turn with the camera on, and a film that was uploaded."""
    film = f"sediment://{drafts.file_id()}"
    frames = [f"sediment://{drafts.file_id()}" for _ in range(2)]
    seen = {
        "content_type": "real_time_user_audio_video_asset_pointer",
        "expiry_datetime": None,
        "frames_asset_pointers": [
            {"content_type": "image_asset_pointer", "asset_pointer": frame, "size_bytes": 31_000}
            | {"width": 640, "height": 360, "fovea": None, "metadata": None}
            for frame in frames
        ],
        "video_container_asset_pointer": None,
        "audio_asset_pointer": _sound(drafts, 4.0),
        "audio_start_timestamp": 3.25,
    }
    container = {
        "content_type": "video_container_asset_pointer",
        "asset_pointer": film,
        "size_bytes": 812_000,
        "duration": 4.0,
        "metadata": None,
    }
    draft = drafts.begin("Is my dough ready? (camera)", 140, "gpt-4o", voice="cove").system()
    draft.user(multimodal(_words("Look, I press it with a finger. Is it ready?", "in"), seen, container))
    told = "The dent comes back slowly and not quite. That is ready: into the oven with it."
    return draft.assistant(multimodal(_words(told, "out"), _sound(drafts, 5.0)), voice_mode_message=True).conversation


def settings(drafts: Drafts) -> dict[str, Any]:
    """What the service gives the model before the first prompt: instructions, memories, its own text."""
    about, answer = "I run a small bakery and own a 200 mm telescope.", "Short answers first, details below."
    context = {"content_type": "user_editable_context", "user_profile": about, "user_instructions": answer}
    told = {"about_user_message": about, "about_model_message": answer}
    remembered = {
        "content_type": "model_editable_context",
        "model_set_context": "1. [2025-04-02]. Named the telescope Brambleglass.\n2. [2025-05-11]. Closed on Mondays.",
        "repository": None,
        "repo_summary": None,
        "structured_context": None,
    }
    draft = drafts.begin("A present for my apprentice", 101, "gpt-5").system()
    draft.system({"content_type": "system_message", "text": "Answer in the language of the person."})
    draft.system({"content_type": "system_content", "text": "The person has switched on custom instructions."})
    draft.system(context, role="user", is_user_system_message=True, user_context_message_data=told)
    draft.system(remembered, role="assistant")
    dictated: dict[str, Any] = {"dictation": True, "dictation_asset_pointer": f"sediment://{drafts.file_id()}"}
    dictated["dictation_original_text"] = "my apprentice has her exam next week"
    draft.user("My apprentice has her exam next week. An idea for a present, up to 40 euros?", **dictated)
    return draft.assistant("""
        **A good bread knife**, engraved with her initials.

        Or, a little cheaper:

        * a lame with spare blades (15)
        * a proofing basket of rattan (20)
        * a year of a baking magazine (38)
    """).conversation


def plugin(drafts: Drafts) -> dict[str, Any]:
    """A plugin is called, and a critic comments, as in the service's first year."""
    invoked = {
        "type": "remote",
        "namespace": "tides",
        "plugin_id": "plugin-00000000",
        "http_response_status": 200,
        "request_id": "req-1",
    }
    draft = drafts.begin("Moonrise above the harbour", 1015, "gpt-4-plugins", plugin_ids=["plugin-00000000"]).system()
    draft.user("When does the full moon rise above the harbour?")
    draft.call("tides.getMoonrise", json_text({"place": "harbour", "date": "next full moon"}), "json")
    draft.tool("tides.getMoonrise", json_text({"moonrise": "20:52", "azimuth": 118}), invoked_plugin=invoked)
    draft.put("critic", "The answer should name the direction too.", is_visually_hidden_from_conversation=True)
    return draft.assistant("At **20:52**, in the east-south-east (118°), right of the lighthouse.").conversation


def morning_task(drafts: Drafts) -> dict[str, Any]:
    """A scheduled task writes every morning."""
    draft = drafts.begin("Will it be clear tonight?", 2.3, is_automation_conversation=True).system()
    draft.user("Every morning at 7, tell me whether tonight is good for observing.")
    schedule = {"title": "Clear tonight?", "prompt": "Tell whether tonight is clear.", "schedule": "RRULE:FREQ=DAILY"}
    draft.call("automations.create", json_text(schedule), "json")
    draft.tool("automations", "Successfully created automation")
    draft.assistant("I will look every morning at seven.")
    for told in (
        "Cloudy until midnight, then gaps. **Not worth** the drive.",
        "Clear and dry, no Moon until 3:10. **Go!** Saturn stands 31° high at 23:00.",
    ):
        draft.at += DAY
        draft.system("Tell whether tonight is clear.", is_automation=True).assistant(told)
    return draft.conversation


def connected(drafts: Drafts) -> dict[str, Any]:
    """A connector and a skill; an answer cut by the person, and one cut by its length."""
    draft = drafts.begin("Plan the week from my calendar", 0.3, "gpt-5-2-thinking").system()
    draft.user("Plan my week from my calendar.", system_hints=["connector:calendar"], selected_sources=["calendar"])
    payload = {"tool_name": "calendar.search", "result": {"events": 4}}
    draft.call("calendar.search", json_text({"from": "Monday", "to": "Sunday"}), "json")
    resource = {"id": "calendar", "type": "connector"}
    draft.tool("calendar.search", "4 events", connector_tool_payload=payload, invoked_resource=resource)
    interrupted = {"type": "interrupted", "reason": "client_stopped"}
    draft.assistant(
        "Monday: closed. Tuesday: the flour arrives at 6, so", finish_details=interrupted, skill_name="plans"
    )
    draft.amend(status="finished_partial_completion").user("Shorter. A table.")
    draft.assistant(
        """
        | Day | Bakery | Evening |
        |-----|--------|---------|
        | Mon | closed | Japanese |
        | Tue | flour at 6:00 | - |
        | Wed | sourdough class | telescope |
        | Thu | apprentice's exam | - |
        """,
        finish_details={"type": "max_tokens"},
    )
    return draft.conversation
