"""The lists of conversations: which request gives a page of each (API notes §2, §5)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mirror.chatgpt.api_paths import api_path
from mirror.chatgpt.list_rows import PAGE_SIZE, parse_list_page, parse_list_row, rows_in
from mirror.chatgpt.paging import ListError, ListPage
from mirror.chatgpt.refusals import PROJECT_CHATS
from mirror.values import as_dicts
from mirror.web.client import Refused

if TYPE_CHECKING:
    from mirror.chatgpt.memory import ChatGPTMemory
    from mirror.chatgpt.session import Session
    from mirror.web.client import Answer

# Rows of a project's page: the most that the service grants (API notes §5). Larger: those lists fail.
PROJECT_PAGE_SIZE = 50
# Rows of the shared list's page: what the service sends (API notes §2.4). Larger may be refused.
SHARED_PAGE_SIZE = 50
_OF_WORK, _WITH_PROJECTS = {"conversation_origin": "tpp"}, {"hide_snorlax": "false"}


class Lists:
    """The lists of one workspace. ``memory`` keeps which parameters its server refuses."""

    def __init__(self, session: Session, memory: ChatGPTMemory) -> None:
        self._session, self._memory = session, memory

    def main_page(self, offset: int) -> ListPage:
        """One page of the conversations that are not archived."""
        return self._page(offset, "main", {"is_archived": "false"}, is_archived=False)

    def archived_page(self, offset: int) -> ListPage:
        """One page of the archived conversations."""
        return self._page(offset, "archived", {"is_archived": "true"}, is_archived=True)

    def starred_page(self, offset: int) -> ListPage:
        """One page of the starred conversations."""
        return self._page(offset, "starred", {"is_starred": "true"}, is_archived=None)

    def work_page(self, offset: int) -> ListPage:
        """One page of the Work conversations that are not archived."""
        return self._work_page(offset, "Work", is_archived=False)

    def archived_work_page(self, offset: int) -> ListPage:
        """One page of the archived Work conversations."""
        return self._work_page(offset, "archived Work", is_archived=True)

    def _work_page(self, offset: int, label: str, *, is_archived: bool) -> ListPage:
        params = _page_params(offset) | _OF_WORK | {"is_archived": str(is_archived).lower()}
        if self._memory.refusals.may_ask(PROJECT_CHATS):  # the main list, read before, has shown whether it is refused
            params |= _WITH_PROJECTS
        return _parsed(self._session.get("/conversations", params), label, is_archived=is_archived)

    def _page(self, offset: int, label: str, filters: dict[str, str], *, is_archived: bool | None) -> ListPage:
        return _parsed(self._with_projects(_page_params(offset) | filters), label, is_archived=is_archived)

    def _with_projects(self, params: dict[str, Any]) -> Answer:
        """Ask for project conversations too, unless the server refuses that (API notes §2.1)."""
        refusals = self._memory.refusals
        if not refusals.may_ask(PROJECT_CHATS):
            return self._session.get("/conversations", params)
        try:
            answer = self._session.get("/conversations", params | _WITH_PROJECTS)
        except Refused as error:
            if error.status != 422:  # noqa: PLR2004 - how the service refuses a parameter
                raise
            answer = self._session.get("/conversations", params)
            refusals.refused(PROJECT_CHATS)
        else:
            refusals.answered(PROJECT_CHATS)
        return answer

    def shared_page(self, offset: int) -> ListPage:
        """One page of the shared conversations.

        Its rows are shares (API notes §2.4): id and time are the share's, ``conversation_id`` names the conversation.
        """
        params = {"offset": offset, "limit": SHARED_PAGE_SIZE, "order": "created"}
        answer = self._session.get("/shared_conversations", params)
        rows = rows_in(answer.data, "shared")
        ids = [row["conversation_id"] for row in as_dicts(rows) if row.get("conversation_id")]
        found = [parse_list_row({"conversation_id": key}, has_list_time=False) for key in ids]
        # Every page counts as a short one: the list can repeat itself for ever, and nothing is read into its order.
        items = [item for item in found if item is not None]
        return ListPage(len(rows), items, PAGE_SIZE, size=len(answer.body))

    def project_page(self, project_id: str, cursor: str) -> ListPage:
        """One page of a project's conversations."""
        path, params = api_path("gizmos", project_id, "conversations"), {"cursor": cursor, "limit": PROJECT_PAGE_SIZE}
        return _parsed(self._session.get(path, params), "project")

    def pinned_page(self) -> ListPage:
        """The pinned conversations, all on one page."""
        answer = self._session.get("/pins")
        data = answer.data
        rows = data.get("items") if isinstance(data, dict) else data
        if not isinstance(rows, list):
            # Pins say nothing about which conversations exist, so an unknown form of them is as if there were none.
            raise ListError(
                "The pinned list has an unknown form; what is saved stays. Update chatmirror.", is_refusal=True
            )
        pinned = [row.get("item") for row in as_dicts(rows) if row.get("item_type") == "conversation"]
        return replace(parse_list_page({"items": pinned}, "pinned"), size=len(answer.body))


def _parsed(answer: Answer, label: str, *, is_archived: bool | None = None) -> ListPage:
    return replace(parse_list_page(answer.data, label, is_archived=is_archived), size=len(answer.body))


def _page_params(offset: int) -> dict[str, Any]:
    return {"offset": offset, "limit": PAGE_SIZE, "order": "updated"}
