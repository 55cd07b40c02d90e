"""A lasting 429: whether it is one conversation's own is asked of others, and a lock ends everything at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from scripted_wire import SentRequest, asked_paths, session_of
from trees import T0, tree

from mirror.chatgpt.batch import BATCH_SIZE
from mirror.chatgpt.conversations import ConversationReader
from mirror.chatgpt.memory import ChatGPTMemory
from mirror.errors import ChatmirrorError, RateLimitError, ServiceError
from mirror.source import Fetched, Listed, NotFetched, ToFetch
from mirror.web.pacing import LockedError, StopError
from mirror.web.transport import Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirror.web.pacing import Pacing

LIMITED = (429, {"detail": "Too many requests"})
DENIED = (404, {"detail": "Conversation not found"})
FORBIDDEN = (403, {"detail": "No"})
BROKEN = (500, {"detail": "broken"})
LOCK = (403, {"detail": "We've temporarily limited access to your conversations to protect your data"})
LONG_PAUSE = Reply(429, {"retry-after": "86400", "content-type": "application/json"}, b"{}")
CHALLENGE = Reply(403, {"cf-mitigated": "challenge", "content-type": "text/html"}, b"<html>")


def listed(count: int) -> list[ToFetch]:
    return [ToFetch(Listed(f"c{n}", int((T0 + 4) * 1_000_000))) for n in range(count)]


def whole(key: str) -> dict[str, Any]:
    return tree("q", "a", "q2", "a2", conversation_id=key)


def flat(key: str, older: str | None = None) -> dict[str, Any]:
    messages = [{"id": f"{key}-{older}", "content": {"parts": ["q"]}}]
    info = {"has_previous_page": older is not None, "start_cursor": older}
    return {"conversation_id": key, "messages": messages, "page_info": info}


def asked_key(request: SentRequest) -> str:
    """The conversation that a read by id asks for."""
    return request.path.split("/")[2]


@dataclass
class Reading:
    """One run's reading of conversations: what came, what ended it, and what was asked."""

    got: dict[str, Fetched | NotFetched]
    error: ChatmirrorError | None
    paths: list[str]
    pacing: Pacing

    @property
    def failed(self) -> set[str]:
        return {key for key, got in self.got.items() if isinstance(got, NotFetched)}


@dataclass
class Endpoints:
    """What each endpoint answers, by conversation; without ``batch`` and ``plural``, the account has none."""

    single: Callable[[str], Any]
    batch: Callable[[list[str]], Any] = lambda _: DENIED
    plural: Callable[[str], Any] = lambda _: DENIED
    older: Callable[[str], Any] = lambda _: DENIED
    memory: ChatGPTMemory = field(default_factory=ChatGPTMemory)

    def answer(self, request: SentRequest) -> Any:
        if request.path == "/me":
            return {}
        if request.path == "/conversations/batch":
            return self.batch(request.data["conversation_ids"])
        if request.path.endswith("/messages"):
            return self.older(asked_key(request))
        return (self.plural if request.path.startswith("/conversations/") else self.single)(asked_key(request))

    def read(self, count: int, learned: int | None = None) -> Reading:
        session, wire = session_of(self.answer)
        session.client.pacing.learned_budget = learned
        for _ in range(2):  # what a run asks for first
            session.get("/me")
        got: dict[str, Fetched | NotFetched] = {}
        error = None
        try:
            for one in ConversationReader(session, self.memory).fetch(listed(count)):
                got[one.conversation_id] = one
        except ChatmirrorError as raised:
            error = raised
        return Reading(got, error, asked_paths(wire)[2:], session.client.pacing)


def trees_but(*omitted: str) -> Callable[[list[str]], Any]:
    """A batch endpoint that leaves some out."""
    return lambda ids: [whole(key) for key in ids if key not in omitted]


def limited_for(*keys: str) -> Callable[[str], Any]:
    """A read by id that is limited for some."""
    return lambda key: LIMITED if key in keys else whole(key)


def then(key: str, other: Any) -> Callable[[str], Any]:
    """A limit for one conversation, and another answer for every other."""
    return lambda asked: LIMITED if asked == key else other


SINGLE_LEFT = trees_but("c0", "c15")
STOPS = [(LOCK, LockedError), (LONG_PAUSE, StopError)]


