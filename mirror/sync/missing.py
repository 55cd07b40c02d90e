"""Conversations that no list shows any more: missing, gone, or a list that lies (API notes §0.3, §0.9, §2.3).

Absence proves nothing: lists collapse to a fraction with status 200 and recover the next day. So an absent conversation
is asked for by itself, a few a night; only its own 404 ``conversation_deleted`` on two different runs sets the
tombstone. And when more than a tenth and more than five of the known ones are absent unexplained, nothing is marked at
all and the run says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirror.errors import BrakeError, ServiceError
from mirror.ingest import Change, refresh
from mirror.normalize import normalize
from mirror.source import Listed, Unread, Wanted
from mirror.store import listings, runs

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mirror.errors import ChatmirrorError
    from mirror.source import Identity, Source, Walk
    from mirror.store.database import Writer
    from mirror.store.listings import Known
    from mirror.timing import Timing

BRAKE_SHARE, BRAKE_COUNT = 0.10, 5
CHECKS_A_NIGHT = 20  # single reads; they come out of the bucket that the person's own browser uses
LOOKS_A_NIGHT = 50  # at chats that left the archive's list; five batches
RECHECK_DAYS = 7


@dataclass(frozen=True, slots=True)
class Absent:
    """What is absent after the walks, and out of how many conversations that were looked for."""

    looked_for: int
    ids: dict[str, Known]

    @property
    def unexplained(self) -> list[Known]:
        """Those neither proven deleted nor proven alive."""
        return [k for k in self.ids.values() if k.gone_run_id is None and k.checked_at is None]

    @property
    def is_suspicious(self) -> bool:
        """Whether so many are absent that the list, not the person, is the likelier cause."""
        count = len(self.unexplained)
        return count > BRAKE_COUNT and count > BRAKE_SHARE * self.looked_for


def absent(known: Collection[Known], walks: Sequence[Walk], seen: Collection[str], *, all_walked: bool) -> Absent:
    """Return the conversations whose own list was walked to its end without showing them, here or elsewhere.

    ``all_walked``: every list that exists was walked, so that a project without one exists no more.
    """
    walked = {walk.scope.name for walk in walks}
    ended = {walk.scope.name for walk in walks if walk.reached_end and not walk.scope.is_partial}
    homes = {k.conversation_id: _home(k) & walked if all_walked else _home(k) for k in known}
    looked_for = [k for k in known if not k.is_deleted and homes[k.conversation_id] <= ended]
    return Absent(len(looked_for), {k.conversation_id: k for k in looked_for if k.conversation_id not in seen})


def _home(k: Known) -> set[str]:
    """The lists in which a conversation must stand; all of them have to end without it."""
    if k.is_archived:
        return {"archived"}
    if k.gizmo_id and k.gizmo_id.startswith("g-p-"):
        return {"main", f"project:{k.gizmo_id}"}
    return {"main"}


def absent_workspaces(writer: Writer, source: Source, identity: Identity, now: str) -> ChatmirrorError | None:
    """Return what to say of known workspaces that are not to be looked at; silence about one is not its end.

    One that has ended is said once: its conversations are marked missing, and all of it is listed if it comes back.
    """
    absent = listings.accounts(writer.conn, source.provider)
    for account in identity.accounts:
        absent.pop(account.id, None)
    if not absent:
        return None
    names = ", ".join(f"“{name}”" for name in absent.values())
    if not identity.names_all:
        return ServiceError(f"The service did not tell the workspaces of this login; {names} not looked at. Run again.")
    with writer.transaction() as conn:
        count = sum(listings.leave(conn, account_id, now) for account_id in absent)
        for key in (f"source:{account_id}" for account_id in absent):
            runs.remember(conn, key, {**runs.setting(conn, key, {}), "full_at": 0.0})
    if not count:
        return None
    return BrakeError(
        f"This login has no workspace {names} any more; its {count:,} conversations are kept and no more looked for."
        " Look at https://chatgpt.com if that is news to you."
    )


class Review:
    """Looks after what is absent in one account on one run."""

    def __init__(self, writer: Writer, source: Source, timing: Timing, run_id: int) -> None:
        self.writer, self.source, self.timing, self.run_id = writer, source, timing, run_id
        self.changes: list[list[Change]] = []

    def run(self, account_id: str, walks: Sequence[Walk], listed: set[str], *, all_walked: bool) -> BrakeError | None:
        """Mark, ask and conclude; return the brake if it was pulled. ``listed``: the conversations that were shown."""
        ended = {walk.scope.name for walk in walks if walk.reached_end and not walk.scope.is_partial}
        part = "all" if ended - {"archived"} else "archived or doubted"  # of the others nothing was learned
        known = listings.known(self.writer.conn, self.source.provider, account_id, part)
        seen = set(listed)
        if "archived" in ended:
            seen |= self._taken_out(
                account_id, [k for k in known.values() if k.is_archived and k.conversation_id not in seen]
            )
        found = absent(known.values(), walks, seen, all_walked=all_walked)
        doubted = {
            k.conversation_id: k
            for k in known.values()
            if k.gone_run_id is not None and not k.is_deleted and k.conversation_id not in seen
        }
        brake = found.is_suspicious
        if not brake:
            with self.writer.transaction() as conn:
                listings.set_missing(conn, found.ids, self.timing.iso())
        for k in self._to_ask([*doubted.values(), *(k for key, k in found.ids.items() if key not in doubted)]):
            self._ask(k, may_conclude=not brake)
        if not brake:
            return None
        return BrakeError(
            f"The service lists {found.looked_for - len(found.ids):,} of {found.looked_for:,} known conversations;"
            " all are kept and none was marked gone. Look at https://chatgpt.com: if they are there, run again later."
        )

    def _taken_out(self, account_id: str, vanished: Sequence[Known]) -> set[str]:
        """Return those that were taken out of the archive: far down the main list nobody would see them come.

        They are read again, for what they say of themselves: that moves no time, and a batch shows it ten at once.
        """
        due = [k for k in vanished if not k.is_deleted and k.checked_at is None][:LOOKS_A_NIGHT]
        found = set()
        for got in self.source.read([Wanted(Listed(k.conversation_id, k.update_us), explained=True) for k in due]):
            if isinstance(got, Unread) or normalize(self.source.provider, got.payload).is_archived is not False:
                continue
            found.add(got.conversation_id)
            with self.writer.transaction() as conn:
                item = Listed(got.conversation_id, None, is_archived=False)
                listings.note(conn, item, self.source.provider, account_id, self.timing.iso())
                if (facts := listings.facts(conn, got.conversation_id)) is not None:
                    self.changes.append(refresh(conn, got.conversation_id, facts, self.run_id, self.timing.iso()))
        return found

    def _to_ask(self, candidates: Sequence[Known]) -> list[Known]:
        horizon, now = self.timing.iso(-RECHECK_DAYS * 86_400), self.timing.iso()
        due = [
            k
            for k in candidates
            if k.gone_run_id is not None or k.checked_at is None or not horizon <= k.checked_at <= now
        ]
        return sorted(due, key=lambda k: (k.gone_run_id is None, k.checked_at or ""))[:CHECKS_A_NIGHT]

    def _ask(self, k: Known, *, may_conclude: bool) -> None:
        presence = self.source.presence(k.conversation_id)
        now = self.timing.iso()
        with self.writer.transaction() as conn:
            if presence == "alive":
                listings.save_check(conn, k.conversation_id, now, None)
            elif presence == "gone" and k.gone_run_id in (None, self.run_id):
                listings.save_check(conn, k.conversation_id, now, self.run_id)
            elif presence == "gone" and may_conclude and listings.set_deleted(conn, k.conversation_id, now):
                self.changes.append([Change("gone")])
                runs.record_changes(conn, self.run_id, k.conversation_id, [Change("gone")])
