"""What a search for synonyms finds, and what a model would bring: ``python -m benchmarks.meaning`` prints the tables.

The first set are the judged queries of ``tests/test_search_demo.py``, the second the questions of
``benchmarks.meaning_questions``, which share no word with their answers. Both are asked of the demo's mirror: with the
search as it is, with a static embedding model, and with both. A static model is a table with a vector for each token;
a text's vector is the mean of its tokens' vectors. ``wordllama`` ships one in its package. Without it, only the search
as it is is measured: nothing in ``mirror/`` needs it.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmarks.meaning_questions import FUNCTION_WORDS, IN_OTHER_LANGUAGES, QUESTIONS
from benchmarks.webserver import median, percentile_95, timed
from mirror.store.database import open_reader
from mirror.store.search.search import search

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Ranking = Callable[[str], list[str]]  # a question -> titles of conversations, the best first

ROOT = Path(__file__).parents[1]
SHOWN = 10  # conversations on the first page of results
DEEP = 50  # conversations taken from each list for the fused one
FUSION = 60  # of 1 / (FUSION + rank), as in Cormack, Clarke and Büttcher 2009, who introduced it
DIMENSIONS = 256
TOKENIZER = "porter unicode61 remove_diacritics 2"  # the search index's
CHARACTERS = 400  # of an ordinary message
MISSING = "The model is not installed, so that only words were measured: pip install wordllama (and sqlite-vec)"
HEAD = f"{'':<36}{'judged queries':>24}{'no shared word':>24}{'of these English':>24}"
UNDER = f"{'':<36}" + f"{'recall@10':>12}{'1/rank':>12}" * 3


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and the title of the conversation that answers it."""

    question: str
    title: str


class StaticModel:
    """The vectors of wordllama, read without its own loader, which would look for the tokenizer in the network."""

    def __init__(self, folder: Path) -> None:
        self.np = importlib.import_module("numpy")
        tokenizers, safetensors = importlib.import_module("tokenizers"), importlib.import_module("safetensors.numpy")
        self.tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizers/l2_supercat_tokenizer_config.json"))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        (vectors,) = safetensors.load_file(folder / f"weights/l2_supercat_{DIMENSIONS}.safetensors").values()
        self.vectors = vectors.astype(self.np.float32)

    def embed(self, texts: Sequence[str]) -> Any:
        """Return a vector of length 1 for each text, as the rows of a matrix."""
        encoded = self.tokenizer.encode_batch(list(texts), add_special_tokens=False)
        means = self.np.stack([self.vectors[one.ids or [0]].mean(axis=0) for one in encoded])
        return means / self.np.linalg.norm(means, axis=1, keepdims=True)


def installed_model() -> StaticModel | None:
    """Return the model, None where it is not installed."""
    found = importlib.util.find_spec("wordllama")
    return StaticModel(Path(found.origin).parent) if found and found.origin else None


def judged() -> list[Asked]:
    """Return the queries that the tests of the search judge."""
    source = ast.parse((ROOT / "tests/test_search_demo.py").read_text(encoding="utf-8"))
    values = [node.value for node in source.body if isinstance(node, ast.Assign) and _name(node) == "JUDGED"]
    return [Asked(question, title) for question, title in ast.literal_eval(values[0]).items()]


def _name(node: ast.Assign) -> str:
    return node.targets[0].id if isinstance(node.targets[0], ast.Name) else ""


def unshared() -> list[Asked]:
    """Return the questions that share no word with their answers."""
    return [Asked(question, title) for title, asked in QUESTIONS.items() for question in asked]


def shared_words(conn: sqlite3.Connection, asked: Asked) -> set[str]:
    """Return the stems that a question shares with the title and the messages of its answer, without function words."""
    sql = "SELECT text FROM messages WHERE conversation_id = (SELECT id FROM conversations WHERE title = ?)"
    texts = [row["text"] or "" for row in conn.execute(sql, (asked.title,))]
    if not texts:
        raise click.ClickException(f"The demo has no conversation “{asked.title}”.")
    return (stems(asked.question) & stems("\n".join([asked.title, *texts]))) - stems(FUNCTION_WORDS)


def stems(text: str) -> set[str]:
    """Return the words of a text as the search index holds them."""
    with closing(sqlite3.connect(":memory:")) as conn:
        conn.execute(f"CREATE VIRTUAL TABLE one USING fts5(text, tokenize = '{TOKENIZER}')")
        conn.execute("CREATE VIRTUAL TABLE words USING fts5vocab(one, row)")
        conn.execute("INSERT INTO one VALUES (?)", (text,))
        return {row[0] for row in conn.execute("SELECT term FROM words")}


def by_words(conn: sqlite3.Connection) -> Ranking:
    """Return the search as it is."""
    return lambda question: [hit.title or "" for hit in search(conn, question, limit=DEEP).hits]


def by_chance(conn: sqlite3.Connection) -> Ranking:
    """Return a random order for each question: what a list of all conversations finds without any model."""
    titles = [row["title"] for row in conn.execute("SELECT title FROM conversations ORDER BY id")]
    return lambda question: random.Random(question).sample(titles, min(DEEP, len(titles)))


