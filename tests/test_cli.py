"""The command line as cron and a person meet it: a real process, its exit code, and every byte it prints."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pexpect
import pytest
from archive_files import save
from commands import BIN, run_here, started, wait_until
from mirrored_service import MirroredService
from mirrors import bakery, make_empty_mirror
from trees import tree

from mirror.cli.commands.sync import FileSize
from mirror.cli.entry import exit_code_of
from mirror.cli.group import cli
from mirror.errors import Terminated, UsageError
from mirror.simulator import Behaviour
from mirror.store.database import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from mirror.simulator import ReceivedRequest

CHATMIRROR = str(Path(sys.executable).with_name("chatmirror"))


def run(mirrored: MirroredService, *arguments: str, given: bytes | None = None, **environ: str) -> tuple[int, str, str]:
    """One command in an environment as bare as cron's."""
    found = subprocess.run(
        [CHATMIRROR, *arguments],
        capture_output=True,
        check=False,
        cwd=mirrored.path.parent,
        env={**mirrored.environ, "CHATMIRROR_WAIT_SCALE": "0", **environ},
        input=given,
        timeout=60,
    )
    return found.returncode, found.stdout.decode(), found.stderr.decode()


def started_sync(mirrored: MirroredService) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """A sync in the background."""
    environ = {**mirrored.environ, "CHATMIRROR_WAIT_SCALE": "0"}
    return started(CHATMIRROR, "sync", cwd=mirrored.path.parent, env=environ, stderr=subprocess.PIPE)


@pytest.fixture
def mirrored(tmp_path: Path) -> Iterator[MirroredService]:
    with MirroredService(tmp_path) as opened:
        opened.clock.seconds = time.time()
        yield opened


def test_success_without_a_terminal_says_nothing(mirrored: MirroredService) -> None:
    """Cron mails any output: a run that ends current has none, in an empty environment and an ASCII locale."""
    assert run(mirrored, "sync", LANG="C", PYTHONUTF8="0") == (0, "", "")
    assert run(mirrored, "sync", HOME="/nonexistent") == (0, "", "")


def test_a_failure_is_one_line_on_stderr(mirrored: MirroredService) -> None:
    """What happened, what is safe, what to do; and the exit code of the table."""
    mirrored.behaviour.session = "empty"
    code, out, err = run(mirrored, "sync")
    assert (code, out, err.count("\n")) == (4, "", 1)
    assert err.startswith("chatmirror: ")
    assert "chatmirror auth" in err


def test_no_login_at_all(tmp_path: Path, mirrored: MirroredService) -> None:
    """Without a login nothing is asked of the service."""
    del mirrored.environ["CHATGPT_SESSION_TOKEN"]
    code, _, err = run(mirrored, "sync")
    assert code == 4
    assert "No login yet" in err
    assert mirrored.service.requests == []


def test_auth_reads_a_pipe_tries_and_stores(mirrored: MirroredService) -> None:
    """A login piped in is tried first; the next sync uses it, and no secret is printed."""
    cookie = mirrored.environ.pop("CHATGPT_SESSION_TOKEN")
    code, out, err = run(mirrored, "auth", given=mirrored.service.cookie_header(2).encode())
    assert (code, err) == (0, "")
    assert mirrored.account.user_name in out
    assert cookie not in out
    assert run(mirrored, "sync")[0] == 0
    code, out, _ = run(mirrored, "auth", "--check")
    assert code == 0
    assert mirrored.account.user_name in out


def test_a_wrong_login_is_not_stored(mirrored: MirroredService) -> None:
    """What the service does not take leaves the old login as it was."""
    mirrored.environ.pop("CHATGPT_SESSION_TOKEN")
    assert run(mirrored, "auth", given=b"wrong-cookie")[0] == 4
    assert not (mirrored.path.parent / "config" / "login.json").exists()


def test_a_login_can_be_pasted_at_a_terminal(mirrored: MirroredService) -> None:
    """Longer than a terminal's line, hidden while it is pasted."""
    mirrored.environ.pop("CHATGPT_SESSION_TOKEN")
    mirrored.service.sessions.cookies.add("z" * 7000)
    with pexpect.spawn(CHATMIRROR, ["auth"], env={**os.environ, **mirrored.environ}, timeout=30) as child:
        child.expect("Paste")
        child.sendline("z" * 3933)
        child.sendline("z" * (7000 - 3933))
        child.sendline("")
        child.expect("Signed in as")
        child.expect(pexpect.EOF)
    assert child.exitstatus == 0
    assert b"zzzz" not in child.before


@pytest.mark.parametrize(
    "pasted",
    [
        ["z" * 3933 + "\n\n" + "z" * 67 + "\n"],
        ["z" * 3933 + "\n", "\n", "z" * 67 + "\n"],
        ["\x1b[200~" + "z" * 3933 + "\n", "\n" + "z" * 67 + "\x1b[201~", "\n"],
        ["curl 'https://chatgpt.com' \\\n\n -b '__Secure-next-auth.session-token=" + "z" * 4000 + "'\necho ran\n"],
    ],
    ids=["a blank line", "by hand", "marked, in pieces", "and a command"],
)
def test_enter_once_ends_a_paste_and_its_rest_is_no_command(mirrored: MirroredService, pasted: list[str]) -> None:
    """Where the second part is missing it is asked for; what is pasted beyond the login does not reach the shell."""
    mirrored.environ.pop("CHATGPT_SESSION_TOKEN")
    mirrored.service.sessions.cookies.add("z" * 4000)
    environ = {**os.environ, **mirrored.environ, "PS1": "ready", "PATH": f"{BIN}:{os.defpath}"}
    with pexpect.spawn("/bin/sh", ["-c", "chatmirror auth; echo over; exec cat -v"], env=environ, timeout=30) as child:
        child.expect("Paste")
        for piece in pasted:
            time.sleep(0.5)  # a hand, or a slow line
            child.send(piece)
        child.expect("Signed in as")
        child.expect("over")
        child.sendeof()
        child.expect(pexpect.EOF)
    assert b"zzzz" not in child.before
    assert b"ran" not in child.before


