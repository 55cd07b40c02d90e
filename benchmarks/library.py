"""A mirror as large as wanted: ``python -m benchmarks.library big.db --messages 1000000 --data FOLDER``.

Every conversation under the folder (exports, captured answers) is copied again and again with ids, times and words of
its own, and stored by the very code of ``chatmirror import``. Words are drawn as people's are: few often, most seldom.
``common`` stands in 60 % of the messages, ``seldom1`` to ``seldom400`` each in a few dozen; every tenth copy is
Chinese. A few conversations are long: the turns of many copies, one after the other.
"""

from __future__ import annotations

import json
import random
import re
import time
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mirror.app import recorded
from mirror.archive import Found, open_archive
from mirror.errors import ChatmirrorError
from mirror.fold import Arrival
from mirror.importing import PROVIDER
from mirror.ingest import ingest
from mirror.normalize import normalize
from mirror.store.database import Writer
from mirror.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Iterator

VOCABULARY = 50_000
YEARS = 4 * 365 * 86_400
LONG = (*[60] * 12, 3_000, 3_000, 3_000)  # messages of the long conversations
AT_ONCE = 200  # conversations in one transaction: this is a benchmark's data, not a person's
SPOKEN = frozenset({"parts", "text", "content", "result", "title"})
CHINESE = (
    "的一是不了人我在有他这为之大来以个中上们到说国和地也子时道出而要于就下得可你年生自会那后能对着事其里所去行过家十用"
)
_UUID_END = re.compile(r"(?<=[0-9a-f]{4}-)[0-9a-f]{12}\b")


class Writing:
    """Chance made into words. ``seed`` makes it the same every time."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        syllables = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "er", "il", "or")]
        self.words = ["".join(self.random.choices(syllables, k=1 + n % 4)) for n in range(VOCABULARY)]
        self.weights = list(accumulate(1 / (rank + 3) for rank in range(VOCABULARY)))
        self.signs = list(CHINESE) + [chr(0x4E00 + n) for n in range(3_000)]
        self.sign_weights = list(accumulate(1 / (rank + 10) for rank in range(len(self.signs))))

    def varied(self, text: str, *, chinese: bool) -> str:
        """Return a text of about the same length and form, every other word another one, and the planted ones."""
        pieces = re.split(r"(\W+)", text)
        new = iter(self.random.choices(self.words, cum_weights=self.weights, k=len(pieces)))
        pieces = [next(new) if piece.isalpha() and n % 4 == 0 else piece for n, piece in enumerate(pieces)]
        said = ["".join(pieces), *self.random.choices(self.words, cum_weights=self.weights, k=8)]
        if self.random.random() < 0.6:  # noqa: PLR2004 - the share that the worst common word has
            said.append("common")
        if self.random.random() < 0.01:  # noqa: PLR2004 - a few dozen messages for each of 400 words
            said.append(f"seldom{self.random.randrange(1, 401)}")
        if chinese:
            said.append("".join(self.random.choices(self.signs, cum_weights=self.sign_weights, k=60)))
        return " ".join(said)

    def copy(self, raw: str) -> dict[str, Any]:
        """Return a conversation like ``raw`` with fresh ids, times and words."""
        end = f"{self.random.randrange(16**12):012x}"
        conversation: dict[str, Any] = json.loads(
            _UUID_END.sub(lambda found: f"{int(found[0], 16) ^ int(end, 16):012x}", raw)
        )
        name = f"{self.random.randrange(16**8):08x}-0000-4000-8000-{end}"
        conversation["id"] = conversation["conversation_id"] = name
        self._vary(conversation, self.random.uniform(-YEARS, 0), chinese=self.random.random() < 0.1)  # noqa: PLR2004
        return conversation

    def long(self, sources: list[str], length: int) -> dict[str, Any]:
        """Return a conversation of so many messages in a row."""
        whole = self.copy(self.random.choice(sources)) | {"current_node": f"n{length - 1}"}
        said: list[dict[str, Any]] = []
        while len(said) < length:
            nodes = self.copy(self.random.choice(sources)).get("mapping", {}).values()
            said += [node["message"] for node in nodes if _is_turn(node.get("message"))]
        whole["mapping"] = {
            f"n{n}": {
                "id": f"n{n}",
                "parent": f"n{n - 1}",
                "children": [f"n{n + 1}"],
                "message": {**one, "id": f"n{n}"},
            }
            for n, one in enumerate(said[:length])
        }
        return whole

    def _vary(self, value: Any, shift: float, *, chinese: bool, is_spoken: bool = False) -> None:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            spoken = is_spoken if isinstance(value, list) else key in SPOKEN
            if isinstance(inner, str) and spoken:
                value[key] = self.varied(inner, chinese=chinese)
            elif isinstance(inner, float | int) and key in {"create_time", "update_time"}:
                value[key] = inner + shift
            elif isinstance(inner, dict | list):
                self._vary(inner, shift, chinese=chinese, is_spoken=spoken)


def _is_turn(message: dict[str, Any] | None) -> bool:
    content = (message or {}).get("content") or {}
    return content.get("content_type") == "text" and any(content.get("parts") or [])


def originals(folder: Path) -> Iterator[str]:
    """Yield every conversation under a folder as JSON text; files that are none are passed by."""
    for path in sorted(path for path in folder.rglob("*") if path.suffix in {".json", ".zip"}):
        try:
            with open_archive(path) as archive:
                yield from (json.dumps(found.payload) for found in archive if isinstance(found, Found))
        except ChatmirrorError:
            continue


def fill(path: Path, folder: Path, messages: int, seed: int) -> Iterator[int]:
    """Store copies until there are so many messages; yield the number now and then."""
    sources, writing, timing = list(originals(folder)), Writing(seed), Timing()
    stored = 0
    longer = [writing.long(sources, length) for length in LONG]
    with Writer(path) as writer, recorded(writer, "import", timing) as run:
        while stored < messages:
            with writer.transaction() as conn:
                for _ in range(AT_ONCE):
                    payload = longer.pop() if longer else writing.copy(writing.random.choice(sources))
                    conversation = normalize(PROVIDER, payload)
                    raw = json.dumps(payload).encode()
                    arrival = Arrival(payload["id"], PROVIDER, payload, raw, "export", "", timing.iso())
                    ingest(conn, arrival, run.id)
                    stored += len(conversation.messages)
            yield stored


@click.command()
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--messages", default=1_000_000, show_default=True)
@click.option(
    "--data", type=click.Path(path_type=Path, exists=True), default=Path("../shared/data/real"), show_default=True
)
@click.option("--seed", default=1, show_default=True)
def main(path: Path, messages: int, data: Path, seed: int) -> None:
    """Make a mirror of so many messages."""
    begin = time.monotonic()
    for stored in fill(path, data, messages, seed):
        click.echo(f"\r{stored:,} messages, {time.monotonic() - begin:.0f} s", nl=False)
    click.echo(f"\n{path}: {path.stat().st_size / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()
