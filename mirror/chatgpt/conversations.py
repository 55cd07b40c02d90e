"""Fetched whole conversations by the lane that works (API notes §3).

*batch* (ten trees a request, hardly limited) before *single* (one tree) before *plural* (the visible branch, page by
page). No account has all three for sure; which ones answer is found out once and remembered. A batch can come back
with trees cut short and status 200, so every tree is looked at before it is believed.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mirror.chatgpt.completeness import NOTHING_IN_IT, is_blank, soft_doubt, structural_doubt
from mirror.errors import RateLimitError, ServiceError
from mirror.json_bytes import element_texts
from mirror.source import Fetched, NotFetched, ToFetch
from mirror.web.client import Refused, ServerError
from mirror.web.pacing import StopError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mirror.chatgpt.memory import ChatGPTMemory
    from mirror.chatgpt.session import Session

BATCH = 10  # ids a request; more are refused
TURNS = 10  # what the web client asks of the plural lane; larger windows can fail
MOST_WINDOWS = 2_000
DEAD_AFTER = 3  # conversations in a row, just listed, that a per-id lane says do not exist
OUTAGE_AFTER = 5  # conversations in a row that only 5xx answered: the service, not the conversations
PARTS_AFTER = 3  # nights that a conversation is asked for whole before what comes of it is taken for all there is
BATCH_FAILURES = 8  # requests that 5xx may cost one group of conversations
BATCH_OUTAGES = 2  # groups in a row of which no batch gave anything: there are no batches tonight
AUDITS_AGAIN = 3
AUDITS = 8  # trees of batch that only look old are read again until this many in a row proved whole
LANES = ("batch", "single", "plural")


class Lanes:
    """Which lanes answer for this account; lives in the source's memory from run to run."""

    def __init__(self, memory: ChatGPTMemory) -> None:
        self.dead = memory.dead_endpoints
        self._misses = dict.fromkeys(LANES, 0)

    def alive(self, lane: str) -> bool:
        """Whether the lane is worth a request."""
        return lane not in self.dead

    def answered(self, lane: str) -> None:
        """The lane gave a conversation."""
        self._misses[lane] = 0

    def missed(self, lane: str, why: str, *, at_once: bool = False) -> None:
        """The lane denied a conversation that was just listed."""
        self._misses[lane] += 1
        if at_once or self._misses[lane] >= DEAD_AFTER:
            self.dead[lane] = why

    def revive(self) -> None:
        """Try every lane again."""
        self.dead.clear()


