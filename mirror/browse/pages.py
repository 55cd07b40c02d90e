"""What our pages share: addresses, templates, style and script, and the policy that the browser holds them to.

Nothing a page shows may run or fetch anything: no script but ours, no picture from elsewhere, no frame, no form that
leads away. Pages read without a script, too; it only adds keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from datasette import Response  # type: ignore[import-untyped] # it has no types
from datasette.utils import tilde_encode  # type: ignore[import-untyped] # as above
from jinja2 import Environment, PackageLoader

from mirror.browse import access
from mirror.browse.markdown import highlight_css
from mirror.terminal import local_day, local_time

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "private, no-cache",
    "cross-origin-opener-policy": "same-origin",
}
A_YEAR = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where things are in a running Datasette, under whatever address it is served."""

    datasette: Any
    database: str

    def __call__(self, page: str = "", /, **query: str | int | None) -> str:
        """Return the address of a page of ours, ``home`` or ``search``."""
        path = f"/{tilde_encode(self.database)}/-/{page}" if page else f"/{tilde_encode(self.database)}"
        return str(self.datasette.urls.path(path)) + _query(query)

    def conversation(self, conversation_id: str, anchor: str = "", /, **query: str | int | None) -> str:
        """Return the address of a conversation's page; ``message`` in the query leads to a node, on its branch."""
        return self("conversation/" + tilde_encode(conversation_id), **query) + (f"#{anchor}" if anchor else "")

    def table(self, table: str, /, **query: str | int | None) -> str:
        """Return the address of a table's page."""
        return str(self.datasette.urls.table(self.database, table)) + _query(query)

    def row(self, table: str, key: str, extension: str = "") -> str:
        """Return the address of a row's page, or of the row in another format."""
        return str(self.datasette.urls.row(self.database, table, tilde_encode(key))) + extension

    def asset(self, name: str) -> str:
        """Return the address of a style sheet or script, which changes when its content does."""
        return str(self.datasette.urls.path(f"/-/chatmirror/{name}?v={version(name)}"))


def _query(query: Mapping[str, str | int | None]) -> str:
    stated = {key: value for key, value in query.items() if value not in {None, ""}}
    return f"?{urlencode(stated)}" if stated else ""


def page(datasette: Any, database: str, template: str, status: int = 200, **context: Any) -> Response:
    """Return a page of ours."""
    shared = {"at": Addresses(datasette, database), "database": database}
    html = _environment().get_template(f"{template}.html").render(**shared, **context)
    return Response.html(html, status=status, headers=HEADERS)


def sorry(datasette: Any, database: str, status: int, title: str, advice: str) -> Response:
    """Return a page that says why there is no other."""
    return page(datasette, database, "sorry", status, title=title, advice=advice)


def answering(view: Callable[[Any, Any], Awaitable[Response]]) -> Callable[..., Awaitable[Response]]:
    """Return a view that says what is wrong with a mirror instead of failing."""

    async def answer(datasette: Any, request: Any) -> Response:
        try:
            return await view(datasette, request)
        except access.TooLongError:
            status, title, advice = 503, "This takes too long to read", "Try again."
        except access.UnreadableError as error:
            status, title, advice = 500, f"This mirror cannot be read: {error}", "See what chatmirror check says."
        return sorry(datasette, access.database_of(datasette, request), status, title, advice)

    return answer


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(loader=PackageLoader("mirror.browse"), autoescape=True, trim_blocks=True)
    environment.lstrip_blocks = True
    environment.filters |= {"day": local_day, "minute": local_time, "number": lambda count: f"{count:,}"}
    return environment


@lru_cache(maxsize=8)
def asset(name: str) -> tuple[str, str]:
    """Return a style sheet's or script's text and content type; KeyError for another name."""
    kinds = {"pages.css": "text/css", "tables.css": "text/css", "pages.js": "text/javascript"}
    text = files("mirror.browse").joinpath("static", name).read_text("utf-8") if name in kinds else ""
    if name == "pages.css":
        text += highlight_css("default") + "@media (prefers-color-scheme: dark) {\n" + highlight_css("monokai") + "}\n"
    return text, kinds[name]


@lru_cache(maxsize=8)
def version(name: str) -> str:
    """Return what changes with an asset's content."""
    return sha256(asset(name)[0].encode()).hexdigest()[:12]


async def serve_asset(request: Any) -> Response:
    """Answer with a style sheet or script."""
    try:
        text, kind = asset(request.url_vars["name"])
    except KeyError:
        return Response.text("There is no such file.", status=404)
    headers = {"cache-control": A_YEAR, "x-content-type-options": "nosniff"}
    return Response(text, content_type=f"{kind}; charset=utf-8", headers=headers)
