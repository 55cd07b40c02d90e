"""docs/recipes.md: each example runs as it stands, where the program that it is about is installed."""

from __future__ import annotations

import configparser
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from archive_files import conversation as archived
from archive_files import save
from commands import BIN, started, wait_until
from doc_tables import blocks, page, sections
from files.file_service import png
from mirrored_service import MirroredService

from mirror.cli.schedulers import Job, systemd_units
from mirror.simulator import ManualClock, SimulatedFile, generated_account

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RECIPES = sections(page("recipes.md"))
# Sections whose examples a test below runs.
TESTED = {"pandas", "DuckDB", "DuckDB over an export", "sqlite-utils", "Obsidian", "llm", "Datasette with a login"}
TESTED |= {"Litestream: a copy that follows within a second", "Datasette on a server, from a copy"}
TESTED |= {"A ping that stops when the sync stops", "systemd tells you of a failure"}
# sync asks an account, which nobody has here; it ends as the test says.
STAND_IN = '#!/bin/sh\n[ "$1" = sync ] && exit "${{SYNC_ENDS:-0}}"\nexec {real} "$@"\n'
# A folder, or a file that takes the other one's place at once: `rsync -a FROM TO`.
RSYNC = """#!/bin/sh
case "$2" in
*/) mkdir -p "$3" && cp -a "$2". "$3" ;;
*) cp -a "$2" "$3.new" && mv "$3.new" "$3" ;;
esac
"""


@pytest.fixture
def home(demo: tuple[Path, str], tmp_path: Path) -> Path:
    """A home with the demo's mirror, and programs first on the path that need neither an account nor the network."""
    for name in ("chats.db", "chats.files"):
        found = demo[0] / name
        (shutil.copytree if found.is_dir() else shutil.copy)(found, tmp_path / name)
    program(tmp_path / ".local" / "bin" / "chatmirror", STAND_IN.format(real=BIN / "chatmirror"))
    program(tmp_path / "bin" / "curl", f'#!/bin/sh\necho "$@" >> {tmp_path}/pings\n')
    return tmp_path


def program(file: Path, text: str) -> None:
    """Install a program."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)


def install_rsync(home: Path) -> None:
    """Where rsync is not installed, a program that does the same with what is on this computer."""
    if shutil.which("rsync") is None:
        program(home / ".local" / "bin" / "rsync", RSYNC)


def needs(module: str) -> None:
    """Skip where a program is not installed."""
    if find_spec(module) is None:
        pytest.skip(f"{module} is not installed")


def run_shell(home: Path, script: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run lines as a shell does."""
    path = f"{home / '.local' / 'bin'}:{BIN}:{os.environ['PATH']}"
    env = {**os.environ, "HOME": str(home), "PATH": path, **environ}
    command = ["bash", "-euo", "pipefail", "-c", script]
    return subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, check=False, timeout=120)


def output(home: Path, section: str, language: str, **environ: str) -> str:
    """Run the examples of a section in one language, and return what they print; none fails or complains."""
    text = "\n".join(blocks(RECIPES[section], language))
    if language == "python":
        (home / "example.py").write_text(text)
        text = f"{sys.executable} -W error example.py"
    found = run_shell(home, text, **environ)
    assert (found.returncode, found.stderr) == (0, "")
    return found.stdout


def run_cron(home: Path, section: str, sync_ends: int) -> int:
    """Run a section's line as cron does: /bin/sh, with nearly no environment and its short path; return its exit code.

    ``home / "bin"`` stands for what is in /usr/bin, so that nothing goes over the network.
    """
    (line,) = blocks(RECIPES[section], "cron")
    command = line.split(maxsplit=5)[5]
    assert "%" not in command
    env = {"HOME": str(home), "PATH": f"{home / 'bin'}:/usr/bin:/bin", "SYNC_ENDS": str(sync_ends)}
    return subprocess.run(["/bin/sh", "-c", command], cwd=home, env=env, check=False, timeout=120).returncode


