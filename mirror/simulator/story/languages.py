"""Other languages and scripts, emoji, and a very long chat that goes on in another one."""

# ruff: noqa: RUF001 - other scripts have a punctuation of their own

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mirror.simulator.story.draft import Drafts


def languages_conversations(drafts: Drafts) -> list[dict[str, Any]]:
    """Return the conversations in other languages."""
    writers = (german, french, japanese, chinese, arabic, challah, party)
    full = word_a_day(drafts)
    return [*(writer(drafts) for writer in writers), full, word_a_day_continued(drafts, full)]


def german(drafts: Drafts) -> dict[str, Any]:
    """A letter in German."""
    draft = drafts.begin("Brief an den Mühlenbetrieb", 430, "gpt-4o").system()
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


def french(drafts: Drafts) -> dict[str, Any]:
    """A recipe in French."""
    draft = drafts.begin("Brioche à tête, sans pétrin", 820, "gpt-4").system()
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


def japanese(drafts: Drafts) -> dict[str, Any]:
    """A lesson in Japanese."""
    draft = drafts.begin("日本語で星の話", 66).system()
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


def chinese(drafts: Drafts) -> dict[str, Any]:
    """A question in Chinese."""
    draft = drafts.begin("中秋节的面包", 255, "gpt-5").system()
    draft.user("中秋节快到了，我的面包店可以做什么特别的面包？")
    return draft.assistant("""
        可以试试这三种：

        1. **桂花核桃面包**：用天然酵母，加蜂蜜和桂花。
        2. **莲蓉小餐包**：外皮松软，馅料不太甜。
        3. **月亮酸面包**：表面撒黑芝麻，割出弯月的形状。

        建议提前一周接受预订。
    """).conversation


def arabic(drafts: Drafts) -> dict[str, Any]:
    """A question in Arabic, written from right to left."""
    draft = drafts.begin("أسماء النجوم العربية", 540, "gpt-4o").system()
    draft.user("ما معنى أسماء النجوم: الدبران والطائر والغول؟")
    return draft.assistant("""
        كثير من أسماء النجوم عربية الأصل:

        - **الدبران** (Aldebaran): الذي يتبع الثريا.
        - **النسر الطائر** (Altair): النسر المحلق.
        - **رأس الغول** (Algol): نجم يتغير لمعانه كل ثلاثة أيام تقريبا.
    """).conversation


def challah(drafts: Drafts) -> dict[str, Any]:
    """A question in Hebrew, written from right to left."""
    draft = drafts.begin("חלה לשבת", 320, "gpt-4o").system()
    draft.user("איך קולעים חלה משש רצועות?")
    return draft.assistant("""
        1. הצמידו את שש הרצועות בקצה העליון.
        2. העבירו את הרצועה הימנית מעל שתיים, מתחת לאחת ומעל שתיים.
        3. חזרו על הצעד הזה, תמיד מצד **ימין**, עד הסוף.

        אפשר להחליף חלק מהשמרים במחמצת; החלה תהיה חמצמצה מעט.
    """).conversation


def party(drafts: Drafts) -> dict[str, Any]:
    """A chat full of emoji, some of several code points."""
    draft = drafts.begin("🎂 Party for the bakery's birthday 🥖", 19).system()
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


def word_a_day(drafts: Drafts) -> dict[str, Any]:
    """A very long chain: three hundred turns, a word each."""
    draft = drafts.begin("A Japanese word a day", 900, "gpt-4o").system()
    draft.user("Teach me one Japanese word a day. I will write 'next'.")
    for n in range(149):
        word, meaning = _READINGS[n % len(_READINGS)]
        again = f" We had it on day {n % len(_READINGS) + 1}; do you remember?" if n >= len(_READINGS) else ""
        draft.assistant(f"**Day {n + 1}: {word}** means *{meaning}*.{again}").user("next")
        draft.at += 72_000
    return draft.assistant("That is **day 150**. You know the words now; shall we make sentences?").conversation


def word_a_day_continued(drafts: Drafts, full: dict[str, Any]) -> dict[str, Any]:
    """A chat that goes on where a very long one was full."""
    draft = drafts.begin("A Japanese word a day, continued", 44).system().user("We were at day 150. What is next?")
    draft.conversation["context_truncation_continuation"] = {
        "source_conversation_id": full["conversation_id"],
        "boundary_message_id": full["current_node"],
        "visible_from_message_id": draft.tip,
    }
    draft.assistant("""
        **Day 151: kaze** (風) means *wind*.

        *Kaze ga tsuyoi kara, bouenkyou wa dashimasen.* There is a strong wind, so I leave the telescope inside.
    """).user("kaze!")
    return draft.assistant("Well done, すごい!").conversation
