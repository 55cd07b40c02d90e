"""Which reading of a conversation is stored: batch, single and plural endpoint, whole, cut, refused or missing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from scripted_wire import asked_paths, session_of
from trees import T0, tree

from mirror.chatgpt import plural
from mirror.chatgpt.conversations import AUDITS_FOR_TRUST, RUNS_BEFORE_A_PART, ConversationReader
from mirror.chatgpt.memory import ChatGPTMemory
from mirror.errors import ChatmirrorError, RateLimitError, ServiceError
from mirror.source import Fetched, Listed, NotFetched, ToFetch

if TYPE_CHECKING:
    from scripted_wire import SentRequest

Got = Fetched | NotFetched
KEY = "c1"
LIST_US = int((T0 + 4) * 1_000_000)
GONE = (404, {"detail": {"code": "conversation_deleted"}})
DENIED = (404, {"detail": "Conversation not found"})
BROKEN = (500, {"detail": "broken"})
LIMITED = (429, {"detail": "Too many requests"})


def whole(key: str = KEY) -> dict[str, Any]:
    return tree("q", "a", "q2", "a2", conversation_id=key)


def cut(key: str = KEY) -> dict[str, Any]:
    found = whole(key)
    del found["mapping"]["n4"]
    return found


def flat(*texts: str, key: str = KEY, older: str | None = None) -> dict[str, Any]:
    messages = [{"id": text, "content": {"parts": [text]}} for text in texts]
    info = {"has_previous_page": older is not None, "start_cursor": older}
    return {"conversation_id": key, "messages": messages, "page_info": info}


@dataclass
class Service:
    """What each endpoint answers, the same for every conversation; ``pages``: cursor -> an older page."""

    batch: Any = None
    single: Any = None
    plural: Any = None
    pages: dict[str, Any] = field(default_factory=dict)

    def answer(self, request: SentRequest) -> Any:
        if request.path == "/conversations/batch":
            return [self.batch] if isinstance(self.batch, dict) else self.batch
        if request.path.endswith("/messages"):
            return self.pages[request.params["before"]]
        return self.plural if request.path.startswith("/conversations/") else self.single


def wanted(**about: Any) -> ToFetch:
    return ToFetch(Listed(KEY, about.pop("list_us", LIST_US)), **about)


def fetch(service: Service, memory: ChatGPTMemory | None = None, **about: Any) -> tuple[Got, list[str]]:
    """What comes of one conversation, and which endpoints were asked for it."""
    session, wire = session_of(service.answer)
    [got] = ConversationReader(session, memory or ChatGPTMemory()).fetch([wanted(**about)])
    names = {"/conversations/batch": "batch", f"/conversation/{KEY}": "single"}
    return got, [names.get(path, "plural") for path in asked_paths(wire)]


EARLY, LATE = 0, RUNS_BEFORE_A_PART


@pytest.mark.parametrize(
    ("service", "about", "origin", "reason", "asked"),
    [
        (Service(whole()), {}, "batch", None, ["batch"]),
        (Service([], whole()), {}, "single", None, ["batch", "single"]),
        (Service([], DENIED, flat("q", "a")), {}, "plural", None, ["batch", "single", "plural"]),
        (Service(cut(), whole()), {}, "single", None, ["batch", "single"]),
        (Service(cut(), DENIED, flat("q", "a")), {}, "plural", None, ["batch", "single", "plural"]),
        (Service([], cut(), flat("q", "a")), {}, "plural", None, ["batch", "single", "plural"]),
        (Service(DENIED, whole()), {}, "single", None, ["batch", "batch", "single"]),
        (Service({"odd": 1}, whole()), {}, "single", None, ["batch", "single"]),
        # Where nothing gives the whole: the larger part, and that it is a part.
        (Service(cut(), cut(), DENIED), {"known_messages": 4}, "single", "missing from the tree", None),
        (Service(cut(), DENIED, DENIED), {"known_messages": 4}, "batch", "missing from the tree", None),
        (Service(cut(), BROKEN, DENIED), {"tries": LATE}, "batch", "missing from the tree", None),
        (Service([], cut(), DENIED), {}, "single", "missing from the tree", None),
        (Service([], DENIED, flat()), {"tries": LATE}, "plural", None, None),
        (Service([], DENIED, flat("q", older="")), {}, "plural", "older messages", None),
        # A branch that says itself that it has older messages is a part however often it comes.
        (Service([], DENIED, flat("q", older="")), {"tries": LATE}, "plural", "older messages", None),
        (Service([], DENIED, flat(older="")), {"tries": LATE}, "plural", "came without messages", None),
        # After several runs a part is taken for all there is, as a branch.
        (Service([], cut(), DENIED), {"tries": LATE}, "single", None, None),
        (Service(cut(), DENIED, DENIED), {"known_messages": 4, "tries": LATE}, "batch", None, None),
        (Service(cut(), BROKEN, DENIED), {"known_messages": 4, "tries": LATE}, "batch", "missing from the tree", None),
        # Fewer messages than are stored: a read by id is asked, and where none is given, another reading decides.
        (Service([], whole()), {"known_messages": 9}, "single", None, ["batch", "single"]),
        (Service(whole(), DENIED, DENIED), {"known_messages": 9}, "batch", None, ["batch", "single", "plural"]),
        (Service(whole(), BROKEN, BROKEN), {"known_messages": 9}, "batch", None, None),
        (Service(whole(), BROKEN, flat("q", older="")), {"known_messages": 9}, "batch", "and 9 are stored", None),
        # A conversation without a word is one.
        (Service([], {**tree(), "current_node": "root"}), {}, "single", None, ["batch", "single"]),
    ],
)
def test_the_best_reading_is_stored(
    service: Service, about: dict[str, Any], origin: str, reason: str | None, asked: list[str] | None
) -> None:
    """The cheapest endpoint that gives the conversation whole, else the best part of it, marked as a part."""
    got, endpoints = fetch(service, **about)
    assert isinstance(got, Fetched)
    assert got.origin == origin
    if reason is None:
        assert got.incomplete_reason is None
    else:
        assert reason in (got.incomplete_reason or "")
    assert got.proves_absence is (origin != "plural" and got.incomplete_reason is None and "tries" not in about)
    if asked is not None:
        assert endpoints == asked


@pytest.mark.parametrize(
    ("service", "about", "reason", "is_gone"),
    [
        (Service([], GONE), {}, "deleted at the service", True),
        (Service([], DENIED, GONE), {}, "deleted at the service", True),
        (Service(cut(), GONE), {"known_messages": 4}, "deleted at the service", True),
        (Service([], DENIED, DENIED), {}, "HTTP 404", False),
        (Service([], BROKEN, DENIED), {}, "HTTP 404", False),
        (Service([], [], {"odd": 1}), {}, "neither a tree nor messages", False),
        (Service([], {"mapping": []}, DENIED), {}, "HTTP 404", False),
        (Service([], whole("other"), DENIED), {}, "HTTP 404", False),
        (Service([], DENIED, flat("q", key="other")), {}, "another conversation's", False),
        # A part of a new conversation is not stored before the whole was asked for in several runs.
        (Service(cut(), DENIED, DENIED), {"tries": EARLY}, "HTTP 404", False),
        # No messages are never taken for a conversation that has some.
        (Service([], {"mapping": {}}, DENIED), {"known_messages": 4}, "without messages", False),
        (Service([], {"mapping": {}}, DENIED), {"known_messages": 4, "tries": LATE}, "without messages", False),
        (Service([], {"mapping": {}}, DENIED), {"tries": EARLY}, "without messages", False),
        # Only a tree is news, and none came.
        (Service([], cut(), flat("q")), {"wants_tree_only": True, "tries": LATE}, "missing from the tree", False),
        (Service([], DENIED, flat("q")), {"wants_tree_only": True}, "HTTP 404", False),
        (
            Service(cut(), BROKEN, DENIED),
            {"wants_tree_only": True, "known_messages": 4},
            "missing from the tree",
            False,
        ),
    ],
)
def test_what_is_not_stored(service: Service, about: dict[str, Any], reason: str, is_gone: bool) -> None:
    """With the reason, and whether that is the service's proof of a deletion."""
    got, _ = fetch(service, **about)
    assert isinstance(got, NotFetched)
    assert reason in got.reason
    assert got.is_gone is is_gone
    assert not got.later


