"""The single endpoint: one conversation's whole tree (API notes §3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirror.body import Body
from mirror.chatgpt.api_paths import api_path
from mirror.chatgpt.completeness import contradiction_in, is_empty_conversation, is_of_another_conversation
from mirror.chatgpt.refusals import EVERYTHING_OF_ONE
from mirror.chatgpt.site import BY_ID
from mirror.source import Fetched, NotFetched
from mirror.web.client import MOST_TRIES, Refused

if TYPE_CHECKING:
    from mirror.chatgpt.memory import ChatGPTMemory
    from mirror.chatgpt.session import Session
    from mirror.source import ToFetch
    from mirror.web.client import Answer


# What the web client asks for: without them hidden messages and reports that stand in a widget may not come (API notes
# §3.1).
EVERYTHING = {"include_visually_hidden_messages": "true", "include_widget_state": "true"}
_REFUSED_PARAMETER = {400, 422}
# Parameters were refused in these ways, too (API notes §2.1, §3.1), but usually it is the conversation that is refused.
_PERHAPS_REFUSED_PARAMETER = {403, 500}


def _with_everything(session: Session, memory: ChatGPTMemory, conversation_id: str, tries: int) -> Answer:
    """Ask for all that a conversation has; where the parameters are refused, without them."""
    path = api_path("conversation", conversation_id)
    is_asked = memory.refusals.may_ask(EVERYTHING_OF_ONE, conversation_id)
    if is_asked:
        try:
            answer = session.get(path, EVERYTHING, BY_ID, tries=tries)
        except Refused as error:
            is_unsure = error.status in _PERHAPS_REFUSED_PARAMETER and not memory.takes_widget_state
            if not (is_unsure or error.status in _REFUSED_PARAMETER):
                raise
        else:
            memory.takes_widget_state = True
            memory.refusals.answered(EVERYTHING_OF_ONE)
            return answer
    answer = session.get(path, None, BY_ID, tries=tries)
    if is_asked:
        memory.refusals.refused_for(EVERYTHING_OF_ONE, conversation_id)
    return answer


def fetch_tree(
    session: Session, memory: ChatGPTMemory, wanted: ToFetch, *, tries: int = MOST_TRIES
) -> Fetched | NotFetched:
    """Ask for a conversation's tree; raises what ``Session.get`` raises.

    Fewer messages than are stored are no contradiction here: that is how their removal shows.
    """
    conversation_id = wanted.listed.conversation_id
    answer = _with_everything(session, memory, conversation_id, tries)
    if not isinstance(answer.data, dict) or not isinstance(answer.data.get("mapping"), dict):
        return NotFetched(conversation_id, "the answer holds no tree")
    if is_of_another_conversation(answer.data, conversation_id):
        return NotFetched(conversation_id, "the answer is another conversation's")
    path = api_path("conversation", conversation_id)
    fetched = Fetched(conversation_id, answer.data, Body(answer.body), "single", path, proves_absence=True)
    is_known_to_be_empty = not wanted.known_messages and is_empty_conversation(answer.data)
    reason = None if is_known_to_be_empty else contradiction_in(answer.data, known_messages=0)
    return fetched if reason is None else fetched._replace(proves_absence=False, incomplete_reason=reason)