def test_a_stale_login_of_the_environment_is_named(mirrored: MirroredService) -> None:
    """It goes before the stored one, so that a new one alone helps nothing; each place says so."""
    cookie, stale = mirrored.service.session_cookie, {"CHATGPT_SESSION_TOKEN": "stale"}
    code, _, err = run(mirrored, "auth", given=cookie.encode(), CHATGPT_SESSION_TOKEN="stale")
    assert code == 0
    assert "CHATGPT_SESSION_TOKEN is set" in err
    mirrored.environ |= stale
    for command in (["auth", "--check"], ["sync"]):
        code, _, err = run(mirrored, *command)
        assert code == 4
        assert "CHATGPT_SESSION_TOKEN in the environment" in err
    del mirrored.environ["CHATGPT_SESSION_TOKEN"]
    assert run(mirrored, "sync") == (0, "", "")


def test_a_narrow_terminal_sees_every_step_on_one_line(mirrored: MirroredService) -> None:
    """While lists are read, and while chats and files come; the last line's numbers add up, also of a resumed run."""
    batches: list[str] = []
    may_come = threading.Event()

    def second_waits(request: ReceivedRequest) -> None:
        """Ten come with the first; Ctrl-C comes while the second is awaited."""
        if request.path.endswith("/batch"):
            batches.append(request.path)
            if len(batches) == 2:
                may_come.wait(60)

    mirrored.behaviour.replace_response = second_waits
    environ = {**os.environ, **mirrored.environ, "CHATMIRROR_WAIT_SCALE": "0"}

    def sync(*, until: str | None = None) -> str:
        with pexpect.spawn(
            CHATMIRROR, ["sync"], cwd=str(mirrored.path.parent), env=environ, dimensions=(24, 40), encoding="utf-8"
        ) as child:
            shown = ""
            if until:
                child.expect(until)
                shown = child.before + child.after
                child.sendintr()
            child.expect(pexpect.EOF)
            return shown + str(child.before)

    first = sync(until=" 10/12")
    may_come.set()
    second = sync()
    frames = [
        re.sub(r"\^C|\x1b\[[?0-9]*[a-zA-Z]", "", one) for one in re.split(r"[\r\n]+", first.split("chatmirror:")[0])
    ]
    assert [one for one in frames if len(one) > 40] == []
    assert [one for one in frames if re.search(r"^\S.* \(\d+ requests?\)$", one)]
    assert "conversations saved in this run" in first
    said = re.search(r"12 conversations: (\d+) new, 0 changed, (\d+) unchanged", second)
    assert said is not None
    assert int(said[1]) + int(said[2]) == 12
    assert int(said[2]) >= 10


@pytest.mark.parametrize("option", ["--dry-run", "-v"])
def test_where_no_list_was_read_nothing_is_counted(mirrored: MirroredService, option: str) -> None:
    """Without a network "0 would be fetched" is no finding, and there is nothing new to look at."""
    code, out, err = run(mirrored, "sync", option, CHATMIRROR_BASE_URL="http://127.0.0.1:9")
    assert (code, out) == (5, "")
    assert "ChatGPT" in err.splitlines()[-1]
    code, out, _ = run(mirrored, "sync", option)
    assert (code, out.startswith("12 conversations: ")) == (0, True)


def test_two_runs_at_once(mirrored: MirroredService) -> None:
    """The second one ends with 11 and touches nothing."""
    mirrored.behaviour.latency = 0.3
    with started_sync(mirrored) as first:
        wait_until(lambda: len(mirrored.service.requests) > 0, first)
        code, _, err = run(mirrored, "sync")
        assert code == 11
        assert "Another chatmirror run" in err
        assert first.wait(60) == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_at_once_and_says_what_is_saved(mirrored: MirroredService, number: int, code: int) -> None:
    """Ctrl-C in the middle of an answer: saved conversations stay, the next run completes."""
    with started_sync(mirrored) as process:
        wait_until(lambda: len(mirrored.service.requests) >= 4, process)
        mirrored.behaviour.latency = 30
        process.send_signal(number)
        _, err = process.communicate(timeout=10)  # long before the answer that it was waiting for
    assert process.returncode == code
    assert err.startswith(b"chatmirror: "), "no empty line before it"
    assert b"conversations saved" in err
    assert err.count(b"\n") == 1
    mirrored.behaviour.latency = 0
    assert run(mirrored, "sync")[0] == 0


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt, 130), (Terminated, 143)])
def test_any_other_command_that_is_stopped_says_so_in_one_line(
    capsys: pytest.CaptureFixture[str], error: type[BaseException], code: int
) -> None:
    def stop() -> None:
        raise error

    assert exit_code_of(stop, debug=False) == code
    assert capsys.readouterr().err == "chatmirror: stopped; what is saved stays. Run again to continue.\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["import", ""], "PATH is empty"),
        (["import", "nowhere.zip"], "There is no nowhere.zip"),
        (["import", "https://chatgpt.com/c/1"], "This is a web address, and an import reads files"),
        (["backup", ""], "PATH is empty"),
        (["restore", ""], "BACKUP is empty"),
        (["export", ""], "DIR is empty"),
    ],
)
def test_a_path_that_is_not_there_is_named_and_nothing_is_made(tmp_path: Path, words: list[str], said: str) -> None:
    """A variable that is not set must not mean the present folder, nor a wrong path make a new mirror."""
    ended = subprocess.run(
        [CHATMIRROR, *words], cwd=tmp_path, capture_output=True, text=True, check=False, env={"HOME": str(tmp_path)}
    )
    assert (ended.returncode, said in ended.stderr, ended.stderr.count("\n")) == (2, True, 1)
    assert list(tmp_path.glob("*.db*")) == []


