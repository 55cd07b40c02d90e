"""Everything that can go wrong, as a person meets it: one line, one exit code.

ChatmirrorError
├── UsageError            2   the command line or a file given to it
├── IncompleteError       3   finished, some conversations not saved
├── SignInError           4   the login is missing, expired or refused
├── ServiceError          5   the service is unreachable or returns errors
├── RateLimitError        6   the service asked for a longer pause than a run can wait
├── SafetyStopError       7   something a person must look at; nothing was marked as deleted without proof
├── StorageError          8   the local disk
├── DamagedError          9   the database is damaged
├── ForeignDatabaseError 10   made by a newer chatmirror, or not by chatmirror
├── BusyError            11   another run holds the database
└── NotFreshError             of `chatmirror status`: with the exit code of the last run

Each message says what happened, what is safe, and what to do. These are plain exceptions; ``mirror.cli.entry`` turns
them into a line on stderr and an exit code.
"""

from __future__ import annotations

from pathlib import Path

# The exit codes of endings that are no ChatmirrorError; 128 + the signal's number, as shells have it.
BUG, INTERRUPTED, TERMINATED = 1, 130, 143
# What SQLite says where a Python function that it called raised anything; what that was, is lost.
FUNCTION_FAILED = "user-defined function raised exception"


class ChatmirrorError(Exception):
    """The root: a message for a person, an exit code, and the outcome in ``sync_runs``.

    ``is_final``: nothing more may be asked of the service in this run; otherwise some kinds of requests still may.
    """

    exit_code: int = 1
    outcome: str = "failed"
    is_final = False

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class UsageError(ChatmirrorError):
    """The command line or a file given to it cannot be used."""

    exit_code = 2
    outcome = "usage"


class IncompleteError(ChatmirrorError):
    """The run finished, and some conversations could not be saved."""

    exit_code = 3
    outcome = "partial"


class SignInError(ChatmirrorError):
    """The service does not accept the login, or there is none."""

    exit_code = 4
    outcome = "sign-in needed"


class ServiceError(ChatmirrorError):
    """The service cannot be reached or returns errors; a later run may succeed."""

    exit_code = 5
    outcome = "service error"


class FinalServiceError(ServiceError):
    """What every other request of this run would meet, too: a browser check, a certificate that is not trusted."""

    is_final = True


class RateLimitError(ChatmirrorError):
    """The service wants fewer requests; the run stopped before the service would lock the account.

    ``is_of_one_list``: one list is limited, and whatever else is to be read can be.
    """

    exit_code = 6
    outcome = "rate limit"
    is_of_one_list = False


class SafetyStopError(ChatmirrorError):
    """What the service says would lose data if it were believed: a person must look."""

    exit_code = 7
    outcome = "safety stop"


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


class NotFreshError(ChatmirrorError):
    """The mirror is not fresh, because of what the last run ended with."""

    outcome = "not fresh"

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class UnreadablePayloadError(ValueError):
    """A payload at which a normalizer failed, a mistake of ours that nobody foresaw: it costs one conversation."""


class Terminated(KeyboardInterrupt):
    """SIGTERM asked the run to stop; exit code 143."""


# Of several causes the most severe one decides the run's exit code: 9 > 8 > 10 > 7 > 4 > 6 > 5 > 3.
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
    """Return the error that decides a run's exit code, the first of its kind; None if there is none."""
    ranked = [error for kind in SEVERITY for error in errors if isinstance(error, kind)]
    return ranked[0] if ranked else next(iter(errors), None)


def bug_message(error: BaseException) -> str:
    """Return the line for an error that nobody foresaw, and for too little memory, which can end anything."""
    if is_out_of_memory(error):
        return "There is not enough memory; what is saved is safe. Close other programs, run again to continue."
    return (
        f"internal error ({place_of(error)}); what is saved is safe. Please report it; CHATMIRROR_DEBUG=1"
        " prints the details, without chats or secrets."
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the system gave no more memory, also where Python says so in other words."""
    is_of_a_thread = isinstance(error, RuntimeError) and "start new thread" in str(error)
    return isinstance(error, MemoryError) or is_of_a_thread


def place_of(error: BaseException) -> str:
    """Return the type and place of an error that nobody foresaw.

    Never its own message, which can hold a secret or the text of a chat.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" in {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    return f"{type(error).__name__}{place}"
