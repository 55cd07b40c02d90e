"""Files of ChatGPT: from an id or a path to a short-lived address, and from there to bytes (API notes §7).

A file's address is asked for with the access token; the bytes come from the service's own host or from a storage host.
Where credentials go is decided here, once: the token only to ``/backend-api/`` of the service itself, the cookie only
to the service itself, and nothing that says who asks to any other host. An address is never stored or logged.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast
from urllib.parse import parse_qs

from mirror.chatgpt.api_paths import UnaskableError
from mirror.chatgpt.canvas import CANVAS, CanvasReader
from mirror.chatgpt.file_addresses import PLACE, LearnedForm, address_requests, is_file_id, is_in_room, is_in_sandbox
from mirror.chatgpt.file_library import Library
from mirror.chatgpt.site import FILE
from mirror.source import FetchedFile, NoFile
from mirror.text import readable_name
from mirror.values import as_count, as_dict, as_text, first_text, iso_time, plain
from mirror.web.client import Challenged, NoAnswer, Refused, ServerError
from mirror.web.downloads import Distrusted, parted
from mirror.web.failures import Unreachable, Untrusted
from mirror.web.pacing import LastingLimit, LongPauseError
from mirror.web.transport import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

    from mirror.chatgpt.file_addresses import AddressRequest
    from mirror.chatgpt.session import Session
    from mirror.source import FileSink, FileToFetch, WhyNoFile
    from mirror.web.downloads import Downloaded, Downloads

# Seconds to wait for a file that is still being made, between tries (API notes §7). Longer: each such file costs more
# of the run; shorter: it comes a run later.
READY_PAUSES = (1.0, 2.0, 4.0, 5.0)
# Requests for an address that meet a server error. More: each broken file costs minutes.
RESOLVE_TRIES = 2
# Storage hosts (API notes §7), whole names.
_STORAGE_HOSTS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?:[a-z0-9-]+\.)*oaiusercontent\.com",
        r"fileserviceuploadsperm\.blob\.core\.windows\.net",
        r"oaisdmntpr[a-z0-9]*\.blob\.core\.windows\.net",
        r"oaidalleapiprodscus\.blob\.core\.windows\.net",
        r"oaisdmntpr[a-z0-9]*aws\.s3\.[a-z0-9-]+\.amazonaws\.com",
    )
)
_WITH_TOKEN = frozenset({"/backend-api/estuary/content"})
_WITH_COOKIE = re.compile(
    r"/api/estuary/content|/api/library/files/[A-Za-z0-9_-]+/(?:project-content|content|download)"
)
_MAY_REDIRECT = re.compile(r"/api/library/files/[A-Za-z0-9_-]+/(?:content|download)")
_MOUNTED = "mounted:"
# Answers in the place of an address (API notes §7), by the service's own codes.
_GONE_CODES = frozenset({"file_expired", "ace_pod_expired"})
_NOT_FOUND_CODES = frozenset({"file_not_found"})
_REFUSED_CODES = frozenset({"permission_error", "over_user_quota"})


class _Answer(NamedTuple):
    """What one request for an address came to.

    ``kind``: *address*, *gone* for good, *absent* here (another request may find it), *refused*, *unready*, *broken*,
    *failed*, *checked* (a browser check came).
    """

    kind: Literal["address", "gone", "absent", "refused", "unready", "broken", "failed", "checked"]
    reason: str = ""
    address: str = ""
    about: FetchedFile = FetchedFile()
    durable_id: str | None = None


class _Target(NamedTuple):
    """An address to which a request may go, and what is sent along. ``may_redirect``: it answers with another one."""

    parts: SplitResult
    headers: Mapping[str, str]
    may_redirect: bool = False


class FileReader:
    """Fetches the files of one workspace. ``storage_url``: a further origin, on this computer, for tests."""

    def __init__(self, session: Session, downloads: Downloads, storage_url: str | None = None) -> None:
        self.session, self.downloads, self.storage_url = session, downloads, storage_url
        self._library = Library(session)
        self._learned = LearnedForm()
        self._canvases = CanvasReader(session)

    def fetch(self, wanted: FileToFetch, sink: FileSink) -> FetchedFile | NoFile:
        """Fetch one file; see ``FileSource``."""
        if wanted.file_id.startswith(_MOUNTED):
            return NoFile("refused", "it is in a connected drive, and fetching it would make a copy there")
        is_canvas = wanted.file_id.startswith(CANVAS)
        try:
            return self._canvases.fetch(wanted, sink) if is_canvas else self._fetch(wanted, sink)
        except LastingLimit as error:
            return NoFile("limited", error.message)
        except LongPauseError as error:
            raise error.about(f"the file “{readable_name(wanted.name or wanted.file_id)}”") from None
        except UnaskableError as error:
            return NoFile("refused", str(error))

    def _fetch(self, wanted: FileToFetch, sink: FileSink) -> FetchedFile | NoFile:
        if wanted.file_id.startswith(PLACE) and wanted.durable_id is None:
            listed = self._library.file_at(wanted.file_id)
            if isinstance(listed, NoFile):
                return listed
            wanted = wanted._replace(durable_id=listed)
        left = NoFile("failed", "its address had expired")
        for _ in range(2):  # an address that has expired is asked for once more
            found = self._resolve(wanted)
            if found.kind != "address":
                return _no_file(found)
            try:
                got = self._download(self._target(found.address, wanted, found.durable_id), wanted, sink)
            except Distrusted as error:
                return NoFile("refused", f"the service named {error}, to which nothing is sent", found.durable_id)
            except Untrusted:
                return NoFile("failed", "the certificate of its host is not trusted", found.durable_id)
            except Unreachable as error:
                return NoFile("failed", str(error), found.durable_id)
            if got.status == 200:  # noqa: PLR2004 - HTTP's OK
                return _described(found.about, got)
            left = _refusal(got, found.durable_id)
            if got.status not in {401, 403, 404, 410, 422}:
                return left
        return left

    # -- the address

    def _resolve(self, wanted: FileToFetch) -> _Answer:
        """Ask for an address, one request after the other, until one has it or it is clear that none does."""
        found = _Answer("refused", "it is named by no conversation")
        was_refused: _Answer | None = None
        for request in self._learned.in_order(address_requests(wanted)):
            if request.after_refusal and was_refused is None:
                continue
            found = self._ask(request)
            self._learned.note(request, gave=found.kind == "address", refused=found.kind in {"refused", "absent"})
            if found.kind == "refused":
                was_refused = found
            if found.kind not in {"refused", "absent"}:
                return found
        if found.kind == "absent" and is_in_room(wanted.file_id):
            # What other endpoints give does not prove that this one has not moved.
            return _Answer("refused", "the only address that is known for it gives nothing")
        return was_refused or found

    def _ask(self, request: AddressRequest) -> _Answer:
        """Send one request, again where the file is still being made."""
        for pause in (*READY_PAUSES, None):
            found = self._ask_once(request)
            if found.kind != "unready" or pause is None:
                return found
            self.session.client.pacing.timing.sleep(pause)
        return found

    def _ask_once(self, request: AddressRequest) -> _Answer:
        try:
            data = self.session.get(request.path, request.params, FILE, tries=RESOLVE_TRIES).data
        except NoAnswer as error:
            kind: Literal["checked", "failed"] = "checked" if isinstance(error, Challenged) else "failed"
            return _Answer(kind, f"the service did not say where it is: {error}")
        except ServerError as error:
            return _Answer("broken", f"the service fails at it: {error}")
        except Refused as error:
            return _answer_to(error)
        return _answer_in(data)

    # -- the bytes

    def _target(self, address: str, wanted: FileToFetch, durable_id: str | None) -> _Target:
        """Return where an address leads and what may be sent along; raises Distrusted for any other."""
        base = self.session.client.wire.base_url
        own = (base,) if base.startswith("http://") else ()
        # Joined by hand: what has a scheme and no host would otherwise become an address of the service's own.
        is_relative = address.startswith("/") and not address.startswith("//")
        parts = parted(
            f"{base}{address}" if is_relative else address, (*own, *([self.storage_url] if self.storage_url else []))
        )
        asked = {wanted.file_id, wanted.durable_id, durable_id} - {None}
        _refuse_other_id(parts, asked, is_path=is_in_sandbox(wanted.file_id))
        if f"{parts.scheme}://{parts.netloc}" == base:
            if parts.path in _WITH_TOKEN:
                return _Target(parts, self.session.file_headers(bearer=True))
            if _WITH_COOKIE.fullmatch(parts.path):
                may_redirect = _MAY_REDIRECT.fullmatch(parts.path) is not None
                return _Target(parts, self.session.file_headers(bearer=False), may_redirect)
            raise Distrusted("a page of its own that gives no files")
        is_storage = any(host.fullmatch(parts.netloc) for host in _STORAGE_HOSTS)
        if not is_storage and f"{parts.scheme}://{parts.netloc}" != self.storage_url:
            raise Distrusted("a host that is none of its storage hosts")
        return _Target(parts, {})

    def _download(self, target: _Target, wanted: FileToFetch, sink: FileSink) -> Downloaded:
        got = self._transfer(target, sink)
        if got.location is not None and target.may_redirect:
            # The target is checked like any fresh address, and what is sent along is decided anew.
            got = self._transfer(self._target(got.location, wanted, None), sink)
        if got.location is not None:
            raise Distrusted("an address that leads to another")
        return got

    def _transfer(self, target: _Target, sink: FileSink) -> Downloaded:
        """Send one request, and again after the pauses that a 429 asks for; raises StopError, LastingLimit."""
        pacing = self.session.client.pacing
        while True:
            pacing.wait_turn(FILE)
            got = self.downloads.fetch(target.parts, target.headers, sink)
            self.session.client.log(f"GET the bytes of a file {got.status} from {target.parts.netloc}")
            if got.status != 429:  # noqa: PLR2004 - HTTP's Too Many Requests
                pacing.note_answer(FILE)
                return got
            try:
                pacing.wait_after_429(Reply(got.status, got.headers, b""), FILE)
            except LongPauseError as error:
                raise error.about("a file", "The storage of files") from None


def _answer_in(data: Any) -> _Answer:
    """Read an answer of 200: an address, or an error that calls itself none."""
    record = as_dict(data)
    code = as_text(record.get("error_code"))
    durable = as_text(as_dict(record.get("metadata")).get("file_id"))
    durable_id = durable if is_file_id(durable) else None
    if record.get("status") == "retry":
        return _Answer("unready", "the service is still making it", durable_id=durable_id)
    if code or record.get("status") == "error":
        return _by_code(code or "an error without a code")
    address = first_text(record.get("download_url"), record.get("url"), data)
    if not address and record.get("download_url", address) is None:
        return _Answer("absent", "the service has no address for it")
    if not address:  # an answer of an unknown form says nothing of the file
        return _Answer("failed", "the service did not say where it is")
    about = FetchedFile(
        name=_last_part(as_text(record.get("file_name")) or as_text(record.get("name"))),
        mime_type=plain(record.get("mime_type")) or plain(record.get("mime")),
        size=as_count(record.get("file_size_bytes")),
        created_at=iso_time(record.get("creation_time")),
    )
    return _Answer("address", address=address, about=about, durable_id=durable_id)


def _by_code(code: str) -> _Answer:
    said = plain(code[:80]) or "error"
    if code in _GONE_CODES:
        return _Answer("gone", f"the service says that it has expired ({said})")
    if code in _NOT_FOUND_CODES:
        return _Answer("absent", f"the service no longer has it ({said})")
    if code in _REFUSED_CODES:
        return _Answer("refused", f"the service refuses it ({said})")
    return _Answer("failed", f"the service could not say where it is ({said})")


def _answer_to(error: Refused) -> _Answer:
    """Read a refusal. The service's sentences are matched nowhere; its codes can stand in their place."""
    known = _by_code(error.code) if error.code else None
    if known is not None and known.kind in {"gone", "absent"}:
        return known
    if error.status in {404, 410}:
        return _Answer("absent", "the service no longer has it")
    if error.status == 422:  # noqa: PLR2004 - HTTP's word for an id of the wrong form
        return _Answer("refused", "the service does not know an id of this form")
    return _Answer("refused", f"the service refuses it ({error})")