@pytest.mark.parametrize(
    ("words", "named", "help_command"),
    [
        (["nosuch"], "nosuch", "chatmirror --help"),
        (["search"], "WORDS", "chatmirror search --help"),
        (["sync", "--ful"], "--ful", "chatmirror sync --help"),
        (["sync", "more"], "more", "chatmirror sync --help"),
    ],
)
def test_a_mistyped_command_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], words: list[str], named: str, help_command: str
) -> None:
    """As every failure, and with the way to the help. What it says before that is click's."""
    code = exit_code_of(lambda: cli.main(words, "chatmirror", standalone_mode=False), debug=False)
    out, err = capsys.readouterr()
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("chatmirror: ")
    assert err.endswith(f" See `{help_command}`.\n")
    assert named in err


@pytest.mark.parametrize(
    "words",
    [
        ["search", "caf\udce9"],
        ["show", "caf\udce9"],
        *(["search", "x", option, "caf\udce9"] for option in ("--model", "--project", "--role", "--kind", "--since")),
        ["export", "vault", "caf\udce9"],
    ],
)
@pytest.mark.leaves_damage("its rows are written by hand, from no payload")
def test_a_byte_that_is_no_text_is_no_bug(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    """As a terminal of another encoding sends it: nothing is found, or what is asked for is named."""
    bakery(tmp_path / "chats.db")
    folder, database = str(tmp_path), str(tmp_path / "chats.db")
    arguments = [*words[:1], "-d", database, *(f"{folder}/vault" if word == "vault" else word for word in words[1:])]
    code = exit_code_of(lambda: cli.main(arguments, "chatmirror", standalone_mode=False), debug=False)
    assert code in {0, 2}
    assert "internal error" not in capsys.readouterr().err


def test_a_payload_is_printed_byte_for_byte(mirrored: MirroredService) -> None:
    """What ``show --raw`` prints has the hash under which it is stored. Of two formats, neither is printed."""
    mirrored.next_run()
    key, sha256 = mirrored.rows("SELECT conversation_id, sha256 FROM _payloads")[0]
    code, out, err = run_here(mirrored.path.parent, "show", key, "--raw")
    assert (code, hashlib.sha256(out.encode()).hexdigest(), err) == (0, sha256, "")
    with pytest.raises(UsageError, match="--json and --raw cannot be used together"):
        run_here(mirrored.path.parent, "show", key, "--raw", "--json")


def test_a_killed_run_is_caught_up(mirrored: MirroredService) -> None:
    """SIGKILL in the middle: no lock is left, the file is whole, and the next run completes."""
    mirrored.behaviour.latency = 0.05
    with started_sync(mirrored) as process:
        wait_until(lambda: len(mirrored.service.requests) >= 9, process)
        process.kill()
    mirrored.behaviour.latency = 0
    assert run(mirrored, "sync") == (0, "", "")
    assert run(mirrored, "check") == (0, "", "")
    assert mirrored.rows("SELECT outcome FROM sync_runs ORDER BY id") == [("interrupted",), ("current",)]


def test_importing_an_export_and_syncing_fetches_only_what_changed_since(mirrored: MirroredService) -> None:
    """First the ZIP, then the service: unchanged chats are not asked for again."""
    chats = [mirrored.account.tree(key) for key in mirrored.ids()]
    export = [{**chat, "id": chat["conversation_id"]} for chat in chats]
    with zipfile.ZipFile(mirrored.path.parent / "export.zip", "w") as archive:
        archive.writestr("conversations.json", json.dumps(export))
    assert run(mirrored, "import", "export.zip") == (0, "", "")
    assert mirrored.value("SELECT count(*) FROM conversations") == 12
    changed = mirrored.ids()[2]
    mirrored.person.new_message(changed)
    assert run(mirrored, "sync") == (0, "", "")
    assert {i for r in mirrored.asked("/batch") for i in r.ids} == {changed}
    assert run(mirrored, "import", "export.zip") == (0, "", "")
    assert mirrored.value("SELECT count(*) FROM messages WHERE removed_at IS NOT NULL") == 0
    assert run(mirrored, "check") == (0, "", "")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("gone.zip", None, "gone.zip"),
        ("empty.json", b"", "empty.json"),
        ("broken.zip", b"PK\x03\x04 not really", "broken.zip"),
        ("letter.json", b"Dear aunt,", "letter.json"),
        ("other.json", b'{"a": 1}', "other.json: is JSON, but no conversation"),
        ("list.json", b"[]", "list.json: holds no conversations"),
        ("cut.json", b'[{"title": ', "cut.json: ends in the middle"),
    ],
)
def test_a_hopeless_import_names_the_file(
    mirrored: MirroredService, name: str, content: bytes | None, words: str
) -> None:
    """What cannot be used at all is a usage error with the file's name, and nothing is imported."""
    if content is not None:
        (mirrored.path.parent / name).write_bytes(content)
    code, out, err = run(mirrored, "import", name)
    assert (code, out) == (2, "")
    assert words in err
    assert "Traceback" not in err
    assert content is None or "stored before is unchanged; give the export's ZIP" in err


