"""Whatever a conversation, a list, a session answer or an archive holds: rows come of it, and no text is lost.

``CHATMIRROR_FUZZED``: how many conversations (the long run: 2,000,000). A hundredth of that number go through the real
store; shares of it are lists, session answers and archives. ``CHATMIRROR_SEED`` says which.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import time
from contextlib import suppress
from functools import cache, partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from archive_files import Contents, conversation
from invariants import broken, broken_in
from mirrored_service import MirroredService, differences
from mutating import Mutator, as_bytes, damaged_zip
from normalize.test_normalize_anything import assert_storable

from mirror import app, render
from mirror.body import Body
from mirror.chatgpt import account_data, completeness
from mirror.chatgpt.list_rows import parse_list_page, parse_list_row
from mirror.chatgpt.login import LOGIN_FORM
from mirror.credentials.pasted import parse_login
from mirror.errors import ChatmirrorError, ServiceError, UsageError
from mirror.ingest import ingest
from mirror.large_json import read_json
from mirror.normalize import ParsedPayload, holds_all, merge, normalize, says_the_same
from mirror.payload_versions import Arrival
from mirror.simulator import ManualClock, demo_account, generated_account
from mirror.simulator.answer_shapes import batched, flat_messages, plural
from mirror.simulator.behaviour import Behaviour
from mirror.store import branches, threads
from mirror.store.database import Writer
from mirror.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from mirror.simulator import ReceivedRequest

FUZZED = int(os.environ.get("CHATMIRROR_FUZZED", "20000"))
SEED = int(os.environ.get("CHATMIRROR_SEED", "1"))
PARTS = 8  # a test each, so that several processes share them
AT = "2026-01-01T00:00:00.000Z"
# An input is too slow when a byte of it takes so many times as long as one of an ordinary input takes, and it is no
# matter of milliseconds. Texts of citation marks alone take 110 times as long, in proportion to their length; what
# takes the square of the lengths that ``mutating`` makes takes more than a thousand times as long.
SLOW, SLOW_SECONDS = 200, 0.3


@cache
def seeds() -> tuple[list[str], list[str]]:
    """Real conversations in every shape in which they come, as JSON: parts of two messages, and whole ones."""
    account = demo_account(ManualClock(), random.Random(1))
    generated = generated_account(ManualClock(), 6, 5)
    trees = [account.tree(key) for key in account.conversations]
    trees += [generated.tree(key) for key in generated.conversations]
    parts = [part for tree in trees for part in _parts(tree)]
    return [json.dumps(part) for part in parts], [json.dumps(whole) for tree in trees for whole in _shapes(tree)]


def _shapes(tree: dict[str, Any]) -> list[dict[str, Any]]:
    flat = {**plural(tree, None, Behaviour()), "messages": flat_messages(tree)}
    return [tree, batched(tree, None, Behaviour()), flat]


def _parts(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a tree of each message and the next one, in one of the shapes: small, so that many can be tried."""
    nodes = [node for node in tree["mapping"].values() if node["message"]]
    for n, pair in enumerate(pairwise(nodes)):
        first, second = ({**node, "parent": None, "children": []} for node in pair)
        first["children"], second["parent"] = [second["id"]], first["id"]
        cut = {**tree, "mapping": {first["id"]: first, second["id"]: second}, "current_node": second["id"]}
        yield _shapes(cut)[n % 3]


def _seed(rng: random.Random) -> Any:
    """Return a real conversation; one of ten is whole."""
    small, whole = seeds()
    return json.loads(rng.choice(small if rng.random() < 0.9 else whole))


def _messages(payload: dict[str, Any]) -> list[tuple[dict[str, Any], list[Any]]]:
    """Return the messages that are plain text, each with the values around it."""
    nodes, flat = (payload.get("mapping") or {}).values(), payload.get("messages", ())
    found: list[tuple[dict[str, Any], list[Any]]] = [
        *((node["message"], [payload, payload["mapping"], node]) for node in nodes),
        *((message, [payload, flat]) for message in flat),
    ]
    return [
        (message, around)
        for message, around in found
        if message
        and message["content"]["content_type"] == "text"
        and message["content"]["parts"]
        and all(isinstance(part, str) for part in message["content"]["parts"])
    ]


def mutated(rng: random.Random, number: int) -> tuple[Any, list[str]]:
    """Return a mutated conversation, and the words of it that were left readable."""
    payload = _seed(rng)
    mutator, words = Mutator(rng), []
    kept: set[int] = set()
    messages = _messages(payload)
    for n, (message, around) in enumerate(rng.sample(messages, min(2, len(messages)))):
        words.append(f"kept{number}x{n}")
        message["content"]["parts"][0] += f" {words[-1]} "
        values = [*around, message, message["content"], message["content"]["parts"], *message["content"]["parts"]]
        kept |= {id(value) for value in values}
    mutator.mutate(payload, rng.choice((1, 2, 3, 6, 15)), kept)
    if number % 40 == 0:
        mutator.lengthen(payload, kept)
    return payload, words