@pytest.mark.parametrize(("stop", "kind"), STOPS, ids=["lock", "long pause"])
@pytest.mark.parametrize(
    ("where", "last"),
    [("single", "/conversation/c9"), ("batch", "/conversations/batch"), ("older page", "/conversations/c29")],
)
def test_a_stop_as_a_controls_answer_ends_the_run_at_once(where: str, last: str, stop: Any, kind: type) -> None:
    """Not one more request of whatever kind; also the error is that of the stop."""
    answered: list[str] = []

    def batch(ids: list[str]) -> Any:
        if where != "batch":
            return trees_but("c0", "c15")(ids) if where == "single" else DENIED
        return LIMITED if len(ids) > 1 else stop

    def plural(key: str) -> Any:
        answered.append(key)
        return flat(key, "older") if len(set(answered)) == 1 else stop

    single = (lambda _: DENIED) if where == "older page" else then("c0", stop)
    reading = Endpoints(single, batch, plural, lambda _: LIMITED).read(30)
    assert isinstance(reading.error, kind)
    assert reading.paths[-1] == last


@pytest.mark.parametrize("bad", [{"c0"}, {"c5"}, {"c0", "c3"}, {"c1", "c5"}], ids=lambda bad: ",".join(sorted(bad)))
@pytest.mark.parametrize("how", ["both", "by id"])
def test_a_few_conversations_of_which_some_are_refused_alone(bad: set[str], how: str) -> None:
    """Nothing is remembered, and the batch itself is refused: others of it are asked for."""

    def batch(ids: list[str]) -> Any:
        if how == "by id":
            return DENIED
        return LIMITED if bad & set(ids) else [whole(key) for key in ids]

    reading = Endpoints(limited_for(*bad), batch).read(6)
    assert reading.error is None
    assert reading.failed == bad
    assert set(reading.got) == {f"c{n}" for n in range(6)}
    assert reading.pacing.learned_budget is None


@pytest.mark.parametrize(
    "control", [BROKEN, FORBIDDEN, DENIED, LIMITED, CHALLENGE], ids=["500", "403", "404", "429", "check"]
)
@pytest.mark.parametrize("refusal", [LIMITED, CHALLENGE], ids=["429", "check"])
@pytest.mark.parametrize("wanted", [6, 30])
def test_batches_that_are_refused_leave_reads_by_id(refusal: Any, control: Any, wanted: int) -> None:
    """A control disproves no limit where it fails; no more batches are asked for, and each comes by id."""
    reading = Endpoints(whole, lambda ids: refusal if len(ids) > 1 else control).read(wanted)
    assert reading.error is None
    assert reading.failed == set()
    assert len(reading.got) == wanted
    batches = [path for path in reading.paths if "batch" in path]
    assert len(batches) <= 4 + 5
    assert len(reading.paths) - len(batches) <= wanted + 1


@pytest.mark.parametrize("refusal", [LIMITED, CHALLENGE], ids=["429", "check"])
@pytest.mark.parametrize("end", [LIMITED, CHALLENGE, LOCK], ids=["429", "check", "lock"])
def test_what_refuses_batches_and_reads_by_id_ends_the_run(refusal: Any, end: Any) -> None:
    reading = Endpoints(lambda _: end, lambda _: refusal, lambda _: end).read(30)
    assert isinstance(reading.error, ServiceError if end is CHALLENGE else RateLimitError)
    assert reading.got == {}
    assert len(reading.paths) <= 14


def test_an_account_of_batches_alone_that_are_limited_ends_the_run() -> None:
    """Nothing is counted as a try of a conversation."""
    reading = Endpoints(lambda _: DENIED, lambda _: LIMITED).read(30)
    assert isinstance(reading.error, RateLimitError)
    assert len(reading.got) <= 3  # what was refused before a control


def test_one_conversation_that_is_checked_leaves_batches_to_the_others() -> None:
    def batch(ids: list[str]) -> Any:
        return CHALLENGE if "c3" in ids else [whole(key) for key in ids]

    reading = Endpoints(lambda key: CHALLENGE if key == "c3" else whole(key), batch).read(40)
    assert reading.error is None
    assert reading.failed == {"c3"}
    assert sum("batch" in path for path in reading.paths) <= 4 + 1 + 3