# -- trust in batches


def old_tree() -> dict[str, Any]:
    """A whole tree that may lack its newest messages: the list's time is an hour later."""
    return whole()


LATER: dict[str, Any] = {"list_us": LIST_US + 3600 * 1_000_000}


def test_a_tree_that_may_be_old_is_confirmed_by_a_read_by_id() -> None:
    """Until enough of them in a row were confirmed."""
    memory = ChatGPTMemory()
    for n in range(AUDITS_FOR_TRUST):
        got, asked = fetch(Service(old_tree(), whole()), memory, **LATER)
        assert asked == ["batch", "single"]
        assert isinstance(got, Fetched)
        assert got.origin == "single"
        assert memory.clean_audits == n + 1
    assert fetch(Service(old_tree(), whole()), memory, **LATER)[1] == ["batch"]


def test_a_tree_that_was_old_takes_the_trust_back() -> None:
    """The larger tree is stored, and the next batches are confirmed again."""
    memory = ChatGPTMemory(clean_audits=AUDITS_FOR_TRUST - 1)
    larger = tree("q", "a", "q2", "a2", "q3", "a3", conversation_id=KEY)
    got, _ = fetch(Service(old_tree(), larger), memory, **LATER)
    assert isinstance(got, Fetched)
    assert len(got.payload["mapping"]) == 7
    assert memory.clean_audits == 0