class Reader:
    """Reads for one account. ``memory`` keeps its lanes."""

    def __init__(self, session: Session, memory: ChatGPTMemory) -> None:
        self.session, self.lanes, self.memory = session, Lanes(memory), memory
        self._spent: RateLimitError | None = None  # why there are no more single reads tonight
        self._owes: RateLimitError | None = None  # the same, once a conversation needed one
        self._outages = 0
        self._batch_outages = 0
        self._batch_failures = 0

    def fetch(self, wanted: Sequence[ToFetch]) -> Iterator[Fetched | NotFetched]:
        """Read conversations in the order given, as they come.

        Raises RateLimitError when there are no more single reads to be had; where batches go on, at the very end.
        """
        if not any(self.lanes.alive(lane) for lane in LANES):
            self.lanes.revive()
        if not (self.lanes.alive("batch") or self.lanes.alive("single")):
            wanted = [want for want in wanted if not want.wants_tree_only]  # no tree is to be had
        for start in range(0, len(wanted), BATCH):
            group = wanted[start : start + BATCH]
            trees = self._batched([want.listed.conversation_id for want in group])
            for want in group:
                got = self._best(want, trees.get(want.listed.conversation_id))
                if isinstance(got, NotFetched) and got.later:
                    self._owes = self._spent
                yield got
        if self._owes:
            raise self._owes

    def doubt_again(self) -> None:
        """Take trust in batches back a little and try closed lanes again, so that neither is believed for ever."""
        self.memory.clean_audits = min(self.memory.clean_audits, AUDITS - AUDITS_AGAIN)
        self.lanes.revive()

    def fetch_one(self, want: ToFetch) -> Fetched | NotFetched:
        """Ask for one conversation by its id. Only its own 404 ``conversation_deleted`` proves its end.

        A refusal says nothing of the endpoint here: nobody listed the conversation.
        """
        conversation_id, reason = want.listed.conversation_id, "no endpoint gives single conversations"
        is_unknown = False
        for lane in ("single", "plural"):
            if not self.lanes.alive(lane):
                continue
            try:
                got = self._single(want) if lane == "single" else self._plural(conversation_id)
            except Refused as error:
                if error.code == "conversation_deleted":
                    return NotFetched(conversation_id, "deleted at the service", is_gone=True)
                reason, is_unknown = str(error), error.code == "conversation_not_found"
                continue
            if isinstance(got, Fetched):
                return got
            reason = got.reason
        return NotFetched(conversation_id, reason, is_unknown=is_unknown)

    def _best(self, want: ToFetch, batched: Fetched | None) -> Fetched | NotFetched:
        if batched is None:
            return self._without_batch(want)
        doubt = structural_doubt(batched.payload, want.known_messages)
        if doubt is None:
            return self._audited(batched, want)
        found = self._without_batch(want)
        if (isinstance(found, Fetched) and found.incomplete_reason is None) or (
            isinstance(found, NotFetched) and found.is_settled
        ):
            return found
        if isinstance(found, Fetched) and _nodes(found) >= _nodes(batched):
            return found
        if doubt == NOTHING_IN_IT or (not want.known_messages and want.tries < PARTS_AFTER):
            return found  # half a conversation is not shown before the whole one has been asked for in vain
        return replace(batched, proves_absence=False, incomplete_reason=doubt)

    def _without_batch(self, want: ToFetch) -> Fetched | NotFetched:
        single = self._per_id("single", want)
        if isinstance(single, Fetched) and single.incomplete_reason is None:
            return single
        if (isinstance(single, NotFetched) and single.is_settled) or want.wants_tree_only:
            return _weighed(want, single)
        plural = self._per_id("plural", want)
        if isinstance(plural, Fetched) and plural.incomplete_reason is None:
            return plural
        if isinstance(single, Fetched):
            return _weighed(want, single)
        is_telling = isinstance(plural, Fetched) or plural.is_settled or self.lanes.alive("plural")
        return _weighed(want, plural) if is_telling else single

    def _audited(self, batched: Fetched, want: ToFetch) -> Fetched:
        """Return a sound tree; one that may still lack its newest part is compared with a single read first."""
        if not self._audit_due(batched, want):
            return batched
        single = self._per_id("single", want)
        if not isinstance(single, Fetched):
            return batched
        is_clean = _nodes(single) <= _nodes(batched)
        self.memory.clean_audits = self.memory.clean_audits + 1 if is_clean else 0
        return single

    def _audit_due(self, batched: Fetched, want: ToFetch) -> bool:
        trusted = self.memory.clean_audits >= AUDITS
        if trusted or want.explained or self._spent or not self.lanes.alive("single"):
            return False
        return soft_doubt(batched.payload, want.listed.list_us, want.known_messages) is not None

    # -- batch

    def _batched(self, ids: Sequence[str]) -> dict[str, Fetched]:
        """Read a group of conversations; where batches only fail, a few groups are enough to know it for tonight."""
        if self._batch_outages >= BATCH_OUTAGES:
            return {}
        self._batch_failures = 0
        found = self._batch(ids)
        if found or not self._batch_failures:
            self._batch_outages = 0
        elif len(ids) > 1:
            self._batch_outages += 1
        return found

    def _batch(self, ids: Sequence[str]) -> dict[str, Fetched]:
        if not self.lanes.alive("batch") or self._batch_failures >= BATCH_FAILURES:
            return {}
        try:
            answer = self.session.post("/conversations/batch", {"conversation_ids": list(ids)})
        except ServerError:
            # One conversation can poison a batch: halve it until the others come through.
            self._batch_failures += 1
            half = len(ids) // 2
            return self._batch(ids[:half]) | self._batch(ids[half:]) if half else {}
        except Refused as error:
            self.lanes.missed("batch", str(error), at_once=True)
            return {}
        data = answer.data.get("conversations") if isinstance(answer.data, dict) else answer.data
        if not isinstance(data, list):
            self.lanes.missed("batch", "an unknown form", at_once=True)
            return {}
        bodies = element_texts(answer.body, "conversations")
        named = [(_id(tree), tree, body) for tree, body in zip(data, bodies, strict=True)]
        return {
            key: _reading(key, tree, body, "batch", "/conversations/batch") for key, tree, body in named if key in ids
        }

    # -- per-id lanes

    def _per_id(self, lane: str, want: ToFetch) -> Fetched | NotFetched:
        conversation_id = want.listed.conversation_id
        if not self.lanes.alive(lane):
            return NotFetched(conversation_id, f"the {lane} lane is closed for this account ({self.lanes.dead[lane]})")
        if self._spent is not None:
            return NotFetched(conversation_id, "no single reads left tonight", later=True)
        try:
            reading = self._single(want) if lane == "single" else self._plural(conversation_id)
        except ServerError as error:
            self._outages += 1
            if self._outages >= OUTAGE_AFTER:
                raise ServiceError(f"The service is unwell ({error}); what is saved stays. Run again later.") from None
            return NotFetched(conversation_id, str(error))
        except RateLimitError as error:
            if isinstance(error, StopError) or not self.lanes.alive("batch"):
                raise
            self._spent = error  # batches are hardly limited, and go on
            return NotFetched(conversation_id, "no single reads left tonight", later=True)
        except Refused as error:
            if error.code == "conversation_deleted":
                return NotFetched(conversation_id, "deleted at the service", is_gone=True)
            self.lanes.missed(lane, str(error))
            return NotFetched(conversation_id, str(error))
        self._outages = 0
        if isinstance(reading, Fetched):
            self.lanes.answered(lane)
        return reading

    def _single(self, want: ToFetch) -> Fetched | NotFetched:
        conversation_id = want.listed.conversation_id
        path = f"/conversation/{conversation_id}"
        answer = self.session.get(path, lane="per-id")
        if not isinstance(answer.data, dict) or not isinstance(answer.data.get("mapping"), dict):
            return NotFetched(conversation_id, "an answer with no tree in it")
        if _is_anothers(answer.data, conversation_id):
            return NotFetched(conversation_id, "the answer is another conversation's")
        reading = _reading(conversation_id, answer.data, answer.body, "single", path)
        # Fewer messages than are stored is no doubt here: that is how their removal shows.
        is_believed = not want.known_messages and is_blank(answer.data)
        doubt = None if is_believed else structural_doubt(answer.data, 0)
        return reading if doubt is None else replace(reading, proves_absence=False, incomplete_reason=doubt)

    def _plural(self, conversation_id: str) -> Fetched | NotFetched:
        path = f"/conversations/{conversation_id}"
        params: dict[str, Any] = {"include_has_versions": "true", "num_turns": TURNS}
        first = self.session.get(path, params, lane="per-id").data
        if not isinstance(first, dict) or not isinstance(first.get("messages"), list):
            return NotFetched(conversation_id, "an answer with neither tree nor messages")
        if _is_anothers(first, conversation_id):
            return NotFetched(conversation_id, "the answer is another conversation's")
        messages, page, cursors = list(first["messages"]), first, set[str]()
        while (cursor := _previous(page)) and len(cursors) < MOST_WINDOWS:
            if cursor in cursors:
                return NotFetched(conversation_id, "its pages go round in circles")
            cursors.add(cursor)
            page = self.session.get(f"{path}/messages", {"before": cursor, **params}, lane="per-id").data
            older = page.get("messages") if isinstance(page, dict) else None
            if not isinstance(older, list):
                return NotFetched(conversation_id, "a page of it without messages")
            messages = _joined(older, messages)
        whole = {**first, "messages": messages}
        whole.pop("page_info", None)
        body = json.dumps(whole, ensure_ascii=False).encode("utf-8", "surrogateescape")
        reading = _reading(conversation_id, whole, body, "plural", path)
        if not messages:
            return replace(reading, incomplete_reason=NOTHING_IN_IT)
        return reading if cursor is None else replace(reading, incomplete_reason="its older messages did not come")