@pytest.mark.parametrize(("name", "content"), [("letter.txt", b"Dear aunt,"), ("empty.json", b""), ("folder", None)])
def test_what_cannot_be_read_makes_no_mirror(tmp_path: Path, name: str, content: bytes | None) -> None:
    """An empty mirror in whatever folder one is in would be taken for the real one."""
    if content is None:
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match="Nothing was imported"):
        run_here(tmp_path, "import", str(tmp_path / name))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def _zip(**members: bytes) -> bytes:
    """A ZIP whose members are not compressed."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("other.json", b'{"a": 1}'),
        ("conversations.json", b"[]"),
        ("conversations.json", b'[{"id": "c", "title": "cut sh'),
        ("conversations.json", b'[{"mapping": 1}, 2, null]'),
        ("export.zip", _zip(**{"conversations.json": b"[]", "user.json": b"{}"})),
        ("export.zip", _zip(**{"conversations.json": b"[]", "file-abc123-a.png": b""})),
        ("export.zip", _zip(**{"file-abc123-a.png": b"PNG bytes"}).replace(b"PNG bytes", b"JPG bytes")),
    ],
)
def test_where_nothing_is_imported_no_mirror_is_made(tmp_path: Path, name: str, content: bytes) -> None:
    """It would hide the mirror of the last sync from ``search`` and ``show``; one that is there keeps a row of it."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match="Nothing was imported") as new:
        run_here(tmp_path, "import", str(tmp_path / name))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    make_empty_mirror(tmp_path / "chats.db")
    with pytest.raises(UsageError, match="Nothing was imported") as old:
        run_here(tmp_path, "import", str(tmp_path / name))
    assert new.value.message == old.value.message
    with closing(sqlite3.connect(tmp_path / "chats.db")) as conn:
        assert conn.execute("SELECT command, exit_code, message FROM sync_runs").fetchall() == [
            ("import", 2, old.value.message)
        ]


def test_a_hopeless_file_costs_no_other(mirrored: MirroredService) -> None:
    """Of several files the good ones are imported and the bad ones named; exit 3, and 2 where all are bad."""
    folder = mirrored.path.parent
    (folder / "good.json").write_text(json.dumps([{**tree("hello", "hi"), "id": "x"}]))
    (folder / "page.json").write_text("<html>sign in</html>")
    code, _, err = run(mirrored, "import", "page.json", "good.json", "gone.json")
    assert code == 3
    assert "page.json" in err
    assert "gone.json" in err
    assert mirrored.value("SELECT count(*) FROM conversations") == 1
    code, _, err = run(mirrored, "import", "page.json", "gone.json")
    assert code == 2
    assert "page.json" in err
    assert "gone.json" in err


def test_one_unusable_conversation_costs_no_other(mirrored: MirroredService) -> None:
    """The rest is imported, the bad one is named, exit 3."""
    good = [
        {**tree("hello", "hi", conversation_id=f"00000000-0000-4000-8000-00000000000{n}"), "id": "x"} for n in range(3)
    ]
    (mirrored.path.parent / "c.json").write_text(
        json.dumps([good[0], {"id": "y", "title": "no tree"}, good[1], None, good[2]])
    )
    code, _, err = run(mirrored, "import", "c.json")
    assert code == 3
    assert "c.json" in err
    assert mirrored.value("SELECT count(*) FROM conversations") == 3


@pytest.mark.leaves_damage("a run is dated back by hand")
def test_status_is_zero_only_when_fresh(mirrored: MirroredService) -> None:
    """A second cron line can watch the first."""
    mirrored.path.unlink()
    assert run(mirrored, "status")[0] == 2
    run(mirrored, "sync")
    code, out, err = run(mirrored, "status")
    assert (code, err) == (0, "")
    assert "12 conversations" in out
    with closing(sqlite3.connect(mirrored.path)) as conn:
        conn.execute("UPDATE sync_runs SET started_at = '2020-01-01T00:00:00.000Z'")
        conn.commit()
    code, _, err = run(mirrored, "status")
    assert code == 5
    assert "days old" in err


@pytest.mark.leaves_damage("a run is dated ahead by hand")
def test_a_success_in_the_future_is_none(mirrored: MirroredService) -> None:
    """A clock that went wrong once does not make a mirror look fresh for years."""
    assert run(mirrored, "sync")[0] == 0
    with closing(sqlite3.connect(mirrored.path)) as conn:
        conn.execute("UPDATE sync_runs SET started_at = '2046' || substr(started_at, 5)")
        conn.commit()
    code, _, err = run(mirrored, "status")
    assert code == 5
    assert "clock" in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", [["show", "last"], ["search", "river"], ["status"], ["report", "-"]])
