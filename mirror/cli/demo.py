"""``chatmirror demo``: a simulated account on this machine, mirrored twice by the very code of ``chatmirror sync``."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from mirror import app
from mirror.errors import UsageError
from mirror.simulator import Simulator, demo_account
from mirror.store.database import open_reader
from mirror.sync.run import SyncOptions
from mirror.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mirror.sync.outcome import Outcome


class Quiet:
    """Says nothing while it runs."""

    def note(self, text: str) -> None:
        """See Report."""

    def fetching(self, total: int) -> None:
        """See Report."""

    def stored(self, title: str) -> None:
        """See Report."""


def run_demo(path: Path, echo: Callable[[str], None]) -> None:
    """Mirror a simulated account into ``path``, let its person act, mirror it again; say what happened.

    Raises UsageError where the database is somebody's own.
    """
    _refuse_own(path)
    account = demo_account(time.time, random.Random(20))  # noqa: S311 - the same story every time
    with Simulator(account) as service:
        environ = {
            "CHATMIRROR_BASE_URL": service.url,
            "CHATGPT_SESSION_TOKEN": service.session_cookie,
            "CHATMIRROR_WAIT_SCALE": "0",
        }
        echo(f"A simulated ChatGPT listens on {service.url}; {account.user_name} has an account there.\n")
        first = _sync(path, environ)
        echo(f"First sync:  {first.counts.new} conversations stored, {len(service.requests)} requests.")
        asked = len(service.requests)
        done = _live(service)
        second = _sync(path, environ)
        echo(f"\nMeanwhile {account.user_name.split()[0]}")
        for line in done:
            echo(f"  - {line}")
        seen = ", ".join(f"{count} {kind}" for kind, count in sorted(second.changes.items()))
        fetched = sum(len(request.ids) for request in service.requests[asked:])
        echo(
            f"\nSecond sync: {len(service.requests) - asked} requests, {fetched} conversations fetched; it saw: {seen}."
        )
    for line in _contents(path):
        echo(line)


def _refuse_own(path: Path) -> None:
    if not path.exists() or path.stat().st_size == 0:
        return
    conn = open_reader(path)
    try:
        owner = conn.execute("SELECT value FROM _settings WHERE key = 'owner:chatgpt'").fetchone()
        rows = conn.execute("SELECT count(*) FROM conversations").fetchone()[0]
    finally:
        conn.close()
    if rows and (owner is None or "Simulated" not in owner[0]):
        raise UsageError(f"{path} holds your own chats; the demo leaves it alone. Give it another -d PATH.")


def _sync(path: Path, environ: dict[str, str]) -> Outcome:
    outcome = app.sync(path, environ, Timing(), Quiet(), SyncOptions(full=True))
    if outcome.error is not None:
        raise outcome.error
    return outcome


def _live(service: Simulator) -> list[str]:
    """Let the person act; return what was done, in words."""
    person = service.person
    titled = {row["title"]: key for key, row in service.account.conversations.items()}
    person.new_message(
        titled["Plan the week from my calendar"],
        "When do I feed the starter for the class?",
        "On Tuesday at 8:00 and again at 20:00; then it is ripe on **Wednesday** morning.",
    )
    person.edit_prompt(
        titled["Planets for the weekend"],
        "Which planets are up on Saturday evening, without a telescope?",
        "Two: **Saturn** in the south at dusk, and **Jupiter** in the east from 21:40 on.",
    )
    person.rename(titled["Will it be clear tonight?"], "Clear sky, every morning at seven")
    person.archive(titled["🎂 Party for the bakery's birthday 🥖"])
    person.star(titled["Fill in the mill's order form"])
    person.delete(titled["Book the observatory evening"])
    person.new_conversation("Rain on the observing night", "Will a dew shield do?", "For an hour or two, yes.")
    return [
        "asked something more in “Plan the week from my calendar”,",
        "edited a question in “Planets for the weekend”, which began a new branch,",
        "renamed “Will it be clear tonight?”,",
        "archived “🎂 Party for the bakery's birthday 🥖” and starred “Fill in the mill's order form”,",
        "deleted “Book the observatory evening”, and began “Rain on the observing night”.",
    ]


def _contents(path: Path) -> list[str]:
    conn = open_reader(path)
    try:
        chats, messages, off, missing = conn.execute(
            "SELECT (SELECT count(*) FROM conversations), count(*), sum(position IS NULL),"
            " (SELECT count(*) FROM conversations WHERE missing_since IS NOT NULL) FROM messages"
        ).fetchone()
    finally:
        conn.close()
    return [
        f"\n{path} now holds {chats} conversations and {messages} messages, {off} of them on other branches.",
        f"What was deleted is kept: {missing} is missing from the lists, and a later run will prove it gone.",
        "\nNow look at it:",
        f"  datasette {path}",
        f"  chatmirror search sourdough -d {path}",
        f'  sqlite3 {path} "select title, position, role, text from thread limit 5"',
        "Then mirror your own account:",
        "  chatmirror auth",
        "  chatmirror sync -d my-chats.db",
    ]