def test_every_recipe_is_tested() -> None:
    """A new one needs a test here. The mirror of these tests is made as the page says (see the fixture `demo`)."""
    assert "`chatmirror demo -d chats.db`" in page("recipes.md")
    assert {name for name, text in RECIPES.items() if "```" in text} == TESTED


def test_pandas(home):
    """A table of years and roles."""
    needs("pandas")
    assert "assistant" in output(home, "pandas", "python")


@pytest.mark.leaves_damage("rows are changed by hand, as if a sync had stored them")
def test_duckdb(home):
    """Counts by model out of the database, while it is written, and by year out of Parquet."""
    install_extension(home)
    with closing(sqlite3.connect(home / "chats.db", isolation_level=None)) as conn:
        conn.execute("PRAGMA wal_autocheckpoint=0")  # so that what is stored now is in the log only
        conn.execute("UPDATE messages SET model = 'stored last' WHERE role = 'assistant' AND model = 'o3'")
        conn.execute("BEGIN IMMEDIATE")
        conn.execute("UPDATE messages SET model = 'not stored yet' WHERE model = 'gpt-4o'")
        said = output(home, "DuckDB", "python")
    assert all(word in said for word in ("gpt-4o", "stored last", "2025"))
    assert "not stored yet" not in said


def install_extension(home: Path) -> None:
    """Install DuckDB's extension for SQLite, out of a package where there is one; skip where it cannot be had."""
    needs("duckdb")
    script = "import duckdb; duckdb.sql('install sqlite')"
    if find_spec("duckdb_extensions") is not None:
        script = "from duckdb_extensions import import_extension; import_extension('sqlite')"
    if run_shell(home, f'{sys.executable} -c "{script}"').returncode != 0:
        pytest.skip("DuckDB's extension for SQLite cannot be had here")


def test_duckdb_over_an_export(home):
    """Counts by model, out of exported JSON."""
    needs("duckdb")
    output(home, "DuckDB over an export", "sh")
    assert "gpt-4o" in output(home, "DuckDB over an export", "python")


class Replicated:
    """A simulated account, its mirror in a home, and Litestream that copies it as the recipe says."""

    def __init__(self, home: Path, mirrored: MirroredService) -> None:
        self.home, self.mirrored = home, mirrored
        recipe = RECIPES["Litestream: a copy that follows within a second"]
        self.copying, self.files, self.back = (self.here(text) for text in blocks(recipe, "sh"))
        (home / "litestream.yml").write_text(self.here(blocks(recipe, "yaml")[0]))
        install_rsync(home)
        (home / "disk").mkdir()

    def here(self, text: str) -> str:
        """Return lines of the recipe with a disk that is here."""
        return text.replace("/mnt/backup", str(self.home / "disk"))

    def environ(self) -> dict[str, str]:
        return {**self.mirrored.environ, "CHATMIRROR_WAIT_SCALE": "0"}

    def sync(self) -> None:
        """Something happens at the service, and a run copies it."""
        self.live()
        assert self.mirrored.sync().error is None

    def live(self) -> None:
        self.mirrored.person.new_message(self.mirrored.ids()[0], "one more")
        self.mirrored.person.new_conversation("Another one", "question", "answer")
        self.mirrored.clock.seconds = max(self.mirrored.clock.seconds, time.time())

    def sync_and_kill(self) -> None:
        """A run is killed in the middle."""
        self.live()
        requests = self.mirrored.service.requests
        requests.clear()
        env = {**os.environ, **self.environ()}
        with started(str(BIN / "chatmirror"), "sync", cwd=self.home, env=env, stderr=subprocess.DEVNULL) as process:
            wait_until(lambda: len(requests) >= 6, process)
            process.kill()
            assert process.wait(timeout=60) == -signal.SIGKILL

    @contextmanager
    def copied(self) -> Iterator[subprocess.Popen[bytes]]:
        """Litestream runs."""
        env = {**os.environ, "HOME": str(self.home)}
        log = (self.home / "log").open("a")
        with (
            log,
            started(
                str(BIN / self.copying.split()[0]),
                *self.copying.split()[1:],
                cwd=self.home,
                env=env,
                stdout=log,
                stderr=log,
            ) as process,
        ):
            yield process

    def restored(self, *lines: str) -> subprocess.CompletedProcess[str]:
        """Run those lines of the way back that begin so, up to the first that fails."""
        script = "\n".join(line.removesuffix(" &&") for line in self.back.splitlines() if line.startswith(lines))
        return run_shell(self.home, script, **self.environ())

    def is_up_to_date(self) -> bool:
        """Whether Litestream has copied the end of the last run, which is what a run writes last."""
        time.sleep(0.3)  # a second is what it may take
        (self.home / "restored.db").unlink(missing_ok=True)
        found = self.restored("umask", "litestream")
        return found.returncode == 0 and runs(self.home / "restored.db") == runs(self.home / "chats.db")


