"""Reads by id: one conversation at a time, from the single or the plural endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mirror.chatgpt.controls import LIMITED_CONTROLS, NO_ENDPOINT
from mirror.chatgpt.plural import MOST_BRANCH_PAGES, PAGES_A_TURN, Branch, open_branch
from mirror.chatgpt.single import fetch_tree
from mirror.errors import RateLimitError
from mirror.source import Fetched, Listed, NotFetched, ToFetch
from mirror.web.client import MOST_TRIES, Challenged, Refused, ServerError
from mirror.web.pacing import LastingLimit, StopError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirror.chatgpt.controls import Controls
    from mirror.chatgpt.endpoints import Endpoints
    from mirror.chatgpt.memory import ChatGPTMemory
    from mirror.chatgpt.session import Session

ByIdEndpoint = Literal["single", "plural"]
BY_ID_ENDPOINTS: tuple[ByIdEndpoint, ...] = ("single", "plural")  # a tree before a branch
# Conversations for which an endpoint failed with all tries in this run; later ones get one try each, because broken
# conversations are broken for good. Smaller: a short outage costs a conversation its run; larger: requests in vain.
FAILURES_WITH_ALL_TRIES = 2
_DAY = 86_400.0
UNKNOWN = "conversation_not_found"  # said of purged chats, and of those of another workspace (API notes §3.7)
DELETED = "conversation_deleted"  # the code that proves a deletion (API notes §3.7)


class ByIdReader:
    """Fetches conversations by id, in one run.

    ``limit``: why there are no more reads by id, None while there are. ``unfinished``: branches with more pages than
    one turn has, by id.
    """

    def __init__(self, session: Session, memory: ChatGPTMemory, endpoints: Endpoints, controls: Controls) -> None:
        self._session, self._memory, self._endpoints, self._controls = session, memory, endpoints, controls
        self.limit: RateLimitError | None = None
        self.unfinished: dict[str, Branch] = {}
        self._failures = dict.fromkeys(BY_ID_ENDPOINTS, 0)
        self._early: dict[tuple[str, str], Fetched] = {}  # came as controls, before their turn
        self._absent: set[ByIdEndpoint] = set()  # answered as an address that does not exist in this run
        self._gives_none: set[ByIdEndpoint] = set()  # did not even give what lists show in this run
        self._its_own: dict[str, str] = {}  # conversation -> why it alone gets no answer: no endpoint is asked again

    def fetch_listed(self, endpoint: ByIdEndpoint, wanted: ToFetch) -> Fetched | NotFetched:
        """Ask one endpoint for a conversation that was just listed.

        What fails is blamed on the conversation, unless a control fails the same way. Raises RateLimitError when the
        run must end; where batches continue, ``limit`` keeps that error instead.
        """
        conversation_id = wanted.listed.conversation_id
        if not self._endpoints.is_open(endpoint):
            return NotFetched(conversation_id, self._endpoints.why_closed(endpoint))
        if (early := self._early.pop((endpoint, conversation_id), None)) is not None:
            return early
        if (own := self._its_own.get(conversation_id)) is not None:
            return NotFetched(conversation_id, own)
        if self.limit is not None:
            return _left_for_later(conversation_id)
        self._endpoints.note_asked(endpoint)
        try:
            return self._fetch_or_judge(endpoint, wanted)
        except RateLimitError as error:
            if self._is_its_own_limit(error, endpoint, conversation_id):
                return NotFetched(conversation_id, self._its_own[conversation_id])
            if isinstance(error, StopError) or not self._endpoints.is_open("batch"):
                raise
            self.limit = error  # batches are hardly limited, and continue
            return _left_for_later(conversation_id)

    def _fetch_or_judge(self, endpoint: ByIdEndpoint, wanted: ToFetch) -> Fetched | NotFetched:
        conversation_id = wanted.listed.conversation_id
        try:
            got = self._fetch(endpoint, wanted, self._tries(endpoint))
        except Refused as error:
            if error.code == DELETED:
                return _deleted(conversation_id)
            self._judge(endpoint, conversation_id, error)
            return NotFetched(conversation_id, str(error), is_denied=not isinstance(error, ServerError))
        if isinstance(got, Fetched):
            self._endpoints.gave(endpoint)
            if conversation_id not in self._its_own:  # one of its pages can be refused alone
                self._controls.gave(endpoint, conversation_id)
        return got

    def _tries(self, endpoint: ByIdEndpoint) -> int:
        return MOST_TRIES if self._failures[endpoint] < FAILURES_WITH_ALL_TRIES else 1

    def _judge(self, endpoint: ByIdEndpoint, conversation_id: str, error: Refused) -> None:
        """Close the endpoint where not even a control comes."""
        is_denial = not isinstance(error, ServerError)
        self._failures[endpoint] += not is_denial
        self._note_refused(endpoint, conversation_id, error)
        has_given = self._controls.has_given(endpoint)
        needs_control = self._endpoints.needs_control(endpoint, is_denial=is_denial, has_given=has_given)
        if isinstance(error, Challenged):
            self._its_own[conversation_id] = str(error)  # if nothing else comes either, the control ends the run
        elif not needs_control:
            return
        if not self._gives_control(endpoint):
            self._endpoints.close(endpoint, str(error), is_denial=is_denial)

    def _note_refused(self, endpoint: ByIdEndpoint, conversation_id: str, error: Refused) -> None:
        self._controls.failed(endpoint, conversation_id)
        if error.status in NO_ENDPOINT and error.code not in {UNKNOWN, DELETED}:
            self._absent.add(endpoint)

    def _is_its_own_limit(self, error: RateLimitError, endpoint: ByIdEndpoint, conversation_id: str) -> bool:
        """Whether an error is a lasting 429 of this conversation alone, because another one comes.

        Raises StopError where a control meets it: then nothing more may be asked, whatever the error was.
        """
        if not isinstance(error, LastingLimit):
            return False
        self._controls.failed(endpoint, conversation_id)
        if not self._controls.candidates(endpoint) and endpoint not in self._absent:
            return False
        try:
            was_asked = self._controls.may_ask_about_limit()
            is_own = was_asked and self._gives_control(endpoint, error)
        except StopError:
            raise
        except RateLimitError:  # of the run's own budget
            was_asked = is_own = False
        if is_own:
            self._session.client.pacing.excuse(error)
            self._its_own[conversation_id] = "ChatGPT refuses it alone (HTTP 429)"
        elif not was_asked:  # it ends reads by id for this run, and nothing shows that it teaches anything
            self._session.client.pacing.excuse(error)
        return is_own

    def _gives_control(
        self, endpoint: ByIdEndpoint, limit: LastingLimit | None = None, controls: Sequence[str] | None = None
    ) -> bool:
        """Whether the endpoint gives other conversations; where none can be asked for, it is believed to.

        ``limit``: the lasting 429 that it is asked about, if that is what it is about. Otherwise raises RateLimitError
        where controls are limited.
        """
        controls = self._controls.candidates(endpoint) if controls is None else controls
        first, limited = limit, 0
        for key in controls:
            try:
                got = self._control(endpoint, key)
            except Refused as error:
                self._note_refused(endpoint, key, error)
                continue
            except LastingLimit as error:
                self._controls.failed(endpoint, key)
                first, limited = first or error, limited + 1
                if limited < LIMITED_CONTROLS:
                    continue  # perhaps of the control alone
                if limit is None:
                    raise RateLimitError(error.message) from None  # believed: no control is asked about it again
                return False
            if isinstance(got, Fetched):
                self._note_control(endpoint, key, got, first)
                return True
        if first is not None and limit is None and limited == len(controls):  # it says nothing of the endpoint
            raise RateLimitError(first.message)
        # Where there is no such endpoint, others would be limited as well if all were.
        return not controls or (limit is not None and endpoint in self._absent and not limited)

    def _note_control(self, endpoint: ByIdEndpoint, key: str, got: Fetched, limit: LastingLimit | None) -> None:
        """A control came. ``limit``: the first 429 before it, which was therefore of one conversation alone."""
        self._controls.gave(endpoint, key)
        if key in self._controls.wanted and got.incomplete_reason is None:
            self._early[endpoint, key] = got
        if limit is not None:
            self._session.client.pacing.excuse(limit)

    def _control(self, endpoint: ByIdEndpoint, key: str) -> Fetched | NotFetched:
        wanted = ToFetch(Listed(key, None))
        if endpoint == "single":
            return fetch_tree(self._session, self._memory, wanted, tries=1)
        branch = open_branch(self._session, key, tries=1)
        return branch.fetched() if isinstance(branch, Branch) else branch

    def ask_for_another(self, apart_from: Sequence[str]) -> None:
        """Ask an endpoint for a control, where one can be asked for, because another address meets a browser check.

        Raises ServiceError where it meets one, too: then it is the connection that is checked.
        """
        endpoint = next((name for name in BY_ID_ENDPOINTS if not self._endpoints.is_dead(name)), None)
        if endpoint is None or self.limit is not None:
            return
        timing = self._session.client.pacing.timing
        # Another one each day: the first can be one that is checked itself.
        controls = self._controls.candidates(endpoint, apart_from) or apart_from
        for key in [controls[int(timing.now() // _DAY) % len(controls)]]:
            try:
                got = self._control(endpoint, key)
            except StopError:
                raise
            except (Refused, RateLimitError) as error:  # when its turn comes, it is judged
                self._controls.failed(endpoint, key)
                if isinstance(error, LastingLimit):
                    self._session.client.pacing.excuse(error)
            else:
                if isinstance(got, Fetched):
                    self._note_control(endpoint, key, got, None)

    def fetch_unlisted(self, wanted: ToFetch) -> Fetched | NotFetched:
        """Ask for a conversation that no list shows.

        Only its own 404 ``conversation_deleted`` proves its deletion. That it is unknown is believed only where the
        endpoint gives others in this run: one that is switched off says so of all. A failure says nothing of the
        endpoint here. Raises RateLimitError when no more reads by id are granted.
        """
        if self.limit is not None:
            raise self.limit
        conversation_id = wanted.listed.conversation_id
        missed = NotFetched(conversation_id, "this account cannot read conversations by id")
        unknown_to: list[ByIdEndpoint] = []
        for endpoint in BY_ID_ENDPOINTS:
            if self._endpoints.is_dead(endpoint):
                continue
            got = self._fetch_unlisted_from(endpoint, wanted)
            if isinstance(got, Fetched) or got.is_gone or conversation_id in self._its_own:
                return got
            unknown_to += [endpoint] if got.is_unknown else []
            missed = got
        if missed.is_unknown and not any(map(self._gives_others, unknown_to)):
            return missed._replace(is_unknown=False)
        return missed

    def _gives_others(self, endpoint: ByIdEndpoint) -> bool:
        """Whether the endpoint gave a conversation in this run; where none was asked for, one that lists show is."""
        if self._controls.has_given(endpoint):
            return True
        controls = self._controls.shown(endpoint)
        if endpoint in self._gives_none or not controls:
            return False
        try:
            gives = self._gives_control(endpoint, controls=controls)
        except RateLimitError as error:
            self.limit = error
            raise
        if not gives:
            self._gives_none.add(endpoint)
        return gives

    def _fetch_unlisted_from(self, endpoint: ByIdEndpoint, wanted: ToFetch) -> Fetched | NotFetched:
        conversation_id = wanted.listed.conversation_id
        try:
            got = self._fetch(endpoint, wanted, self._tries(endpoint))
        except Refused as error:
            if error.code == DELETED:
                return _deleted(conversation_id)
            self._failures[endpoint] += isinstance(error, ServerError)
            if isinstance(error, Challenged):  # another one right after it would count as a block of all
                self._its_own[conversation_id] = str(error)
            return NotFetched(conversation_id, str(error), is_unknown=error.code == UNKNOWN)
        except RateLimitError as error:
            if not self._is_its_own_limit(error, endpoint, conversation_id):
                self.limit = error
                raise
            return NotFetched(conversation_id, self._its_own[conversation_id])
        return self.finish(conversation_id) if conversation_id in self.unfinished else got

    def _fetch(self, endpoint: ByIdEndpoint, wanted: ToFetch, tries: int) -> Fetched | NotFetched:
        if endpoint == "single":
            return fetch_tree(self._session, self._memory, wanted, tries=tries)
        branch = open_branch(self._session, wanted.listed.conversation_id, stored=wanted.stored_part, tries=tries)
        return self._read_on(branch, PAGES_A_TURN - 1) if isinstance(branch, Branch) else branch

    def _read_on(self, branch: Branch, most_pages: int) -> Fetched | NotFetched:
        """Read older pages of a branch; what came is kept where no more is granted.

        Where an error ends the run, it stays among the unfinished.
        """
        key = branch.conversation_id
        self.unfinished[key] = branch
        try:
            problem = branch.read(self._session, most_pages)
        except RateLimitError as error:
            if self._is_its_own_limit(error, "plural", key):
                del self.unfinished[key]
                return branch.fetched()._replace(has_more=False)  # put off like any other failure
            if isinstance(error, StopError):
                raise
            self.limit = error
            del self.unfinished[key]
            return branch.fetched()
        if problem is not None or not branch.has_more:
            del self.unfinished[key]
        return branch.fetched() if problem is None else NotFetched(key, problem)

    def finish(self, conversation_id: str) -> Fetched | NotFetched:
        """Read what is left of an unfinished branch; raises what ``Session.get`` raises."""
        branch = self.unfinished[conversation_id]
        if self.limit is None:
            try:
                return self._read_on(branch, MOST_BRANCH_PAGES)
            except Refused:  # one of its pages fails: what came is kept, and it is put off like any other failure
                del self.unfinished[conversation_id]
                return branch.fetched()._replace(has_more=False)
        del self.unfinished[conversation_id]
        return branch.fetched()


def _left_for_later(conversation_id: str) -> NotFetched:
    return NotFetched(conversation_id, "no reads by id left in this run", later=True)


def _deleted(conversation_id: str) -> NotFetched:
    return NotFetched(conversation_id, "deleted at the service", is_gone=True)
