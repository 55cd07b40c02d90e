"""A mirror of any size: ``python -m benchmarks.library big.db --messages 1000000 --data FOLDER``.

Every conversation under the folder (exports, captured answers; without it: the demo's) is copied again and again with
ids, times and words of its own, and stored by the code of ``chatmirror import``. Words are distributed as in natural
language: few are frequent, most are rare. ``common`` is in 60 % of the messages, ``rare1`` to ``rare400`` each in a few
dozen; every tenth copy has Chinese in it. A few conversations are long: the messages of many copies in a row.
"""

from __future__ import annotations

import itertools
import json
import random
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mirror.app import recorded
from mirror.archive import Found, open_archive
from mirror.body import Body
from mirror.errors import ChatmirrorError
from mirror.ingest import ingest
from mirror.payload_versions import Arrival
from mirror.simulator import demo_account
from mirror.store.database import Writer
from mirror.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Iterator

VOCABULARY = 50_000
YEARS = 4 * 365 * 86_400
LONG = (*[60] * 12, 3_000, 3_000, 3_000)  # messages of the long conversations
AT_ONCE = 200  # conversations in one transaction: this is a benchmark's data, not a person's
TEXT_KEYS = frozenset({"parts", "text", "content", "result", "title"})
CHINESE = (
    "的一是不了人我在有他这为之大来以个中上们到说国和地也子时道出而要于就下得可你年生自会那后能对着事其里所去行过家十用"
)
_UUID_END = re.compile(r"(?<=[0-9a-f]{4}-)[0-9a-f]{12}\b")


class CopyWriter:
    """Writes conversations like others, with random words. The same ``seed`` gives the same copies."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        syllables = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "er", "il", "or")]
        self.words = ["".join(self.rng.choices(syllables, k=1 + n % 4)) for n in range(VOCABULARY)]
        self.weights = list(itertools.accumulate(1 / (rank + 3) for rank in range(VOCABULARY)))
        self.characters = list(CHINESE) + [chr(0x4E00 + n) for n in range(3_000)]
        self.character_weights = list(itertools.accumulate(1 / (rank + 10) for rank in range(len(self.characters))))

    def varied(self, text: str, *, chinese: bool) -> str:
        """Return a text of about the same length and form, with other words and the planted ones."""
        pieces = re.split(r"(\W+)", text)
        new = iter(self.rng.choices(self.words, cum_weights=self.weights, k=len(pieces)))
        pieces = [next(new) if piece.isalpha() and n % 4 == 0 else piece for n, piece in enumerate(pieces)]
        parts = ["".join(pieces), *self.rng.choices(self.words, cum_weights=self.weights, k=8)]
        if self.rng.random() < 0.6:  # noqa: PLR2004 - the share of the most common word
            parts.append("common")
        if self.rng.random() < 0.01:  # noqa: PLR2004 - a few dozen messages for each of 400 words
            parts.append(f"rare{self.rng.randrange(1, 401)}")
        if chinese:
            parts.append("".join(self.rng.choices(self.characters, cum_weights=self.character_weights, k=60)))
        return " ".join(parts)

    def copy(self, raw: str) -> dict[str, Any]:
        """Return a conversation like ``raw`` with fresh ids, times and words."""
        end = f"{self.rng.randrange(16**12):012x}"
        conversation: dict[str, Any] = json.loads(
            _UUID_END.sub(lambda found: f"{int(found[0], 16) ^ int(end, 16):012x}", raw)
        )
        name = f"{self.rng.randrange(16**8):08x}-0000-4000-8000-{end}"
        conversation["id"] = conversation["conversation_id"] = name
        self._vary(conversation, self.rng.uniform(-YEARS, 0), chinese=self.rng.random() < 0.1)  # noqa: PLR2004
        return conversation

    def long_copy(self, sources: list[str], length: int) -> dict[str, Any]:
        """Return a conversation of that many messages in a row."""
        whole = self.copy(self.rng.choice(sources)) | {"current_node": f"n{length - 1}"}
        messages: list[dict[str, Any]] = []
        while len(messages) < length:
            nodes = self.copy(self.rng.choice(sources)).get("mapping", {}).values()
            messages += [node["message"] for node in nodes if _is_turn(node.get("message"))]
        whole["mapping"] = {
            f"n{n}": {
                "id": f"n{n}",
                "parent": f"n{n - 1}",
                "children": [f"n{n + 1}"],
                "message": {**one, "id": f"n{n}"},
            }
            for n, one in enumerate(messages[:length])
        }
        return whole

    def endless(self, sources: list[str]) -> Iterator[dict[str, Any]]:
        """Yield copies of random sources for ever."""
        while True:
            yield self.copy(self.rng.choice(sources))

    def _vary(self, value: Any, shift: float, *, chinese: bool, is_text: bool = False) -> None:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            holds_text = is_text if isinstance(value, list) else key in TEXT_KEYS
            if isinstance(inner, str) and holds_text:
                value[key] = self.varied(inner, chinese=chinese)
            elif isinstance(inner, float | int) and key in {"create_time", "update_time"}:
                value[key] = inner + shift
            elif isinstance(inner, dict | list):
                self._vary(inner, shift, chinese=chinese, is_text=holds_text)


def _is_turn(message: dict[str, Any] | None) -> bool:
    content = (message or {}).get("content") or {}
    return content.get("content_type") == "text" and any(content.get("parts") or [])


def originals(folder: Path | None) -> Iterator[str]:
    """Yield every conversation under a folder, or of the demo, as JSON text; files without any are skipped."""
    if folder is None:
        yield from map(json.dumps, demo_account(time.time, random.Random(1)).conversations.values())
        return
    for path in sorted(path for path in folder.rglob("*") if path.suffix in {".json", ".zip"}):
        try:
            with open_archive(path) as archive:
                yield from (json.dumps(found.payload) for found in archive if isinstance(found, Found))
        except ChatmirrorError:
            continue


def write_mirror(path: Path, folder: Path | None, messages: int, seed: int) -> Iterator[int]:
    """Store copies until there are that many messages; yield the number now and then."""
    sources, copies, timing = list(originals(folder)), CopyWriter(seed), Timing()
    payloads = itertools.chain((copies.long_copy(sources, length) for length in LONG), copies.endless(sources))
    stored = 0
    with Writer(path) as writer, recorded(writer, "import", timing) as run:
        while stored < messages:
            with writer.transaction() as conn:
                for payload in itertools.islice(payloads, AT_ONCE):
                    ingest(conn, arrival_of_copy(payload, timing.iso()), run.id)
                stored = conn.execute("SELECT count(*) FROM messages").fetchone()[0]
            yield stored


def arrival_of_copy(payload: dict[str, Any], now: str) -> Arrival:
    """Return a copy as an import hands it on."""
    return Arrival(payload["id"], "chatgpt", payload, Body(json.dumps(payload).encode()), "export", "", now)


@click.command()
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--messages", default=1_000_000, show_default=True)
@click.option(
    "--data", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Default: the demo's chats."
)
@click.option("--seed", default=1, show_default=True)
def main(path: Path, messages: int, data: Path | None, seed: int) -> None:
    """Make a mirror of that many messages."""
    begin = time.monotonic()
    for stored in write_mirror(path, data, messages, seed):
        click.echo(f"\r{stored:,} messages, {time.monotonic() - begin:.0f} s", nl=False)
    click.echo(f"\n{path}: {path.stat().st_size / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()
