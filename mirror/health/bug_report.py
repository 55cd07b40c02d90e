"""What a bug report needs of a mirror, and nothing of a person: versions, figures, and what answers are made of.

Whatever is text in the database is checked once more here: it is given only where it is one of the words that are known
to be the program's own, or has a form that no text of a person has. A reason or a message can hold the service's own
sentence; it is told by its kind alone.
"""

from __future__ import annotations

import platform
import re
import sqlite3
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Any

from mirror import __version__
from mirror.errors import SEVERITY, ChatmirrorError, UsageError
from mirror.health.freshness import as_json
from mirror.normalize import NORMALIZERS
from mirror.services import SERVICES
from mirror.store import account_data, figures, skeletons
from mirror.store import status as store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

MOST_RUNS = 60  # the newest ones. Fewer: what began two months ago is not seen; more: a longer file.
LIBRARIES = ("requests", "urllib3", "sqlite-utils", "datasette", "click", "filelock")
OTHER = "another reason"
_VERSION = re.compile(r"[0-9][0-9a-z.+]{0,30}")
_ENDPOINT = re.compile(r"[A-Z]{3,7} [A-Za-z0-9/_.{}-]{1,200}")
_PLACE = re.compile(r"[A-Za-z0-9_.*\[\]]{0,300}|[0-9]{3}|[a-z]+/[a-z.+-]+")
_WHAT = re.compile(r"(?:new )?(?:key|status|content type) \S+(?: does not come any more| is [a-z, ]+)?")
_TYPES = re.compile(r"[a-z, ]{0,80}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_STATUS = re.compile(r"HTTP (\d{3})")
_CODE = re.compile(r"\((\w{1,60})\)")
# Words that are the program's own, or of the API, by where they stand.
_COMMANDS = {"sync", "import", "rebuild", "repair"}
_OUTCOMES = {kind.outcome for kind in (*SEVERITY, UsageError)} | {
    "current",
    "busy",
    "dry run",
    "interrupted",
    "bug",
    "failed",
    "service unwell",  # of version 0.1
    "brake",  # of version 0.1
}
_ORIGINS = {"batch", "single", "plural", "export", "capture"}
_LISTS = {"main", "archived", "starred", "shared", "pins", "project", "work", "work_archived"}
_FILE_STATES = {"stored", "pending", "gone", "refused", "skipped"}
_BESIDE = {
    "memories",
    "instructions",
    "names of projects",
    "names of GPTs",
    "starred list",
    "shared list",
    "pinned list",
    "Work list",
    "archived Work list",
}
_CODES = {
    "conversation_deleted",
    "conversation_inaccessible",
    "conversation_not_found",
    "deactivated_workspace",
    "history_disabled_conversation_not_found",
    "invalid_account_id_header",
    "token_expired",
    "unsupported_country",
}
# What the program itself says of a failure, or of what a copy lacks: the first that stands in a reason is its kind.
KINDS = (
    "this version of chatmirror cannot read it",
    "only its visible branch could be read",
    "changed since it was last read",
    "the service gave fewer messages than are stored",
    "it came without messages",
    "its newest message is missing from the tree",
    "its newest message is empty",
    "a message's parent is missing from the tree",
    "a message lists a child that is missing",
    "it came with fewer messages than are stored",
    "its older messages are still to be read",
    "its older messages did not come",
    "the page cursor repeats",
    "a page of it holds no messages",
    "the answer holds neither a tree nor messages",
    "the answer holds no tree",
    "the answer is another conversation's",
    "deleted at the service",
    "no reads by id left in this run",
    "this account cannot read conversations by id",
    "fails for every conversation in this run",
    "this account cannot use the",
    "the file holds no messages of it",
    "the file holds only its newest messages",
    "the file lacks messages that others answer",
    "the file lacks its newest message",
    "the file holds only its visible branch",
    "the file leaves out tools, sources and other branches",
    "the file holds only what was shared of it",
    "no secure connection came about",
    "the connection was refused",
    "the connection was closed without an answer",
    "the connection was reset",
    "no connection within",
    "no answer within",
    "the answer could not be unpacked",
    "the answer was cut",
    "the answer is not HTTP",
    "the connection failed",
    "the answer could not be understood",
    "an answer is larger than",
    "an answer takes more bytes than one may",
    "an answer is damaged in its compression",
    "an answer came in an encoding that was not asked for",
    "an answer is made of too many compressed parts",
    "an answer is cut off inside its compression",
    "the address of the service was not found",
    "an answer took longer than",
    "an answer of an unknown form",
    "is not valid JSON",
    "holds a number of thousands of digits",
    "is nested too deeply",
    "a browser check came",
    "refuses it alone",
    "a web page came instead of an answer",
    "came instead of an answer",
    "it is in a connected drive",
    "it lies in a connected drive",  # of earlier versions
    "its address had expired",
    "to which nothing is sent",
    "the certificate of its host is not trusted",
    "it is named by no conversation",
    "the only address that is known for it gives nothing",
    "the library of files could not be read",
    "the library of files came in a form that this chatmirror does not know",
    "the library of files shows no file at all",
    "the library of files is larger than what one run reads of it",
    "it is no longer in the library of files",
    "the service has no address for it",
    "the service did not say where it is",
    "the service fails at it",
    "the service is still making it",
    "the service says that it has expired",
    "the service no longer has it",
    "the service refuses it",
    "the service could not say where it is",
    "the service does not know an id of this form",
    "it is no version of a canvas",
    "the service no longer has this canvas",
    "the service no longer has this version of the canvas",
    "the service gave the canvas in a form that this chatmirror does not know",
    "the service does not know this version of the canvas yet",
    "this version of the canvas is empty",
    "the canvas has more versions than one run asks for",
    "the service gives no older versions of it",
    "the service did not give the canvas",
    "the service fails at the canvas",
    "the service refuses the canvas",
    "its host fails",
    "its host refuses it",
    "its host does not have it",
    "asks for fewer requests",
    "the service asked for a long pause in an earlier run",
    "the list shows a later change",
    "it ends with a question",
    "the copy that is stored is damaged",
    "its stored bytes were missing or damaged",
    "came in its place",
    "an address of another file",
    "an address with",
    "an address that",
    "a host that is none of its storage hosts",
    "a host inside a private network",
    "a page of its own that gives no files",
    "a name without an address",
    "an error without a code",
    "an unexpected redirect",
    "the transfer was cut off",
    "it does not come as it was packed",
    "the picture ends before its end",
    "the transfer was too slow",
    "bytes came",
    "it is larger than",
    "of memory to read",
    "brackets, commas and colons",
)
_FEWER = re.compile(r"it came with \d+ messages, and \d+ are stored")


def bug_report(opened: Callable[[], AbstractContextManager[sqlite3.Connection]], now: float) -> dict[str, Any]:
    """Return the report as JSON; what cannot be read of the mirror is named in it and costs nothing else."""
    found: dict[str, Any] = {"program": _program()}
    try:
        with opened() as conn:
            found["database"] = "readable"
            for name, section in _SECTIONS.items():
                found[name] = _section(section, conn, now)
    except ChatmirrorError as error:
        found["database"] = f"not readable: {error.outcome}, exit code {error.exit_code}"
    return found


def _section(section: Callable[[sqlite3.Connection, float], Any], conn: sqlite3.Connection, now: float) -> Any:
    try:
        return section(conn, now)
    except Exception as error:  # noqa: BLE001 - a bug report is for what nobody foresaw
        return f"not readable: {type(error).__name__}"


def _program() -> dict[str, Any]:
    return {
        "chatmirror": __version__,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "sqlite": sqlite3.sqlite_version,
        "system": platform.system(),
        "machine": platform.machine(),
        "normalizers": {provider: normalizer.version for provider, normalizer in NORMALIZERS.items()},
        "libraries": {name: _library(name) for name in LIBRARIES},
        "is_64_bit": sys.maxsize > 2**32,
    }


def _library(name: str) -> str | None:
    try:
        return _checked(metadata.version(name), _VERSION)
    except metadata.PackageNotFoundError:
        return None


def _state(conn: sqlite3.Connection, now: float) -> dict[str, Any]:
    state = as_json(store.read(conn), now)
    return {name: state[name] for name in ("fresh", "exit_code", "pending", "incomplete", "missing", "deleted")}


def _runs(conn: sqlite3.Connection, _now: float) -> list[dict[str, Any]]:
    return [_run(row) for row in figures.last_runs(conn, MOST_RUNS)]


def _run(row: dict[str, Any]) -> dict[str, Any]:
    words = {
        "day": _checked(row.pop("day"), _DAY),
        "command": _word(row.pop("command"), _COMMANDS),
        "provider": _word(row.pop("provider"), SERVICES),
        "version": _checked(row.pop("version"), _VERSION),
        "outcome": _word(row.pop("outcome"), _OUTCOMES),
    }
    return words | {name: value for name, value in row.items() if isinstance(value, int | float)}


def _put_off(conn: sqlite3.Connection, _now: float) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for failure in figures.failures(conn):
        one = found.setdefault(kind_of(failure.reason), {"conversations": 0, "most_tries": 0})
        one["conversations"] += failure.count
        one["most_tries"] = max(one["most_tries"], failure.tries)
    return found


def _incomplete(conn: sqlite3.Connection, _now: float) -> dict[str, int]:
    return _added((kind_of(reason), count) for reason, count in figures.incomplete_reasons(conn).items())


def _payloads(conn: sqlite3.Connection, _now: float) -> dict[str, int]:
    return _added((_word(origin, _ORIGINS) or "", count) for origin, count in figures.payload_counts(conn).items())


def _lists(conn: sqlite3.Connection, _now: float) -> list[dict[str, Any]]:
    return [row | {"kind": _word(row["kind"], _LISTS)} for row in figures.list_counts(conn)]


def _files(conn: sqlite3.Connection, _now: float) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for row in figures.file_reasons(conn):
        state = _word(row["state"], _FILE_STATES) or "other"
        one = found.setdefault(
            f"{state}: {kind_of(row['reason'])}" if row["reason"] else state, {"files": 0, "bytes": 0}
        )
        one["files"] += row["files"]
        one["bytes"] += row["bytes"]
    return found


def _not_read(conn: sqlite3.Connection, _now: float) -> list[dict[str, Any]]:
    return [
        {
            "what": _word(one.what, _BESIDE),
            "kind": kind_of(one.reason),
            "since": _checked(one.since[:10], _DAY),
        }
        for provider in SERVICES
        for one in account_data.not_read(conn, provider)
    ]


def _drift(conn: sqlite3.Connection, _now: float) -> list[dict[str, Any]]:
    return [
        {
            "day": _checked(one.seen_at[:10], _DAY),
            "endpoint": _checked(one.endpoint, _ENDPOINT),
            "what": _checked(one.what, _WHAT),
        }
        for provider in SERVICES
        for one in skeletons.drift(conn, provider)
    ]


def _skeletons(conn: sqlite3.Connection, _now: float) -> dict[str, dict[str, dict[str, str]]]:
    found: dict[str, dict[str, dict[str, str]]] = {}
    for part in (part for provider in SERVICES for part in skeletons.load(conn, provider).values()):
        endpoint, name = _checked(part.endpoint, _ENDPOINT), _checked(part.name, _PLACE)
        if endpoint is None or name is None or part.kind not in {"status", "content type", "key"}:
            continue
        seen = f"{part.units:,} of {part.possible:,}"
        types = _checked(part.types or "", _TYPES)
        found.setdefault(endpoint, {}).setdefault(part.kind, {})[name] = f"{types}: {seen}" if types else seen
    return found


_SECTIONS: dict[str, Callable[[sqlite3.Connection, float], Any]] = {
    "state": _state,
    "pages": lambda conn, _: figures.page_figures(conn),
    "rows": lambda conn, _: figures.table_counts(conn),
    "conversations": lambda conn, _: figures.conversation_states(conn),
    "incomplete": _incomplete,
    "put_off": _put_off,
    "payloads": _payloads,
    "lists": _lists,
    "files": _files,
    "not_read": _not_read,
    "runs": _runs,
    "drift": _drift,
    "skeletons": _skeletons,
}


def kind_of(reason: str) -> str:
    """Return what kind of failure a reason tells of, in words of the program's own."""
    if _FEWER.search(reason):
        return "it came with fewer messages than are stored"
    kind = next((kind for kind in KINDS if kind in reason), None)
    if kind is not None:
        status = _STATUS.search(reason)
        return f"{kind} ({status[0]})" if status else kind
    if status := _STATUS.match(reason):
        code = _CODE.search(reason)
        return status[0] + (f" ({code[1]})" if code and code[1] in _CODES else "")
    return OTHER


def _word(value: Any, known: Iterable[str]) -> str | None:
    """Return a word that is one of the known ones; "other" for any other text."""
    return None if value is None else value if value in set(known) else "other"


def _checked(value: Any, form: re.Pattern[str]) -> str | None:
    return value if isinstance(value, str) and form.fullmatch(value) else None


def _added(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, count in pairs:
        found[name] = found.get(name, 0) + count
    return found
