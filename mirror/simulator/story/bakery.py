"""The bakery: dough, prices, posters, orders, and a starter that nearly died."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirror.simulator.story.draft import attachment, image, json_text, multimodal

if TYPE_CHECKING:
    from mirror.simulator.story.draft import Drafts


def bakery_conversations(drafts: Drafts) -> list[dict[str, Any]]:
    """Return the conversations about bread and the shop."""
    writers = (
        starter,
        lamination,
        market_prices,
        logo,
        mould,
        untitled,
        oven_offer,
        poster,
        dawn_picture,
        percentages,
        labels,
        mill_order,
    )
    return [writer(drafts) for writer in writers]


def starter(drafts: Drafts) -> dict[str, Any]:
    """A long answer with a table and a list, starred."""
    draft = drafts.begin("Reviving a neglected sourdough starter", 1088, "gpt-4", is_starred=True).system()
    draft.user("""
        I found my sourdough starter at the very back of the fridge. It has not been fed since March. There is dark
        liquid on top and it smells like nail polish. Is it dead?
    """).assistant("""
        Almost certainly **not dead**, only very hungry. The dark liquid is *hooch* (alcohol and water), and the sharp
        smell is acetone from starving yeast. Pour the hooch off and keep one spoonful from the middle.

        ## Five-day rescue plan

        | Day | Starter | Water | Rye | Wheat | What you should see |
        |----:|--------:|------:|----:|------:|---------------------|
        | 1 | 20 g | 40 g | 40 g | 0 g | Nothing at all |
        | 2 | 20 g | 40 g | 20 g | 20 g | A few bubbles |
        | 3 | 20 g | 50 g | 10 g | 40 g | Rises by half, smells of yoghurt |
        | 4 | 20 g | 50 g | 0 g | 50 g | Doubles in 8 hours |
        | 5 | 20 g | 100 g | 0 g | 100 g | Doubles in 5 hours: bake! |

        A few rules make the difference:

        1. Keep it at **26 °C**. The top of a running fridge is a good place.
        2. Feed at the same hour every day.
        3. Mark the level with a rubber band, so that you see the rise.

        > Throw it away only if you see pink or orange streaks, or fuzzy mould. Those do not wash out.
    """).user("Day 3 and it doubled already. Can I bake today?")
    draft.assistant("""
        You can try the **float test**: drop half a teaspoon into water. If it floats, it lifts a loaf.

        I would still wait for day 5. A young starter raises dough, but the sour taste needs a stable culture. Use
        today's discard for crackers:

        - 200 g discard
        - 30 g olive oil
        - 1 teaspoon salt, rosemary, sesame
        - roll thin, bake 18 minutes at 180 °C
    """)
    return draft.conversation


def lamination(drafts: Drafts) -> dict[str, Any]:
    """An edited prompt, a regenerated answer, and the older answer chosen at the end."""
    draft = drafts.begin("Croissant lamination schedule", 960, "gpt-4").system().mark("start")
    draft.user("Make me a schedule for croissants, ready at 6 in the morning.").assistant("""
        Begin at **22:00** the evening before and laminate through the night. Call it the marmalade shift: you will
        need somebody awake at 02:00 for the second fold, and at 04:30 for the egg wash.
    """)
    draft.branch_at("start")
    draft.user("Make me a schedule for croissants, ready at 6 in the morning. I need to sleep from 21 to 4.")
    draft.mark("asked").assistant("""
        | When | What | Minutes |
        |------|------|--------:|
        | Day before, 13:00 | Mix the dough, chill | 30 |
        | 15:00 | Lock in the butter, first fold | 25 |
        | 16:00 | Second fold | 15 |
        | 17:00 | Third fold, chill | 15 |
        | 20:00 | Shape, into the fridge at 4 °C | 45 |
        | 04:00 | Proof at 26 °C | 90 |
        | 05:30 | Egg wash, bake at 195 °C | 18 |

        The cold night replaces the first part of the proof, and you keep your seven hours of sleep.
    """).mark("table")
    draft.branch_at("asked").assistant("""
        Shape them at 20:00, freeze nothing, and let the fridge do the work until 4:00. Then 90 minutes of proofing and
        18 minutes of baking. That is all.
    """)
    return draft.show("table")


_SUMS = """
    from pathlib import Path

    import pandas as pd

    sales = pd.read_csv(next(Path("/mnt/data").glob("*.csv")))
    butterscotch = sales.groupby("loaf")["sold"].sum().sort_values(ascending=False)
    print(butterscotch.to_string())