def _no_file(found: _Answer) -> NoFile:
    why = "gone" if found.kind == "absent" else found.kind
    return NoFile(cast("WhyNoFile", why), found.reason, found.durable_id)


def _described(about: FetchedFile, got: Downloaded) -> FetchedFile:
    kind = got.headers.get("content-type", "").partition(";")[0].strip().lower()
    stated = about.mime_type or (None if kind in {"", "application/octet-stream"} else plain(kind))
    return FetchedFile(about.name or _named_in(got), stated, about.size, about.created_at)


def _named_in(got: Downloaded) -> str | None:
    """Return the name in a Content-Disposition header."""
    stated = got.headers.get("content-disposition", "")
    found = re.search(r"filename\*=UTF-8''([^;\s]+)", stated, re.IGNORECASE) or re.search(r'filename="([^"]+)"', stated)
    return _last_part(parse_qs(f"n={found[1]}", errors="replace").get("n", [""])[0]) if found else None


def _last_part(name: str) -> str | None:
    """Return a file's name without the folders that it may come with."""
    return plain(re.split(r"[/\\]", name)[-1][:400])


def _refusal(got: Downloaded, durable_id: str | None) -> NoFile:
    if got.status >= 500:  # noqa: PLR2004 - HTTP's server errors
        return NoFile("broken", f"its host fails (HTTP {got.status})", durable_id)
    if got.status in {401, 403, 422}:
        return NoFile("refused", f"its host refuses it (HTTP {got.status})", durable_id)
    return NoFile("failed", f"its host does not have it (HTTP {got.status})", durable_id)


def _refuse_other_id(parts: SplitResult, asked: set[Any], *, is_path: bool) -> None:
    """Raise Distrusted where an address names another file than the one that was asked for.

    ``is_path``: it was asked for by its path in the sandbox, so that its id may be learned only now.
    """
    if is_path:
        return
    query = parse_qs(parts.query)
    named = [one for key in ("id", "file_id") for one in query.get(key, [])]
    first = parts.path.lstrip("/").partition("/")[0]
    named += [first] if is_file_id(first) else []
    if any(one not in asked for one in named):
        raise Distrusted("an address of another file")
