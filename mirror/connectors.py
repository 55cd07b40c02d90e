"""How each service is reached: the form of its login, what is known of its site, and what makes its source."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from mirror.chatgpt.login import LOGIN_FORM as CHATGPT_LOGIN
from mirror.credentials.stored import config_dir, load_login, save_login
from mirror.errors import StorageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mirror.credentials.login import Login, LoginForm
    from mirror.source import Identity, Source
    from mirror.timing import Timing
    from mirror.web.client import Client
    from mirror.web.site import Site
    from mirror.web.transport import Wire

REQUESTS = logging.getLogger("chatmirror.web")  # one line a request: method, path, status, bytes


class Connected(NamedTuple):
    """A service as a source, and the client that sends its requests.

    ``not_kept``: errors of storing the login when the service has renewed it. They end no run, for this one has it.
    """

    source: Source
    client: Client
    not_kept: list[StorageError]


class Connector(NamedTuple):
    """How one service is reached: the form of its login, what is known of its site, and what makes its source.

    ``source`` takes the client, the login, and what the source calls with the login when the service has renewed it;
    then the further origin of files, None where there is none.
    """

    form: LoginForm
    site: Callable[[], Site]
    source: Callable[[Client, Login, Callable[[Login], None], str | None], Source]


def _chatgpt_site() -> Site:
    from mirror.chatgpt.site import SITE

    return SITE


def _chatgpt(client: Client, login: Login, renewed: Callable[[Login], None], storage_url: str | None) -> Source:
    from mirror.chatgpt.session import Session
    from mirror.chatgpt.source import ChatGPT
    from mirror.web.downloads import Downloads

    downloads = Downloads(client.pacing.timing.monotonic, client.pacing.time_left)
    return ChatGPT(Session(client, login, renewed), downloads, storage_url)


# A second service is one more line here, and its entry in mirror/services.py.
CONNECTORS = {"chatgpt": Connector(CHATGPT_LOGIN, _chatgpt_site, _chatgpt)}
DEFAULT_PROVIDER = "chatgpt"


def connect(
    login: Login, environ: Mapping[str, str], timing: Timing, provider: str, wire: Wire | None = None
) -> Connected:
    """Return a service as a source that signs in with this login.

    ``wire``: another way to the site than plain HTTP.
    """
    from mirror.web.client import Client
    from mirror.web.downloads import checked_storage_url
    from mirror.web.pacing import Pacing
    from mirror.web.transport import RequestsWire, is_loopback

    connector = CONNECTORS[provider]
    site = connector.site()
    wire = wire or RequestsWire(environ.get("CHATMIRROR_BASE_URL") or site.home_url, timing.monotonic)
    scale = _scale(environ.get("CHATMIRROR_WAIT_SCALE"))
    if is_loopback(wire.base_url):
        timing.scale = scale
    client = Client(site, wire, Pacing(site, timing), REQUESTS.info)

    not_kept: list[StorageError] = []

    def store(renewed: Login) -> None:
        not_kept.clear()
        try:
            if renewed.is_stored:
                save_login(renewed, environ, connector.form)
        except StorageError as error:
            not_kept.append(_not_kept(error))

    storage_url = checked_storage_url(environ.get("CHATMIRROR_STORAGE_URL"), wire.base_url)
    return Connected(connector.source(client, login, store, storage_url), client, not_kept)


def _not_kept(error: StorageError) -> StorageError:
    return StorageError(
        f"{error.message} It was renewed, and the run went on with that; later runs have the older one, which ends"
        " sooner. Check the folder's permissions."
    )


def connect_stored(environ: Mapping[str, str], timing: Timing, provider: str, wire: Wire | None) -> Connected:
    """Do the same with the login that is stored, or in the environment; raises SignInError where there is none."""
    return connect(load_login(environ, CONNECTORS[provider].form), environ, timing, provider, wire)


def _scale(text: str | None) -> float:
    """Return the factor of CHATMIRROR_WAIT_SCALE; raises UsageError where it is no number from 0 on."""
    try:
        scale = float(text) if text else 1.0
    except ValueError:
        scale = -1.0
    if not 0 <= scale < float("inf"):
        raise UsageError("CHATMIRROR_WAIT_SCALE must be a number from 0 on, such as 0.5; nothing was done.")
    return scale


def has_login(environ: Mapping[str, str], provider: str = DEFAULT_PROVIDER) -> bool:
    """Whether there is a login for a service, in the environment or stored; nothing of it is read."""
    form = CONNECTORS[provider].form
    return bool(environ.get(form.variable, "").strip()) or (config_dir(environ) / form.file_name).exists()


def try_login(login: Login, environ: Mapping[str, str], timing: Timing, provider: str = DEFAULT_PROVIDER) -> Identity:
    """Sign in and ask whose login it is; raises SignInError or ServiceError."""
    return connect(login, environ, timing, provider).source.identity()