def _parsed(raw: bytes) -> tuple[bool, Any]:
    """Parse what came as the program does; whether it could be, and the value."""
    try:
        return True, read_json(raw)
    except ValueError:
        return False, None


class Speed:
    """Finds inputs of which a byte takes far longer than a byte of the others."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.slow: list[str] = []

    def take(self, what: str, size: int, act: Callable[[], Any]) -> Any:
        """Do something with an input of so many bytes; return what it returns."""
        seconds, found = _timed(act)
        if len(self.rates) < 2000:  # enough for a median
            self.rates.append(seconds / size)
        if seconds > SLOW_SECONDS and seconds / size > SLOW * (median := statistics.median(self.rates)):
            seconds = min(seconds, _timed(act)[0], _timed(act)[0])  # another program may have had the processor
            if seconds > SLOW_SECONDS and seconds / size > SLOW * median:
                self.slow.append(
                    f"{what}: {seconds:.2f} s for {size:,} bytes, {seconds / size / median:.0f} x the median"
                )
        return found


def _timed(act: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    found = act()
    return time.perf_counter() - began, found


def _numbers(part: int, share: float = 1.0) -> range:
    """The numbers of the inputs of one part of a test."""
    return range(part, max(PARTS, int(FUZZED * share)), PARTS)


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.timeout(6 * 3600)
def test_any_conversation_becomes_rows(part: int) -> None:
    """The same rows each time, that can be stored, with every text that is readable, in a time in proportion."""
    speed = Speed()
    for number in _numbers(part):
        _one_conversation(number, speed)
    assert speed.slow == []


def _one_conversation(number: int, speed: Speed) -> None:
    rng = random.Random(f"{SEED} conversation {number}")
    payload, words = mutated(rng, number)
    raw = as_bytes(payload, rng)
    is_json, came = speed.take(f"reading {number}", len(raw), lambda: _parsed(raw))
    if not is_json:
        return
    rows = speed.take(f"normalizing {number}", len(raw), lambda: normalize("chatgpt", came))
    assert_storable(rows)
    if number % 4 == 0:
        assert normalize("chatgpt", came) == rows, number
    if raw.isascii():  # else a byte of a word may be spoilt
        texts = " ".join(row.text for row in rows.messages)
        assert [word for word in words if word.encode() in raw and word not in texts] == [], number
    if number % 10 == 0:
        _compare(came, rng, rows)


def _compare(came: Any, rng: random.Random, rows: Any) -> None:
    """Read a payload beside another one, as a sync does with what is stored already."""
    old = _seed(rng)
    assert isinstance(says_the_same("chatgpt", came, came), bool)
    assert isinstance(says_the_same("chatgpt", came, old), bool)
    assert isinstance(holds_all("chatgpt", came, old), bool)
    assert isinstance(holds_all("chatgpt", old, came), bool)
    for judge in (
        lambda: completeness.contradiction_in(came, 3),
        lambda: completeness.outdated_reason(came, 1, 3),
        lambda: completeness.is_empty_conversation(came),
        lambda: completeness.holds_messages(came, old),
        lambda: completeness.holds_messages(old, came),
    ):
        judge()
    before = normalize("chatgpt", old)
    merged = merge(
        [ParsedPayload(before, AT, proves_absence=True), ParsedPayload(rows, AT, proves_absence=rng.random() < 0.5)]
    )
    assert {row.id for row in merged.messages} == {row.id for row in (*before.messages, *rows.messages)}


IDS = ("", "/", " ", "'", "\x1f", "|", "%", "?x=1#", "漢", "..", "\n", ":", "\x7f", "~2", ",", '"', "\u202e")


@pytest.mark.parametrize("part", range(2))
@pytest.mark.timeout(6 * 3600)
def test_any_conversation_is_stored_and_passes_check(tmp_path: Path, part: int) -> None:
    """Through the real store, some of them twice and changed in between; then everything is checked and can be read."""
    path = tmp_path / "chats.db"
    stored: dict[str, dict[str, set[str]]] = {}  # conversation -> word -> messages that came with it
    timing = Timing(lambda: 1.7e9, lambda: 0.0, lambda _: None, random.Random(1))
    with Writer(path) as writer, app.recorded(writer, "import", timing) as run:
        for number in range(part, max(2, FUZZED // 100), 2):
            with writer.transaction() as conn:
                for arrival, words in _arrivals(number):
                    ingest(conn, arrival, run.id)
                    _note(stored.setdefault(arrival.conversation_id, {}), arrival, words)
        assert broken_in(writer.conn, writer.path) == []
        for key, said in stored.items():
            _read(writer.conn, key, said)


def _note(said: dict[str, set[str]], arrival: Arrival, words: list[str]) -> None:
    """Note words that are to be found; none of messages that came before with others, of which either may count."""
    ids = {row.id for row in normalize("chatgpt", arrival.payload).messages}
    twice = [word for word, before in said.items() if before & ids]
    for word in twice:
        del said[word]
    said.update({} if twice else dict.fromkeys(words, ids))


def _arrivals(number: int) -> Iterator[tuple[Arrival, list[str]]]:
    rng = random.Random(f"{SEED} stored {number}")
    key = f"c{rng.choice(IDS)}{number // 3}"
    for _ in range(rng.choice((1, 2))):
        payload, words = mutated(rng, number)
        raw = as_bytes(payload, rng)
        is_json, came = _parsed(raw)
        if is_json and isinstance(came, dict):
            origin = rng.choice(("single", "batch", "plural", "export", "capture"))
            whole = origin in {"single", "batch"}
            yield (
                Arrival(
                    key, "chatgpt", came, Body(raw), origin, "test", AT, 5 if whole else None, proves_absence=whole
                ),
                (words if raw.isascii() else []),
            )


def _read(conn: Any, key: str, words: Iterable[str]) -> None:
    """Read a conversation as pages and commands do, with every word of it."""
    view, messages = threads.conversation(conn, key), threads.messages(conn, key, all_branches=True)
    text = render.conversation_markdown(view, messages, all_branches=True, hidden=True)
    json.loads(render.conversation_json(view, messages))
    branches.path_through(branches.tree_nodes(conn, key))
    text.encode()
    for word in words:
        found = conn.execute(
            "SELECT count(*) AS n FROM messages_fts f JOIN messages m ON m.rowid = f.rowid"
            " WHERE f.messages_fts MATCH ? AND m.conversation_id = ?",
            (word, key),
        ).fetchone()
        assert found["n"], (key, word)


# -- lists and answers about the account


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the service answered in one sync of the demo's account: JSON by the end of its path."""
    found: dict[str, str] = {}
    account = demo_account(ManualClock(), random.Random(1))

    def take(request: ReceivedRequest, data: Any) -> Any:
        found.setdefault(request.path.rsplit("/", 1)[-1], json.dumps(data))
        return data

    with MirroredService(tmp_path_factory.mktemp("answers"), account, Behaviour(mixed_times=True)) as mirrored:
        mirrored.alter_answers(take)
        assert mirrored.sync().error is None
    return found


