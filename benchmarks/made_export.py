"""An export of any size, always the same for the same numbers: ``python -m benchmarks.made_export conversations.json``.

Its form is that of the official export; its words are made up, and distributed as in natural language: few are
frequent, most are rare, and some come in phrases. Lengths of messages and of conversations are log-normal, with long
tails. Of a hundred conversations about eight are in scripts other than Latin and twelve use tools; one in 300 holds
some 700 KB of their output.
"""

from __future__ import annotations

import functools
import itertools
import json
import random
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BEGIN = 1_680_000_000.0  # 2023-03-28, seconds since 1970
VOCABULARY = 40_000
RARE = 4_002  # rank of a rare word; of every four words, the third is one of three syllables, which few others repeat
WORDS_AT_ONCE = 50_000
MODELS = ("gpt-4o", "gpt-5", "gpt-5-thinking", "o3")
CODE = (
    "def {0}({1}, {2}):\n    total = 0\n    for {3} in {1}:\n        total += {3}.{4}({2})\n    return total\n",
    "SELECT {0}, count(*) FROM {1} WHERE {2} = '{3}' GROUP BY {0} ORDER BY 2 DESC;\n",
    "const {0} = ({1}) => {1}.map(({2}) => ({{ {3}: {2}.{4} }}));\n",
)
SYLLABLES = tuple(a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "er", "il", "or"))
# First and last letter of alphabets that are written with spaces, then of scripts that are not.
SPACED = ((0x0430, 0x044F), (0x03B1, 0x03C9), (0x05D0, 0x05EA), (0x0627, 0x064A))
UNSPACED = ((0x4E00, 0x5E00), (0x3041, 0x3093), (0x0E01, 0x0E2E))


class Scale(NamedTuple):
    """How long things are, as mean and deviation of the logarithm."""

    turns: tuple[float, float] = (1.9, 0.9)  # pairs of question and answer; median 6.7
    question: tuple[float, float] = (3.2, 1.1)  # words; median 25
    answer: tuple[float, float] = (5.2, 0.8)  # words; median 180
    most_turns: int = 1_500
    most_words: int = 8_000


class Words:
    """An endless text of made-up words of one script."""

    def __init__(self, rng: random.Random, vocabulary: Sequence[str], separator: str = " ") -> None:
        self.rng, self.vocabulary, self.separator = rng, vocabulary, separator
        self._weights = list(itertools.accumulate(1 / (rank + 2.7) for rank in range(len(vocabulary))))
        self._ready: list[str] = []

    def take(self, count: int) -> list[str]:
        """Return so many words."""
        while len(self._ready) < count:
            self._ready += self.rng.choices(self.vocabulary, cum_weights=self._weights, k=WORDS_AT_ONCE)
        taken = self._ready[-count:]
        del self._ready[-count:]
        return taken

    def prose(self, count: int) -> str:
        """Return a text of so many words in sentences and paragraphs."""
        sentences = []
        while count > 0:
            words = self.take(min(count, self.rng.randint(4, 24)))
            count -= len(words)
            end = self.rng.choice((". ", ". ", ". ", "? ", ".\n\n", ":\n- "))
            sentences.append(self.separator.join(words).capitalize() + end)
        return "".join(sentences).strip()


