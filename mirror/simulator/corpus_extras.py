"""What the story has no need for and the service has all the same: older, longer and odder forms.

Pictures under their first kind of address, a file out of the sandbox, a chat that goes on where another was full, marks
that nothing explains, answers as long as a page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirror.simulator.story.draft import as_json, attachment, cite, image, multimodal

if TYPE_CHECKING:
    from mirror.simulator.story.draft import Desk

RECALL = {
    "edited prompt": "hazelwick",
    "long answer": "Crumbledown",
    "picture prompt": "Larkspurgate",
    "right to left": "חמצמצה",
    "unchosen answer": "kettlebrook",
}


def conversations(desk: Desk, told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return further conversations; ``told`` are those before, one of which goes on here."""
    writers = (dawn_picture, percentages, labels, mill_order, challah, stray_marks)
    return [*(writer(desk) for writer in writers), word_a_day_again(desk, told)]


def _old_file_id(desk: Desk) -> str:
    """Return a file id as it was until early 2025 (API notes §7)."""
    return "file-" + "".join(desk.chance.choices("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789", k=22))


def dawn_picture(desk: Desk) -> dict[str, Any]:
    """A photograph and a picture under the addresses of the first years."""
    photo, painted = _old_file_id(desk), _old_file_id(desk)
    draft = desk.draft("Paint the shop at dawn", 985, "gpt-4").system()
    shown = image(photo, 1600, 1200, container_pixel_width=1600, container_pixel_height=1200)
    draft.user(
        multimodal(shown | {"asset_pointer": f"file-service://{photo}"}, "Paint my shop front, but at dawn."),
        attachments=[attachment(photo, "shop-front.png", "image/png", 1_902_337, width=1600, height=1200)],
    )
    prompt = "Watercolour of a small bakery at dawn, the Larkspurgate bridge behind it, lamps still lit"
    dalle = {"gen_id": "gen-dawn-1", "prompt": prompt, "seed": 1_404_220_961, "parent_gen_id": None}
    dalle |= {"edit_op": None, "serialization_title": "DALL-E generation metadata"}
    made = image(painted, 1792, 1024, dalle=dalle, watermarked_asset_pointer=f"file-service://{_old_file_id(desk)}")
    draft.call("dalle.text2im", as_json({"size": "1792x1024", "n": 1, "referenced_image_ids": [photo]}), "json")
    draft.tool("dalle.text2im", multimodal(made | {"asset_pointer": f"file-service://{painted}"}))
    draft.assistant("Here is your shop in the first light. The lamps are on, and the street is still wet.")
    return draft.conversation


_PERCENTAGES = r"""
Every bread formula is written **relative to the flour**, which is always 100 %. Once you think that way, a recipe for
two loaves and one for sixty are the same recipe.

## The idea

If \( f \) is the weight of all flour and \( p_i \) the percentage of an ingredient, its weight is

$$
w_i = f \cdot \frac{p_i}{100}, \qquad \text{dough} = f \cdot \sum_i \frac{p_i}{100}
$$

so the flour for a wanted weight of dough is \( f = 100 \cdot \text{dough} / \sum_i p_i \).

## Your three breads

| Ingredient | Country loaf | Rye | Fennel roll |
|------------|-------------:|----:|------------:|
| Wheat, strong | 80 % | 30 % | 100 % |
| Rye, whole | 20 % | 70 % | 0 % |
| Water | 74 % | 82 % | 62 % |
| Starter | 20 % | 35 % | 12 % |
| Salt | 2 % | 1.9 % | 1.8 % |
| Fennel seed | 0 % | 0 % | 2.5 % |
| **Sum** | **196 %** | **218.9 %** | **178.3 %** |

## Scaling it up

For 24 country loaves of 900 g, with 3 % lost on the bench:

1. Dough: \( 24 \cdot 900 / 0.97 = 22\,268 \) g.
2. Flour: \( 100 \cdot 22\,268 / 196 = 11\,361 \) g.
3. Everything else follows from the table.

```python
FORMULA = {"wheat": 80, "rye": 20, "water": 74, "starter": 20, "salt": 2}


def weights(loaves: int, grams: float, loss: float = 0.03) -> dict[str, int]:
    dough = loaves * grams / (1 - loss)
    flour = 100 * dough / sum(FORMULA.values())
    return {name: round(flour * share / 100) for name, share in FORMULA.items()}


print(weights(24, 900))
```

## What goes wrong

- **The starter brings flour and water too.** A starter of equal parts at 20 % adds 10 % of each, so the true
  hydration of the country loaf is \( (74 + 10) / (100 + 10) = 76.4 \) %.
- **Salt is not a spice.** Between 1.8 % and 2.2 % it sets the speed of the dough as well as the taste.
- **Rye does not hold gas.** More than 30 % and the loaf is carried by starch, so do not look for a window.

> If a loaf collapses at the edge, the *Crumbledown* test helps: press the side one hour after baking. When it stays
> in, the dough was too wet by about three percent.

## To do on Monday

- [ ] Weigh the bucket and write its weight on it
- [ ] Measure the loss on the bench for one week
- [ ] Put the formula into the spreadsheet
"""