def runs(path: Path) -> list[tuple[object, ...]]:
    """Return the runs of a mirror."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as conn:
        return conn.execute("SELECT * FROM sync_runs").fetchall()


def dump(path: Path) -> list[str]:
    """Return all of a database as SQL, apart from what Litestream keeps in it for itself."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as conn:
        return [line for line in conn.iterdump() if "_litestream_" not in line]


@pytest.fixture
def replicated(tmp_path: Path) -> Iterator[Replicated]:
    """An account of which nothing is mirrored yet, in which a conversation shows a picture."""
    if shutil.which("litestream", path=str(BIN)) is None:
        pytest.skip("litestream is not installed")
    with MirroredService(tmp_path, generated_account(ManualClock(time.time()), 6, 4), is_new=True) as mirrored:
        picture = SimulatedFile(f"file_{1:032x}", png(1), "p.png", "image/png")
        mirrored.account.files[picture.id] = picture
        nodes = mirrored.account.tree(mirrored.ids()[0])["mapping"].values()
        first = next(node["message"] for node in nodes if node["message"])
        first["metadata"]["attachments"] = [{"id": picture.id, "name": picture.name}]
        yield Replicated(tmp_path, mirrored)


def test_litestream(replicated):
    """Runs, one of them killed, are copied as they come; the way back leads to the same mirror, which goes on."""
    with replicated.copied() as litestream:  # begins before there is a mirror
        replicated.sync()
        replicated.sync_and_kill()
        replicated.sync()
        wait_until(replicated.is_up_to_date, litestream)
        assert run_shell(replicated.home, replicated.files).returncode == 0
        # Nothing takes the place of a mirror while Litestream copies it.
        found = replicated.restored("chatmirror restore")
        assert (found.returncode, "maybe Litestream" in found.stderr) == (11, True), found.stderr
        litestream.kill()
    expected = dump(replicated.home / "chats.db")
    for name in ("chats.db", "chats.db-wal", "chats.db-shm", "restored.db"):
        (replicated.home / name).unlink(missing_ok=True)
    shutil.rmtree(replicated.home / "chats.files")
    found = replicated.restored("umask", "litestream", "rsync", "chatmirror check", "chatmirror restore")
    assert (found.returncode, "is restored" in found.stdout) == (0, True), found.stderr
    assert dump(replicated.home / "chats.db") == expected
    assert (replicated.home / "restored.db").stat().st_mode & 0o077 == 0
    replicated.sync()
    with replicated.copied() as litestream:  # finds what it did not see
        wait_until(replicated.is_up_to_date, litestream)


def test_sqlite_utils(home):
    """A table on the screen, and rows for another program."""
    assert "https://chatgpt.com/c/" in output(home, "sqlite-utils", "sh")
    assert len((home / "citations.csv").read_text().splitlines()) > 1