def test_a_full_disk_under_the_output_is_said(mirrored: MirroredService, arguments: list[str]) -> None:
    """Where the work is to print, what cannot be printed is no bug and no success."""
    assert run(mirrored, "sync")[0] == 0
    command = [CHATMIRROR, *arguments]
    with Path("/dev/full").open("w") as full:
        found = subprocess.run(
            command, cwd=mirrored.path.parent, env=mirrored.environ, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert found.returncode == 8
    assert b"Cannot write" in found.stderr
    assert b"Traceback" not in found.stderr


def test_status_names_what_is_missing(mirrored: MirroredService) -> None:
    """A chat that could not be saved is named with its reason."""
    key = mirrored.ids()[1]
    mirrored.behaviour.poisoned = frozenset({key})
    assert run(mirrored, "sync")[0] == 3
    code, out, _ = run(mirrored, "status")
    assert code in {3, 5}
    assert key in out
    assert "500" in out


def test_backup_is_whole_and_private(mirrored: MirroredService) -> None:
    """A copy at any time: complete, 0600, and it checks."""
    run(mirrored, "sync")
    assert run(mirrored, "backup", "copy.db") == (0, "", "")
    copy = mirrored.path.parent / "copy.db"
    assert copy.stat().st_mode & 0o777 == 0o600
    assert run(mirrored, "check", "-d", "copy.db") == (0, "", "")
    assert run(mirrored, "backup", "chats.db")[0] == 2


def test_check_finds_and_repairs(mirrored: MirroredService) -> None:
    """A row that is not what its payload says is found; --repair derives it again."""
    run(mirrored, "sync")
    with closing(sqlite3.connect(mirrored.path)) as conn:
        conn.execute("UPDATE messages SET text = 'forged' WHERE rowid = 3")
        conn.commit()
    code, _, err = run(mirrored, "check")
    assert code == 9
    assert "differ from its payload" in err
    assert run(mirrored, "check", "--repair")[0] == 0
    assert run(mirrored, "check") == (0, "", "")
    assert mirrored.value("SELECT count(*) FROM messages WHERE text = 'forged'") == 0


def _page_of(table: str) -> str:
    return f"SELECT rootpage FROM sqlite_master WHERE name = '{table}'"


READERS = [("search", "bread"), ("show", "last"), ("check",)]
CASES = [(damage, command) for damage in ("page", "schema", "text") for command in READERS]


@pytest.mark.parametrize(
    ("damage", "command"),
    [*CASES, ("schema", ("status",)), ("schema", ("sync",)), ("lists", ("sync",)), ("chats", ("rebuild",))],
)
@pytest.mark.leaves_damage("a page, a schema or a text is damaged")
def test_a_damaged_file_is_called_damaged(mirrored: MirroredService, damage: str, command: tuple[str, ...]) -> None:
    """Whatever of the file is spoilt, reading it says so in one line and exit 9, never that the program is wrong."""
    run(mirrored, "sync")
    with closing(sqlite3.connect(mirrored.path)) as conn:
        table = {"lists": "_listed", "chats": "conversations"}.get(damage, "messages")
        root, size = conn.execute(_page_of(table)).fetchone()[0], conn.execute("PRAGMA page_size").fetchone()[0]
        if damage == "schema":
            conn.execute("PRAGMA writable_schema=ON")
            conn.execute("UPDATE sqlite_master SET sql = CAST(x'4352454154bd' AS TEXT) WHERE name = 'messages'")
        if damage == "text":
            conn.execute("UPDATE conversations SET title = CAST(x'bdbd' AS TEXT)")
            conn.execute("UPDATE messages SET text = CAST(x'6272656164bd' AS TEXT)")
        conn.commit()
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    if damage in {"page", "lists", "chats"}:
        with mirrored.path.open("r+b") as file:
            file.seek((root - 1) * size)
            file.write(b"\xff" * size)
    code, out, err = run(mirrored, *command)
    assert (code, out) == (9, "")
    assert err.count("\n") == 1
    assert "damaged" in err
    assert "bread" not in err


@pytest.mark.leaves_damage("the file is cut off, beyond repair")
@pytest.mark.parametrize("command", [("check",), ("check", "--repair")])
def test_nobody_is_sent_in_a_circle(mirrored: MirroredService, command: tuple[str, ...]) -> None:
    """Of a file that is cut off, ``check`` says what to do instead of itself."""
    run(mirrored, "sync")
    with closing(sqlite3.connect(mirrored.path)) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    os.truncate(mirrored.path, mirrored.path.stat().st_size // 3)
    code, out, err = run(mirrored, *command)
    assert (code, out, err.count("\n")) == (9, "", 1)
    assert "chatmirror restore BACKUP" in err
    assert "chatmirror check" not in err
    assert "chatmirror check" in run(mirrored, "search", "bread")[2]


@pytest.mark.leaves_damage("the file is a letter")
@pytest.mark.parametrize("command", [("search", "bread"), ("status",), ("check",), ("sync",)])
def test_a_file_that_never_was_a_mirror_is_not_to_be_restored_over(
    mirrored: MirroredService, command: tuple[str, ...]
) -> None:
    mirrored.path.write_text("A letter.\n" * 200)
    code, _, err = run(mirrored, *command)
    assert (code, err.count("\n")) == (9, 1)
    assert "never was a mirror" in err
    assert "Give another -d PATH" in err
    assert mirrored.path.read_text() == "A letter.\n" * 200


def test_rebuild_changes_nothing_that_is_right(mirrored: MirroredService) -> None:
    """Deriving everything again gives the same rows."""
    run(mirrored, "sync")
    before = mirrored.rows("SELECT * FROM messages")
    assert run(mirrored, "rebuild") == (0, "", "")
    assert mirrored.rows("SELECT * FROM messages") == before


def test_no_secret_is_ever_an_option() -> None:
    """No option takes a cookie or a token: the command line is public."""
    text = subprocess.run([CHATMIRROR, "sync", "--help"], capture_output=True, check=True).stdout.decode()
    assert "token" not in text.lower()
    assert "cookie" not in text.lower()


def test_help_loads_nothing_heavy() -> None:
    """``--help`` answers at once: what is slow to import is imported by the command that needs it."""
    heavy = {"requests", "sqlite_utils", "datasette", "sqlite3", "logging", "mirror.app"}
    program = "import sys, mirror.cli; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert heavy & set(found.stdout.decode().split()) == set()


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["sync", "--nonsense"], ["import"]])
def test_a_wrong_command_line_is_exit_2(mirrored: MirroredService, arguments: list[str]) -> None:
    """Usage errors are told by click's own 2."""
    code, _, err = run(mirrored, *arguments)
    assert code == 2
    assert "Traceback" not in err


