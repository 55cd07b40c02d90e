"""Other programs that read the same export: how each is installed from the package index, and how it is run.

Each is installed by ``pip`` into a virtual environment of its own, by the newest Python on the path, and runs in an
empty home. One that does not install, or does not run, is a line that says why.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.measured import FAILURES, MB, Cost, NotRun, best, cells, ratio, run, size_of
from benchmarks.webserver import getter, listening, timed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.ratios import Bench

HEAD = ["", "CPU s", "wall s", "memory MB", "disk MB", "import : it, CPU", "import : it, wall", "a search, ms", "aim"]
PYTHONS = ("python3.14", "python3.13", "python3.12", "python3.11")
# Its tables need SQLite 3.43. Where Python has an older one, the package of a newer one takes its place.
NEWER_SQLITE = """
import sqlite3, sys
if sqlite3.sqlite_version_info < (3, 43):
    import pysqlite3
    sys.modules["sqlite3"] = pysqlite3
"""
# What its daemon does with a file in its inbox; a daemon that never ends could not be measured.
POLYLOGUE_IMPORT = f"""{NEWER_SQLITE}
import asyncio
from polylogue.api import Polylogue
async def load(root, export):
    async with Polylogue(archive_root=root) as archive:
        print(await archive.parse_file(export))
asyncio.run(load(*sys.argv[1:]))
"""
POLYLOGUE_FIND = f"""{NEWER_SQLITE}
from polylogue.cli import main
main()
"""


class Peer(NamedTuple):
    """A program: what ``pip`` installs (the first names it), and its commands, with blanks in braces to fill in.

    ``search``: of a word, as a command or, where ``server`` is one, as an address that it answers.
    """

    name: str
    requirements: tuple[str, ...]
    does: str
    load: tuple[str, ...]
    search: tuple[str, ...] = ()
    server: tuple[str, ...] = ()
    environ: tuple[tuple[str, str], ...] = ()
    aim: str = ""

    @property
    def package(self) -> str:
        """The package that is installed."""
        return self.requirements[0].partition(">")[0]


PEERS = (
    Peer(
        "chat-history",
        ("chat-history>=0.3",),
        "loads everything into memory, stores nothing",
        ("{bin}/chat-history", "inspect"),
        ("/api/search?query={word}",),
        ("{bin}/chat-history", "serve", "--no-browser", "--port", "{port}"),
        (("CHAT_HISTORY_CHATGPT_PATH", "{folder}"), ("CHAT_HISTORY_DATA_DIR", "{out}")),
        "wall 1.60",
    ),
    Peer(
        "convoviz",
        ("convoviz>=0.7",),
        "writes Markdown files",
        ("{bin}/convoviz", "--input", "{export}", "--output", "{out}", "--outputs", "markdown", "--no-interactive"),
    ),
    Peer(
        "ctk",
        ("conversation-tk>=2.20",),
        "imports into SQLite",
        ("{bin}/ctk", "import", "{export}", "--db", "{out}/db", "--format", "openai"),
        ("{bin}/ctk", "query", "{word}", "--db", "{out}/db", "--format", "csv"),
    ),
    Peer(
        "polylogue",
        ("polylogue>=0.2", "pysqlite3-binary; sys_platform == 'linux'"),
        "imports into SQLite",
        ("{bin}/python", "-c", POLYLOGUE_IMPORT, "{out}", "{zip}"),
        ("{bin}/python", "-c", POLYLOGUE_FIND, "find", "{word}"),
        environ=(("POLYLOGUE_ARCHIVE_ROOT", "{out}"),),
    ),
)


class Installed(NamedTuple):
    """A program in its virtual environment; ``version``: None if it could not be installed, and ``reason`` why."""

    peer: Peer
    folder: Path
    version: str | None
    reason: str = ""


def installed(peer: Peer, environments: Path) -> Installed:
    """Install a program into a folder of its own, unless it is there."""
    folder = environments / peer.package
    try:
        if (version := _version(peer, folder)) is None:
            settings = dict(os.environ)  # of pip, and of the way to the index
            run([_newest_python(), "-m", "venv", str(folder)], environments, settings)
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q"]
            run([*pip, *peer.requirements], environments, settings)
            version = _version(peer, folder)
    except FAILURES as error:
        return Installed(peer, folder, None, f"not installed: {error}")
    return Installed(peer, folder, version)


def _version(peer: Peer, folder: Path) -> str | None:
    python = folder / "bin" / "python"
    code = f"from importlib.metadata import version; print(version({peer.package!r}))"
    if not python.exists():
        return None
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def _newest_python() -> str:
    """Return the newest Python on the path that can make a virtual environment."""
    for name in PYTHONS:
        python = shutil.which(name)
        if (
            python
            and not subprocess.run([python, "-c", "import ensurepip"], capture_output=True, check=False).returncode
        ):
            return python
    return sys.executable


class PeerRun:
    """Runs one program on an export."""

    def __init__(self, found: Installed, bench: Bench) -> None:
        self.peer, self.bench = found.peer, bench
        self.home = bench.folder / "peers" / found.peer.package
        self.out = self.home / "out"
        source = self.home / "export"
        self.blanks = {
            "bin": str(found.folder / "bin"),
            "folder": str(source),
            "export": str(source / "conversations.json"),
            "zip": str(self.home / "export.zip"),
            "out": str(self.out),
            "word": bench.word,
        }
        source.mkdir(parents=True)
        Path(self.blanks["export"]).symlink_to(bench.export)
        with zipfile.ZipFile(self.blanks["zip"], "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(bench.export, "conversations.json")
        self.environ = {"PATH": f"{found.folder / 'bin'}:/usr/bin:/bin", "HOME": str(self.home)}
        self.environ |= {name: value.format(**self.blanks) for name, value in found.peer.environ}

    def filled(self, command: Sequence[str], **more: object) -> list[str]:
        """Return a command without blanks; code has braces of its own, and no blanks."""
        return [part if "\n" in part else part.format(**self.blanks, **more) for part in command]

    def load(self) -> Cost:
        """Run it once from nothing."""
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()
        return run(self.filled(self.peer.load), self.home, self.environ)

    def search(self) -> str:
        """Return the milliseconds of a search for a word, or why there are none."""
        if not self.peer.search:
            return "has none"
        try:
            return f"{self._searched():,.0f}"
        except FAILURES as error:
            return f"did not run: {error}"

    def _searched(self) -> float:
        if not self.peer.server:
            return 1000 * run(self.filled(self.peer.search), self.home, self.environ).wall
        with listening(lambda port: self.filled(self.peer.server, port=port), self.environ) as port:
            return timed(getter(port, *self.filled(self.peer.search)))


def lines(every: Sequence[Installed], bench: Bench) -> Iterator[list[str]]:
    """Yield the lines of the table; the ratios are what an import takes, divided by what the program takes."""
    yield [*cells("floor", bench.floor), _disk(bench.folder / "floor.db"), *_ratios(bench, bench.floor), "", ""]
    search = best(1, bench.search)
    taken = "did not run" if isinstance(search, NotRun) else f"{1000 * search.wall:,.0f}"
    yield [*cells("chatmirror", bench.imported), _disk(bench.folder / "chats.db"), "", "", taken, ""]
    for found in every:
        yield _line(found, bench)


def _line(found: Installed, bench: Bench) -> list[str]:
    name = f"{found.peer.name} {found.version or ''}".strip() + f", {found.peer.does}"
    if found.version is None:
        return [*cells(name, NotRun(found.reason)), "", "", "", "", ""]
    program = PeerRun(found, bench)
    cost = best(bench.times, program.load)
    if isinstance(cost, NotRun):
        return [*cells(name, cost), "", "", "", "", ""]
    return [*cells(name, cost), _disk(program.out), *_ratios(bench, cost), program.search(), found.peer.aim]


def _disk(path: Path) -> str:
    return f"{size_of(path) / MB:,.0f}" if path.exists() else ""


def _ratios(bench: Bench, cost: Cost | NotRun) -> list[str]:
    return [ratio(bench.imported, cost), ratio(bench.imported, cost, "wall")]
