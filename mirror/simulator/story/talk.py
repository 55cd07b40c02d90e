"""The story's voices: spoken turns, a custom GPT, plugins, memories, other tongues, and a word a day."""

# ruff: noqa: RUF001 - other scripts have a punctuation of their own

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirror.simulator.story.draft import DAY, as_json, multimodal

if TYPE_CHECKING:
    from mirror.simulator.story.draft import Desk


def conversations(desk: Desk) -> list[dict[str, Any]]:
    """Return the conversations that are spoken, in other languages, or shaped by settings."""
    writers = (spoken, camera, settings, plugin, morning_task, german, french, japanese, chinese, arabic, party)
    return [*(writer(desk) for writer in writers), word_a_day(desk)]


def _sound(desk: Desk, seconds: float) -> dict[str, Any]:
    return {
        "content_type": "audio_asset_pointer",
        "asset_pointer": f"sediment://{desk.file_id()}",
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


def spoken(desk: Desk) -> dict[str, Any]:
    """A voice chat at the telescope."""
    asked = "I am outside with cold fingers. Which way do I turn the knob to follow Jupiter, the lodestarry thing?"
    told = "Turn it slowly, so that Jupiter stays in the middle. In your telescope everything drifts towards the west."
    draft = desk.draft("Hands-free at the telescope", 176, "gpt-4o", voice="cove").system()
    draft.user(multimodal(_words(asked, "in"), _sound(desk, 6.4)), voice_mode_message=True)
    draft.assistant(multimodal(_words(told, "out"), _sound(desk, 8.1)), voice_mode_message=True)
    return draft.conversation


def camera(desk: Desk) -> dict[str, Any]:
    """A spoken turn with the camera on, and a film that was uploaded."""
    film = f"sediment://{desk.file_id()}"
    frames = [f"sediment://{desk.file_id()}" for _ in range(2)]
    seen = {
        "content_type": "real_time_user_audio_video_asset_pointer",
        "expiry_datetime": None,
        "frames_asset_pointers": [
            {"content_type": "image_asset_pointer", "asset_pointer": frame, "size_bytes": 31_000}
            | {"width": 640, "height": 360, "fovea": None, "metadata": None}
            for frame in frames
        ],
        "video_container_asset_pointer": None,
        "audio_asset_pointer": _sound(desk, 4.0),
        "audio_start_timestamp": 3.25,
    }
    container = {
        "content_type": "video_container_asset_pointer",
        "asset_pointer": film,
        "size_bytes": 812_000,
        "duration": 4.0,
        "metadata": None,
    }
    draft = desk.draft("Is my dough ready? (camera)", 140, "gpt-4o", voice="cove").system()
    draft.user(multimodal(_words("Look, I press it with a finger. Is it ready?", "in"), seen, container))
    told = "The dent comes back slowly and not quite. That is ready: into the oven with it."
    return draft.assistant(multimodal(_words(told, "out"), _sound(desk, 5.0)), voice_mode_message=True).conversation


def settings(desk: Desk) -> dict[str, Any]:
    """What the service tells the model before anybody speaks: instructions, memories, its own text."""
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
    draft = desk.draft("A present for my apprentice", 101, "gpt-5").system()
    draft.system({"content_type": "system_message", "text": "Answer in the language of the person."})
    draft.system({"content_type": "system_content", "text": "The person has switched on custom instructions."})
    draft.system(context, role="user", is_user_system_message=True, user_context_message_data=told)
    draft.system(remembered, role="assistant")
    dictated: dict[str, Any] = {"dictation": True, "dictation_asset_pointer": f"sediment://{desk.file_id()}"}
    dictated["dictation_original_text"] = "my apprentice has her exam next week"
    draft.user("My apprentice has her exam next week. An idea for a present, up to 40 euros?", **dictated)
    return draft.assistant("""
        **A good bread knife**, engraved with her initials.

        Or, a little cheaper:

        * a lame with spare blades (15)
        * a proofing basket of rattan (20)
        * a year of a baking magazine (38)
    """).conversation


def plugin(desk: Desk) -> dict[str, Any]:
    """A plugin is asked, and a critic looks on, as they did in the first year."""
    invoked = {
        "type": "remote",
        "namespace": "tides",
        "plugin_id": "plugin-00000000",
        "http_response_status": 200,
        "request_id": "req-1",
    }
    draft = desk.draft("Moonrise above the harbour", 1015, "gpt-4-plugins", plugin_ids=["plugin-00000000"]).system()
    draft.user("When does the full moon rise above the harbour?")
    draft.call("tides.getMoonrise", as_json({"place": "harbour", "date": "next full moon"}), "json")
    draft.tool("tides.getMoonrise", as_json({"moonrise": "20:52", "azimuth": 118}), invoked_plugin=invoked)
    draft.put("critic", "The answer should name the direction too.", is_visually_hidden_from_conversation=True)
    return draft.assistant("At **20:52**, in the east-south-east (118°), right of the lighthouse.").conversation


def morning_task(desk: Desk) -> dict[str, Any]:
    """A scheduled task writes every morning."""
    draft = desk.draft("Will it be clear tonight?", 2.3, is_automation_conversation=True).system()
    draft.user("Every morning at 7, tell me whether tonight is good for observing.")
    schedule = {"title": "Clear tonight?", "prompt": "Tell whether tonight is clear.", "schedule": "RRULE:FREQ=DAILY"}
    draft.call("automations.create", as_json(schedule), "json")
    draft.tool("automations", "Successfully created automation")
    draft.assistant("I will look every morning at seven.")
    for told in (
        "Cloudy until midnight, then gaps. **Not worth** the drive.",
        "Clear and dry, no Moon until 3:10. **Go!** Saturn stands 31° high at 23:00.",
    ):
        draft.at += DAY
        draft.system("Tell whether tonight is clear.", is_automation=True).assistant(told)
    return draft.conversation


def german(desk: Desk) -> dict[str, Any]:
    """A letter in German."""
    draft = desk.draft("Brief an den Mühlenbetrieb", 430, "gpt-4o").system()
    draft.user("Schreib einen höflichen Brief an die Mühle: Die letzte Lieferung Roggenmehl war klumpig.")
    return draft.assistant("""
        > Sehr geehrte Damen und Herren,
        >
        > Ihre Lieferung vom Dienstag war leider feucht geworden: Das Roggenmehl Type 1150 ist klumpig und für unseren
        > Sauerteig nicht zu gebrauchen. Wir bitten Sie um Ersatz bis zum **Freitag**.
        >
        > Mit freundlichen Grüßen
        > Mira Sandoval, Bäckerei Crescent & Crumb

        Soll ich noch erwähnen, dass Sie die Säcke fotografiert haben?
    """).conversation


def french(desk: Desk) -> dict[str, Any]:
    """A recipe in French."""
    draft = desk.draft("Brioche à tête, sans pétrin", 820, "gpt-4").system()
    draft.user("Peux-tu me donner une recette de brioche à tête, sans pétrin ?")
    return draft.assistant("""
        ## Brioche à tête

        | Ingrédient | Quantité |
        |------------|---------:|
        | Farine de gruau | 500 g |
        | Œufs | 6 |
        | Beurre | 250 g |
        | Sucre | 50 g |
        | Levure fraîche | 15 g |

        1. Mélangez tout, sauf le beurre ; laissez reposer **une heure**.
        2. Incorporez le beurre en trois fois, en repliant la pâte.
        3. Une nuit au frais, puis façonnez, dorez et enfournez : 20 minutes à 175 °C.
    """).conversation


def japanese(desk: Desk) -> dict[str, Any]:
    """A lesson in Japanese."""
    draft = desk.draft("日本語で星の話", 66).system()
    draft.user("天体観測の会話を日本語で練習したいです。やさしい日本語でお願いします。")
    return draft.assistant("""
        もちろんです。短い会話を読んでみましょう。

        **A**：今夜は星がきれいですね。
        **B**：はい。でも、望遠鏡のレンズに結露防止ヒーターをつけましょう。
        **A**：どうしてですか。
        **B**：夜は空気が冷たくて、ガラスがぬれるからです。

        | ことば | 読み方 | meaning |
        |--------|--------|---------|
        | 望遠鏡 | ぼうえんきょう | telescope |
        | 空気 | くうき | air |
    """).conversation


def chinese(desk: Desk) -> dict[str, Any]:
    """A question in Chinese."""
    draft = desk.draft("中秋节的面包", 255, "gpt-5").system()
    draft.user("中秋节快到了，我的面包店可以做什么特别的面包？")
    return draft.assistant("""
        可以试试这三种：

        1. **桂花核桃面包**：用天然酵母，加蜂蜜和桂花。
        2. **莲蓉小餐包**：外皮松软，馅料不太甜。
        3. **月亮酸面包**：表面撒黑芝麻，割出弯月的形状。

        建议提前一周接受预订。
    """).conversation


def arabic(desk: Desk) -> dict[str, Any]:
    """A question in Arabic, written from right to left."""
    draft = desk.draft("أسماء النجوم العربية", 540, "gpt-4o").system()
    draft.user("ما معنى أسماء النجوم: الدبران والطائر والغول؟")
    return draft.assistant("""
        كثير من أسماء النجوم عربية الأصل:

        - **الدبران** (Aldebaran): الذي يتبع الثريا.
        - **النسر الطائر** (Altair): النسر المحلق.
        - **رأس الغول** (Algol): نجم يتغير لمعانه كل ثلاثة أيام تقريبا.
    """).conversation


def party(desk: Desk) -> dict[str, Any]:
    """A chat full of emoji, some of several code points."""
    draft = desk.draft("🎂 Party for the bakery's birthday 🥖", 19).system()
    draft.user("Invitation for our 10th birthday, with lots of emoji please 🙏🏽")
    return draft.assistant("""
        🥐✨ **Ten years of Crescent & Crumb!** ✨🥐

        🗓️ Saturday, 15:00
        👩🏽‍🍳 See how we shape 200 loaves
        👨‍👩‍👧‍👦 Bring everybody
        🔭 After dark: the Moon through the telescope 🌙

        🏳️‍🌈 Everyone is welcome 💛
    """).conversation


_READINGS = (
    ("ichi", "one"),
    ("mizu", "water"),
    ("kona", "powder, flour"),
    ("hoshi", "star"),
    ("yoru", "night"),
    ("asa", "morning"),
    ("pan", "bread"),
    ("shio", "salt"),
    ("tsuki", "moon"),
    ("sora", "sky"),
    ("hi", "fire"),
    ("ude", "arm"),
    ("hako", "box"),
)


def word_a_day(desk: Desk) -> dict[str, Any]:
    """A very long chain: three hundred turns, a word each."""
    draft = desk.draft("A Japanese word a day", 900, "gpt-4o").system()
    draft.user("Teach me one Japanese word a day. I will write 'next'.")
    for n in range(149):
        word, meaning = _READINGS[n % len(_READINGS)]
        again = f" We had it on day {n % len(_READINGS) + 1}; do you remember?" if n >= len(_READINGS) else ""
        draft.assistant(f"**Day {n + 1}: {word}** means *{meaning}*.{again}").user("next")
        draft.at += 72_000
    return draft.assistant("That is **day 150**. You know the words now; shall we make sentences?").conversation