@pytest.mark.parametrize(
    ("single", "clean_audits"), [(cut(), 3), ({"mapping": {}}, 3), (tree("q", "a", conversation_id=KEY), 0)]
)
def test_a_confirmation_that_holds_less_takes_nothing_away(single: Any, clean_audits: int) -> None:
    """The batch's tree is stored; a whole one with fewer messages takes the trust back, a cut one says nothing."""
    memory = ChatGPTMemory(clean_audits=3)
    got, asked = fetch(Service(old_tree(), single), memory, **LATER)
    assert asked == ["batch", "single"]
    assert isinstance(got, Fetched)
    assert (got.origin, got.incomplete_reason, got.proves_absence) == ("batch", None, True)
    assert memory.clean_audits == clean_audits


@pytest.mark.parametrize("about", [{"explained": True}, {"list_us": LIST_US}])
def test_what_needs_no_confirmation(about: dict[str, Any]) -> None:
    """A title or project explains the later time, or there is none."""
    assert fetch(Service(old_tree(), whole()), known_messages=4, **{**LATER, **about})[1] == ["batch"]


def test_a_confirmation_that_fails_costs_nothing() -> None:
    """The batch's tree contradicts nothing, and is stored."""
    got, _ = fetch(Service(old_tree(), DENIED), **LATER)
    assert isinstance(got, Fetched)
    assert (got.origin, got.incomplete_reason) == ("batch", None)


def test_a_full_run_trusts_a_little_less_and_asks_closed_endpoints_again() -> None:
    """So that an endpoint that gets worse or better is noticed."""
    memory = ChatGPTMemory(dead_endpoints={"single": "HTTP 404"}, clean_audits=AUDITS_FOR_TRUST + 20)
    session, _ = session_of(Service().answer)
    ConversationReader(session, memory).begin_full_run()
    assert memory.dead_endpoints == {}
    assert 0 < memory.clean_audits < AUDITS_FOR_TRUST


# -- several conversations


def listed(count: int) -> list[ToFetch]:
    return [ToFetch(Listed(f"c{n}", LIST_US)) for n in range(count)]


@dataclass
class Account:
    """Conversations c0, c1, ... that batches give, but for some that make a batch or a read by id fail."""

    omitted: frozenset[str] = frozenset()
    poisoned: frozenset[str] = frozenset()
    by_id: Any = DENIED
    groups: list[list[str]] = field(default_factory=list)

    def answer(self, request: SentRequest) -> Any:
        if request.path != "/conversations/batch":
            return self.by_id
        ids: list[str] = request.data["conversation_ids"]
        self.groups.append(ids)
        if self.poisoned & set(ids):
            return BROKEN
        return [whole(key) for key in reversed(ids) if key not in self.omitted]


def fetch_all(account: Account, count: int) -> tuple[list[Got], ChatmirrorError | None]:
    """What came of so many conversations, and the error that ended it, if any."""
    session, _ = session_of(account.answer)
    came: list[Got] = []
    try:
        came.extend(ConversationReader(session, ChatGPTMemory()).fetch(listed(count)))
    except ChatmirrorError as error:
        return came, error
    return came, None


def test_conversations_come_in_the_order_asked_for_ten_a_request() -> None:
    """Whatever order the service answers in."""
    account = Account()
    came, _ = fetch_all(account, 23)
    assert [got.conversation_id for got in came] == [f"c{n}" for n in range(23)]
    assert [len(ids) for ids in account.groups] == [10, 10, 3]


