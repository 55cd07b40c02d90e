"""Questions about the demo's chats in words that the chats do not use, for ``benchmarks.meaning``.

Each question belongs to the conversation that answers it, by title. It shares no word, in the stemming of the search
index, with that title or with any message of the conversation. Only the function words below may be in both: without
them nobody asks in English, and every chat has them.
"""

from __future__ import annotations

FUNCTION_WORDS = """
a an and are as at be by can could did do does for from had has have her his how i if in into is it me my of on or our
she should so that the them they this to us was we were what when where which who why will with would you your
"""

# Chats in another language than the question: these ask for a translation, not for a synonym.
IN_OTHER_LANGUAGES = frozenset(
    {
        "Brief an den Mühlenbetrieb",
        "Brioche à tête, sans pétrin",
        "日本語で星の話",
        "中秋节的面包",
        "أسماء النجوم العربية",
        "חלה לשבת",
    }
)

QUESTIONS: dict[str, tuple[str, ...]] = {
    "Reviving a neglected sourdough starter": (
        "How do I bring my forgotten levain to life again?",
        "leaven abandoned for months in the refrigerator, could it be saved?",
        "savoury biscuits from leftover leaven",
    ),
    "Croissant lamination schedule": (
        "timetable for viennoiserie so that I get enough rest",
        "When should I start the puff pastry for breakfast?",
    ),
    "What sells at the Saturday market": (
        "most popular products on our weekend stall",
        "Which of our goods earns the highest profit?",
        "analysis of turnover by item",
    ),
    "Moon and loaf logo": (
        "emblem design for our company",
        "brand mark with a lunar symbol",
    ),
    "White film on the starter": (
        "pale skin over the leaven, should I worry?",
        "Is this fungus harmful to my ferment?",
    ),
    "Untitled": (
        "convert Fahrenheit to metric temperature",
        "How hot is that American oven setting in Europe?",
    ),
    "Comparing the deck oven offer": (
        "How long until our new baking equipment arrives?",
        "Would the manufacturer replace broken gaskets?",
    ),
    "Opening hours poster": (
        "sign that tells customers when we trade",
        "placard for the window with our business days",
    ),
    "Paint the shop at dawn": (
        "illustration of our store at sunrise",
        "artwork showing the building early in the morning",
    ),
    "Baker's percentages from the beginning": (
        "multiply quantities for a bigger batch",
        "Why do my boules sag while cooling?",
    ),
    "Price labels for the counter": (
        "tags showing what our goods cost",
        "printable signs that tell customers what they pay",
    ),
    "Fill in the mill's order form": (
        "purchase flour from our supplier",
        "Did my grain request go through?",
    ),
    "Read my flour invoices with Python": (
        "calculate what I owe to vendors",
        "How do I process bills with a script?",
        "avoid rounding errors with currency",
    ),
    "Branch: invoices into SQLite": (
        "store bills in relational storage",
        "save bookkeeping records permanently",
    ),
    "A feeding calculator": (
        "program that computes refreshment quantities for leaven",
        "script that tells me what my levain needs",
    ),
    "Full-text search for my recipes": (
        "look up dishes by keyword",
        "missing database extension in the interpreter",
    ),
    "How much can my telescope resolve?": (
        "sharpness of my optical instrument",
        "diffraction through an aperture",
        "finest detail visible in this scope",
    ),
    "KeyError in invoices.py": (
        "exception caused by a spelling mistake",
        "Why did my script crash on a misspelled column?",
    ),
    "Strange characters in a recipe file": (
        "garbled symbols after importing",
        "corrupted document with weird glyphs",
        "broken Unicode surrogate pair",
    ),
    "Cleaning the oven flue": (
        "dangerous combinations of household chemicals",
        "toxic fumes from scrubbing the chimney",
    ),
    "A website for the bakery": (
        "internet presence for our business",
        "web design for my store",
    ),
    "When to watch the Perseids": (
        "shooting stars in summer",
        "falling stars: ideal moment to be outside",
    ),
    "Can I see the comet from town?": (
        "Is the icy wanderer visible despite light pollution?",
        "spot the celestial visitor with handheld optics",
    ),
    "Eyepieces for the Dobsonian": (
        "lenses for my reflector: what should I purchase?",
        "magnification upgrade for a Newtonian",
    ),
    "Lunar eclipse tonight": (
        "When is totality over?",
        "Earth darkening its satellite this evening",
    ),
    "Aurora beyond the weathervane": (
        "northern lights visible this evening?",
        "geomagnetic activity in the polar sky",
    ),
    "Book the observatory evening": (
        "tickets for the public astronomy event",
        "Did we get seats at the stargazing session?",
    ),
    "Dark skies within two hours": (
        "remote location without light pollution reachable by rail",
        "Where can I travel to escape city glow?",
    ),
    "Planets for the weekend": (
        "gas giants visible in the next few days",
        "Which worlds can I spot with the naked eye?",
    ),
    "Hands-free at the telescope": (
        "steering the mount while tracking an object",
        "freezing gloves: how do I rotate the dial on my scope?",
    ),
    "Is my dough ready? (camera)": (
        "proofing test by touch",
        "Has my bread risen enough?",
        "poke check before baking",
    ),
    "A present for my apprentice": (
        "gift for my trainee",
        "What should I buy for a student who graduates?",
    ),
    "Moonrise above the harbour": (
        "satellite appearing over the port",
        "lunar ascent by the sea",
    ),
    "Clear sky, every morning at seven": (
        "regular weather alert for stargazing",
        "automatic notification if it is overcast",
    ),
    "Plan the week from my calendar": (
        "organise my appointments",
        "What meetings do I have in my agenda?",
    ),
    "Brief an den Mühlenbetrieb": (
        "complaint to our supplier: lumpy flour",
        "polite letter regarding a damp delivery",
    ),
    "Brioche à tête, sans pétrin": (
        "buttery French rolls kneaded by hand",
        "enriched egg bread without a mixer",
    ),
    "日本語で星の話": (
        "practice dialogue on stargazing",
        "Japanese conversation exercise on astronomy",
    ),
    "中秋节的面包": (
        "mid-autumn festival baking ideas",
        "seasonal bread special for the moon holiday",
    ),
    "أسماء النجوم العربية": (
        "origin of Arabic star names",
        "etymology of stars in the Middle East",
    ),
    "חלה לשבת": (
        "braiding bread with six strands",
        "plaited Jewish loaf",
    ),
    "🎂 Party for the bakery's birthday 🥖": (
        "anniversary celebration announcement",
        "jubilee card for our guests",
    ),
    "A Japanese word a day": (
        "vocabulary lessons in a foreign language",
        "learning Nihongo step by step",
    ),
    "A Japanese word a day, continued": (
        "vocabulary drill resumed",
        "translate breeze to Nihongo",
    ),
    "Orion for beginners": (
        "Where is the hunter constellation?",
        "locate the belt in the heavens",
    ),
    "A star hop to the Ring Nebula": (
        "planetary remnant in Lyra",
        "guide for locating the doughnut shaped gas cloud",
    ),
    "Rain on the observing night": (
        "protect my scope against moisture",
        "drizzle during astronomy: would a hood help?",
    ),
}