def test_an_unexpected_error_is_one_line_without_personal_data(mirrored: MirroredService) -> None:
    """A bug ends in exit 1 and a line that can be reported as it is."""
    run(mirrored, "sync")
    mirrored.behaviour.break_request = None
    mirrored.alter_answers(lambda *_: (200, {"accounts": {"x": {"account": 7}}}))
    code, _, err = run(mirrored, "sync")
    assert code != 0
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_a_narration_goes_to_stderr_and_names_no_secret(mirrored: MirroredService) -> None:
    """-v says what is done, without cookie or bearer."""
    code, out, err = run(mirrored, "sync", "-v")
    assert code == 0
    assert "12 conversations: 12 new" in out
    assert "/backend-api/conversations" in err
    assert mirrored.service.session_cookie not in out + err
    assert not any(bearer in out + err for bearer in mirrored.service.sessions.bearers)


def test_sql_reads_while_a_sync_writes(tmp_path: Path) -> None:
    """A reader during a long first fill never sees an error or half a conversation."""
    with MirroredService(tmp_path, behaviour=Behaviour(latency=0.02), conversations=120) as mirrored:
        seen = set()
        with started_sync(mirrored) as process:
            while process.poll() is None:
                seen |= counts_of_messages(mirrored)
        assert process.returncode == 0
        assert seen == {4}


def counts_of_messages(mirrored: MirroredService) -> set[int]:
    """How many messages conversations have; nothing where the database is not there yet."""
    try:
        rows = mirrored.rows("SELECT count(*) FROM messages GROUP BY conversation_id")
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error) and "unable to open" not in str(error):
            raise
        return set()
    return {row[0] for row in rows}


def test_an_export_can_be_held_against_the_mirror(mirrored: MirroredService) -> None:
    """The completeness report names what the mirror lacks of an official export, and is silent of the rest."""
    mirrored.behaviour.omitted = frozenset({mirrored.ids()[4]})
    run(mirrored, "sync")
    chats = [{**mirrored.account.tree(key), "id": key} for key in mirrored.ids()]
    (mirrored.path.parent / "conversations.json").write_text(json.dumps(chats))
    code, out, _ = run(mirrored, "status", "--against", "conversations.json")
    assert code == 3
    assert "lacks 1 of these conversations" in out
    assert mirrored.ids()[4] in out
    run(mirrored, "import", "conversations.json")
    code, out, err = run(mirrored, "status", "--against", "conversations.json")
    assert (code, err) == (0, "")
    assert "lacks 0 of these conversations, and 0 messages" in out


def test_the_end_of_the_login_is_announced_days_ahead(mirrored: MirroredService) -> None:
    """A session that ends within a week is said on stderr, also by a run that is current."""
    mirrored.behaviour.session_days = 3.5
    code, out, err = run(mirrored, "sync")
    assert (code, out) == (0, "")
    assert "in 3 days" in err
    assert "in 3 days" in run(mirrored, "status")[1]


def test_rows_of_another_version_are_not_called_damage(mirrored: MirroredService) -> None:
    """After an update that reads payloads better, check asks for a rebuild, and is content after it."""
    run(mirrored, "sync")
    with Writer(mirrored.path) as writer, writer.transaction() as conn:
        conn.execute("UPDATE _settings SET value = '0' WHERE key = 'normalizer:chatgpt'")
        conn.execute("UPDATE messages SET text = 'as an older version read it' WHERE rowid = 3")
    code, _, err = run(mirrored, "check")
    assert code == 3
    assert "chatmirror rebuild" in err
    assert run(mirrored, "rebuild") == (0, "", "")
    assert run(mirrored, "check") == (0, "", "")
    assert mirrored.value("SELECT count(*) FROM messages WHERE text LIKE 'as an older%'") == 0


def test_status_before_a_first_success_ends_with_the_last_runs_code(mirrored: MirroredService) -> None:
    """A sign-in that failed is told as such by the watching cron line, its sentence once."""
    mirrored.behaviour.session = "empty"
    assert run(mirrored, "sync")[0] == 4
    code, out, err = run(mirrored, "status")
    assert code == 4
    assert "no successful sync yet" in err
    assert (out + err).count("gave no access token") == 1


def test_status_names_why_the_last_run_failed_while_the_mirror_is_fresh(mirrored: MirroredService) -> None:
    """A failure after a success of the same day is shown, and is no reason to call the mirror stale."""
    assert run(mirrored, "sync")[0] == 0
    mirrored.behaviour.session = "empty"
    assert run(mirrored, "sync")[0] == 4
    code, out, err = run(mirrored, "status")
    assert (code, err) == (0, "")
    assert out.count("gave no access token") == 1


