"""Whose login it is, and which workspaces it can enter (API notes §1.1, §1.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirror.chatgpt.account_data import odd_workspaces, workspaces
from mirror.errors import RateLimitError
from mirror.source import Identity, Workspace
from mirror.values import as_dict, as_id, clean_or_none, iso_time
from mirror.web.client import Refused, ServerError

if TYPE_CHECKING:
    from mirror.chatgpt.session import Session

# The date is a part of the address.
WORKSPACES_PATH = "/accounts/check/v4-2023-04-27"


def identify(session: Session) -> Identity:
    """Sign in and ask who it is; raises SignInError, and ServiceError where the sign-in fails."""
    session.sign_in()
    listed, failure = _listed_workspaces(session)
    user = as_dict(session.data.get("user"))
    name, email = user.get("name"), user.get("email")
    return Identity(
        user_id=session.user_id,
        name=name if isinstance(name, str) else None,
        email=email if isinstance(email, str) else None,
        expires=iso_time(session.data.get("expires")),
        workspaces=listed or (_own_workspace(session),),
        lists_all_workspaces=bool(listed) and failure is None,
        workspaces_failure=failure,
    )


def _listed_workspaces(session: Session) -> tuple[tuple[Workspace, ...], str | None]:
    """Return the workspaces that the service lists, and why not all of them if that failed.

    Some accounts are refused the list, which is no failure.
    """
    try:
        data = session.get(WORKSPACES_PATH).data
    except ServerError as error:
        return (), str(error)
    except RateLimitError as error:
        if error.is_final:
            raise
        return (), "it asks for fewer requests"
    except Refused as error:
        session.client.log(f"the workspaces were not listed: {error}")
        return (), None
    found = workspaces(data)
    if not found:
        return (), "an answer of an unknown form"
    odd = odd_workspaces(data)
    return found, f"{odd} of an unknown form" if odd else None


def _own_workspace(session: Session) -> Workspace:
    """Return the workspace that the login itself names."""
    account = as_dict(session.data.get("account"))
    plan, structure = clean_or_none(account.get("planType")), clean_or_none(account.get("structure"))
    if (pasted := session.login.account_id) is not None:
        return Workspace(pasted, plan=plan, structure="workspace", is_personal=False)
    own = as_id(account.get("id")) or session.user_id
    return Workspace(own, plan=plan, structure=structure, is_personal=structure in {None, "personal"})