def percentages(desk: Desk) -> dict[str, Any]:
    """An edited question and three answers to it, of which the middle one, a long one, is kept."""
    draft = desk.draft("Baker's percentages from the beginning", 350, "gpt-4o", is_starred=True).system().mark("start")
    draft.user("Explain percentages for the hazelwick loaf.").assistant("Which loaf is that? I do not know it.")
    draft.branch_at("start").user("Explain baker's percentages with my three breads, and how I scale them up.")
    draft.mark("asked").assistant("Flour is 100 %. Divide everything by it; the kettlebrook rule says no more.")
    draft.branch_at("asked").assistant(_PERCENTAGES).mark("kept")
    draft.branch_at("asked").assistant("In one line: *weight = flour x percentage / 100*.")
    draft.branch_at("kept").user("And if I only have 9 kg of flour?").assistant(r"""
        Then go the other way: \( 9\,000 \cdot 1.96 = 17\,640 \) g of dough, less 3 % on the bench, is 17 111 g: enough
        for **19 loaves** of 900 g.
    """)
    return draft.conversation


def labels(desk: Desk) -> dict[str, Any]:
    """A file is made in the sandbox and linked; the canvas is opened by plain text, as it once was."""
    draft = desk.draft("Price labels for the counter", 265, "gpt-4o").system()
    draft.user("Make a PDF with price labels: country loaf 5.80, rye 5.20, fennel roll 1.40.")
    draft.call("python", 'labels.save("/mnt/data/price-labels.pdf")', "python")
    draft.tool("python", {"content_type": "execution_output", "text": ""})
    draft.assistant("Done, three labels to a page: [price-labels.pdf](sandbox:/mnt/data/price-labels.pdf)")
    draft.user("Put the text into a canvas too.")
    document = {"name": "Price labels", "type": "document", "content": "Country loaf 5.80\nRye 5.20\nFennel roll 1.40"}
    draft.assistant(as_json(document), to="canmore.create_textdoc")
    canvas = {"textdoc_id": "68c0ffee0003", "textdoc_type": "document", "title": "Price labels", "version": 1}
    draft.tool("canmore.create_textdoc", "Successfully created text document", canvas=canvas)
    return draft.assistant("It is in the canvas.").conversation


def mill_order(desk: Desk) -> dict[str, Any]:
    """Agent mode looks at a whole desktop instead of a page."""
    screen = {
        "content_type": "computer_output",
        "computer_id": "computer-2",
        "screenshot": image(desk.file_id(), 1024, 768),
        "state": {"type": "desktop_state", "id": "state-2", "title": "Order form", "url": None, "os": "linux"},
        "tether_id": None,
    }
    draft = desk.draft("Fill in the mill's order form", 24, conversation_origin="agent").system()
    draft.user("Fill in the order form of the mill: 10 sacks of strong wheat, 4 of whole rye.", system_hints=["agent"])
    draft.call("computer.do", as_json({"actions": [{"action": "type", "text": "10"}]}), "json")
    draft.tool("computer.do", screen)
    draft.assistant("The form is filled in. **I have not sent it**: please look at the delivery date first.")
    return draft.conversation


def challah(desk: Desk) -> dict[str, Any]:
    """A question in Hebrew, written from right to left."""
    draft = desk.draft("חלה לשבת", 320, "gpt-4o").system()
    draft.user("איך קולעים חלה משש רצועות?")
    return draft.assistant("""
        1. הצמידו את שש הרצועות בקצה העליון.
        2. העבירו את הרצועה הימנית מעל שתיים, מתחת לאחת ומעל שתיים.
        3. חזרו על הצעד הזה, תמיד מצד **ימין**, עד הסוף.

        אפשר להחליף חלק מהשמרים במחמצת; החלה תהיה חמצמצה מעט.
    """).conversation


def stray_marks(desk: Desk) -> dict[str, Any]:
    """Marks that nothing explains, a stray span, and a footnote that stands nowhere. Pinned."""
    page = {"title": "Observing planner", "url": "https://example.org/planner", "attribution": "example.org"}
    stray = "\ue203the planner\ue204"
    text = (
        f"Jupiter rises at 21:40 {cite('turn3search7')}, says {stray}. Saturn is up at dusk.\u00a0{cite('turn0news2')}"
    )
    foot = {"matched_text": "", "start_idx": len(text), "end_idx": len(text), "type": "sources_footnote"}
    foot |= {"alt": None, "sources": [page]}
    draft = desk.draft("Planets for the weekend", 5.4).system()
    draft.user("Which planets are up on Saturday evening?").assistant(text, content_references=[foot])
    draft.amend(update_time=draft.at)
    draft.conversation["pinned_time"] = draft.at
    return draft.conversation


def word_a_day_again(desk: Desk, told: list[dict[str, Any]]) -> dict[str, Any]:
    """A chat that goes on where a very long one was full."""
    full = next(conversation for conversation in told if conversation["title"] == "A Japanese word a day")
    draft = desk.draft("A Japanese word a day, continued", 44).system().user("We were at day 150. What is next?")
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