def _pages(data: Any) -> None:
    with suppress(ServiceError):  # no list at all, which is said
        page = parse_list_page(data, "main")
        assert len(page.items) + sum(page.odd.values()) == page.row_count
        for row in page.items:
            row.conversation_id.encode()
            (row.title or "").encode()
            assert row.list_us is None or 0 < row.list_us < 2**63


def _gpts(data: Any) -> None:
    account_data.gpt_item("g-1", data)
    page = account_data.projects_page(data)
    for project in page.projects if page else ():
        account_data.project_item(project)
        list(account_data.project_files(project))


READERS: dict[str, Callable[[Any], object]] = {
    "conversations": _pages,
    "shared_conversations": _pages,
    "sidebar": _gpts,
    "v4-2023-04-27": account_data.workspaces,
    "memories": lambda data: (account_data.has_memories(data), list(account_data.memory_items(data))),
    "user_system_messages": lambda d: (account_data.has_instructions(d), list(account_data.instructions_items(d))),
}


@pytest.mark.timeout(6 * 3600)
def test_any_list_and_answer_about_the_account_is_read(answers: dict[str, str]) -> None:
    """Each row is a conversation or counted as odd; the same each time; nothing raises but what says "unknown form"."""
    assert set(READERS) <= answers.keys()
    speed = Speed()
    for number in range(max(1, FUZZED // 10)):
        rng = random.Random(f"{SEED} list {number}")
        name = rng.choice(list(READERS))
        data, mutator = json.loads(answers[name]), Mutator(rng)
        mutator.mutate(data, rng.choice((1, 2, 5, 12)))
        if number % 40 == 0:
            mutator.lengthen(data)
        raw = as_bytes(data, rng)
        is_json, came = _parsed(raw)
        if is_json:
            speed.take(f"{name} {number}", len(raw), partial(READERS[name], came))
            assert repr(parse_list_row(came)) == repr(parse_list_row(came))
    assert speed.slow == []


@pytest.mark.timeout(6 * 3600)
def test_anything_that_is_pasted_is_a_login_or_refused() -> None:
    """A cookie, a header, a line of cURL, changed: a login whose values can be sent, or a line that says why not."""
    token = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0.." + "a" * 60
    name = "__Secure-next-auth.session-token"
    forms = [token, f"Cookie: {name}={token}; oai-did=x", f"{name}.0={token}; {name}.1={token}"]
    forms += [f"curl 'https://chatgpt.com/' -H 'cookie: {name}={token}' -H 'user-agent: A' --compressed"]
    for number in range(max(1, FUZZED // 10)):
        rng = random.Random(f"{SEED} login {number}")
        held = [rng.choice(forms)]
        Mutator(rng).mutate(held, rng.choice((1, 2, 3)))
        with suppress(UsageError):
            login = parse_login(held[0] if held and isinstance(held[0], str) else repr(held), LOGIN_FORM)
            for part in (*login.cookies, *login.cookies.values(), login.user_agent or ""):
                assert not set(part) & set("\r\n\0"), number
                part.encode("latin-1")


@pytest.mark.timeout(6 * 3600)
def test_a_sync_survives_any_answer(tmp_path: Path) -> None:
    """It ends as a documented error or not at all; the mirror is whole, and a run that is answered well is current."""
    account = generated_account(ManualClock(), 5, 3, archived=1)
    with MirroredService(tmp_path, account, verify=True) as mirrored:
        assert mirrored.sync().error is None
        for number in range(max(1, FUZZED // 800)):
            rng = random.Random(f"{SEED} sync {number}")
            mirrored.alter_answers(_altering(rng))
            mirrored.clock.advance(86_400)
            with suppress(ChatmirrorError):
                mirrored.sync()
            mirrored.alter_answers(None)
            if number % 5 == 4:
                assert broken(mirrored.path) == [], number
                codes = [mirrored.next_run() for _ in range(3)]
                assert (codes[-1], differences(mirrored)) == (0, []), (number, codes)


def _altering(rng: random.Random) -> Callable[[ReceivedRequest, Any], Any]:
    """Alter some of the answers of a run, but those that are conversations: these would be the truth from then on."""
    share = rng.choice((0.1, 0.3, 1.0))

    def alter(request: ReceivedRequest, data: Any) -> Any:
        is_conversation = "/conversation/" in request.path or request.path.endswith("/batch")
        if is_conversation or rng.random() > share:
            return data
        held = [json.loads(json.dumps(data))]
        Mutator(rng, is_plain=True).mutate(held, rng.choice((1, 2, 6)))
        return (200, held[0] if held else None)

    return alter


# -- archives


@pytest.mark.timeout(6 * 3600)
def test_any_archive_is_read_or_refused_by_name(tmp_path: Path) -> None:
    """Whatever is odd in a ZIP: what can be read comes, the rest is named, and no other error than "not usable"."""
    speed = Speed()
    path = tmp_path / "export.zip"
    for number in range(max(1, FUZZED // 40)):
        rng = random.Random(f"{SEED} archive {number}")
        members = {f"conversations-{n}.json": _member(rng, number, n) for n in range(rng.choice((1, 2, 3)))}
        content, is_whole, size = damaged_zip(
            {"conversations.json": json.dumps([conversation(1)]).encode(), **members}, rng
        )
        path.write_bytes(content)
        try:
            contents = speed.take(f"archive {number}", size, partial(Contents, path))
        except UsageError:
            contents = None
        assert not is_whole or (contents is not None and "Title 1" in contents.titles), number
        if contents is None:
            continue
        for named in (*contents.problems, *contents.skipped):
            f"{named.source}{named.reason}".encode()
            assert not set(named.source) & set("\0\x1b\n"), number
    assert speed.slow == []


def _member(rng: random.Random, number: int, n: int) -> bytes:
    held = [conversation(10 + n), mutated(rng, 0)[0]]
    Mutator(rng).mutate(held, rng.choice((0, 1, 3)))
    return as_bytes(held, rng)


@pytest.mark.timeout(6 * 3600)
def test_any_archive_is_imported_into_a_mirror_that_passes_check(tmp_path: Path) -> None:
    """The whole command's work on each: a documented ending, and a whole mirror."""
    path = tmp_path / "chats.db"
    timing = Timing(lambda: 1.7e9, lambda: 0.0, lambda _: None, random.Random(1))
    for number in range(max(1, FUZZED // 1000)):
        rng = random.Random(f"{SEED} import {number}")
        archive = tmp_path / f"export-{number}.zip"
        archive.write_bytes(damaged_zip({f"conversations-{n}.json": _member(rng, number, n) for n in range(2)}, rng)[0])
        with suppress(ChatmirrorError):
            app.import_archives(path, [archive], timing, lambda *_: None)
        archive.unlink()
    assert broken(path) == []