def test_obsidian(home):
    """A folder of notes with their pictures; the line for cron writes to the same one, and only after a good sync."""
    assert output(home, "Obsidian", "sh") == ""
    notes = {path: path.stat().st_mtime_ns for path in (home / "Vault" / "Chats").rglob("*.*") if path.is_file()}
    assert any(path.suffix == ".md" for path in notes)
    assert any(path.suffix == ".png" for path in notes)
    assert run_cron(home, "Obsidian", 0) == 0
    assert {path: path.stat().st_mtime_ns for path in notes} == notes
    shutil.rmtree(home / "Vault" / "Chats")
    assert run_cron(home, "Obsidian", 3) == 3
    assert not (home / "Vault" / "Chats").exists()


class EchoingModel(BaseHTTPRequestHandler):
    """A model that answers with the roles and lengths of what it was asked."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        said = " ".join(f"{one['role']}:{len(one['content'])}" for one in asked["messages"])
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}
        known = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        known["usage"] = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        body = json.dumps(known)
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def model() -> Iterator[int]:
    """Run the model; yields its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), EchoingModel)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def test_llm(home):
    """A chat, what a search finds, and a template, each to a model on this computer."""
    needs("llm")
    folder = home / "llm"
    folder.mkdir()
    with model() as port:
        known = {"model_id": "local", "model_name": "m", "api_base": f"http://127.0.0.1:{port}/v1", "can_stream": False}
        (folder / "extra-openai-models.yaml").write_text(json.dumps([known]))
        environ = {"LLM_USER_PATH": str(folder), "OPENAI_API_KEY": "none"}
        assert run_shell(home, "llm models default local", **environ).returncode == 0
        answers = output(home, "llm", "sh", **environ).split("\n")
    asked = [line for line in answers if line.startswith("system:")]
    assert len(asked) == 3
    assert all(int(line.rpartition(":")[2]) > 100 for line in asked)


@contextmanager
def signed_in(folder: Path, section: str) -> Iterator[tuple[int, str]]:
    """Serve a folder's mirror as a recipe says, and sign in; yields the port and the cookie."""
    from datasette_auth_passwords.utils import hash_password  # noqa: PLC0415 - an optional program

    (folder / "login.json").write_text(blocks(RECIPES["Datasette with a login"], "json")[0])
    port = free_port()
    command = blocks(RECIPES[section], "sh")[-1].replace("0.0.0.0", "127.0.0.1").replace("8001", str(port)).split()
    environ = {**os.environ, "HOME": str(folder), "CHATS_HASH": hash_password("secret"), "TMPDIR": str(folder)}
    log = (folder / "log").open("w")
    with log, started(str(BIN / command[0]), *command[1:], cwd=folder, env=environ, stdout=log, stderr=log):
        wait_for(port)
        token = ask(port, "GET", "/-/login")[1]
        form = {"username": "me", "password": "secret", "csrftoken": token}
        status, cookie = ask(port, "POST", "/-/login", urlencode(form), cookie=f"ds_csrftoken={token}")
        assert status == 302
        yield port, f"ds_actor={cookie}"


def test_datasette_with_a_login(home):
    """Who has not signed in sees nothing, who has sees the chats, and only under the names that are allowed."""
    needs("datasette_auth_passwords")
    with signed_in(home, "Datasette with a login") as (port, cookie):
        assert ask(port, "GET", "/chats/-/home")[0] == 403
        assert ask(port, "GET", "/chats/-/home", cookie=cookie)[0] == 200
        assert ask(port, "GET", "/chats/-/home", cookie=cookie, host="home.lan")[0] == 200
        assert ask(port, "GET", "/chats/-/home", cookie=cookie, host="evil.example")[0] == 421