def test_one_conversation_that_breaks_a_batch_costs_the_others_nothing() -> None:
    """The batch is halved until they come; the broken one is asked for by id."""
    account = Account(poisoned=frozenset({"c3"}))
    came, _ = fetch_all(account, 10)
    assert [got.conversation_id for got in came if isinstance(got, NotFetched)] == ["c3"]
    assert len({tuple(ids) for ids in account.groups}) <= 9


def test_batches_that_only_fail_are_not_asked_for_again() -> None:
    """Where not even controls come, one group is enough to know it for this run."""
    account = Account(poisoned=frozenset(f"c{n}" for n in range(100)), by_id=DENIED)
    fetch_all(account, 100)
    assert {key for ids in account.groups for key in ids} == {*(f"c{n}" for n in range(10)), "c99", "c50"}


def test_nothing_but_server_errors_ends_the_run() -> None:
    """After a few conversations in a row; what came before is kept."""
    came, error = fetch_all(Account(omitted=frozenset(f"c{n}" for n in range(5, 60)), by_id=BROKEN), 60)
    assert sum(isinstance(got, Fetched) for got in came) == 5
    assert isinstance(error, ServiceError)
    assert "no conversations by id now (HTTP 500)" in error.message


def test_no_more_reads_by_id_do_not_stop_the_batches() -> None:
    """What needs one is left for a later run, everything else comes, and the end says why."""
    came, error = fetch_all(Account(omitted=frozenset({"c0", "c15"}), by_id=LIMITED), 30)
    assert [got.conversation_id for got in came if isinstance(got, NotFetched) and got.later] == ["c0", "c15"]
    assert sum(isinstance(got, Fetched) for got in came) == 28
    assert isinstance(error, RateLimitError)


def test_without_batches_a_limit_ends_the_run_at_once() -> None:
    """After two more conversations are refused, too."""
    session, wire = session_of(lambda request: DENIED if "batch" in request.path else LIMITED)
    with pytest.raises(RateLimitError):
        list(ConversationReader(session, ChatGPTMemory()).fetch(listed(30)))
    assert [path for path in asked_paths(wire) if "batch" not in path] == [
        "/conversation/c0",
        "/conversation/c0",
        "/conversation/c29",
        "/conversation/c15",
    ]


def test_where_no_endpoint_gives_trees_only_branches_are_asked_for() -> None:
    """What is stored as its branch is not asked for again in vain; closed endpoints are reopened when all are."""
    wants = [ToFetch(Listed("c0", LIST_US), wants_tree_only=True), ToFetch(Listed("c1", LIST_US))]
    closed = {"batch": "HTTP 404", "single": "HTTP 404"}
    session, wire = session_of(lambda request: flat("q", key="c1"))
    got = list(ConversationReader(session, ChatGPTMemory(dead_endpoints=dict(closed))).fetch(wants))
    assert [one.conversation_id for one in got] == ["c1"]
    assert asked_paths(wire) == ["/conversations/batch", "/conversation/c1", "/conversations/c1"]
    memory = ChatGPTMemory(dead_endpoints={**closed, "plural": "HTTP 404"})
    session, _ = session_of(lambda request: [whole("c0"), whole("c1")])
    assert all(isinstance(one, Fetched) for one in ConversationReader(session, memory).fetch(wants))
    assert memory.dead_endpoints == {}


def test_a_batch_keeps_each_trees_own_bytes() -> None:
    """A payload is stored as it came, also out of an object around the array."""
    session, _ = session_of(lambda request: {"more": [1], "conversations": [whole("c0"), whole("c1")]})
    for got in ConversationReader(session, ChatGPTMemory()).fetch(listed(2)):
        assert isinstance(got, Fetched)
        assert json.loads(got.body.raw) == whole(got.conversation_id)


# -- the plural endpoint's pages