@pytest.mark.parametrize("earlier", [None, 120])
def test_a_limit_of_the_control_alone_teaches_no_budget(earlier: int | None) -> None:
    """What a real refusal taught before stays."""
    memory = ChatGPTMemory(controls={"single": "cx"})
    single = {"c0": BROKEN, "cx": LIMITED}
    reading = Endpoints(lambda key: single.get(key, whole(key)), memory=memory).read(5, earlier)
    assert reading.error is None
    assert reading.failed == {"c0"}
    assert reading.pacing.learned_budget == earlier


@pytest.mark.parametrize("earlier", [None, 120])
@pytest.mark.parametrize("bad", [{"c0"}, {"c0", "cx"}], ids=lambda bad: ",".join(sorted(bad)))
def test_an_excused_limit_gives_the_budget_back(bad: set[str], earlier: int | None) -> None:
    """Also where a control was refused alone, too, before another one came."""
    memory = ChatGPTMemory(controls={"single": "cx"})
    reading = Endpoints(limited_for(*bad), memory=memory).read(20, earlier)
    assert reading.error is None
    assert reading.failed == {"c0"}
    assert reading.pacing.learned_budget == earlier


def test_a_page_that_alone_is_refused_ends_only_its_branch() -> None:
    """What came of it is kept, and all others are read; so it is when only that one is still to be read."""
    plural = {"c0": flat("c0", "older")}
    endpoints = Endpoints(lambda _: DENIED, plural=lambda key: plural.get(key, flat(key)), older=lambda _: LIMITED)
    for count in (8, 1, 1):
        reading = endpoints.read(count)
        assert reading.error is None
        assert reading.failed == set()
        partly = [key for key, got in reading.got.items() if isinstance(got, Fetched) and got.incomplete_reason]
        assert partly == ["c0"]
        assert reading.pacing.learned_budget is None


@pytest.mark.parametrize("batch", ["none", "some", "limited"])
def test_a_real_limit_meets_a_handful_of_requests(batch: str) -> None:
    """Two controls by id, and two of batches; no more in a run."""
    count = {"by id": 0, "batch": 0}

    def by_id(key: str) -> Any:
        count["by id"] += 1
        return LIMITED

    def batches(ids: list[str]) -> Any:
        if batch == "none":
            return DENIED
        if batch == "some" and "c29" in ids:
            return trees_but("c29")(ids)
        if "c0" in ids and len(ids) > 1:
            return trees_but("c0")(ids)
        count["batch"] += batch == "limited"
        return LIMITED if batch == "limited" else trees_but("c15")(ids)

    reading = Endpoints(by_id, batches, by_id).read(30)
    assert isinstance(reading.error, RateLimitError)
    assert count["by id"] <= 2 + 2  # the first, after its pause, and two controls
    assert count["batch"] <= 4 + 2
    assert reading.pacing.learned_budget == 1


def test_many_conversations_that_alone_are_refused_end_reads_by_id() -> None:
    """A few are asked about; then the limit is believed, and what batches give still comes."""
    bad = [f"c{n}" for n in range(0, 30, 3)]
    reading = Endpoints(limited_for(*bad), trees_but(*bad)).read(30)
    assert isinstance(reading.error, RateLimitError)
    assert sum(isinstance(got, Fetched) for got in reading.got.values()) == 20
    assert len([path for path in reading.paths if "batch" not in path]) <= 4 * 2 + 2
    assert reading.pacing.learned_budget is None


def test_a_conversation_that_fails_is_not_said_to_be_limited() -> None:
    """The controls are limited, and it is not: that limit is believed, with no more controls."""
    memory = ChatGPTMemory(controls={"single": "cx"})
    reading = Endpoints(lambda key: BROKEN if key == "c0" else LIMITED, memory=memory).read(9)
    assert isinstance(reading.error, RateLimitError)
    assert reading.got == {}
    assert [path for path in reading.paths if path.startswith("/conversation/")][-3:] == [
        "/conversation/cx",
        "/conversation/cx",
        "/conversation/c8",
    ]


def test_one_conversation_breaks_a_batch_and_another_is_limited() -> None:
    """Each costs itself."""

    def batch(ids: list[str]) -> Any:
        return BROKEN if "c1" in ids else LIMITED if "c6" in ids else [whole(key) for key in ids]

    single = {"c1": BROKEN, "c6": LIMITED}
    reading = Endpoints(lambda key: single.get(key, whole(key)), batch).read(20)
    assert reading.error is None
    assert reading.failed == {"c1", "c6"}


