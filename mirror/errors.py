"""Everything that can go wrong, as a person meets it: one line, one exit code.

ChatmirrorError
├── UsageError            2   the command line or a file given to it
├── IncompleteError       3   finished, some conversations not saved
├── SignInError           4   the login is missing, ended or refused
├── ServiceError          5   the service is unreachable or unwell
├── RateLimitError        6   the service asked for a pause longer than a run
├── SafetyStopError            7   something a person must look at; nothing was marked gone
├── StorageError          8   the local disk
├── DamagedError          9   the database is damaged
├── ForeignDatabaseError 10   made by a newer chatmirror, or not by chatmirror
└── BusyError            11   another run holds the database

Each message says what happened, what is safe, and what to do. They derive from click's exception, so that the
command line needs no ladder of try and except.
"""

from __future__ import annotations

from typing import IO, Any, ClassVar

import click


class ChatmirrorError(click.ClickException):
    """The root: knows its exit code, its outcome in ``sync_runs`` and how to show itself on one line."""

    exit_code: ClassVar[int] = 1
    outcome: ClassVar[str] = "failed"

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the one line to stderr, safe for a terminal and for an ASCII locale."""
        from mirror.terminal import safe  # noqa: PLC0415 - keeps --help free of it

        click.echo(f"chatmirror: {safe(self.format_message())}", file=file, err=file is None)


class UsageError(ChatmirrorError):
    """The command line or a file given to it cannot be used."""

    exit_code = 2
    outcome = "usage"


class IncompleteError(ChatmirrorError):
    """The run finished, and some conversations could not be saved."""

    exit_code = 3
    outcome = "partial"


class SignInError(ChatmirrorError):
    """The service does not take the login."""

    exit_code = 4
    outcome = "sign-in needed"


class ServiceError(ChatmirrorError):
    """The service cannot be reached or answers nonsense; another night may be better."""

    exit_code = 5
    outcome = "service unwell"


class RateLimitError(ChatmirrorError):
    """The service wants fewer requests; the run stopped so as not to lock the person out.

    ``is_final``: it wants none at all for now; otherwise some kinds of requests go on.
    """

    exit_code = 6
    outcome = "rate limit"
    is_final = False


class SafetyStopError(ChatmirrorError):
    """What the service says would lose something if believed: a person must look."""

    exit_code = 7
    outcome = "brake"


class StorageError(ChatmirrorError):
    """The disk is full, read-only or failing."""

    exit_code = 8
    outcome = "storage"


class DamagedError(ChatmirrorError):
    """The database file is damaged."""

    exit_code = 9
    outcome = "damaged"


class ForeignDatabaseError(ChatmirrorError):
    """The database was made by a newer chatmirror, or is not one of chatmirror's."""

    exit_code = 10
    outcome = "foreign database"


class BusyError(ChatmirrorError):
    """Another run holds the database."""

    exit_code = 11
    outcome = "busy"


class Terminated(KeyboardInterrupt):
    """SIGTERM asked the run to stop; exit code 143."""


# With several causes the most severe names the run (reliability: 9 > 8 > 10 > 7 > 4 > 6 > 5 > 3).
SEVERITY = (
    DamagedError,
    StorageError,
    ForeignDatabaseError,
    SafetyStopError,
    SignInError,
    RateLimitError,
    ServiceError,
    IncompleteError,
)


def most_severe(errors: list[ChatmirrorError]) -> ChatmirrorError | None:
    """Return the error that decides a run's exit code, the first of its kind; None for an empty list."""
    ranked = [error for kind in SEVERITY for error in errors if isinstance(error, kind)]
    return ranked[0] if ranked else next(iter(errors), None)