@pytest.mark.parametrize(
    ("first", "pages", "texts", "reason"),
    [
        (flat("e", "f"), {}, ["e", "f"], None),
        (flat("e", "f", older="x"), {"x": flat("c", "d", older="y"), "y": flat("a", "b")}, list("abcdef"), None),
        (flat("c", "d", older="x"), {"x": flat("a", "b", "c", "d")}, list("abcd"), None),
        (flat("c", "d", older="x"), {"x": flat("a", "b", older="")}, list("abcd"), "its older messages did not come"),
        (flat("c", older=""), {}, ["c"], "its older messages did not come"),
        ({**flat("c"), "page_info": {"has_previous_page": True}}, {}, ["c"], "its older messages did not come"),
        ({**flat("c"), "page_info": {"has_previous_page": False, "start_cursor": "x"}}, {}, ["c"], None),
        ({**flat("c"), "page_info": None}, {}, ["c"], None),
        ({**flat("c"), "page_info": "odd"}, {}, ["c"], None),
        (
            {**flat("c", older="x"), "messages": [{"id": {"a": 1}}, None, 5]},
            {"x": flat("a")},
            ["a", None, None, None],
            None,
        ),
    ],
)
def test_the_pages_of_a_branch_are_put_together(
    first: dict[str, Any], pages: dict[str, Any], texts: list[str | None], reason: str | None
) -> None:
    """Oldest first, each message once, and whether the beginning was reached."""
    got, _ = fetch(Service([], DENIED, first, pages))
    assert isinstance(got, Fetched)
    ids = [message["id"] if isinstance(message, dict) else None for message in got.payload["messages"]]
    assert [key if isinstance(key, str) else None for key in ids] == texts
    assert got.incomplete_reason == reason
    assert got.is_branch_only
    assert json.loads(got.body.raw) == got.payload
    # Stored with it is whether something is missing from it, for the next run.
    assert got.payload.get("page_info") == (None if reason is None else {"has_previous_page": True})


@pytest.mark.parametrize(
    ("last", "reason"), [(flat("a"), None), (flat("a", older="y"), "its older messages did not come")]
)
def test_a_branch_that_becomes_too_large_with_its_last_page(
    monkeypatch: pytest.MonkeyPatch, last: dict[str, Any], reason: str | None
) -> None:
    """It is whole where its beginning came with it, and the next run may go on where a later version holds more."""
    first = flat("b", older="x")
    monkeypatch.setattr(plural, "MOST_BRANCH_BYTES", len(json.dumps(first)))
    got, endpoints = fetch(Service([], DENIED, first, {"x": last}))
    assert isinstance(got, Fetched)
    assert [message["id"] for message in got.payload["messages"]] == ["a", "b"]
    assert (got.incomplete_reason, got.has_more) == (reason, False)
    assert got.payload.get("page_info") == (None if reason is None else last["page_info"])
    assert endpoints.count("plural") == 2


@pytest.mark.parametrize(
    ("pages", "reason"),
    [
        ({"x": flat("a", older="x")}, "the page cursor repeats"),
        ({"x": flat("b", older="y"), "y": flat("a", older="x")}, "the page cursor repeats"),
        ({"x": {}}, "a page of it holds no messages"),
        ({"x": []}, "a page of it holds no messages"),
    ],
)
def test_pages_that_cannot_be_put_together(pages: dict[str, Any], reason: str) -> None:
    """Nothing is stored of them, and the reason is the conversation's."""
    got, _ = fetch(Service([], DENIED, flat("c", older="x"), pages))
    assert isinstance(got, NotFetched)
    assert got.reason == reason


# -- what no list shows


@pytest.mark.parametrize(
    ("service", "closed", "outcome"),
    [
        (Service(None, whole()), {}, "single"),
        (Service(None, DENIED, flat("q")), {}, "plural"),
        (Service(None, GONE, flat("q")), {}, "gone"),
        (Service(None, DENIED, GONE), {}, "gone"),
        (Service(None, DENIED, DENIED), {}, "HTTP 404: “Conversation not found”"),
        (Service(None, BROKEN, BROKEN), {}, "HTTP 500"),
        (Service(None, DENIED, {"odd": 1}), {}, "the answer holds neither a tree nor messages"),
        (Service(None, whole(), flat("q")), {"single": "x"}, "plural"),
        (Service(None, whole()), {"single": "x", "plural": "x"}, "this account cannot read conversations by id"),
    ],
)
def test_asking_for_what_no_list_shows(service: Service, closed: dict[str, str], outcome: str) -> None:
    """It comes, or is proven gone, or neither is known; a denial closes no endpoint."""
    session, _ = session_of(service.answer)
    memory = ChatGPTMemory(dead_endpoints=dict(closed))
    reader = ConversationReader(session, memory)
    for _ in range(5):
        got = reader.fetch_one(wanted())
    if isinstance(got, Fetched):
        assert got.origin == outcome
    else:
        assert ("gone" if got.is_gone else got.reason) == outcome
    assert memory.dead_endpoints == closed
