"""Everything the service can do wrong, one field each (API notes §12).

The defaults are a service in good health. ``Behaviour`` is mutable: a test changes a field between two runs, or even
between two requests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from mirror.simulator.exchange import ReceivedRequest, Response


@dataclass
class Behaviour:
    """How the service behaves."""

    # Signing in (§1.1, §1.3)
    session: str = "normal"  # normal, empty, banner, refresh_error, stale_token, html
    other_account_from: int | None = None  # the n-th sign-in (from 1) and later ones belong to somebody else
    rotate_chunks: int | None = 2  # sign-ins hand out a new cookie in that many parts; None: the old one stays
    session_days: float = 90.0  # until the session ends
    token_requests: int | None = None  # a bearer expires after so many requests
    old_session_shape: bool = False  # no account, sessionToken or WARNING_BANNER
    flat_error_code: bool = False  # the code of a 401 is beside ``detail``, not in it
    has_workspaces_endpoint: bool = True  # accounts/check answers
    personal_header_forbidden: bool = False  # naming the personal workspace is refused on project chats

    # The connection (§1.7, §8)
    challenge_probability: float = 0.0  # by connection: all of its requests meet a browser check
    challenge_spares_session: bool = False  # signing in does not
    latency: float = 0.0  # seconds before every answer
    latency_of: dict[str, float] = field(default_factory=dict)  # and more where the path contains this
    break_request: Callable[[ReceivedRequest], str | None] | None = None  # a name of faults.BREAKAGES or STUBBORN
    drip_seconds: float = 0.5  # from byte to byte of a dripping answer
    error_every: int | None = None  # every n-th request answers 500
    redirect_to: str | None = None  # every backend answer redirects there
    # Names of headers (lower case) that the service does not see of a request, as behind a proxy that drops them.
    unseen_headers: Callable[[ReceivedRequest], Collection[str]] | None = None
    # Replaces an answer (JSON) by other JSON, or by status and JSON, or by status, JSON and headers.
    alter_answer: Callable[[ReceivedRequest, Any], Any] | None = None

    # Sends this in place of an answer, byte for byte; None: nothing in its place.
    replace_response: Callable[[ReceivedRequest], Response | None] | None = None

    # Lists (§2)
    total: str = "hint"  # hint, true, null, zero, absent, wrong
    collapse_to: float | None = None  # lists show only this share of their rows
    collapse_scopes: frozenset[str] = frozenset({"main", "archived", "project"})
    end_early_at: int | None = None  # no row from this offset on
    repeat_and_skip: bool = False  # every full page but the first repeats two rows and leaves two out
    repeated_page_at: int | None = None  # this page, counted from 0, shows the first one again
    empty_page_at: int | None = None  # this one is empty although more follow
    full_last_page: bool = False  # a short page calls itself full, so that only an empty one is the end
    endless: bool = False  # past the end the first page comes again
    page_cap: int | None = None  # rows a page, whatever was asked for
    shuffled_rows: bool = False  # the main list in an order of its own, the same every time
    deep_offset_error_from: int | None = None
    between_pages: Callable[[str, int], None] | None = None  # called before page n (from 0) of a scope
    hide_snorlax_rejected: bool = False
    main_excludes_projects: bool = False
    # Work conversations (§2.6): apart (in a list of their own only), together (in the main list, too), refused (the
    # parameter answers 422, the main list shows them) or ignored (it changes nothing, the main list shows them).
    work: str = "apart"
    work_limited: int = 0  # the next so many requests for the Work list answer 429
    owned_only_rejected: bool = False  # the sidebar takes owned_only=true only
    # Puts rows that are no conversations into lists: scope -> the rows, behind all others of its first page.
    odd_rows: dict[str, list[Any]] = field(default_factory=dict)
    ignores_filters: bool = False  # is_starred is not known
    omitted: frozenset[str] = frozenset()  # conversations that no list shows although they exist
    mixed_times: bool = False  # rows with +00:00 or without a zone; those of 2023 with a create_time only
    null_titles: bool = False  # two thirds of the rows have null or an empty text for a title
    has_projects_endpoint: bool = True
    project_limit_default: int = 5
    sidebar_nesting: int = 0  # 0: gizmo.gizmo, 1: gizmo, 2: resource.gizmo
    sidebar_duplicates: bool = False  # a page begins with the last row of the one before
    cursors_never_end: bool = False
    shared_repeats: bool = False

    # Reading (§3)
    batch: str = "normal"  # normal, missing (404), wrapped, shuffled
    single: str = "normal"  # normal, missing (404), broken (500)
    plural: str = "normal"  # normal, missing (404), broken (500)
    truncated: dict[str, str] = field(default_factory=dict)  # batch only: id -> tail, head, empty, consistent
    batch_omits: frozenset[str] = frozenset()
    batch_shows_deleted: bool = True  # for some time after
    stale_batch_times: bool = False
    batch_iso_messages: bool = False  # the messages' times are ISO too, not only the conversation's
    detail_later: float = 0.0  # seconds by which single and plural reads show a later time than the list
    huge: frozenset[str] = frozenset()  # single reads answer 500, batches omit, windows of 100 turns answer 500
    all_huge: bool = False
    poisoned: frozenset[str] = frozenset()  # ids that answer 500 at every endpoint, and fail their whole batch
    shapeless: frozenset[str] = frozenset()  # 200 with neither mapping nor messages
    # Values that Python's JSON refuses, in single and batch reads: id -> number (5,000 digits) or depth (990 levels).
    odd_values: dict[str, str] = field(default_factory=dict)
    messages_a_turn: int = 1  # the number of turns that a window was asked for is a hint only
    plural_overlap: int = 0
    plural_blank_windows: bool = False  # an empty window comes before every older one
    plural_lies_about_next: bool = False
    plural_repeats_cursor: bool = False

    # Limits (§8)
    bucket: int | None = None  # single and plural reads, refilled once a minute; None: no limit
    refill_per_minute: float = 1.0
    retry_after: str | None = None  # seconds, ``date`` for a minute from now as a date, or any nonsense
    locks_out: bool = False  # a refused read answers with the words of the account lock
    list_limited: int = 0  # the next so many list requests answer 429
    batch_limited: int = 0  # the next so many batches do

    @classmethod
    def cohort(cls, name: str, **others: Any) -> Behaviour:
        """Return the behaviour towards a legacy, business or huge account: some endpoints fail (§12.5)."""
        endpoints: dict[str, dict[str, Any]] = {
            "legacy": {"plural": "missing"},
            "business": {"single": "missing", "batch": "missing"},
            "huge": {"all_huge": True},
        }
        return cls(**endpoints[name], **others)
