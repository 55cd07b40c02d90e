"""A nightly sync in the words of each scheduler: cron, systemd, launchd and the Windows Task Scheduler.

A scheduler starts a program with nearly no environment and in another folder, so everything is an absolute path, and
the settings that the shell has are written down with it.
"""

from __future__ import annotations

import base64
import hashlib
import os
import plistlib
import re
import shlex
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DEFAULT_NAME = "chatmirror"


@dataclass(frozen=True, slots=True)
class Job:
    """What is to run once a day, at ``hour:minute`` local time.

    ``program``: its words, the first one an absolute path; ``mirror``: an absolute path; ``settings``: variables.
    """

    program: tuple[str, ...]
    mirror: Path
    settings: Mapping[str, str]
    hour: int
    minute: int

    @property
    def words(self) -> tuple[str, ...]:
        """The command."""
        return (*self.program, "sync", "-d", str(self.mirror))

    @property
    def name(self) -> str:
        """What the scheduler calls it, after the mirror's file name: two mirrors of one file name get the same name.

        Where the file name has other characters than letters, digits and _, a hash of its path is added.
        """
        stem = re.sub(r"[^A-Za-z0-9_]+", "-", self.mirror.stem).strip("-")
        if stem != self.mirror.stem:
            stem = f"{stem}-{hashlib.sha256(os.fsencode(self.mirror.resolve())).hexdigest()[:8]}".lstrip("-")
        return DEFAULT_NAME if stem == "chats" else f"{DEFAULT_NAME}-{stem}"


def cron_line(job: Job) -> str:
    """Return one line of a crontab; cron takes an unescaped % for the end of the line (crontab(5))."""
    settings = [f"{name}={shlex.quote(value)}" for name, value in job.settings.items()]
    command = " ".join([*settings, *map(shlex.quote, job.words)])
    return f"{job.minute} {job.hour} * * * " + command.replace("%", r"\%")


def systemd_units(job: Job) -> dict[str, str]:
    """Return a service and its timer, by file name."""
    settings = "".join(f"Environment={_systemd_quoted(f'{name}={value}')}\n" for name, value in job.settings.items())
    # Only in a command line, and not in the program's path, a $ stands for a variable (systemd.service(5)).
    program, *arguments = map(_systemd_quoted, job.words)
    command = " ".join([program, *(word.replace("$", "$$") for word in arguments)])
    service = (
        f"[Unit]\nDescription=Mirror ChatGPT conversations\n\n[Service]\nType=oneshot\n{settings}ExecStart={command}\n"
    )
    timer = (
        "[Unit]\nDescription=Mirror ChatGPT conversations every night\n\n"
        f"[Timer]\nOnCalendar=*-*-* {job.hour:02}:{job.minute:02}\nRandomizedDelaySec=30min\nPersistent=true\n\n"
        "[Install]\nWantedBy=timers.target\n"
    )
    return {f"{job.name}.service": service, f"{job.name}.timer": timer}


def _systemd_quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def launchd_plist(job: Job, logs: Path) -> dict[str, str]:
    """Return a launch agent, by file name. ``logs``: the folder of what it prints."""
    label = f"org.{job.name}.sync"
    content = {
        "Label": label,
        "ProgramArguments": list(job.words),
        "EnvironmentVariables": dict(job.settings),
        "StartCalendarInterval": {"Hour": job.hour, "Minute": job.minute},
        "StandardErrorPath": str(logs / f"{job.name}.log"),
    }
    return {f"{label}.plist": plistlib.dumps(content, sort_keys=False).decode()}


def windows_line(job: Job) -> str:
    """Return one line of PowerShell that makes a task, or replaces the one of that name.

    It catches up where the computer was off, and runs on a laptop's battery too.
    """
    program, *arguments = _windows_words(job)
    return (
        f"Register-ScheduledTask -TaskName {_powershell_quoted(job.name)}"
        f" -Trigger (New-ScheduledTaskTrigger -Daily -At '{job.hour:02}:{job.minute:02}')"
        f" -Action (New-ScheduledTaskAction -Execute {_powershell_quoted(program)}"
        f" -Argument {_powershell_quoted(subprocess.list2cmdline(arguments))})"
        " -Settings (New-ScheduledTaskSettingsSet"
        " -StartWhenAvailable -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries) -Force"
    )


def _windows_words(job: Job) -> tuple[str, ...]:
    """Return the command; a task has no variables of its own, so a PowerShell sets them where there are any."""
    if not job.settings:
        return job.words
    settings = "".join(f"$env:{name}={_powershell_quoted(value)}; " for name, value in job.settings.items())
    script = f"{settings}& {' '.join(map(_powershell_quoted, job.words))}; exit $LASTEXITCODE"
    # Encoded, for no quoting has to last through Task Scheduler and PowerShell then (about_PowerShell_exe).
    encoded = base64.b64encode(script.encode("utf-16-le")).decode()
    return ("powershell.exe", "-NoProfile", "-WindowStyle", "Hidden", "-EncodedCommand", encoded)


def _powershell_quoted(word: str) -> str:
    # PowerShell takes typographic quotes for plain ones (about_Quoting_Rules).
    return "'" + re.sub("(['\u2018\u2019\u201a\u201b])", r"\1\1", word) + "'"