def _weighed(want: ToFetch, got: Fetched | NotFetched) -> Fetched | NotFetched:
    """Return a doubtful reading as what it is good for now.

    It is kept and asked for again; what the service has said on several nights is taken for all there is, and quietly
    asked for again. Nothing at all is never taken for a conversation that has messages.
    """
    if isinstance(got, NotFetched) or got.incomplete_reason is None:
        return got
    says_nothing = got.incomplete_reason == NOTHING_IN_IT
    if want.wants_tree_only or (says_nothing and (want.known_messages or want.tries < PARTS_AFTER)):
        return NotFetched(got.conversation_id, got.incomplete_reason)
    return got if want.tries < PARTS_AFTER else replace(got, incomplete_reason=None, is_branch_only=True)


def _is_anothers(payload: dict[str, Any], conversation_id: str) -> bool:
    stated = {found for key in ("conversation_id", "id") if isinstance(found := payload.get(key), str) and found}
    return bool(stated) and conversation_id not in stated


def _reading(conversation_id: str, payload: Any, body: bytes, lane: str, source: str) -> Fetched:
    is_flat = lane == "plural"
    return Fetched(conversation_id, payload, body, lane, source, proves_absence=not is_flat, is_branch_only=is_flat)


def _id(tree: Any) -> str:
    found = (tree.get("id") or tree.get("conversation_id")) if isinstance(tree, dict) else None
    return found if isinstance(found, str) else ""


def _nodes(reading: Fetched) -> int:
    return len(reading.payload.get("mapping") or ())


def _previous(page: dict[str, Any]) -> str | None:
    """Return the cursor to older messages; ``has_previous_page`` decides, whatever the rest says (API notes §3.3).

    None where there are none; empty where there are some and nothing says how to come to them.
    """
    info = page.get("page_info")
    if not isinstance(info, dict) or not info.get("has_previous_page"):
        return None
    cursor = info.get("start_cursor")
    return cursor if isinstance(cursor, str) else ""


def _joined(older: list[Any], newer: list[Any]) -> list[Any]:
    """Put a window of older messages before the newer ones; windows can overlap."""
    known = {message["id"] for message in newer if isinstance(message, dict) and message.get("id")}
    return [m for m in older if not (isinstance(m, dict) and m.get("id") in known)] + newer
