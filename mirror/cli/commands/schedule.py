"""``chatmirror schedule``: print what makes a sync run every night."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mirror.cli.database_option import reading_option
from mirror.errors import StorageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mirror.cli.schedulers import Job

SCHEDULERS = ("cron", "systemd", "launchd", "windows")
# What a sync reads of the environment and a scheduler does not have; the login's variable is a secret, and is not.
_CARRIED = ("CHATMIRROR_BASE_URL", "CHATMIRROR_STORAGE_URL", "CHATMIRROR_WAIT_SCALE")


class TimeOfDay(click.ParamType):  # type: ignore[type-arg] # older versions of click have no generic one
    """Hours and minutes: 3:17."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Return hour and minute."""
        found = re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", str(value), re.ASCII)
        if found is None:
            self.fail(f"{value!r} is no time of day; give for instance 3:17 or 22:05.", param, ctx)
        return int(found[1]), int(found[2])


@click.command()
@reading_option
@click.option("--for", "scheduler", type=click.Choice(SCHEDULERS), help="Only for this one.  [default: this system's]")
@click.option("--at", type=TimeOfDay(), default="3:17", show_default=True, metavar="TIME", help="When, in local time.")
@click.option("--write", is_flag=True, help="Write the files of systemd or launchd instead of printing them.")
def schedule(path: Path, scheduler: str | None, at: tuple[int, int], write: bool) -> None:
    """Print what makes a sync run every night: for cron, systemd, launchd or the Windows Task Scheduler.

    All paths are absolute: of the program, the database, and the folder of the login where you chose one. Nothing is
    installed or written unless you ask with --write; each block says what to do with it.
    """
    from mirror.cli.schedulers import Job

    job = Job(_program(), path.absolute(), carried_settings(os.environ), *at)
    if any(not text.isprintable() for text in (*job.words, *job.settings.values())):
        raise UsageError(
            "A path or setting holds a line break or another control character; no scheduler can take that."
        )
    if write:
        _write(job, scheduler or _usual()[0])
    else:
        click.echo(
            "\n\n".join(block for name in ([scheduler] if scheduler else _usual()) for block in _blocks(job, name))
        )
    for line in _remarks(job):
        click.echo(f"chatmirror: {line}", err=True)


def _usual() -> tuple[str, ...]:
    return {"darwin": ("launchd", "cron"), "win32": ("windows",)}.get(sys.platform, ("systemd", "cron"))


def _program() -> tuple[str, ...]:
    """Return the words that start this program from any folder, the first one an absolute path."""
    started = Path(sys.argv[0])
    beside = Path(sys.executable).with_name("chatmirror.exe" if sys.platform == "win32" else "chatmirror")
    for file in (started, started.with_suffix(".exe"), beside):
        if file.stem == "chatmirror" and file.is_file():
            return (str(file.absolute()),)
    return (sys.executable, "-m", "mirror")


def carried_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that the job needs, none of which is a secret."""
    from mirror.credentials.stored import config_dir

    found = {name: environ[name] for name in _CARRIED if environ.get(name)}
    if environ.get("CHATMIRROR_CONFIG_DIR") or environ.get("XDG_CONFIG_HOME"):  # a scheduler has neither
        found["CHATMIRROR_CONFIG_DIR"] = str(config_dir(environ).absolute())
    return found


def _blocks(job: Job, scheduler: str) -> Iterator[str]:
    """Yield each thing to install, with a comment that says how."""
    from mirror.cli import schedulers

    if scheduler == "cron":
        yield f"# cron: add this line to what `crontab -e` opens.\n{schedulers.cron_line(job)}"
    elif scheduler == "windows":
        how = f"run this line in PowerShell; it replaces a task named {job.name}, if there is one"
        yield f"# Windows Task Scheduler: {how}.\n{schedulers.windows_line(job)}"
    else:
        folder = _folder(scheduler)
        for name, text in _files(job, scheduler).items():
            if scheduler == "launchd":
                yield f"# launchd: save what follows as {folder / name}, without this line.\n{text.rstrip()}"
            else:
                yield f"# systemd: save this as {folder / name}\n{text.rstrip()}"
        yield f"# then start it; `{_writing(job, scheduler)}` saves the files:\n{_start(job, scheduler)}"


def _writing(job: Job, scheduler: str) -> str:
    """Return the command that saves what is printed, from any folder."""
    time = f"{job.hour}:{job.minute:02}"
    words = ("schedule", "--for", scheduler, "-d", str(job.mirror), "--at", time, "--write")
    return shlex.join((*job.program, *words))


def _files(job: Job, scheduler: str) -> dict[str, str]:
    from mirror.cli import schedulers

    if scheduler == "systemd":
        return schedulers.systemd_units(job)
    return schedulers.launchd_plist(job, Path.home() / "Library" / "Logs")


def _folder(scheduler: str) -> Path:
    if scheduler == "launchd":
        return Path.home() / "Library" / "LaunchAgents"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"


def _start(job: Job, scheduler: str) -> str:
    if scheduler == "systemd":
        return f"systemctl --user daemon-reload && systemctl --user enable --now {job.name}.timer"
    return f"launchctl bootstrap gui/$(id -u) {shlex.quote(str(_folder(scheduler) / f'org.{job.name}.sync.plist'))}"


def _write(job: Job, scheduler: str) -> None:
    if scheduler not in {"systemd", "launchd"}:
        raise UsageError(f"--write writes the files of systemd or launchd; {scheduler} has none. Nothing was written.")
    folder = _folder(scheduler)
    files = {folder / name: text.encode() for name, text in _files(job, scheduler).items()}
    try:
        _refuse_others(files)
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in files.items():
            file.write_bytes(content)
            click.echo(f"written: {file}")
    except OSError as error:
        raise StorageError(f"Cannot write to {folder} ({error.strerror}).") from None
    click.echo(f"start it: {_start(job, scheduler)}")


def _refuse_others(files: Mapping[Path, bytes]) -> None:
    """Raise a UsageError where a file is there with another content: another mirror's, or one that was edited."""
    others = [str(file) for file, content in files.items() if file.exists() and file.read_bytes() != content]
    if others:
        raise UsageError(
            f"There is another {' and '.join(others)} already: another mirror's, of other settings, or edited by hand."
            f" Nothing was written. To replace it: rm {shlex.join(others)}. To keep it, give this mirror's file a"
            " name of its own."
        )


def _remarks(job: Job) -> Iterator[str]:
    """Yield what keeps the job from working as it is."""
    from mirror import connectors

    form = connectors.CONNECTORS[connectors.DEFAULT_PROVIDER].form
    if not connectors.has_login({**os.environ, form.variable: ""}):
        secret = (
            f"; {form.variable} of this shell is a secret and not passed on" if os.environ.get(form.variable) else ""
        )
        yield f"no login is stored yet{secret}. Run `chatmirror auth` before the first night."
    if not job.mirror.exists():
        yield f"{job.mirror} does not exist yet; the first run makes it. Another place: -d PATH."