class ExportMaker:
    """Makes conversations; the same ``seed`` makes the same ones."""

    def __init__(self, seed: int = 1, scale: Scale | None = None) -> None:
        self.rng, self.scale = random.Random(seed), scale or Scale()
        latin = ["".join(self.rng.choices(SYLLABLES, k=1 + n % 4)) for n in range(VOCABULARY)]
        phrases = [" ".join(self.rng.choices(latin[:5_000], k=self.rng.randint(2, 6))) for _ in range(VOCABULARY // 4)]
        self.latin = Words(
            self.rng,
            [word for some in zip(latin[::4], latin[1::4], latin[2::4], phrases, strict=True) for word in some],
        )
        self.others = [Words(self.rng, self._vocabulary(*letters)) for letters in SPACED]
        self.others += [Words(self.rng, self._vocabulary(*letters), "") for letters in UNSPACED]

    def _vocabulary(self, first: int, last: int) -> list[str]:
        letters = [chr(code) for code in range(first, last + 1)]
        return ["".join(self.rng.choices(letters, k=1 + n % 4)) for n in range(VOCABULARY // 8)]

    def conversations(self, count: int) -> Iterator[dict[str, Any]]:
        """Yield so many conversations, oldest first."""
        for n in range(count):
            words = self.rng.choice(self.others) if self.rng.random() < 0.08 else self.latin  # noqa: PLR2004 - share
            turns = self._length(self.scale.turns, self.scale.most_turns)
            yield self.conversation(BEGIN + n * 9_000, words, turns, is_heavy=n % 300 == 150)  # noqa: PLR2004 - one in 300

    def conversation(self, begin: float, words: Words, turns: int, *, is_heavy: bool = False) -> dict[str, Any]:
        """Return one conversation of so many questions with their answers; ``is_heavy``: with 700 KB of output."""
        uses_tools = is_heavy or self.rng.random() < 0.12  # noqa: PLR2004 - share
        tree = _Tree(self, begin)
        tree.add("system", "")
        for turn in range(turns):
            tree.add("user", words.prose(self._length(self.scale.question, self.scale.most_words)))
            if uses_tools and turn % 3 == 0:
                tree.add("assistant", self._code(), recipient="python", content_type="code")
                output = self.latin.prose(30_000 if is_heavy and turn < 9 else 120)  # noqa: PLR2004 - so it comes to 700 KB
                tree.add("tool", output, content_type="execution_output")
            tree.add("assistant", self._answer(words))
            if self.rng.random() < 0.1:  # noqa: PLR2004 - share
                tree.add("assistant", self._answer(words), is_other=True)
        return tree.exported(words.prose(5), self.new_id())

    def _answer(self, words: Words) -> str:
        text = words.prose(self._length(self.scale.answer, self.scale.most_words))
        return f"{text}\n\n```\n{self._code() * self.rng.randint(1, 8)}```\n" if self.rng.random() < 0.2 else text  # noqa: PLR2004

    def _code(self) -> str:
        return self.rng.choice(CODE).format(*self.latin.take(5))

    def _length(self, of: tuple[float, float], most: int) -> int:
        return max(1, min(most, round(self.rng.lognormvariate(*of))))

    def new_id(self) -> str:
        """Return a random id, the same ones in every run."""
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))


class _Tree:
    """A conversation that grows message by message."""

    def __init__(self, maker: ExportMaker, begin: float) -> None:
        self._maker, self._begin, self._now = maker, begin, begin
        self._leaf = maker.new_id()
        self._model = maker.rng.choice(MODELS)
        self.mapping: dict[str, dict[str, Any]] = {
            self._leaf: {"id": self._leaf, "message": None, "parent": None, "children": []}
        }

    def add(
        self, role: str, text: str, *, recipient: str = "all", content_type: str = "text", is_other: bool = False
    ) -> None:
        """Add a message below the newest one; ``is_other``: beside it, as an answer that was asked for again."""
        key, parent = self._maker.new_id(), self.mapping[self._leaf]["parent"] if is_other else self._leaf
        self._now += self._maker.rng.uniform(2, 90)
        content: dict[str, Any] = {"content_type": content_type}
        content |= {"parts": [text]} if content_type == "text" else {"text": text}
        message = {
            "id": key,
            "author": {"role": role, "name": "python" if role == "tool" else None, "metadata": {}},
            "create_time": round(self._now, 6),
            "update_time": None,
            "content": content,
            "status": "finished_successfully",
            "end_turn": role == "assistant" or None,
            "weight": 0.0 if role == "system" else 1.0,
            "metadata": self._metadata(role),
            "recipient": recipient,
            "channel": "final" if role == "assistant" else None,
        }
        self.mapping[key] = {"id": key, "message": message, "parent": parent, "children": []}
        self.mapping[parent]["children"].append(key)
        self._leaf = key

    def _metadata(self, role: str) -> dict[str, Any]:
        if role == "system":
            return {"is_visually_hidden_from_conversation": True}
        if role == "user":
            return {"serialization_metadata": {"custom_symbol_offsets": []}, "request_id": self._maker.new_id()}
        return {
            "citations": [],
            "content_references": [],
            "model_slug": self._model,
            "default_model_slug": self._model,
            "parent_id": self._leaf,
            "request_id": self._maker.new_id(),
            "finish_details": {"type": "stop", "stop_tokens": [200_002]},
            "is_complete": True,
            "timestamp_": "absolute",
        }

    def exported(self, title: str, key: str) -> dict[str, Any]:
        """Return the conversation as an export has it."""
        return {
            "title": title,
            "create_time": self._begin,
            "update_time": round(self._now, 6),
            "mapping": self.mapping,
            "moderation_results": [],
            "current_node": self._leaf,
            "plugin_ids": None,
            "conversation_id": key,
            "conversation_template_id": None,
            "gizmo_id": None,
            "is_archived": False,
            "is_starred": None,
            "safe_urls": [],
            "default_model_slug": self._model,
            "conversation_origin": None,
            "voice": None,
            "async_status": None,
            "id": key,
        }


@functools.cache
def planted_words(seed: int = 1) -> tuple[str, str]:
    """Return the most frequent word of an export, and a rare one: in one of some thousand messages."""
    vocabulary = ExportMaker(seed).latin.vocabulary
    return vocabulary[0], vocabulary[RARE]


def write_export(path: Path, conversations: int, seed: int = 1, scale: Scale | None = None) -> int:
    """Write an export as one file; return how many messages it holds."""
    messages = 0
    with path.open("w", encoding="utf-8") as file:
        for n, made in enumerate(ExportMaker(seed, scale).conversations(conversations)):
            file.write(", " if n else "[")
            json.dump(made, file)
            messages += len(made["mapping"]) - 1
        file.write("]")
    return messages


@click.command()
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--conversations", default=2_000, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(path: Path, conversations: int, seed: int) -> None:
    """Write an export of that many conversations."""
    messages = write_export(path, conversations, seed)
    click.echo(f"{path}: {conversations:,} conversations, {messages:,} messages, {path.stat().st_size / 1e6:,.1f} MB")


if __name__ == "__main__":
    main()
