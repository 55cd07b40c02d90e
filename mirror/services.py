"""The services that can be mirrored: their names and web addresses, one entry a provider.

Nothing else outside a service's own packages knows a host, the form of an address, or what its assistant is called.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Service:
    """One service.

    ``provider`` is the value of the ``provider`` columns; ``name`` is what a person calls it, and its assistant when it
    speaks. ``home_url`` has no slash at its end. The paths hold ``{id}`` where the id goes; None: it has no such page.
    ``not_mirrored``: what it holds of a person that the mirror does not read; the README says more.
    ``tool_languages``: in which language the assistant writes to a tool, by the tool's name, so that a page can colour
    it; a document that is written in Markdown is laid out as such. ``former_hosts``: where its pages stood before.
    """

    provider: str
    name: str
    home_url: str
    conversation_path: str
    project_path: str | None = None
    gpt_path: str | None = None
    not_mirrored: tuple[str, ...] = ()
    tool_languages: dict[str, str] = field(default_factory=dict)
    former_hosts: tuple[str, ...] = ()

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts whose addresses are the service's."""
        host = urlsplit(self.home_url).hostname or ""
        return (host, f"www.{host}", *self.former_hosts)

    def conversation_url(self, conversation_id: str) -> str:
        """Return the address at which a person opens a conversation."""
        return self.home_url + self.conversation_path.format(id=conversation_id)

    def project_url(self, project_id: str) -> str | None:
        """Return the address of a project's page, None where the service has none."""
        return None if self.project_path is None else self.home_url + self.project_path.format(id=project_id)

    def gpt_url(self, gpt_id: str) -> str | None:
        """Return the address of a custom GPT's page, None where the service has none."""
        return None if self.gpt_path is None else self.home_url + self.gpt_path.format(id=gpt_id)


SERVICES: dict[str, Service] = {
    "chatgpt": Service(
        provider="chatgpt",
        name="ChatGPT",
        home_url="https://chatgpt.com",
        conversation_path="/c/{id}",
        project_path="/g/{id}/project",
        gpt_path="/g/{id}",
        not_mirrored=(
            "group chats",
            "messages in Dots, a product of its own",
            "Codex tasks",
            "temporary chats",
            "what sub-agents of the product Work wrote among themselves",
            "files in a connected drive",
            "settings, scheduled tasks, the library",
        ),
        tool_languages={"python": "python", "container.exec": "bash", "canmore.create_textdoc": "markdown"},
        former_hosts=("chat.openai.com",),
    ),
}


def service_of(provider: str) -> Service:
    """Return a provider's entry; raises KeyError for one that has none."""
    return SERVICES[provider]


def speaker_of(provider: str) -> str:
    """Return what the assistant is called on a page; an unknown provider's own word for itself."""
    return SERVICES[provider].name if provider in SERVICES else provider


def not_mirrored(provider: str) -> tuple[str, ...]:
    """Return what of a service is not read; nothing is known of an unknown provider."""
    return SERVICES[provider].not_mirrored if provider in SERVICES else ()


def tool_language(provider: str, *tools: str | None) -> str:
    """Return the language that the first known of these tools is written to in, empty if none is."""
    known = SERVICES[provider].tool_languages if provider in SERVICES else {}
    return next((known[tool] for tool in tools if tool in known), "")


def conversation_id_in(address: str) -> str | None:
    """Return the conversation's id in the address of its page at any known service, else None.

    A page can lie deeper than the plain address (``/g/g-p-1/c/<id>``), so the path is searched, not matched whole. The
    scheme may lack, and the host, too.
    """
    try:
        parts = urlsplit(address if "://" in address or address.startswith("/") else f"https://{address}")
        host, path = parts.hostname, unquote(parts.path)
    except ValueError:
        return None
    for known in SERVICES.values():
        if host is not None and host not in known.hosts:
            continue
        before, _, after = known.conversation_path.partition("{id}")
        if match := re.search(f"{re.escape(before)}([^/]+){re.escape(after)}", path):
            return match[1]
    return None


def is_simulated(account_id: str | None) -> bool:
    """Whether an account is one of the simulator's, which the demo mirrors."""
    return account_id is not None and "Simulated" in account_id
