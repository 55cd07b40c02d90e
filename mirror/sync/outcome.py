"""How a run tells what it does, and how it ended: counts, changes, and the one error that names it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self

from mirror.errors import (
    ChatmirrorError,
    IncompleteError,
    RateLimitError,
    SafetyStopError,
    SignInError,
    StorageError,
)
from mirror.text import readable_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mirror.source import Identity
    from mirror.store.file_rows import FileRow
    from mirror.store.runs import Change
    from mirror.store.tracking import Tracked


class Report(Protocol):
    """Where a run says what it does while it does it."""

    def note(self, text: str) -> None:
        """One line of narration."""

    def fetching(self, total: int) -> None:
        """So many conversations are about to be fetched."""

    def stored(self, title: str) -> None:
        """One of them is done with."""

    def file_came(self, size: int) -> None:
        """So many bytes of a file have come so far."""

    def fetching_files(self, total: int) -> None:
        """So many files are about to be fetched."""

    def file_done(self, name: str, size: int, why: str | None = None) -> None:
        """One of them is done with. ``size``: the bytes that are stored, 0 where ``why`` says why it is not."""


@dataclass(slots=True)
class Counts:
    """What a run did, under the names of the columns of ``sync_runs``."""

    listed: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    failed: int = 0
    pending: int = 0
    files: int = 0
    files_pending: int = 0


@dataclass(slots=True)
class Outcome:
    """How a run ended. ``error`` None: current. ``changes``: kind -> how many conversations.

    ``healed``: damaged values that were forgotten before it, so that it learned them again, as sentences.
    """

    counts: Counts = field(default_factory=Counts)
    error: ChatmirrorError | None = None
    identity: Identity | None = None
    changes: dict[str, int] = field(default_factory=dict)
    is_full: bool = False
    healed: list[str] = field(default_factory=list)

    def count(self, changes: Sequence[Change]) -> None:
        """Count what changed in one conversation."""
        kinds = {change.kind for change in changes}
        for kind in kinds:
            self.changes[kind] = self.changes.get(kind, 0) + 1
        self.counts.new += "new" in kinds
        self.counts.changed += bool(kinds - {"new"})


class ErrorCollector:
    """A context that collects an error and goes on after it; what dooms the whole run goes through.

    ``only``: the kind that is collected, all other errors go through.
    """

    def __init__(self, errors: list[ChatmirrorError], *, only: type[ChatmirrorError] = ChatmirrorError) -> None:
        self.errors, self.only, self.is_clean = errors, only, True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if not isinstance(error, self.only) or isinstance(error, SignInError | SafetyStopError | StorageError):
            return False
        self.errors.append(error)
        self.is_clean = False
        return True


def incomplete(pending: Sequence[Tracked], *, is_all: bool) -> IncompleteError:
    """Say what could not be saved. ``is_all``: nothing else is wrong."""
    first = pending[0]
    more = f" and {len(pending) - 1:,} more" if len(pending) > 1 else ""
    rest = "Everything else is current; later" if is_all else "Later"
    title, key = readable_name(first.title), readable_name(first.conversation_id)
    return IncompleteError(
        f"{len(pending):,} conversation{'s' if len(pending) > 1 else ''} could not be saved: “{title}”"
        f" ({key}: {first.error or 'not read yet'}){more}. {rest} runs try again."
    )


def not_understood(odd_rows: Mapping[str, int]) -> IncompleteError:
    """Say of which lists rows were not understood. ``odd_rows``: a list's label -> how many."""
    count, labels = sum(odd_rows.values()), list(odd_rows)
    named = " and ".join([", ".join(labels[:-1]), labels[-1]] if len(labels) > 1 else labels)
    return IncompleteError(
        f"{count:,} row{'s' if count > 1 else ''} of the {named} list{'s' if len(labels) > 1 else ''}"
        f" {'were' if count > 1 else 'was'} not understood, so conversations may be missing; all others are stored."
        " Update chatmirror, then run `chatmirror sync --full`."
    )


def not_asked_for(count: int) -> IncompleteError:
    """Say how many known conversations no list shows, of which a run did not learn what became of them."""
    named = (
        "conversations that no list shows any more were"
        if count > 1
        else "conversation that no list shows any more was"
    )
    return IncompleteError(
        f"{count:,} {named} not asked for by id yet; what is stored of them stays. Later runs ask, a few each."
    )


def incomplete_files(first: FileRow, left: int) -> IncompleteError:
    """Say how many files could not be saved, and why the ``first`` of them."""
    more = f" and {left - 1:,} more" if left > 1 else ""
    table = " The table files says why of each." if left > 1 else ""
    return IncompleteError(
        f"{left:,} file{'s' if left > 1 else ''} could not be saved yet: “{readable_name(first.name or first.id)}”"
        f" ({first.reason or 'not asked for yet'}){more}; all that is stored is safe, and later runs try again.{table}"
    )


def with_forecast(error: RateLimitError, left: int, pace: int) -> RateLimitError:
    """Add how much is left and how many runs that is. ``pace``: conversations stored in this run."""
    if not left:
        return error
    runs = math.ceil(left / pace) if pace else None
    forecast = f"About {left:,} left" + (f", {runs:,} more run{'s' if runs > 1 else ''} at this pace." if runs else ".")
    return RateLimitError(f"{error.message} {forecast}")
