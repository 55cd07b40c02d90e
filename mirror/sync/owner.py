"""Whose mirror a database is: one database takes the conversations of one account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirror.errors import SafetyStopError
from mirror.services import is_simulated
from mirror.store import account_data, settings

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from mirror.source import Identity
    from mirror.store.database import Writer


def refuse_other_account(writer: Writer, provider: str, identity: Identity, *, dry: bool) -> None:
    """Raise SafetyStopError where the mirror belongs to another account; else remember whose it is, unless ``dry``."""
    key = f"owner:{provider}"
    owner = settings.setting(writer.conn, key)
    if owner is None:
        owner = _unknown_owner(writer.conn, provider, identity)
    if owner not in (None, identity.user_id):
        raise SafetyStopError(_belongs_to_another(writer.path, str(owner), identity))
    if owner is None and not dry:
        with writer.transaction() as conn:
            settings.remember(conn, key, identity.user_id)


def _unknown_owner(conn: sqlite3.Connection, provider: str, identity: Identity) -> str | None:
    """Return a workspace that shows a mirror without an owner to be another person's; None where nothing does.

    A team's workspace is shared with others, a personal one with nobody.
    """
    known = account_data.workspaces_with_conversations(conn, provider)
    own = {workspace.id for workspace in identity.workspaces}
    if identity.user_id in known or not known:
        return None
    if identity.lists_all_workspaces and any(workspace.is_personal for workspace in identity.workspaces):
        of_another = [key for key, is_personal in known.items() if is_personal and key not in own]
    else:
        of_another = [] if own.intersection(known) else list(known)
    return next(iter(of_another), None)


def _belongs_to_another(path: Path, owner: str, identity: Identity) -> str:
    """Return the line for a login whose account is not the database's."""
    if is_simulated(owner) and not is_simulated(identity.user_id):
        return (
            f"{path} is the demo's: it belongs to another account, a simulated one; nothing was written. Run"
            " `chatmirror sync -d my-chats.db` for your own chats, or remove the demo's file first."
        )
    return (
        f"This database belongs to another account; nothing was written. Its account's id ends in {owner[-4:]}, that"
        f" of the login in {identity.user_id[-4:]}. Use another -d PATH, or `chatmirror auth` with the right login."
    )