def by_meaning(conn: sqlite3.Connection, model: StaticModel) -> Ranking:
    """Return the ranking of a model: a conversation is as near as its nearest visible message, or its title."""
    sql = """SELECT c.title, m.text FROM messages m JOIN conversations c ON c.id = m.conversation_id
    WHERE m.position IS NOT NULL AND m.text <> '' UNION SELECT title, title FROM conversations"""
    rows = [(row["title"], row["text"]) for row in conn.execute(sql)]
    vectors = model.embed([text for _, text in rows])

    def ranked(question: str) -> list[str]:
        nearness = vectors @ model.embed([question])[0]
        return list(dict.fromkeys(rows[n][0] for n in (-nearness).argsort(kind="stable")))[:DEEP]

    return ranked


def fused(rankings: Sequence[Ranking]) -> Ranking:
    """Return reciprocal rank fusion: each list gives a conversation 1 / (60 + its rank)."""

    def ranked(question: str) -> list[str]:
        scores: dict[str, float] = {}
        for ranking in rankings:
            for rank, title in enumerate(ranking(question), 1):
                scores[title] = scores.get(title, 0.0) + 1 / (FUSION + rank)
        return sorted(scores, key=lambda title: -scores[title])

    return ranked


def appended(rankings: Sequence[Ranking]) -> Ranking:
    """Return the lists one after the other: what the words find stays first."""
    return lambda question: list(dict.fromkeys(title for ranking in rankings for title in ranking(question)))


def found(ranking: Ranking, asked: Iterable[Asked]) -> str:
    """Return two columns: the share of answers among the first ten, and the mean of 1 / rank there."""
    ranks = []
    for one in asked:
        titles = ranking(one.question)[:SHOWN]
        ranks.append(titles.index(one.title) + 1 if one.title in titles else 0)
    reciprocal = sum(1 / rank for rank in ranks if rank) / len(ranks)
    return f"{sum(map(bool, ranks)) / len(ranks):>12.0%}{reciprocal:>12.2f}"


def rankings(conn: sqlite3.Connection, model: StaticModel | None) -> Iterator[tuple[str, Ranking]]:
    """Yield what is compared."""
    words, chance = functools.cache(by_words(conn)), by_chance(conn)
    yield "words: the search as it is", words
    yield "a random order", chance
    yield "words, then a random order", appended([words, chance])
    if model is not None:
        meaning = functools.cache(by_meaning(conn, model))
        yield "the model alone", meaning
        yield "words and the model, fused", fused([words, meaning])
        yield "words, then the model", appended([words, meaning])


def quality(path: Path, model: StaticModel | None) -> Iterator[str]:
    """Yield the lines of the first table."""
    first, second = judged(), unshared()
    with closing(open_reader(path)) as conn:
        if sharing := {one.question: words for one in second if (words := shared_words(conn, one))}:
            raise click.ClickException(f"These questions share words with their answers: {sharing}")
        count = conn.execute("SELECT count(*) FROM conversations").fetchone()[0]
        yield f"{len(first)} judged queries, {len(second)} questions, {count} conversations\n{HEAD}\n{UNDER}"
        english = [one for one in second if one.title not in IN_OTHER_LANGUAGES]
        for name, ranking in rankings(conn, model):
            yield f"{name:<36}" + "".join(found(ranking, asked) for asked in (first, second, english))


def undisturbed(path: Path, model: StaticModel) -> Iterator[str]:
    """Yield, where there are others, how many answers come before every conversation that is not of the demo.

    Where one of N others comes before an answer, about ten of 10 x N would, and it would not be among the first ten. So
    this is, at most, what is left of the model's recall among ten times as many chats.
    """
    with closing(open_reader(path)) as conn:
        others = conn.execute("SELECT count(*) FROM conversations").fetchone()[0] - len(QUESTIONS)
        ranking = by_meaning(conn, model)
    first = 0
    for one in unshared():
        before = ranking(one.question)[:SHOWN]
        first += one.title in before and set(before[: before.index(one.title)]) <= set(QUESTIONS)
    if others:
        yield f"the model alone: {first} answers come before all of the {others} other conversations"