def test_datasette_on_a_server(home):
    """Every page of a copy, for who has signed in; a new copy is shown after a restart."""
    needs("datasette_auth_passwords")
    section = "Datasette on a server, from a copy"
    install_rsync(home)
    served = home / "server" / "chats"
    served.mkdir(parents=True)
    copying = blocks(RECIPES[section], "sh")[0].replace("server:", f"{home}/server/")
    assert run_shell(home, copying).returncode == 0
    assert {path.stat().st_mode & 0o077 for path in served.iterdir()} == {0}
    with closing(sqlite3.connect(served / "chats.db")) as conn:
        sql = "SELECT c.id, f.id FROM conversations c, files f WHERE f.sha256 IS NOT NULL LIMIT 1"
        conversation, file = conn.execute(sql).fetchone()
    pages = ["home", "conversations", "search?q=sourdough", "pictures", f"conversation/{conversation}", f"file/{file}"]
    with signed_in(served, section) as (port, cookie):
        for page in (*(f"/chats/-/{page}" for page in pages), "/chats", "/chats/messages", "/chats.db"):
            assert ask(port, "GET", page)[0] == 403, page
            assert ask(port, "GET", page, cookie=cookie)[0] == 200, page
        save(home / "conversations.json", [archived(1)])
        assert run_shell(home, "chatmirror import conversations.json").returncode == 0
        assert run_shell(home, copying).returncode == 0
    # Until then each of Datasette's threads shows the copy that was there when it first read.
    with signed_in(served, section) as (port, cookie):
        assert ask(port, "GET", "/chats/-/conversation/id-1", cookie=cookie)[0] == 200


def free_port() -> int:
    """Return a port that nobody listens on."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        port: int = server.server_address[1]
    return port


def wait_for(port: int) -> None:
    """Wait until somebody answers."""
    for _ in range(600):
        try:
            ask(port, "GET", "/-/login")
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("datasette does not answer")


def ask(port: int, method: str, path: str, body: str = "", cookie: str = "", host: str = "") -> tuple[int, str]:
    """Return the status, and the value of the cookie that is set."""
    headers = {"host": host or f"127.0.0.1:{port}", "cookie": cookie}
    if body:
        headers["content-type"] = "application/x-www-form-urlencoded"
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request(method, path, body or None, headers)
        found = connection.getresponse()
        found.read()
        return found.status, (found.headers["set-cookie"] or "").partition("=")[2].partition(";")[0]


@pytest.mark.parametrize(("ends", "pings"), [(0, 1), (3, 0)])
def test_a_ping_is_sent_after_a_good_sync_only(home, ends, pings):
    """The line for cron, and what cron hears of a failure."""
    assert run_cron(home, "A ping that stops when the sync stops", ends) == ends
    sent = (home / "pings").read_text().splitlines() if (home / "pings").exists() else []
    assert len(sent) == pings
    assert all("https://hc-ping.com/" in line for line in sent)


def test_systemd(home):
    """The unit that is printed takes the addition, and what is started on a failure is the other unit."""
    addition, failed = blocks(RECIPES["systemd tells you of a failure"], "ini")
    named = configparser.ConfigParser(interpolation=None)
    named.optionxform = str  # type: ignore[assignment,method-assign]
    named.read_string(addition)
    assert {name: dict(named[name]) for name in named.sections()} == {
        "Unit": {"OnFailure": "chatmirror-failed.service"}
    }
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    job = Job((str(home / ".local" / "bin" / "chatmirror"),), home / "chats.db", {}, 3, 17)
    units = {**systemd_units(job), "chatmirror.service.d/failed.conf": addition}
    # A program that is on every computer, for one that may not be.
    units["chatmirror-failed.service"] = failed.replace("/usr/bin/notify-send", "/bin/true")
    (home / "chatmirror.service.d").mkdir()
    for name, text in units.items():
        (home / name).write_text(text)
    found = run_shell(home, "systemd-analyze verify --man=no ./chatmirror.service ./chatmirror-failed.service")
    assert (found.returncode, [line for line in found.stderr.splitlines() if "chatmirror" in line]) == (0, [])