@pytest.mark.parametrize("broken", ["c1", "c6"])
@pytest.mark.parametrize("checked", ["c0", "c4", "c9"])
@pytest.mark.parametrize("by_id", ["single", "plural"])
def test_one_conversation_breaks_a_batch_and_another_is_checked(by_id: str, checked: str, broken: str) -> None:
    """Halves of the batch, and the two of them right after each other by id, are no block of the service."""

    def batch(ids: list[str]) -> Any:
        if broken in ids and len(ids) == BATCH_SIZE:
            return BROKEN
        return CHALLENGE if checked in ids else BROKEN if broken in ids else [whole(key) for key in ids]

    def read(key: str) -> Any:
        found = whole(key) if by_id == "single" else flat(key)
        return {checked: CHALLENGE, broken: BROKEN}.get(key, found)

    absent: dict[str, Any] = {"single": lambda _: DENIED, "plural": lambda _: DENIED}
    reading = Endpoints(batch=batch, **{**absent, by_id: read}).read(40)
    assert reading.error is None
    assert reading.failed == {checked, broken}


def test_a_conversation_that_is_gone_says_nothing_of_the_endpoint() -> None:
    """Its 404 has a code of its own; a limit that comes next, with no control left, is a real one."""
    gone = (404, {"detail": {"code": "conversation_not_found", "message": "Conversation not found"}})
    reading = Endpoints(lambda key: gone if key == "c0" else LIMITED).read(2)
    assert isinstance(reading.error, RateLimitError)
    assert reading.failed <= {"c0"}
    assert reading.pacing.learned_budget is not None


def test_controls_that_are_limited_close_no_endpoint() -> None:
    """Three are refused and the only other one is limited: that says nothing of whether the endpoint answers."""
    memory = ChatGPTMemory(controls={"single": "cx"})
    reading = Endpoints(lambda key: LIMITED if key == "cx" else FORBIDDEN, memory=memory).read(3)
    assert isinstance(reading.error, RateLimitError)
    assert memory.dead_endpoints == {"batch": memory.dead_endpoints["batch"]}


# -- what no list shows


def ask_for(*answers: tuple[str, Any], first: Any = None) -> tuple[list[Any], list[str]]:
    """Ask for conversations that no list shows, one after the other; what came or the error, and what was asked.

    ``first``: what the remembered control answers, if not itself.
    """
    by_key = {**dict(answers), **({} if first is None else {"cx": first})}
    session, wire = session_of(lambda request: by_key.get(asked_key(request), whole(asked_key(request))))
    reader = ConversationReader(session, ChatGPTMemory(controls={"single": "cx"}))
    got: list[Any] = []
    if first is None:
        reader.fetch_one(ToFetch(Listed("cx", None)))
    for key, _ in answers:
        try:
            got.append(reader.fetch_one(ToFetch(Listed(key, None))))
        except ChatmirrorError as error:
            got.append(error)
    return got, asked_paths(wire)[first is None :]


def test_a_browser_check_for_what_no_list_shows_is_asked_of_one_endpoint() -> None:
    """The other endpoint would meet the second one in a row, which ends the run."""
    got, _ = ask_for(("c1", CHALLENGE), ("c2", whole("c2")))
    assert isinstance(got[0], NotFetched)
    assert isinstance(got[1], Fetched)


def test_a_limit_for_what_no_list_shows_is_asked_of_a_control() -> None:
    got, paths = ask_for(("c1", LIMITED), ("c2", whole("c2")))
    assert isinstance(got[0], NotFetched)
    assert got[0] == NotFetched("c1", "ChatGPT refuses it alone (HTTP 429)")
    assert isinstance(got[1], Fetched)
    assert paths == ["/conversation/c1", "/conversation/c1", "/conversation/cx", "/conversation/c2"]


@pytest.mark.parametrize("control", [LIMITED, BROKEN, LOCK], ids=["limited", "broken", "locked"])
def test_a_limit_for_what_no_list_shows_that_no_control_disproves(control: Any) -> None:
    """It ends reads by id for this run, with as few requests."""
    got, paths = ask_for(("c1", LIMITED), ("c2", whole("c2")), first=control)
    assert isinstance(got[0], StopError if control is LOCK else RateLimitError)
    assert len(paths) <= 2 + (2 if control is LIMITED else 3)
