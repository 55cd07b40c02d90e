"""A made-up second service: what it knows, as a source, a normalizer and an entry of each table.

Parrot conversations are lists of lines. A change shows in a list by a revision, never by the time; projects are called
nests; the assistant's name is Parrot.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mirror.archive.recogniser import Recognised, Recogniser
from mirror.body import Body
from mirror.normalize import Conversation, Message, Normalizer
from mirror.normalize.tree import positioned
from mirror.services import Service
from mirror.source import (
    AccountItem,
    Fetched,
    Identity,
    Listed,
    ListResult,
    NotFetched,
    NotRead,
    Scope,
    ToFetch,
    Workspace,
)
from mirror.values import as_dict, as_id, as_list, as_text, epoch_us, iso_time, plain
from mirror.web.site import Site

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

PROVIDER = "parrot"
SERVICE = Service(
    provider=PROVIDER,
    name="Parrot",
    home_url="https://parrot.example",
    conversation_path="/talk/{id}",
    project_path="/nest/{id}",
)
MAIN, ARCHIVED = Scope("main", "main"), Scope("archived", "archived", to_the_end=True)


def from_payload(payload: object) -> Conversation:
    """Return the conversation that a Parrot payload holds; never raises."""
    record = as_dict(payload)
    rows: list[Message] = []
    parents: dict[str, str | None] = {}
    last: str | None = None
    for n, line in enumerate(as_list(record.get("lines"))):
        node = f"l{n}"
        role = "assistant" if as_dict(line).get("by") == "parrot" else "user"
        text = as_text(as_dict(line).get("says"))
        rows.append(Message(node, last, role, "text", "line", text, created_at=iso_time(as_dict(line).get("at"))))
        parents[node] = last
        last = node
    messages, _ = positioned(rows, parents, last)
    return Conversation(
        id=conversation_id(payload),
        title=plain(record.get("name")),
        created_at=iso_time(record.get("made")),
        updated_at=iso_time(record.get("changed")),
        current_node_id=last,
        messages=messages,
        parents=parents,
        project_id=plain(record.get("nest")),
        stated=frozenset({"project_id"}) if "nest" in record else frozenset(),
    )


def conversation_id(payload: object) -> str:
    """Return the id that a Parrot payload states, "" where it states none."""
    return as_id(as_dict(payload).get("talk")) or ""


def says_the_same(new: object, old: object) -> bool:
    """Return whether two payloads have the same lines."""
    return bool(as_dict(new).get("lines") == as_dict(old).get("lines"))


SITE = Site(name="Parrot", home_url=SERVICE.home_url, error_code=lambda _: None, lock_words=b"no seeds")
NORMALIZER = Normalizer(from_payload, 1, conversation_id, says_the_same)


def recognises(value: object) -> Recognised:
    """Tell a Parrot conversation in a file."""
    return "yes" if "talk" in as_dict(value) and "lines" in as_dict(value) else "no"


RECOGNISER = Recogniser(PROVIDER, recognises, message_keys=("lines",), id_keys=("talk",))


@dataclass
class Parrot:
    """A signed-in Parrot account that is only data. ``asked``: ids that were fetched, in order."""

    talks: dict[str, dict[str, Any]]
    provider: str = PROVIDER
    trusts_imports: bool = False  # a Parrot export has no lines by the parrot
    has_project_lists: bool = False
    asked: list[str] = field(default_factory=list)
    _memory: dict[str, Any] = field(default_factory=dict)
    _runs: int = 0

    def identity(self) -> Identity:
        return Identity("bird-1", "Ann", None, "2030-01-01T00:00:00.000Z", (Workspace("perch", "The perch"),))

    def begin(self, memory: Mapping[str, Any]) -> None:
        self._runs = memory.get("runs", 0) + 1

    def login_memory(self) -> dict[str, Any]:
        return {"runs": self._runs}

    def enter(self, workspace: Workspace, memory: Mapping[str, Any]) -> None:
        self._memory = {"visits": memory.get("visits", 0) + 1}

    def refuses(self, workspace: Workspace) -> bool:
        return False

    def memory(self) -> dict[str, Any]:
        return self._memory

    def scopes(
        self, *, full: bool, last_read: Mapping[str, str], unshown: Callable[[], Collection[str]]
    ) -> Iterator[Scope]:
        yield MAIN
        yield ARCHIVED

    def read_list(self, scope: Scope, enough: Callable[[Sequence[Listed]], bool], expected: int | None) -> ListResult:
        wanted = [t for t in self.talks.values() if bool(t.get("archived")) == (scope is ARCHIVED)]
        rows = [_row(talk) for talk in wanted]
        return ListResult(scope, {row.conversation_id: row for row in rows}, reached_end=True)

    def fetch(self, wanted: Sequence[ToFetch]) -> Iterator[Fetched | NotFetched]:
        for one in wanted:
            yield self.fetch_one(one)

    def fetch_one(self, wanted: ToFetch) -> Fetched | NotFetched:
        key = wanted.listed.conversation_id
        self.asked.append(key)
        if key not in self.talks:
            return NotFetched(key, "deleted at the service", is_gone=True)
        payload = self.talks[key]
        return Fetched(key, payload, Body(json.dumps(payload).encode()), "talk", f"/talk/{key}", proves_absence=True)

    def not_read(self) -> Sequence[NotRead]:
        return ()

    def given_otherwise(self, ids: Sequence[str]) -> set[str]:
        return set()

    def account_items(self, *, unnamed_gpts: Collection[str]) -> Iterator[Sequence[AccountItem]]:
        yield [AccountItem("project", "nest-1", {"name": "The nest", "url": SERVICE.project_url("nest-1")})]

    def rereads_at_once(self) -> int:
        return 0

    def is_signed_in(self) -> bool:
        return True


def _row(talk: Mapping[str, Any]) -> Listed:
    return Listed(
        conversation_id=talk["talk"],
        list_us=epoch_us(talk["changed"]),
        title=talk["name"],
        is_archived=bool(talk.get("archived")),
        project_id=talk.get("nest"),
        states_home=True,
        mark=str(talk.get("revision", 1)),
    )


def talk(key: str, name: str, *lines: str, **more: Any) -> dict[str, Any]:
    """Return a Parrot conversation; the person and the parrot take turns."""
    said = [{"by": "parrot" if n % 2 else "ann", "says": line, "at": 1_760_000_000 + n} for n, line in enumerate(lines)]
    return {"talk": key, "name": name, "made": 1_760_000_000, "changed": 1_760_000_100, "lines": said, **more}
