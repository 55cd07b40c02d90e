"""``chatmirror schedule``, and which mirror is meant: what cron, a hand and Datasette have to agree on."""

from __future__ import annotations

import configparser
import os
import plistlib
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pexpect
import pytest
from commands import BIN
from mirrored_service import MirroredService

from mirror.chatgpt.login import LOGIN_FORM, session_cookies
from mirror.cli import schedulers
from mirror.cli.commands.schedule import carried_settings
from mirror.cli.schedulers import Job
from mirror.credentials.login import Login
from mirror.credentials.stored import save_login

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CHATMIRROR = str(BIN / "chatmirror")
ODD = Path('/home/ada/100% "mine" $HOME\'s/a b.db')


def run(folder: Path, environ: Mapping[str, str], *arguments: str) -> tuple[int, str, str]:
    """One command of a person, whose shell has this environment."""
    found = subprocess.run(
        [CHATMIRROR, *arguments], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    return found.returncode, found.stdout, found.stderr


@pytest.fixture
def person(tmp_path: Path) -> Iterator[tuple[MirroredService, Path, dict[str, str]]]:
    """A service, a person's home folder, and the environment of their shell, with a login stored."""
    home = tmp_path / "Ada's 100% home"
    home.mkdir()
    with MirroredService(tmp_path, conversations=2) as mirrored:
        mirrored.clock.seconds = time.time()
        environ = {"HOME": str(home), "CHATMIRROR_WAIT_SCALE": "0"}
        environ |= {name: mirrored.environ[name] for name in ("CHATMIRROR_BASE_URL", "CHATMIRROR_STORAGE_URL")}
        sign_in(mirrored, home / ".config" / "chatmirror")
        yield mirrored, home, environ
        for login in tmp_path.rglob("login.json"):
            login.unlink()  # else a test that looks for secrets finds it


def sign_in(mirrored: MirroredService, folder: Path) -> None:
    login = Login(session_cookies(mirrored.service.session_cookie))
    save_login(login, {"CHATMIRROR_CONFIG_DIR": str(folder)}, LOGIN_FORM)


def as_cron(line: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of a crontab as cron does: /bin/sh, nearly no environment, in the home folder."""
    command = line.split(maxsplit=5)[5]
    assert "%" not in command.replace(r"\%", "")
    return subprocess.run(
        ["env", "-i", f"HOME={home}", "/bin/sh", "-c", command.replace(r"\%", "%")],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("chosen", [{}, {"CHATMIRROR_CONFIG_DIR": "my config"}])
def test_the_line_for_cron_works_under_cron(
    person: tuple[MirroredService, Path, dict[str, str]], chosen: dict[str, str]
) -> None:
    """Nothing of the shell that printed it is needed: not its PATH, its folder or its settings."""
    mirrored, home, environ = person
    environ |= {name: str(home / folder) for name, folder in chosen.items()}
    if chosen:
        shutil.rmtree(home / ".config")
        sign_in(mirrored, home / "my config")
    (home / "folder").mkdir()
    code, out, err = run(home / "folder", environ, "schedule", "--for", "cron")
    assert (code, err.count("\n")) == (0, 1)
    assert "does not exist yet" in err
    found = as_cron(out.splitlines()[-1], home)
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")
    assert (home / "folder" / "chats.db").exists()


def test_the_folder_of_the_login_is_passed_on_where_the_system_was_told_of_another() -> None:
    assert carried_settings({"XDG_CONFIG_HOME": "/other"})["CHATMIRROR_CONFIG_DIR"].startswith("/")
    assert carried_settings({"HOME": "/home/ada", "CHATGPT_SESSION_TOKEN": "secret"}) == {}


def test_a_program_without_a_script_is_started_by_its_python(
    person: tuple[MirroredService, Path, dict[str, str]],
) -> None:
    """`python -m mirror schedule` names the script beside that Python."""
    _, home, environ = person
    command = [str(BIN / "python"), "-m", "mirror", "schedule", "--for", "cron", "--at", "22:05"]
    out = subprocess.run(command, cwd=home, env=environ, capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1].startswith("5 22 * * * ")
    assert CHATMIRROR in out


def test_a_login_of_the_shell_alone_is_named_and_not_printed(
    person: tuple[MirroredService, Path, dict[str, str]],
) -> None:
    """A secret is on no command line; the person learns that cron would have none."""
    _, home, environ = person
    shutil.rmtree(home / ".config")
    code, out, err = run(home, {**environ, "CHATGPT_SESSION_TOKEN": "very-secret"}, "schedule")
    assert code == 0
    assert "very-secret" not in out + err
    assert "CHATGPT_SESSION_TOKEN" in err
    assert "chatmirror auth" in err


def test_nothing_is_written_unless_asked(person: tuple[MirroredService, Path, dict[str, str]]) -> None:
    """And then what was printed."""
    _, home, environ = person
    before = set(home.rglob("*"))
    _, printed, _ = run(home, environ, "schedule", "--for", "systemd")
    assert set(home.rglob("*")) == before
    code, _, _ = run(home, environ, "schedule", "--for", "systemd", "--write")
    assert code == 0
    written = sorted(path.name for path in set(home.rglob("*")) - before if path.is_file())
    assert written == ["chatmirror.service", "chatmirror.timer"]
    assert all((home / ".config/systemd/user" / name).read_text().rstrip() in printed for name in written)
    assert run(home, environ, "schedule", "--for", "cron", "--write")[0] == 2
    assert run(home, environ, "schedule", "-d", "a\nb.db")[0] == 2


def job(program: str = "/opt/$x/100%/chatmirror") -> Job:
    return Job((program,), ODD, {"CHATMIRROR_CONFIG_DIR": '/srv/a "b" $c %d'}, 3, 17)


def test_a_systemd_unit_starts_what_was_meant(tmp_path: Path) -> None:
    """A dollar, a percent sign, quotes and blanks in paths reach the program as they are; systemd finds no fault."""
    program = tmp_path / "bin"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    units = schedulers.systemd_units(job(str(program)))
    for name, text in units.items():
        (tmp_path / name).write_text(text)
        configparser.RawConfigParser().read_string(text)
    assert sorted(units) == ["chatmirror-a-b.service", "chatmirror-a-b.timer"]
    assert r"""-d" "/home/ada/100%% \"mine\" $$HOME's/a b.db""" in units["chatmirror-a-b.service"]
    assert r"""Environment="CHATMIRROR_CONFIG_DIR=/srv/a \"b\" $c %%d""" in units["chatmirror-a-b.service"]
    verify = shutil.which("systemd-analyze")
    names = [str(tmp_path / name) for name in units]
    if verify:
        found = subprocess.run([verify, "verify", "--user", *names], capture_output=True, text=True, check=False)
        assert [line for line in found.stderr.splitlines() if "chatmirror" in line] == []


def test_a_launch_agent_holds_the_words_as_they_are() -> None:
    ((name, text),) = schedulers.launchd_plist(job(), Path("/Users/ada/Library/Logs")).items()
    found = plistlib.loads(text.encode())
    assert name == found["Label"] + ".plist"
    assert found["ProgramArguments"] == ["/opt/$x/100%/chatmirror", "sync", "-d", str(ODD)]
    assert found["EnvironmentVariables"] == dict(job().settings)


def test_a_windows_task_quotes_what_powershell_would_read() -> None:
    line = schedulers.windows_line(Job(("C:\\Ada's\\chatmirror.exe",), Path("C:/a b/chats.db"), {}, 3, 7))
    assert "-Execute 'C:\\Ada''s\\chatmirror.exe' -Argument 'sync -d \"C:/a b/chats.db\"'" in line
    assert "-At '03:07'" in line
    assert "\n" not in line


def test_the_mirror_is_found_from_another_folder(person: tuple[MirroredService, Path, dict[str, str]]) -> None:
    """What shows chats takes the last mirror; what guards or writes names it, and touches nothing else."""
    _, home, environ = person
    other = home / "other"
    other.mkdir()
    assert run(home, environ, "sync") == (0, "", "")
    assert run(other, environ, "show", "last")[0] == 0
    code, _, err = run(other, environ, "status")
    assert code == 2
    assert f"-d '{home}/chats.db'".replace("Ada's", "Ada'\"'\"'s") in err
    assert f"{home}/chats.db" in run(home, environ, "status")[1]
    assert str(home).replace("'", "'\"'\"'").replace("%", r"\%") in run(other, environ, "schedule", "--for", "cron")[1]
    assert run(other, {**environ, "CHATMIRROR_DB": "mine.db"}, "search", "the")[0] == 2
    assert list(other.iterdir()) == []


def test_a_second_mirror_by_mistake_is_said_at_a_terminal(
    person: tuple[MirroredService, Path, dict[str, str]],
) -> None:
    """A sync in another folder begins a new mirror there, as it always did; a person sees it in time."""
    _, home, environ = person
    assert run(home, environ, "sync")[0] == 0
    (home / "other").mkdir()
    shown, code = pexpect.run(
        f"{CHATMIRROR} sync", cwd=str(home / "other"), env={**environ, "PATH": os.defpath}, withexitstatus=True
    )
    assert code == 0
    assert b"begins a new mirror" in shown
    assert (home / "other" / "chats.db").exists()


def test_the_demo_leaves_the_first_own_sync_alone(person: tuple[MirroredService, Path, dict[str, str]]) -> None:
    """It has a file of its own, so that one's own chats go where they were going to."""
    mirrored, home, environ = person
    assert run(home, {**environ, "CHATMIRROR_DB": str(home / "mine.db")}, "demo")[0] == 0
    assert [path.name for path in home.glob("*.db")] == ["demo.db"]
    mirrored.service.sessions.account.user_id = "user-Ada"
    assert run(home, environ, "sync") == (0, "", "")
    code, _, err = run(home, environ, "sync", "-d", "demo.db")
    assert code == 7
    assert "demo's" in err
    assert "chatmirror sync -d my-chats.db" in err