"""


_SUMS_SHOWN = "loaf\nSourdough      412\nRye            268\nFennel roll    193\nTurnipseed      41"


def market_prices(drafts: Drafts) -> dict[str, Any]:
    """A table of numbers is uploaded; Python adds it up and draws it."""
    sheet, chart = drafts.file_id(), drafts.file_id()
    draft = drafts.begin("What sells at the Saturday market", 410, "gpt-4o").system()
    draft.user(
        "Here are my market sales of the spring. Which loaf should I bake more of?",
        attachments=[attachment(sheet, "quincewood-sales.csv", "text/csv", 18_231)],
    )
    draft.call("python", _SUMS, "python")
    draft.tool("python", {"content_type": "execution_output", "text": _SUMS_SHOWN})
    draft.call("python", 'sales.groupby("week")["sold"].sum().plot.bar()', "python")
    picture = {
        "message_type": "image",
        "time": draft.at,
        "sender": "server",
        "image_url": f"file-service://{chart}",
        "width": 1156,
        "height": 670,
    }
    result = {
        "status": "success",
        "run_id": "run-2",
        "code": 'sales.groupby("week")["sold"].sum().plot.bar()',
        "start_time": draft.at,
        "end_time": draft.at + 1.25,
        "final_expression_output": "<Axes: xlabel='week'>",
        "in_kernel_exception": None,
        "system_exception": None,
        "messages": [{"message_type": "stream", "stream_name": "stdout", "text": "13 weeks\n"}, picture],
        "jupyter_messages": [],
    }
    draft.tool("python", {"content_type": "execution_output", "text": "13 weeks\n"}, aggregate_result=result)
    draft.assistant("""
        **Bake more sourdough.** It sold 412 times in thirteen weeks, and in nine of them you were sold out before noon.

        | Loaf | Sold | Price | Margin |
        |------|-----:|------:|-------:|
        | Sourdough | 412 | 5.80 | 61 % |
        | Rye | 268 | 5.20 | 58 % |
        | Fennel roll | 193 | 1.40 | 44 % |

        Your best week was the one before Easter (see the chart).
    """)
    return draft.conversation


def logo(drafts: Drafts) -> dict[str, Any]:
    """A picture is made."""
    first, second = drafts.file_id(), drafts.file_id()
    prompt = "A linocut of a crescent moon over a round loaf of bread, two colours, warm brown on cream"
    draft = drafts.begin("Moon and loaf logo", 640, "gpt-4o").system()
    draft.user("Draw a logo for my bakery, Crescent & Crumb: a moon and a loaf, like a linocut.")
    draft.call("dalle.text2im", json_text({"prompt": prompt, "size": "1024x1024", "n": 1}), "json")
    dalle = {
        "gen_id": "gen-crescent-1",
        "prompt": prompt,
        "seed": 2_719_031_886,
        "parent_gen_id": None,
        "edit_op": None,
        "serialization_title": "DALL-E generation metadata",
    }
    draft.tool("dalle.text2im", multimodal(image(first, 1024, 1024, dalle=dalle))).assistant("""
        Here is a first linocut. Shall I try it with the loaf *as* the full moon?
    """)
    draft.user("Yes please, and fewer lines. It has to work as a rubber stamp.")
    draft.call("dalle.text2im", json_text({"prompt": "A rubber stamp: a loaf as the full moon", "n": 1}), "json")
    again = dalle | {
        "gen_id": "gen-crescent-2",
        "prompt": "A rubber stamp: a loaf as the full moon",
        "parent_gen_id": "gen-crescent-1",
        "edit_op": "inpainting",
    }
    made = {"gen_id": "gen-crescent-2", "gen_size": "smimage", "seed": None, "height": 1024, "width": 1024}
    draft.tool("dalle.text2im", multimodal(image(second, 1024, 1024, dalle=again, generation=made)))
    draft.assistant("Fewer lines, and it still reads at 2 cm.")
    return draft.conversation


def mould(drafts: Drafts) -> dict[str, Any]:
    """A photograph is uploaded and looked at."""
    photo = drafts.file_id()
    draft = drafts.begin("White film on the starter", 530, "gpt-4o").system()
    draft.user(
        multimodal(image(photo, 3024, 4032), "Is this mould on my sourdough starter? It is white and wrinkled."),
        attachments=[attachment(photo, "IMG_2041.jpeg", "image/jpeg", 2_414_112, width=3024, height=4032)],
    ).assistant("""
        That looks like **kahm yeast**, not mould: it is flat, wrinkled and evenly white. Mould would be *fuzzy*, in
        round spots, often green or black.

        - Scrape the film off and discard the top centimetre.
        - Move 10 g from the bottom to a clean jar.
        - Feed 1 : 5 : 5 for three days.
    """)
    return draft.conversation


def untitled(drafts: Drafts) -> dict[str, Any]:
    """A chat so short that it never got a title."""
    draft = drafts.begin(None, 377, "gpt-4o").system()
    draft.user("450 F in celsius").assistant("**232 °C.** Most bakers round it to 230 °C.")
    return draft.conversation


def oven_offer(drafts: Drafts) -> dict[str, Any]:
    """A PDF is uploaded; its pages are quoted and cited as files."""
    offer = drafts.file_id()
    mark = "\ue200filecite\ue202turn0file0\ue202L12-L18\ue201"
    text = f"The hearth is covered for **ten years** {mark} but the seals only for two.\n\nAsk them for five."
    quoted = "Delivery takes eleven weeks. The stone hearth is covered for ten years, the seals for two."
    draft = drafts.begin("Comparing the deck oven offer", 150, "gpt-5").system()
    draft.user(
        "What does the offer say about warranty?",
        attachments=[attachment(offer, "deck-oven-offer.pdf", "application/pdf", 482_113, library_file_id="lib-1")],
    ).mark("asked")
    draft.call("file_search.msearch", json_text({"queries": ["warranty", "guarantee period"]}), "json")
    draft.tool(
        "file_search",
        {
            "content_type": "tether_quote",
            "url": offer,
            "domain": "deck-oven-offer.pdf",
            "title": "deck-oven-offer.pdf",
            "text": quoted,
            "tether_id": None,
        },
    )
    reference = {
        "matched_text": mark,
        "start_idx": text.find(mark),
        "end_idx": text.find(mark) + len(mark),
        "type": "file",
        "id": offer,
        "name": "deck-oven-offer.pdf",
        "source": "my_files",
        "snippet": "The stone hearth is covered for ten years.",
        "library_file_id": "lib-1",
        "cloud_doc_url": None,
        "input_pointer": {
            "message_id": draft.marks["asked"],
            "message_index": 0,
            "file_index": 0,
            "line_range_start": 12,
            "line_range_end": 18,
        },
    }
    return draft.assistant(text, content_references=[reference]).conversation


def poster(drafts: Drafts) -> dict[str, Any]:
    """A canvas document is written, commented and changed."""
    document = {
        "name": "Opening hours poster",
        "type": "document",
        "content": "# Crescent & Crumb\n\nTuesday to Saturday, 7:00 to 13:00\n\nFresh peppernut loaves every Friday.",
    }
    comment = {"comments": [{"pattern": "7:00 to 13:00", "comment": "Say what happens when the bread sells out."}]}
    update = {"updates": [{"pattern": "13:00", "multiple": False, "replacement": "13:00 (or until sold out)"}]}
    canvas = {"textdoc_id": "68c0ffee0001", "textdoc_type": "document", "title": "Opening hours poster"}
    draft = drafts.begin("Opening hours poster", 300, "gpt-4o").system()
    draft.user("Write a poster with my opening hours.").call("canmore.create_textdoc", json_text(document), "json")
    draft.tool("canmore.create_textdoc", "Successfully created text document", canvas=canvas | {"version": 1})
    draft.assistant("The poster is in the canvas. Shall I look it over?")
    draft.user("Yes, comment on it, then fix it.").call("canmore.comment_textdoc", json_text(comment), "json")
    draft.tool("canmore.comment_textdoc", "Successfully added 1 comment", canvas=canvas | {"version": 1})
    draft.call("canmore.update_textdoc", json_text(update), "json")
    done = canvas | {"version": 2, "from_version": 1, "create_source": "model", "has_user_edit": False}
    draft.tool("canmore.update_textdoc", "Successfully updated text document", canvas=done)
    draft.assistant("Done: the poster now says what happens when the bread sells out.")
    return draft.conversation


def dawn_picture(drafts: Drafts) -> dict[str, Any]:
    """A photograph and a picture with the file addresses of the first years."""
    photo, painted = _old_file_id(drafts), _old_file_id(drafts)
    draft = drafts.begin("Paint the shop at dawn", 985, "gpt-4").system()
    shown = image(photo, 1600, 1200, container_pixel_width=1600, container_pixel_height=1200)
    draft.user(
        multimodal(shown | {"asset_pointer": f"file-service://{photo}"}, "Paint my shop front, but at dawn."),
        attachments=[attachment(photo, "shop-front.png", "image/png", 1_902_337, width=1600, height=1200)],
    )
    prompt = "Watercolour of a small bakery at dawn, the Larkspurgate bridge behind it, lamps still lit"
    dalle = {"gen_id": "gen-dawn-1", "prompt": prompt, "seed": 1_404_220_961, "parent_gen_id": None}
    dalle |= {"edit_op": None, "serialization_title": "DALL-E generation metadata"}
    made = image(painted, 1792, 1024, dalle=dalle, watermarked_asset_pointer=f"file-service://{_old_file_id(drafts)}")
    draft.call("dalle.text2im", json_text({"size": "1792x1024", "n": 1, "referenced_image_ids": [photo]}), "json")
    draft.tool("dalle.text2im", multimodal(made | {"asset_pointer": f"file-service://{painted}"}))
    draft.assistant("Here is your shop in the first light. The lamps are on, and the street is still wet.")
    return draft.conversation


def _old_file_id(drafts: Drafts) -> str:
    """Return a file id as it was until early 2025 (API notes §7)."""
    return "file-" + "".join(drafts.rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789", k=22))


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


def percentages(drafts: Drafts) -> dict[str, Any]:
    """An edited question and three answers to it, of which the long middle one is kept."""
    draft = (
        drafts.begin("Baker's percentages from the beginning", 350, "gpt-4o", is_starred=True).system().mark("start")
    )
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


def labels(drafts: Drafts) -> dict[str, Any]:
    """A file is made in the sandbox and linked; a canvas is opened in the older way, by plain text."""
    draft = drafts.begin("Price labels for the counter", 265, "gpt-4o").system()
    draft.user("Make a PDF with price labels: country loaf 5.80, rye 5.20, fennel roll 1.40.")
    draft.call("python", 'labels.save("/mnt/data/price-labels.pdf")', "python")
    draft.tool("python", {"content_type": "execution_output", "text": ""})
    draft.assistant("Done, three labels to a page: [price-labels.pdf](sandbox:/mnt/data/price-labels.pdf)")
    draft.user("Put the text into a canvas too.")
    document = {"name": "Price labels", "type": "document", "content": "Country loaf 5.80\nRye 5.20\nFennel roll 1.40"}
    draft.assistant(json_text(document), to="canmore.create_textdoc")
    canvas = {"textdoc_id": "68c0ffee0003", "textdoc_type": "document", "title": "Price labels", "version": 1}
    draft.tool("canmore.create_textdoc", "Successfully created text document", canvas=canvas)
    return draft.assistant("It is in the canvas.").conversation


def mill_order(drafts: Drafts) -> dict[str, Any]:
    """Agent mode looks at a whole desktop instead of a page."""
    screen = {
        "content_type": "computer_output",
        "computer_id": "computer-2",
        "screenshot": image(drafts.file_id(), 1024, 768),
        "state": {"type": "desktop_state", "id": "state-2", "title": "Order form", "url": None, "os": "linux"},
        "tether_id": None,
    }
    draft = drafts.begin("Fill in the mill's order form", 24, conversation_origin="agent").system()
    draft.user("Fill in the order form of the mill: 10 sacks of strong wheat, 4 of whole rye.", system_hints=["agent"])
    draft.call("computer.do", json_text({"actions": [{"action": "type", "text": "10"}]}), "json")
    draft.tool("computer.do", screen)
    draft.assistant("The form is filled in. **I have not sent it**: please look at the delivery date first.")
    return draft.conversation
