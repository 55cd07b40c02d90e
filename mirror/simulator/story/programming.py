"""Learning Python: code, its output, canvases, and what can happen to a chat."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from mirror.simulator.story.draft import Draft, image, json_text, multimodal

if TYPE_CHECKING:
    from mirror.simulator.story.draft import Drafts


def programming_conversations(drafts: Drafts) -> list[dict[str, Any]]:
    """Return the conversations about code."""
    writers = (canvas_code, search_index, focal_maths, editor, broken_text, blocked, unfinished)
    first = csv_reader(drafts)
    return [first, branched(drafts, first), *(writer(drafts) for writer in writers)]


def csv_reader(drafts: Drafts) -> dict[str, Any]:
    """Fenced code, a question after it, an answer given twice."""
    draft = drafts.begin("Read my flour invoices with Python", 720, "gpt-4").system()
    draft.user("How do I add up the amounts of a CSV file in Python? I am a beginner.").assistant("""
        Use the `csv` module, it comes with Python:

        ```python
        import csv
        from decimal import Decimal

        total = Decimal(0)
        with open("invoices.csv", newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                total += Decimal(row["amount"])

        print(f"Total: {total:.2f}")
        ```

        - `newline=""` lets the module deal with line ends itself.
        - `Decimal` adds money exactly; `float` does not: `0.1 + 0.2` is `0.30000000000000004`.

        See the [documentation of csv](https://docs.python.org/3/library/csv.html).
    """).mark("first")
    draft.user("And per supplier?").mark("asked").assistant("""
        Keep one sum for each supplier in a dictionary:

        ```python
        from collections import defaultdict

        totals = defaultdict(Decimal)
        for row in rows:
            totals[row["supplier"]] += Decimal(row["amount"])
        ```
    """).branch_at("asked").assistant("""
        With a `Counter`, which is a dictionary made for adding:

        ```python
        from collections import Counter

        totals = Counter()
        for row in rows:
            totals[row["supplier"]] += Decimal(row["amount"])

        for supplier, total in totals.most_common():
            print(f"{supplier:<20} {total:>10.2f}")
        ```
    """)
    return draft.conversation


def branched(drafts: Drafts, source: dict[str, Any]) -> dict[str, Any]:
    """A chat that was branched from another: it begins with the very same messages."""
    made = drafts.begin("Branch: invoices into SQLite", 712, "gpt-4").conversation
    made["mapping"] = copy.deepcopy(source["mapping"])
    made["current_node"] = source["current_node"]
    draft = Draft(made, made["create_time"], drafts.rng)
    draft.user(
        "Now put the rows into a database instead.",
        branching_from_conversation_id=source["conversation_id"],
        branching_from_conversation_title=source["title"],
        branching_from_conversation_owner="user-SimulatedPerson",
    ).assistant("""
        SQLite is a file and needs no server:

        ```python
        import sqlite3

        with sqlite3.connect("invoices.db") as db:
            db.execute("CREATE TABLE IF NOT EXISTS invoice (supplier TEXT, amount TEXT, day TEXT)")
            db.executemany("INSERT INTO invoice VALUES (:supplier, :amount, :day)", rows)
        ```

        Then `SELECT supplier, sum(amount) FROM invoice GROUP BY supplier`
        ([aggregate functions](https://www.sqlite.org/lang_aggfunc.html)).
    """)
    return draft.conversation


def canvas_code(drafts: Drafts) -> dict[str, Any]:
    """Code in the canvas, rewritten as a whole."""
    first = 'def feed(grams: int) -> dict[str, int]:\n    return {"water": grams, "flour": grams}\n'
    second = (
        "def feed(grams: int, ratio: int = 1) -> dict[str, int]:\n"
        '    """Return what to add to so much sourdough starter."""\n'
        '    return {"water": grams * ratio, "flour": grams * ratio}\n'
    )
    canvas = {"textdoc_id": "68c0ffee0002", "textdoc_type": "code/python", "title": "feed.py"}
    draft = drafts.begin("A feeding calculator", 233, "gpt-5").system().user("Write a function for feeding my starter.")
    draft.call(
        "canmore.create_textdoc", json_text({"name": "feed.py", "type": "code/python", "content": first}), "json"
    )
    draft.tool("canmore.create_textdoc", "Successfully created text document", canvas=canvas | {"version": 1})
    draft.user("It should know the ratio.")
    update = {"updates": [{"pattern": ".*", "multiple": False, "replacement": second}]}
    draft.call("canmore.update_textdoc", json_text(update), "json")
    draft.tool("canmore.update_textdoc", "Successfully updated", canvas=canvas | {"version": 2, "from_version": 1})
    return draft.assistant("`feed(50, 5)` now gives 250 g of each.").conversation


def search_index(drafts: Drafts) -> dict[str, Any]:
    """Code whose output may be cited, and a run that fails."""
    draft = drafts.begin("Full-text search for my recipes", 120, "gpt-5").system()
    draft.user("Can SQLite search my recipes by word?")
    draft.call("python", 'db.execute("CREATE VIRTUAL TABLE recipe USING fts5(title, body)")', "python")
    failed = "OperationalError: no such module: fts5"
    exception = {"name": "OperationalError", "traceback": [failed], "args": ["no such module: fts5"], "notes": []}
    result: dict[str, Any] = {
        "status": "failed_with_in_kernel_exception",
        "run_id": "run-7",
        "in_kernel_exception": exception,
    }
    result |= {"code": "", "final_expression_output": None, "system_exception": None, "messages": []}
    draft.tool("python", {"content_type": "execution_output", "text": failed}, aggregate_result=result)
    listed = "ENABLE_FTS3\nENABLE_RTREE\nTHREADSAFE=1"
    draft.tool("container.exec", {"content_type": "citable_code_output", "output_str": listed})
    return draft.assistant("""
        Yes, with **FTS5** ([documentation](https://www.sqlite.org/fts5.html)). My own sandbox was built without it,
        but the SQLite that comes with Python usually has it:

        ```sql
        CREATE VIRTUAL TABLE recipe USING fts5(title, body, tokenize = 'unicode61 remove_diacritics 2');
        SELECT title, snippet(recipe, 1, '<b>', '</b>', ' ... ', 8)
        FROM recipe
        WHERE recipe MATCH 'sourdough NOT rye'
        ORDER BY rank;
        ```

        | Query | Finds |
        |-------|-------|
        | `rye` | the word anywhere |
        | `title:rye` | the word in a title |
        | `"strong flour"` | the phrase |
        | `ferment*` | ferment, fermented, fermentation |
    """).conversation


def focal_maths(drafts: Drafts) -> dict[str, Any]:
    """Maths, inline and displayed."""
    draft = drafts.begin("How much can my telescope resolve?", 640, "gpt-4o").system()
    draft.user("What is the smallest angle that a 200 mm mirror can resolve? Show the maths.")
    return draft.assistant(r"""
        By the Rayleigh criterion the smallest angle is \( \theta = 1.22 \, \lambda / D \).

        $$
        \theta = 1.22 \cdot \frac{550 \times 10^{-9}\,\text{m}}{0.2\,\text{m}}
               = 3.36 \times 10^{-6}\,\text{rad} \approx 0.69''
        $$

        The focal ratio is \( N = f / D = 1200 / 200 = 6 \), and the power of an eyepiece of focal length \( f_e \) is

        \[ M = \frac{f}{f_e}, \qquad M_{25} = \frac{1200}{25} = 48. \]

        On most nights the air limits you to about 2'', so the mirror is rarely to blame.
    """).conversation


def editor(drafts: Drafts) -> dict[str, Any]:
    """The desktop app sees another window; a screenshot of an error is uploaded."""
    pairing = {
        "content_type": "app_pairing_content",
        "workspaces": [
            {
                "id": "workspace-1",
                "app_name": "Editor",
                "title": "invoices.py",
                "content": "totals = Counter()\nfor row in rows:\n    totals[row['suplier']] += Decimal(row['amount'])",
            }
        ],
        "shared": [],
        "context_parts": [{"text": "Line 3 is selected"}],
    }
    draft = drafts.begin("KeyError in invoices.py", 88).system()
    draft.put("user", pairing, is_visually_hidden_from_conversation=True)
    shot = drafts.file_id()
    draft.user(multimodal(image(shot, 1440, 900), "Why does this fail? KeyError: 'suplier'"))
    return draft.assistant("There is a letter missing in line 3: `row['supplier']`, with **two p**.").conversation


def broken_text(drafts: Drafts) -> dict[str, Any]:
    """A text with a lone surrogate and a NUL, as if pasted from a damaged file."""
    draft = drafts.begin("Strange characters in a recipe file", 505, "gpt-4o").system()
    draft.user("My old recipe file says: Brioche \ud83e and 500\u0000g flour. What happened?").assistant("""
        Two kinds of damage:

        1. `\\ud83e` is **half an emoji**: the first of two code units, whose second one was cut off.
        2. `\\u0000` is a **NUL**, usually from reading UTF-16 as if it were something else.

        ```python
        clean = text.encode("utf-8", "ignore").decode().replace("\\0", "")
        ```
    """)
    return draft.conversation


def blocked(drafts: Drafts) -> dict[str, Any]:
    """An answer that the service's moderation removed."""
    draft = drafts.begin("Cleaning the oven flue", 588, "gpt-4o").system()
    draft.user("Which cleaners must never be mixed when I clean the flue?").assistant("")
    draft.conversation["moderation_results"] = [
        {
            "message_id": draft.tip,
            "flagged": True,
            "blocked": True,
            "disclaimers": ["This content may violate the usage policies."],
            "should_disable_conversation": False,
        }
    ]
    draft.user("I only want to stay safe. Which ones?")
    return draft.assistant("""
        Of course. **Never** mix:

        - chlorine bleach with any acid (descaler, vinegar)
        - chlorine bleach with ammonia
        - two drain cleaners of different makers
    """).conversation


def unfinished(drafts: Drafts) -> dict[str, Any]:
    """An answer that was never finished."""
    draft = drafts.begin("A website for the bakery", 340, "gpt-4o", async_status=None).system()
    draft.user("Write the HTML for a page with my opening hours.")
    draft.assistant("Sure, here is a page:\n\n```html\n<main>\n  <h1>Crescent &amp; Crumb</h1>\n  <p>Tuesd")
    return draft.amend(status="in_progress", end_turn=None).conversation