@pytest.mark.parametrize(
    "command",
    [
        ("sync",),
        ("sync", "--dry-run"),
        ("auth", "--check"),
        ("status",),
        ("search", "bread"),
        ("show", "last"),
        ("check",),
        ("check", "--repair"),
        ("rebuild",),
        ("backup", "copy.db"),
    ],
)
def test_a_command_that_cannot_start_leaves_nothing_behind(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Without a login or a database: one line, and no database, lock file or folder that was not there."""
    environ = {"CHATMIRROR_CONFIG_DIR": str(tmp_path / "config"), "PATH": os.environ["PATH"]}
    found = subprocess.run([CHATMIRROR, *command], cwd=tmp_path, env=environ, capture_output=True, check=False)
    assert found.returncode in {2, 4}
    assert found.stderr.count(b"\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_a_login_is_recorded_where_there_is_a_database(mirrored: MirroredService) -> None:
    """The row of a run that could not start says why."""
    assert run(mirrored, "sync")[0] == 0
    del mirrored.environ["CHATGPT_SESSION_TOKEN"]
    assert run(mirrored, "sync")[0] == 4
    assert mirrored.rows("SELECT outcome, exit_code FROM sync_runs ORDER BY id") == [
        ("current", 0),
        ("sign-in needed", 4),
    ]


def _forge_a_message(mirrored: MirroredService) -> None:
    with closing(sqlite3.connect(mirrored.path)) as conn:
        conn.execute("UPDATE messages SET text = 'forged' WHERE rowid = 3")
        conn.commit()


def test_rebuild_and_repair_leave_a_row_each(mirrored: MirroredService) -> None:
    """Every command that writes is in sync_runs; status still speaks of syncs only."""
    assert run(mirrored, "sync")[0] == 0
    assert run(mirrored, "check", "--repair") == (0, "", "")  # nothing to do, nothing written
    _forge_a_message(mirrored)
    assert run(mirrored, "check", "--repair")[0] == 0
    _forge_a_message(mirrored)
    assert run(mirrored, "rebuild")[0] == 0
    rows = mirrored.rows("SELECT command, outcome, exit_code, finished_at IS NOT NULL FROM sync_runs ORDER BY id")
    assert rows == [("sync", "current", 0, 1), ("repair", "current", 0, 1), ("rebuild", "current", 0, 1)]
    assert mirrored.value("SELECT changed FROM sync_runs WHERE command = 'rebuild'") == 1
    assert "last run" not in run(mirrored, "status")[1]


@pytest.mark.parametrize("command", [("rebuild",), ("check", "--repair")])
@pytest.mark.leaves_damage("a payload is damaged")
def test_a_rebuild_that_fails_leaves_its_outcome(mirrored: MirroredService, command: tuple[str, ...]) -> None:
    """A payload that cannot be read: exit 9, and the row says so."""
    assert run(mirrored, "sync")[0] == 0
    with closing(sqlite3.connect(mirrored.path)) as conn:
        conn.execute("UPDATE _payloads SET body = x'00' WHERE rowid = (SELECT min(rowid) FROM _payloads)")
        conn.commit()
    assert run(mirrored, *command)[0] == 9
    assert mirrored.rows("SELECT outcome, exit_code FROM sync_runs WHERE command <> 'sync'") == [("damaged", 9)]


# A program in which an answer of the service leads to an error that holds all that must never be shown.
BROKEN = """
from mirror.web.client import Client
request = Client.request
def broken(self, method, path, **how):
    answer = request(self, method, path, **how)
    if "batch" in path:
        raise KeyError(f"{how} {answer.body}") from ValueError(str(how))
    return answer
Client.request = broken
from mirror.cli import main
main()
"""


@pytest.mark.parametrize("environ", [{"CHATMIRROR_DEBUG": "1"}, {}])
def test_a_bug_can_be_diagnosed_and_shows_no_secret(mirrored: MirroredService, environ: dict[str, str]) -> None:
    """With CHATMIRROR_DEBUG=1 the way through the code and the requests are shown; no cookie, token, title or text."""
    mirrored.person.new_conversation("Canary title", "canary question", "canary answer")
    found = subprocess.run(
        [sys.executable, "-c", BROKEN, "sync"],
        cwd=mirrored.path.parent,
        env={**mirrored.environ, "CHATMIRROR_WAIT_SCALE": "0", **environ},
        capture_output=True,
        check=False,
    )
    said = (found.stdout + found.stderr).decode()
    assert found.returncode == 1
    assert said.splitlines()[-1].startswith("chatmirror: internal error (KeyError in ")
    secrets = [mirrored.service.session_cookie, *mirrored.service.sessions.bearers]
    assert len(secrets) > 1
    assert [secret for secret in secrets if secret[:40] in said] == []
    assert "canary" not in said.lower()
    assert "Bearer" not in said
    if not environ:
        assert said.count("\n") == 1
        return
    assert "KeyError" in said
    assert "ValueError" in said
    assert re.search(r"mirror/app\.py:\d+ in sync\b", said)
    assert re.search(r"GET /backend-api/\S+ 200 \d+ bytes", said)
    assert str(Path.home()) not in said


CLOSED, FULL = "<&- >&- 2>&-", ">/dev/full 2>/dev/full"
STREAMS = [
    *((f"sync -v {stream}", 0) for stream in (">&-", "2>&-", "<&-", CLOSED, ">/dev/full", "2>/dev/full", FULL)),
    *((f"{command} {CLOSED}", 0) for command in ("check", "check --repair", "search bread", "show last", "status")),
    *((f"{command} {streams}", 0) for command in ("backup bk.db", "restore bk.db") for streams in (CLOSED, FULL)),
    *((f"rebuild {streams}", 0) for streams in (CLOSED, FULL)),
    *((f"demo -d demo-{n}.db {streams}", 0) for n, streams in enumerate((CLOSED, FULL))),
    *((f"{command} {FULL}", 0) for command in ("auth --check", "check", "sync --dry-run", "import export.json")),
    *((f"auth {streams}", 2) for streams in (CLOSED, "<&-")),
    *((f"import missing.json {streams}", 2) for streams in (CLOSED, FULL)),
    ("sync -v 2>&1 | true; exit ${PIPESTATUS[0]}", 0),
    (f"show last {FULL}", 8),
]


def test_a_file_that_has_the_number_of_a_closed_stream_is_not_written_to(tmp_path: Path) -> None:
    """Whatever was opened before the streams were made usable."""
    program = (
        "import os, sys\nassert os.open('victim', os.O_RDWR | os.O_CREAT) == 2\nfrom mirror.cli import streams\n"
        "streams.prepare()\nprint('an error', file=sys.stderr)\nsys.stderr.flush()"
    )
    subprocess.run(["bash", "-c", '"$0" -c "$1" 2>&-', sys.executable, program], cwd=tmp_path, check=True)
    assert (tmp_path / "victim").read_bytes() == b""


def test_no_stream_changes_the_work_or_its_exit_code(mirrored: MirroredService) -> None:
    """What is printed goes nowhere; the command does the same and ends with the same."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    run(mirrored, "sync")
    run(mirrored, "backup", "bk.db")
    folder = mirrored.path.parent
    save(folder / "export.json", [mirrored.account.tree(mirrored.ids()[0])])
    for command, expected in STREAMS:
        key = mirrored.person.new_conversation("New", "question", "answer") if "sync -v" in command else None
        found = subprocess.run(
            ["bash", "-c", f"{CHATMIRROR} {command}"],
            cwd=folder,
            env={**mirrored.environ, "CHATMIRROR_WAIT_SCALE": "0", "PATH": os.environ["PATH"]},
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert (command, found.returncode) == (command, expected), found.stderr
        assert b"Traceback" not in found.stderr
        if key is not None:
            assert mirrored.value("SELECT count(*) FROM conversations WHERE id = ?", key) == 1, command
        assert mirrored.value("PRAGMA quick_check") == "ok"


def test_a_reader_that_goes_away_is_no_error(demo: tuple[Path, str]) -> None:
    command = f"{BIN / 'chatmirror'} search sourdough -n 50 | true; exit ${{PIPESTATUS[0]}}"
    found = subprocess.run(["bash", "-c", command], cwd=demo[0], capture_output=True, check=False, timeout=60)
    assert (found.returncode, found.stderr) == (0, b"")


def test_a_login_that_ends_soon_and_an_error_are_one_line(mirrored: MirroredService) -> None:
    """Cron mails what is on stderr; the error comes first."""
    mirrored.behaviour.session_days = 3
    mirrored.behaviour.poisoned = frozenset({mirrored.ids()[1]})
    code, _, err = run(mirrored, "sync")
    assert (code, err.count("\n")) == (3, 1)
    assert "in 3 days" in err or "in 2 days" in err


def test_a_damaged_search_index_is_mended_by_repair_and_by_rebuild(mirrored: MirroredService) -> None:
    """Search says so, and sends nobody to a backup."""
    run(mirrored, "sync")
    for mend in (("check", "--repair"), ("rebuild",)):
        with closing(sqlite3.connect(mirrored.path)) as conn:
            conn.execute("UPDATE messages_fts_data SET block = x'0102030405060708' WHERE id > 10")
            conn.commit()
        code, _, err = run(mirrored, "search", "river")
        assert (code, "check --repair" in err, "backup" in err) == (9, True, False)
        assert run(mirrored, *mend)[0] == 0
        assert run(mirrored, "check") == (0, "", "")
        assert run(mirrored, "search", "river")[0] == 0


def test_an_id_of_a_person_that_is_no_text_is_one_nevertheless(mirrored: MirroredService) -> None:
    """A lone surrogate can be stored by no database."""

    def told(request: ReceivedRequest, data: Any) -> Any:
        return {**data, "user": {"id": "user-\ud800"}} if request.path == "/api/auth/session" else data

    mirrored.alter_answers(told)
    for _ in range(2):
        assert run(mirrored, "sync")[0] == 0


@pytest.mark.parametrize(
    "command", [("status",), ("search", "x"), ("show", "last"), ("check",), ("rebuild",), ("backup", "copy.db")]
)
def test_an_empty_file_is_called_empty(tmp_path: Path, command: tuple[str, ...]) -> None:
    """It is no mirror yet; what only reads says so, and makes none of it."""
    path = tmp_path / "chats.db"
    path.touch()
    found = subprocess.run([CHATMIRROR, *command], capture_output=True, check=False, cwd=tmp_path, timeout=60)
    assert (found.returncode, found.stdout) == (2, b"")
    assert found.stderr.decode().startswith("chatmirror: chats.db is an empty file: nothing was mirrored into it yet.")
    assert path.stat().st_size == 0
    assert [file.name for file in tmp_path.iterdir()] == ["chats.db"]


def test_a_backup_into_a_folder_says_which_file_it_made(mirrored: MirroredService) -> None:
    """At a terminal, as for a file that is named."""
    run(mirrored, "sync")
    (mirrored.path.parent / "copies").mkdir()
    child = pexpect.spawn(CHATMIRROR, ["backup", "copies"], cwd=str(mirrored.path.parent), timeout=60)
    child.expect(pexpect.EOF)
    assert b"copies/chats.db: " in child.before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everything")
def test_a_file_that_cannot_be_written_is_said_without_the_service(mirrored: MirroredService) -> None:
    """A repair asks nothing of the service, and does not speak of it."""
    run(mirrored, "sync")
    mirrored.path.chmod(0o400)
    code, _, err = run(mirrored, "check", "--repair")
    assert (code, "service" in err) == (8, False)


@pytest.mark.parametrize(
    ("text", "size"), [("5000", 5000), ("50MB", 50_000_000), ("2.5 gb", 2_500_000_000), ("1GiB", 1 << 30), ("1K", 1000)]
)
def test_sizes_in_every_form(text: str, size: int) -> None:
    assert FileSize().convert(text, None, None) == size


@pytest.mark.parametrize("text", ["", "big", "-1", "1TB", "99999999999999GB", "0x10", "1e9"])
def test_what_is_no_size_is_said(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no size"):
        FileSize().convert(text, None, None)
