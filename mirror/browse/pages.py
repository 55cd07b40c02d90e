"""What our pages share: addresses, templates, style and script, and the content security policy.

Nothing that a page shows may run or fetch anything: no script but ours, no image from elsewhere, no frame, no form that
leads to another site. Pages work without the scripts: ``head.js`` says that there is one before anything is drawn,
``pages.js`` adds keyboard shortcuts and writes times in the reader's zone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from datasette import Response  # type: ignore[import-untyped] # it has no types
from datasette.utils import tilde_encode  # type: ignore[import-untyped] # as above
from jinja2 import Environment, PackageLoader
from markupsafe import Markup, escape

from mirror.browse import access
from mirror.browse.safe_html import code_css
from mirror.browse.times import day_html, fixed_day_html, minute_html, utc_text
from mirror.store.schema import UNFORESEEN
from mirror.text import readable_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; media-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "private, no-cache",
    "cross-origin-opener-policy": "same-origin",
}
A_YEAR = "public, max-age=31536000, immutable"
# Not "templates" and "static": from Python 3.12 on, Datasette takes folders of these names beside a plugin for that
# plugin's versions of its own pages, and fails where it finds ours.
TEMPLATES = "page_templates"
_ASSETS = "page_assets"


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of pages in a running Datasette, under whatever ``base_url`` it is served."""

    datasette: Any
    database: str

    def __call__(self, page: str = "", /, **query: str | int | None) -> str:
        """Return the address of a page of ours, ``home`` or ``search``."""
        path = f"/{tilde_encode(self.database)}/-/{page}" if page else f"/{tilde_encode(self.database)}"
        return str(self.datasette.urls.path(path)) + _query(query)

    def conversation(self, conversation_id: str, anchor: str = "", /, **query: str | int | None) -> str:
        """Return the address of a conversation's page; ``message``: a node, shown on its branch."""
        return self("conversation/" + tilde_encode(conversation_id), **query) + (f"#{anchor}" if anchor else "")

    def file(self, file_id: str, sha256: str) -> str:
        """Return the address of a stored file's bytes, which changes when they do."""
        return self("file/" + tilde_encode(file_id), v=sha256[:12])

    def table(self, table: str, /, **query: str | int | None) -> str:
        """Return the address of a table's page."""
        return str(self.datasette.urls.table(self.database, table)) + _query(query)

    def row(self, table: str, key: str, extension: str = "") -> str:
        """Return the address of a row's page, or of the row in another format."""
        return str(self.datasette.urls.row(self.database, table, tilde_encode(key))) + extension

    def asset(self, name: str) -> str:
        """Return the address of a style sheet or script, which changes when its content does."""
        return str(self.datasette.urls.path(f"/-/chatmirror/{name}?v={asset_version(name)}"))


def _query(query: Mapping[str, str | int | None]) -> str:
    stated = {key: value for key, value in query.items() if value not in {None, ""}}
    return f"?{urlencode(stated)}" if stated else ""


def render_page(datasette: Any, database: str, template: str, status: int = 200, **context: Any) -> Response:
    """Return one of our pages, made from its template."""
    shared = {"at": Addresses(datasette, database), "database": database}
    html = _environment().get_template(f"{template}.html").render(**shared, **context)
    return Response.html(html, status=status, headers=HEADERS)


def error_page(datasette: Any, database: str, status: int, title: str, advice: str) -> Response:
    """Return a page that says what went wrong, and what to do."""
    return render_page(datasette, database, "error", status, title=title, advice=advice)


def with_error_pages(view: Callable[[Any, Any], Awaitable[Response]]) -> Callable[..., Awaitable[Response]]:
    """Return a view that answers with an error page where the mirror cannot be read."""

    async def answer(datasette: Any, request: Any) -> Response:
        try:
            return await view(datasette, request)
        except access.TooLongError:
            database = access.database_of(datasette, request)
            return error_page(datasette, database, 503, "This page took too long to read", "Try again.")
        except access.UnreadableError as error:
            why, database = str(error), access.database_of(datasette, request)
        except UNFORESEEN:  # while what was read is shown
            why, database = access.ALTERED, access.database_of(datasette, request)
            if not await datasette.get_database(database).execute_fn(access.is_altered):
                raise
        return error_page(datasette, database, 500, f"This mirror cannot be read: {why}", "Run chatmirror check.")

    return answer


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(loader=PackageLoader("mirror.browse", TEMPLATES), autoescape=True, trim_blocks=True)
    environment.lstrip_blocks = True
    environment.filters |= {
        "name": readable_name,
        "day": day_html,
        "fixed_day": fixed_day_html,
        "moment": minute_html,
        "minute": utc_text,
        "number": lambda count: f"{count:,}",
        "counted": lambda count, what: f"{count:,} {what}{'' if count == 1 else 's'}",
        "commands": _commands_html,
    }
    return environment


def _commands_html(text: str) -> Markup:
    """Return a sentence with each command in it, between backticks as a terminal shows it, as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", escape(text)))  # noqa: S704 - escaped before


@lru_cache(maxsize=8)
def asset_text(name: str) -> tuple[str, str]:
    """Return a style sheet's or script's text and content type; KeyError for another name."""
    kinds = {f"{stem}.css": "text/css" for stem in ("pages", "tables")}
    kinds |= {f"{stem}.js": "text/javascript" for stem in ("head", "pages")}
    text = files("mirror.browse").joinpath(_ASSETS, name).read_text("utf-8") if name in kinds else ""
    if name == "pages.css":
        text += code_css("default") + _dark_css()
    return text, kinds[name]


def _dark_css() -> str:
    """Return the dark colours twice: for a system that wants them, and for a reader who does. Paper is light."""
    colours = files("mirror.browse").joinpath(_ASSETS, "dark.css").read_text("utf-8")
    rules = [
        f"{place} {{\n{colours}}}\n{code_css('monokai', place)}"
        for place in (":root:not([data-theme])", ':root[data-theme="dark"]')
    ]
    return f"@media screen and (prefers-color-scheme: dark) {{\n{rules[0]}}}\n@media screen {{\n{rules[1]}}}\n"


@lru_cache(maxsize=8)
def asset_version(name: str) -> str:
    """Return what changes with an asset's content."""
    return sha256(asset_text(name)[0].encode()).hexdigest()[:12]


async def serve_asset(request: Any) -> Response:
    """Answer with a style sheet or script."""
    try:
        text, kind = asset_text(request.url_vars["name"])
    except KeyError:
        return Response.text("There is no such file.", status=404)
    headers = {"cache-control": A_YEAR, "x-content-type-options": "nosniff"}
    return Response(text, content_type=f"{kind}; charset=utf-8", headers=headers)
