"""What the parts of one run work with: where it reads, where it writes, and what it has come to so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mirror.sync.options import SyncOptions
from mirror.sync.outcome import Outcome

if TYPE_CHECKING:
    from mirror.source import Source
    from mirror.store.database import Writer
    from mirror.sync.outcome import Report
    from mirror.timing import Timing


@dataclass(frozen=True, slots=True)
class RunContext:
    """One run over one source into one database; all its parts share it.

    ``explained``: ids with another title or project in this run, which explains a new time.
    """

    writer: Writer
    source: Source
    timing: Timing
    report: Report
    run_id: int
    options: SyncOptions = field(default_factory=SyncOptions)
    outcome: Outcome = field(default_factory=Outcome)
    explained: set[str] = field(default_factory=set)
