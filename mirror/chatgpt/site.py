"""What ``mirror.web`` has to know of chatgpt.com: its limits, its lock, its errors."""

from __future__ import annotations

import re
from typing import Any

from mirror.chatgpt.known_words import WORDS
from mirror.services import service_of
from mirror.values import as_dict
from mirror.web.site import RequestClass, Site

# Seconds between two requests, about what the web client sends while a person scrolls; other clients wait 0.1 to 2 s
# (API notes §8). Smaller: earlier refusals.
ORDINARY_SPACING = 0.3
# Seconds to wait after the first, second and third 429 in a row. They usually pass in a minute, but a list was also
# seen locked for more than an hour (API notes §8). Shorter: runs end early.
ORDINARY_PAUSES = (20.0, 60.0, 180.0)
# Seconds between two reads by id. A bucket of about 200 refills once a minute (API notes §8). Smaller: the lock.
BY_ID_SPACING = 1.0
# Seconds to wait after the first 429 of a run. 60, 120 and 240 in a row were too fast (API notes §8), so there is one
# pause only. More of them: the person is locked out of their own ChatGPT.
BY_ID_PAUSES = (60.0,)

# Seconds between two requests for files, addresses and bytes alike. Nobody reports a 429 for 35 pictures in 15 seconds
# (API notes §7); the reads by id of the same account are limited, though. Smaller: the person's own pages may be, too.
FILE_SPACING = 0.5
# Seconds to wait after a 429 for a file. A guess: what other requests wait first. Shorter: a stray one costs a file its
# run; longer: each file that alone is refused costs that.
FILE_PAUSES = (20.0,)

# Characters of the service's own sentence in a message of ours. Smaller: cut sentences; larger: lines nobody reads.
SENTENCE_LENGTH = 200
# What a code is: a word of the service's programs. It stands in messages and in the database, so nothing else is taken.
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,80}")

# Lists, batches, account data: hardly limited.
ORDINARY = RequestClass("ordinary", ORDINARY_SPACING, ORDINARY_PAUSES)
# One conversation by its id, from the single or the plural endpoint. Reading too many of them locks the account.
BY_ID = RequestClass("read by id", BY_ID_SPACING, BY_ID_PAUSES, is_budgeted=True)

# Files: their addresses and their bytes. A 429 after one pause ends them for the run, unless another file comes.
FILE = RequestClass("file", FILE_SPACING, FILE_PAUSES)


def error_code(body: Any) -> str | None:
    """Return the code in the body of a refusal, None where it states none, or something that is no word.

    API notes §1.4. The messages beside it are localised and never matched.
    """
    detail = as_dict(body).get("detail")
    code = as_dict(detail if isinstance(detail, dict) else body).get("code")
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None


def error_sentence(body: Any) -> str | None:
    """Return the service's own words for a person in the body of a refusal, cleaned; None where it has none."""
    detail = as_dict(body).get("detail")
    text = as_dict(detail).get("message") if isinstance(detail, dict) else detail
    if not isinstance(text, str):
        return None
    words = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    is_sentence = " " in words  # "Forbidden" says no more than the status does
    return words[:SENTENCE_LENGTH] if is_sentence else None


_SERVICE = service_of("chatgpt")
SITE = Site(
    name=_SERVICE.name,
    home_url=_SERVICE.home_url,
    error_code=error_code,
    error_sentence=error_sentence,
    # "We've temporarily limited access to your conversations to protect your data" (API notes §8).
    lock_words=b"temporarily limited access",
    words=WORDS,
)
