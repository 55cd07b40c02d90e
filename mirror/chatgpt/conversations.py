"""Whole conversations, from the cheapest endpoint that gives them whole.

*batch* is asked before *single* before *plural* (``mirror.chatgpt.endpoints``). A batch can hold cut trees with status
200, so each tree is checked before it is believed (``mirror.chatgpt.completeness``), and what is not believed is read
by id. Reads by id are few, so a batch endpoint that was confirmed often enough is trusted where nothing contradicts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirror.chatgpt.batch import BATCH_SIZE, BatchReader
from mirror.chatgpt.by_id import BY_ID_ENDPOINTS, ByIdReader
from mirror.chatgpt.completeness import NO_MESSAGES, contradiction_in, holds_messages, node_count, outdated_reason
from mirror.chatgpt.controls import Controls
from mirror.chatgpt.endpoints import ENDPOINTS, Endpoints
from mirror.chatgpt.plural import OLDER_LEFT, older_cursor
from mirror.errors import ChatmirrorError, RateLimitError, ServiceError
from mirror.source import Fetched, NotFetched, ToFetch
from mirror.values import as_dict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mirror.chatgpt.memory import ChatGPTMemory
    from mirror.chatgpt.session import Session

# Runs in which a conversation is asked for whole before the part that comes is taken for all there is: a cut answer is
# usually whole the next time. A guess. Larger: such a conversation counts as not saved for longer.
RUNS_BEFORE_A_PART = 3
# Trees of batch in a row that a read by id confirmed; from then on batches are trusted. In one account 143
# trees were cut (API notes §0.2). Smaller: cut trees are believed; larger: reads by id are used up.
AUDITS_FOR_TRUST = 8
# Of these, how many are needed again after each full run. A guess. 0: a batch endpoint that gets worse is not noticed.
AUDITS_AGAIN = 3


class ConversationReader:
    """Fetches conversations of one workspace in one run.

    ``memory`` keeps what was learned of the endpoints.
    """

    def __init__(self, session: Session, memory: ChatGPTMemory) -> None:
        self._memory, self._endpoints, self._controls = memory, Endpoints(memory), Controls(memory)
        self._left_for_later = False
        self._by_id = ByIdReader(session, memory, self._endpoints, self._controls)
        self._batch = BatchReader(session, self._endpoints, self._controls, self._by_id.ask_for_another)

    def fetch(self, wanted: Sequence[ToFetch]) -> Iterator[Fetched | NotFetched]:
        """Fetch conversations in the order given, as they come.

        Raises RateLimitError when no more reads by id are granted, and ServiceError when nothing can be read by id
        because even controls fail; where batches continue, at the very end.
        """
        if all(self._endpoints.is_dead(endpoint) for endpoint in ENDPOINTS):
            self._endpoints.reopen()
        if self._endpoints.is_dead("batch") and self._endpoints.is_dead("single"):
            wanted = [want for want in wanted if not want.wants_tree_only]  # no endpoint gives trees
        self._left_for_later = False
        self._by_id.unfinished.clear()  # of what was asked for singly
        self._controls.wanted = [want.listed.conversation_id for want in wanted]
        unfinished: list[ToFetch] = []  # long ones: others first
        try:
            for want, got in self._first_turn(wanted):
                if want.listed.conversation_id in self._by_id.unfinished:
                    unfinished.append(want)
                else:
                    yield got
            for want in unfinished:
                yield _accepted(want, self._by_id.finish(want.listed.conversation_id))
        except ChatmirrorError:
            for branch in self._by_id.unfinished.values():
                yield branch.fetched()  # the next run goes on from there
            raise
        if self._left_for_later or self._by_id.limit is not None:
            raise self._why_later()

    def _first_turn(self, wanted: Sequence[ToFetch]) -> Iterator[tuple[ToFetch, Fetched | NotFetched]]:
        for start in range(0, len(wanted), BATCH_SIZE):
            group = wanted[start : start + BATCH_SIZE]
            trees = self._batch.fetch_group([want.listed.conversation_id for want in group])
            for want in group:
                got = self._unless_failing(self._best_of(want, trees.get(want.listed.conversation_id)))
                self._left_for_later |= isinstance(got, NotFetched) and got.later
                yield want, got

    def _unless_failing(self, got: Fetched | NotFetched) -> Fetched | NotFetched:
        """Return what did not come as left for later where reads by id fail for every conversation.

        Raises ServiceError where batches fail, too, and RateLimitError where they are all there is and are limited.
        """
        if isinstance(got, Fetched) or got.is_gone:
            return got
        if self._batch.limit is not None and all(self._endpoints.is_dead(name) for name in BY_ID_ENDPOINTS):
            raise self._batch.limit
        if self._endpoints.failure_by_id is None:
            return got
        if not self._endpoints.is_open("batch"):
            raise self._why_later()
        return got._replace(later=True)

    def _why_later(self) -> ServiceError | RateLimitError:
        if self._by_id.limit is not None:
            return self._by_id.limit
        return ServiceError(
            f"ChatGPT gives no conversations by id now ({self._endpoints.failure_by_id}); what is saved stays. Run"
            " again later."
        )

    def fetch_one(self, wanted: ToFetch) -> Fetched | NotFetched:
        """Ask for one conversation that no list shows, by its id."""
        return self._by_id.fetch_unlisted(wanted)

    def given_otherwise(self, ids: Sequence[str]) -> set[str]:
        """Return which conversations that are unknown by id come in a batch."""
        return self._batch.given(ids)

    def note_listed(self, ids: Sequence[str]) -> None:
        """A list shows these."""
        self._controls.note_listed(ids)

    @property
    def rereads_at_once(self) -> int:
        """How many stored conversations one request reads again; 0 where this account has no batches."""
        return 0 if self._endpoints.is_dead("batch") else BATCH_SIZE

    def begin_full_run(self) -> None:
        """Take back a part of the trust in batches, and ask again what was refused: nothing is believed for ever."""
        self._memory.clean_audits = min(self._memory.clean_audits, AUDITS_FOR_TRUST - AUDITS_AGAIN)
        self._endpoints.reopen()
        self._memory.refusals.begin_full_run()
        self._memory.takes_widget_state = False

    def _best_of(self, wanted: ToFetch, batched: Fetched | None) -> Fetched | NotFetched:
        """Return the best that the endpoints give of one conversation.

        ``batched``: its tree from a batch, if one came.
        """
        if batched is None:
            return self._read_by_id(wanted)
        reason = contradiction_in(batched.payload, wanted.known_messages)
        if reason is None:
            return self._audited(batched, wanted)
        found = self._read_by_id(wanted)
        if _is_final(found) or (isinstance(found, Fetched) and _has_as_much(found, batched)):
            return found
        is_new = not wanted.known_messages
        if reason == NO_MESSAGES or (is_new and wanted.tries < RUNS_BEFORE_A_PART):
            return found  # a part of a new conversation is stored only after the whole was asked for in several runs
        if isinstance(found, NotFetched) and contradiction_in(batched.payload, known_messages=0) is None:
            return batched  # only its size speaks against it, and no other endpoint does: another reading shows it
        part = batched._replace(proves_absence=False, incomplete_reason=reason)
        return part if self._may_come_whole(found) and not wanted.wants_tree_only else _accepted(wanted, part)

    def _may_come_whole(self, found: Fetched | NotFetched) -> bool:
        """Whether a read by id failed, and so may give the whole another time; it gave none, nor was it refused."""
        are_dead = set(BY_ID_ENDPOINTS) <= self._memory.dead_endpoints.keys()
        return isinstance(found, NotFetched) and not (found.is_denied or are_dead)

    def _read_by_id(self, wanted: ToFetch) -> Fetched | NotFetched:
        """Ask the single endpoint, and where it does not give the whole, the plural one."""
        single = self._by_id.fetch_listed("single", wanted)
        if isinstance(single, NotFetched) and single.is_gone:
            return self._unless_another_gives(single, wanted)
        if _is_final(single):
            return single
        if wanted.wants_tree_only and not isinstance(single, Fetched):
            return _accepted(wanted, single)
        plural = self._by_id.fetch_listed("plural", wanted)
        if isinstance(plural, Fetched) and plural.incomplete_reason is None:
            # An odd tree that holds the whole visible branch is not a cut one: it also holds the other branches.
            holds_branch = isinstance(single, Fetched) and holds_messages(single.payload, plural.payload)
            if isinstance(single, Fetched) and holds_branch:
                return single._replace(incomplete_reason=None)
            return _accepted(wanted, single) if wanted.wants_tree_only else plural
        if isinstance(single, Fetched):
            return _accepted(wanted, single)
        # The reason that the plural endpoint gives is the better one, unless it was not asked.
        was_asked = isinstance(plural, Fetched) or plural.is_settled or self._endpoints.is_open("plural")
        found = _accepted(wanted, plural) if was_asked else single
        if isinstance(found, NotFetched) and isinstance(plural, NotFetched):
            closed = self._endpoints.is_dead("single"), self._endpoints.is_dead("plural")
            are_denied = single.is_denied or closed[0], plural.is_denied or closed[1]
            return found._replace(is_denied=all(are_denied) and not all(closed))
        return found

    def _unless_another_gives(self, gone: NotFetched, wanted: ToFetch) -> Fetched | NotFetched:
        """Return what the other endpoint gives of a listed conversation that one endpoint calls deleted."""
        plural = self._by_id.fetch_listed("plural", wanted)
        return plural if isinstance(plural, Fetched) and plural.incomplete_reason is None else gone

    def _audited(self, batched: Fetched, wanted: ToFetch) -> Fetched:
        """Return a tree without contradictions; where it may be an old one, what a read by id gives, if not less.

        Only a whole tree says something of batches, and only one with as many messages confirms them.
        """
        if not self._needs_audit(batched, wanted):
            return batched
        single = self._by_id.fetch_listed("single", wanted)
        if not isinstance(single, Fetched) or single.incomplete_reason is not None:
            return batched
        has_as_much = _has_as_much(single, batched)
        is_same = has_as_much and _has_as_much(batched, single)
        self._memory.clean_audits = self._memory.clean_audits + 1 if is_same else 0
        return single if has_as_much else batched

    def _needs_audit(self, batched: Fetched, wanted: ToFetch) -> bool:
        if self._memory.clean_audits >= AUDITS_FOR_TRUST or wanted.explained:
            return False
        if self._by_id.limit is not None or not self._endpoints.is_open("single"):
            return False
        return outdated_reason(batched.payload, wanted.listed.list_us, wanted.known_messages) is not None


def _is_final(got: Fetched | NotFetched) -> bool:
    """Whether no other endpoint need be asked: it is whole, gone, or left for another run."""
    return got.incomplete_reason is None if isinstance(got, Fetched) else got.is_settled


def _has_as_much(one: Fetched, other: Fetched) -> bool:
    return node_count(one.payload) >= node_count(other.payload)


def _accepted(wanted: ToFetch, got: Fetched | NotFetched) -> Fetched | NotFetched:
    """Return what came incomplete as what it is good for in this run.

    It is stored and asked for again. What the service gave in several runs is taken for all there is, and asked for
    again now and then. No messages at all are never taken for a conversation that has some, and a branch that says
    itself that it has older messages is never taken for a whole one.
    """
    if isinstance(got, NotFetched) or got.incomplete_reason in {None, OLDER_LEFT}:
        return got
    is_early = wanted.tries < RUNS_BEFORE_A_PART
    is_worthless = got.incomplete_reason == NO_MESSAGES and (wanted.known_messages > 0 or is_early)
    if wanted.wants_tree_only or is_worthless:
        return NotFetched(got.conversation_id, got.incomplete_reason)
    if is_early or older_cursor(as_dict(got.payload)) is not None:
        return got
    return got._replace(incomplete_reason=None, is_branch_only=True)
