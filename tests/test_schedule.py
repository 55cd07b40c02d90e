"""``chatmirror schedule``, and which mirror is meant: what cron, a hand and Datasette have to agree on."""

from __future__ import annotations

import base64
import configparser
import os
import plistlib
import re
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


@pytest.mark.parametrize("scheduler", ["systemd", "launchd"])
def test_the_command_that_saves_the_files_saves_what_was_printed(
    person: tuple[MirroredService, Path, dict[str, str]], scheduler: str
) -> None:
    """Of the same mirror and at the same time, from any folder."""
    _, home, environ = person
    (home / "other").mkdir()
    chosen = ("--for", scheduler, "-d", "its own.db", "--at", "22:05")
    _, printed, _ = run(home, environ, "schedule", *chosen)
    command = re.search("`(.+)` saves the files", printed)
    assert command is not None
    subprocess.run(["/bin/sh", "-c", command[1]], cwd=home / "other", env=environ, capture_output=True, check=True)
    written = [path for path in home.rglob("*chatmirror-its-own*") if path.is_file()]
    assert len(written) == {"systemd": 2, "launchd": 1}[scheduler]
    assert all(path.read_text().rstrip() in printed for path in written)


def test_a_file_that_says_something_else_is_not_replaced(
    person: tuple[MirroredService, Path, dict[str, str]],
) -> None:
    """Another mirror's, or one that the person edited: neither file is written then, and the line names the one."""
    _, home, environ = person
    write = ("schedule", "--for", "systemd", "--write", "-d")
    units = home / ".config/systemd/user"
    assert run(home, environ, *write, "a/chats.db")[0] == 0
    assert run(home, environ, *write, "a/chats.db")[0] == 0
    before = (units / "chatmirror.service").read_bytes()
    (units / "chatmirror.timer").unlink()
    code, out, err = run(home, environ, *write, "b/chats.db")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"{units}/chatmirror.service" in err
    assert not (units / "chatmirror.timer").exists()
    assert (units / "chatmirror.service").read_bytes() == before
    (units / "chatmirror.service").write_bytes(before + b"# caf\xe9\n")
    assert run(home, environ, *write, "a/chats.db")[0] == 2
    (units / "chatmirror.service").unlink()
    assert run(home, environ, *write, "b/chats.db")[0] == 0


def test_mirrors_of_other_file_names_have_other_names() -> None:
    """Also where a name has letters that the schedulers' names cannot have."""
    mirrors = [
        "/a/chats.db",
        "/a/work.db",
        "/a/a b.db",
        "/a/a-b.db",
        "/a/a_b.db",
        "/a/чаты.db",
        "/a/会話.db",
        "/b/会話.db",
    ]
    names = [Job(("/bin/true",), Path(mirror), {}, 3, 17).name for mirror in mirrors]
    assert names[:2] == ["chatmirror", "chatmirror-work"]
    assert len(set(names)) == len(mirrors)
    assert all(re.fullmatch("[A-Za-z0-9_-]+", name) for name in names)


def job(program: str = "/opt/$x/100%/chatmirror") -> Job:
    return Job((program,), ODD, {"CHATMIRROR_CONFIG_DIR": '/srv/a "b" $c %d'}, 3, 17)


def test_a_systemd_unit_starts_what_was_meant(tmp_path: Path) -> None:
    """A dollar, a percent sign, quotes and blanks in paths reach the program as they are."""
    units = schedulers.systemd_units(job())
    service, timer = sorted(units)
    assert service.startswith("chatmirror-a-b-")
    assert timer == service.replace(".service", ".timer")
    # In the program's path a $ is a $ (systemd.service(5)).
    assert r"""ExecStart="/opt/$x/100%%/chatmirror" "sync" "-d" """ in units[service]
    assert r"""-d" "/home/ada/100%% \"mine\" $$HOME's/a b.db""" in units[service]
    assert r"""Environment="CHATMIRROR_CONFIG_DIR=/srv/a \"b\" $c %%d""" in units[service]
    for text in units.values():
        configparser.RawConfigParser().read_string(text)


def test_systemd_finds_no_fault_with_the_units(tmp_path: Path) -> None:
    """It looks for the program too."""
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is not installed")
    program = tmp_path / "100% $x y" / "chatmirror"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    units = schedulers.systemd_units(job(str(program)))
    for name, text in units.items():
        (tmp_path / name).write_text(text)
    command = [verify, "verify", "--man=no", *(f"./{name}" for name in units)]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    lines = [line for line in found.stderr.splitlines() if "chatmirror" in line]
    assert (found.returncode, lines) == (0, [])


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


def test_a_windows_task_has_its_settings_for_itself() -> None:
    """A second account's task, and every other program, has none of them; a laptop's battery does not end it."""
    program = ("C:\\Ada\u2019s $x\\chatmirror.exe",)
    line = schedulers.windows_line(Job(program, Path("C:/a b/work.db"), {"CHATMIRROR_CONFIG_DIR": "C:\\Ada's"}, 3, 7))
    found = re.search(
        "-Execute 'powershell.exe' -Argument '-NoProfile -WindowStyle Hidden -EncodedCommand (.+?)'", line
    )
    assert found is not None
    assert base64.b64decode(found[1]).decode("utf-16-le") == (
        "$env:CHATMIRROR_CONFIG_DIR='C:\\Ada''s'; "
        "& 'C:\\Ada\u2019\u2019s $x\\chatmirror.exe' 'sync' '-d' 'C:/a b/work.db'; exit $LASTEXITCODE"
    )
    assert "SetEnvironmentVariable" not in line
    assert "-AllowStartIfOnBatteries -DontStopIfGoingOnBatteries" in line
    assert line.endswith(" -Force")


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
