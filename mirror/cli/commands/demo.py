"""``chatmirror demo``: mirror a simulated account on this machine, twice.

The mirroring is done by the same code as ``chatmirror sync``, over real HTTP.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mirror.cli.database_option import demo_option
from mirror.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirror.simulator import Simulator
    from mirror.sync.outcome import Outcome

SEED = 20  # the simulated account is the same each time, so that the texts below are true of it


@click.command()
@demo_option
def demo(path: Path) -> None:
    """Try it without an account: a simulated one, a first and a second sync into a file of its own."""
    import random
    import time

    from mirror.simulator import Simulator, demo_account

    _refuse_used(path)
    account = demo_account(time.time, random.Random(SEED))  # noqa: S311 - makes data, not secrets
    with Simulator(account) as service:
        _mirror_twice(path, service, account.user_name)
    _print_next_steps(path)


def _refuse_used(path: Path) -> None:
    from mirror import connectors
    from mirror.services import is_simulated
    from mirror.store.database import open_reader
    from mirror.store.schema import diagnosed
    from mirror.store.summary import account_owner, mirror_size

    if not path.exists() or path.stat().st_size == 0:
        return
    with closing(open_reader(path)) as conn, diagnosed(conn, path):
        owner = account_owner(conn, connectors.DEFAULT_PROVIDER)
        is_empty = mirror_size(conn).conversations == 0
    if is_empty:
        return
    if not is_simulated(owner):
        raise UsageError(f"{path} holds your own chats; the demo did not change it. Give the demo another -d PATH.")
    # The simulated account begins anew each time, so that it would look like one that has lost what was done in it.
    raise UsageError(
        f"{path} holds the demo already and was not changed: look at it with `{_as_started('datasette')} {path}`."
        " To begin anew, remove it or give another -d PATH."
    )


def _mirror_twice(path: Path, service: Simulator, person: str) -> None:
    from mirror import connectors
    from mirror.services import service_of

    environ = {
        "CHATMIRROR_BASE_URL": service.url,
        connectors.CONNECTORS[connectors.DEFAULT_PROVIDER].form.variable: service.session_cookie,
        "CHATMIRROR_WAIT_SCALE": "0",
    }
    name = service_of(connectors.DEFAULT_PROVIDER).name
    click.echo(f"A simulated {name} listens on {service.url}; {person} has an account there.\n")
    first = _sync(path, environ)
    click.echo(f"First sync:  {first.counts.new} conversations stored, {len(service.requests)} requests.")
    before = len(service.requests)
    acts = _act(service)
    second = _sync(path, environ)
    click.echo(f"\nMeanwhile {person.split(maxsplit=1)[0]}")
    for line in acts:
        click.echo(f"  - {line}")
    requests = service.requests[before:]
    fetched = sum(len(request.ids) for request in requests)
    changes = ", ".join(f"{count} {kind}" for kind, count in sorted(second.changes.items()))
    click.echo(f"\nSecond sync: {len(requests)} requests, {fetched} conversations fetched; found: {changes}.")


def _sync(path: Path, environ: Mapping[str, str]) -> Outcome:
    from mirror import app
    from mirror.cli.progress import SilentReport
    from mirror.sync.options import SyncOptions
    from mirror.timing import Timing

    outcome = app.sync(path, environ, Timing(), SilentReport(), SyncOptions(full=True))
    if outcome.error is not None:
        raise outcome.error
    return outcome


def _act(service: Simulator) -> list[str]:
    """Let the simulated person act; return what was done, in words."""
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
        "asked a follow-up question in “Plan the week from my calendar”,",
        "edited a question in “Planets for the weekend”, which started a new branch,",
        "renamed “Will it be clear tonight?”,",
        "archived “🎂 Party for the bakery's birthday 🥖” and starred “Fill in the mill's order form”,",
        "deleted “Book the observatory evening”, and started “Rain on the observing night”.",
    ]


def _as_started(name: str) -> str:
    """Return what starts a command: with the folder that this one was started from where the name alone does not."""
    beside, found = Path(sys.argv[0]).with_name(name), shutil.which(name)
    if not beside.exists() or (found and Path(found).samefile(beside)):
        return name
    return shlex.quote(str(beside))


def _print_next_steps(path: Path) -> None:
    from mirror.store.database import open_reader
    from mirror.store.summary import mirror_size

    with closing(open_reader(path)) as conn:
        held = mirror_size(conn)
    click.echo(
        f"\n{path} now holds {held.conversations} conversations and {held.messages} messages,"
        f" {held.on_other_branches} of them on other branches."
    )
    chatmirror, datasette = _as_started("chatmirror"), _as_started("datasette")
    for line in (
        f"What was deleted is kept: {held.missing} is missing from the lists, and a later run will confirm it.",
        "\nNow look at it:",
        f"  {datasette} {path}",
        f"  {chatmirror} search sourdough -d {path}",
        f'  sqlite3 {path} "select title, position, role, text from thread limit 5"',
        "Then mirror your own account, into chats.db:",
        f"  {chatmirror} auth",
        f"  {chatmirror} sync",
        f"  {chatmirror} schedule",
    ):
        click.echo(line)