def made_vectors(np: Any, count: int) -> Any:
    """Return random vectors: how near they are does not change how long it takes to compare them."""
    rows = np.random.default_rng(1).standard_normal((count, DIMENSIONS), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def nearest(vectors: Any, wanted: Any) -> Any:
    """Return the rows that are nearest to a vector, by comparing all of them."""
    nearness = vectors @ wanted
    best = (-nearness).argpartition(DEEP)[:DEEP]
    return best[(-nearness[best]).argsort()]


def times_line(name: str, actions: Sequence[Callable[[], Any]]) -> str:
    """Return the median and the 95th percentile of some queries."""
    actions[0]()
    times = [timed(action) for action in actions]
    return f"{name:<60}{median(times):>8.0f}{percentile_95(times):>8.0f}  ms"


def in_own_process(folder: Path, vectors: Any, times: int) -> str:
    """Return the line of a query in a process of its own, as ``chatmirror search`` is: it loads everything first."""
    file = folder / "vectors.f32"
    vectors.tofile(file)
    command = [sys.executable, "-m", "benchmarks.meaning", "--one-query", str(file)]
    run = functools.partial(subprocess.run, command, check=True, cwd=ROOT)
    return times_line("a process that loads the model and the vectors and asks once", [run] * times)


def one_query(file: Path) -> None:
    """Load everything, and ask once."""
    if (model := installed_model()) is None:
        raise click.ClickException(MISSING)
    nearest(model.np.memmap(file, dtype=model.np.float32).reshape(-1, DIMENSIONS), model.embed(["a question"])[0])


def with_sqlite_vec(folder: Path, vectors: Any, questions: Any) -> Iterator[str]:
    """Yield the lines of sqlite-vec, where it is installed."""
    if importlib.util.find_spec("sqlite_vec") is None or not hasattr(sqlite3.Connection, "enable_load_extension"):
        yield "sqlite-vec: not installed, or this Python was built without loadable extensions of SQLite"
        return
    path = folder / "vectors.db"
    with closing(sqlite3.connect(path)) as conn:
        conn.enable_load_extension(True)
        importlib.import_module("sqlite_vec").load(conn)
        conn.execute(f"CREATE VIRTUAL TABLE vectors USING vec0(vector float[{DIMENSIONS}])")
        rows = ((n, row.tobytes()) for n, row in enumerate(vectors))
        with conn:
            conn.executemany("INSERT INTO vectors (rowid, vector) VALUES (?, ?)", rows)
        sql = "SELECT rowid FROM vectors WHERE vector MATCH ? AND k = ?"
        actions = [functools.partial(_fetched, conn, sql, (row.tobytes(), DEEP)) for row in questions]
        yield times_line("sqlite-vec, from its file, already in the system's cache", actions)
    yield f"on disk, for 1,000 messages: {path.stat().st_size / len(vectors) / 1e3:.2f} MB with sqlite-vec"


def _fetched(conn: sqlite3.Connection, sql: str, values: tuple[Any, ...]) -> list[Any]:
    return conn.execute(sql, values).fetchall()


def cost(folder: Path, model: StaticModel, messages: int, times: int) -> Iterator[str]:
    """Yield what queries cost among that many vectors, and what a thousand messages cost."""
    vectors, questions = made_vectors(model.np, messages), made_vectors(model.np, times)
    yield f"\n{messages:,} vectors of {DIMENSIONS} float32, {os.cpu_count()} processors{'p50':>26}{'p95':>8}"
    yield times_line("numpy, all vectors in memory", [functools.partial(nearest, vectors, row) for row in questions])
    words = [one.question for one in unshared()]
    yield times_line("the vector of a question", [functools.partial(model.embed, [word]) for word in words])
    yield in_own_process(folder, vectors, min(times, 20))
    yield from with_sqlite_vec(folder, vectors, questions[:20])
    yield f"the same as plain float32: {vectors.nbytes / len(vectors) / 1e3:.2f} MB"


def embedding_cost(path: Path, model: StaticModel, count: int = 5_000) -> str:
    """Return the processor time of a thousand messages of ordinary length, cut out of the demo's."""
    with closing(open_reader(path)) as conn:
        sql = "SELECT text FROM messages WHERE length(text) > 200 ORDER BY rowid"
        text = "\n".join(row["text"] for row in conn.execute(sql))
    begins = random.Random(1).choices(range(len(text) - CHARACTERS), k=count)
    texts = [text[begin : begin + CHARACTERS] for begin in begins]
    begin = time.process_time()
    model.embed(texts)
    spent = (time.process_time() - begin) / count * 1000
    return f"vectors of 1,000 messages of {CHARACTERS} characters: {spent:.2f} s of processor time"


@click.command()
@click.option("--messages", default=250_000, show_default=True, help="Vectors among which queries are timed.")
@click.option("--times", default=100, show_default=True, help="Queries that are timed.")
@click.option(
    "--mirror",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A demo's mirror into which more chats were imported; default: a new demo's.",
)
@click.option("--one-query", "file", type=click.Path(path_type=Path, exists=True, dir_okay=False), hidden=True)
def main(messages: int, times: int, mirror: Path | None, file: Path | None) -> None:
    """Measure search by words beside search by meaning."""
    if file is not None:
        one_query(file)
        return
    model = installed_model()
    with tempfile.TemporaryDirectory() as name:
        for line in lines(Path(name), mirror or demo(Path(name)), model, messages, times):
            click.echo(line)


def demo(folder: Path) -> Path:
    """Make the demo's mirror."""
    path = folder / "chats.db"
    subprocess.run([sys.executable, "-m", "mirror", "demo", "-d", str(path)], check=True, stdout=subprocess.DEVNULL)
    return path


def lines(folder: Path, path: Path, model: StaticModel | None, messages: int, times: int) -> Iterator[str]:
    """Yield all that is printed."""
    yield from quality(path, model)
    if model is None:
        yield MISSING
        return
    yield from undisturbed(path, model)
    yield from cost(folder, model, messages, times)
    yield embedding_cost(path, model)


if __name__ == "__main__":
    main()
