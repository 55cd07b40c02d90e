"""What files cost: ``python -m benchmarks.pictures kills``, ``… pages`` and ``… eras FOLDER`` each print a table.

``kills``: an account of pictures, whose first sync is killed three times. ``pages``: the page of pictures and a
conversation with many, in a browser without a window. ``eras``: of archives in a folder, how many of the files that
messages name an import finds, and why not the rest.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmarks.webserver import serving
from mirror import app
from mirror.chatgpt.site import FILE_SPACING
from mirror.errors import ChatmirrorError
from mirror.files.byte_store import ByteStore
from mirror.simulator import Behaviour, SimulatedAccount, SimulatedFile, Simulator
from mirror.simulator.trees import add, empty_conversation, message
from mirror.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Request

IN_A_CHAT = 20  # pictures of one conversation
NEW_NAMES = "2026-05-27"  # from about this day on, exports call every file <id>.dat


def png(rng: random.Random, side: int) -> bytes:
    """Return a picture, a quarter of whose pixels are noise, so that it does not pack to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + rng.randbytes(side) + bytes([rng.randrange(256)] * 2) * side for _ in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def account_of(pictures: int, in_a_chat: int, side: int) -> SimulatedAccount:
    """Return an account whose conversations show so many pictures of their own."""
    rng, account = random.Random(5), SimulatedAccount(time.time, random.Random(6))
    for first in range(0, pictures, in_a_chat):
        key, root = f"00000000-0000-4000-8000-{first:012x}", f"root-{first}"
        at = time.time() - 86_400 - first
        conversation = empty_conversation(key, f"Pictures from {first}", at, root)
        last = root
        for n in range(first, min(pictures, first + in_a_chat)):
            file = SimulatedFile(f"file_{n:032x}", png(rng, side), f"picture {n}.png", "image/png", {key})
            file.host = "storage" if n % 2 else "estuary"
            account.files[file.id] = file
            part: dict[str, Any] = {"content_type": "image_asset_pointer", "asset_pointer": f"sediment://{file.id}"}
            part |= {"width": side, "height": side, "size_bytes": len(file.content)}
            said = message(f"message-{n}", "user", "Look.", at + n - first)
            said["content"] = {"content_type": "multimodal_text", "parts": [part, f"Number {n}"]}
            add(conversation, last, said)
            last = said["id"]
        account.add(conversation)
    return account


@click.group()
def main() -> None:
    """Print what files cost."""


# -- kills


@main.command()
@click.option("--pictures", default=1_000, show_default=True)
@click.option("--latency", default=0.02, show_default=True, help="Seconds that each answer takes.")
@click.option("--scale", default="0.02", show_default=True, help="Multiplies the pacing; 1 is what a user gets.")
def kills(pictures: int, latency: float, scale: str) -> None:
    """Kill the first sync of an account three times, and look at what the fourth run and a fifth one do."""
    account = account_of(pictures, IN_A_CHAT, 64)
    with tempfile.TemporaryDirectory() as name, Simulator(account, Behaviour(latency=latency)) as service:
        environ = {**os.environ, "CHATMIRROR_BASE_URL": service.url, "CHATGPT_SESSION_TOKEN": service.session_cookie}
        environ |= {"CHATMIRROR_WAIT_SCALE": scale, "CHATMIRROR_STORAGE_URL": service.storage_url}
        folder, given, begin = Path(name), service.files.given, time.monotonic()
        for quarter in (1, 2, 3, None):
            at = None if quarter is None else pictures * quarter // 4
            code = _run(folder, environ, lambda at=at: at is not None and sum(given.values()) >= at)
            click.echo(f"run ended with {code:>3}, {_stored(folder):>5} stored, {sum(given.values()):>5} given")
        wall = time.monotonic() - begin
        requests = len(service.requests)
        best = 2 * pictures * max(FILE_SPACING * float(scale), latency)
        click.echo(f"{wall:.1f} s for {requests:,} requests; the pacing of {2 * pictures:,} allows {best:.1f} s")
        click.echo(f"fetched more than once: {sum(times > 1 for times in given.values())} of {len(given):,}")
        before = dict(given)
        code = _run(folder, environ, lambda: False)
        click.echo(f"the next run ended with {code} and fetched {sum(given.values()) - sum(before.values())}")
        seen = {name for one in service.storage.requests for name in one.headers}
        click.echo(
            f"credentials at the storage host: {sorted(seen & {'authorization', 'cookie', 'chatgpt-account-id'})}"
        )


def _run(folder: Path, environ: dict[str, str], is_to_end: Any) -> int:
    process = subprocess.Popen([sys.executable, "-m", "mirror", "sync"], cwd=folder, env=environ)
    while process.poll() is None:
        if is_to_end():
            process.send_signal(signal.SIGKILL)
        time.sleep(0.01)
    return process.returncode


def _stored(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "chats.db")) as conn:
        rows = conn.execute("SELECT sha256 FROM files WHERE state = 'stored'").fetchall()
    store = ByteStore(folder / "chats.db")
    return sum(store.is_whole(sha256) for (sha256,) in rows)


# -- pages


@main.command()
@click.option("--pictures", default=60, show_default=True, help="Of one conversation, and of the page of pictures.")
@click.option("--side", default=512, show_default=True, help="Pixels of a picture.")
def pages(pictures: int, side: int) -> None:
    """Open the page of pictures and a conversation in a browser without a window."""
    account = account_of(pictures, pictures, side)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "chats.db"
        with Simulator(account, Behaviour()) as service:
            environ = {**os.environ, "CHATMIRROR_BASE_URL": service.url, "CHATMIRROR_WAIT_SCALE": "0"}
            environ |= {"CHATGPT_SESSION_TOKEN": service.session_cookie}
            subprocess.run([sys.executable, "-m", "mirror", "sync"], cwd=name, env=environ, check=True)
        with closing(sqlite3.connect(path)) as conn:
            key = conn.execute("SELECT id FROM conversations").fetchone()[0]
        click.echo(f"{pictures} pictures of {sum(len(f.content) for f in account.files.values()) // pictures:,} bytes")
        click.echo(f"{'page':<34}{'width':>6}{'first paint ms':>15}{'requests':>9}{'kB at first':>12}{'kB in all':>11}")
        with serving(path) as port:
            for title, address in (("pictures", "pictures"), ("conversation", f"conversation/{key}")):
                for width in (360, 1280):
                    _print_page(title, width, f"http://127.0.0.1:{port}/chats/-/{address}")


def _print_page(title: str, width: int, address: str) -> None:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - of the tests, and for this command only

    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 800})
        sizes: list[int] = []
        page.on("requestfinished", lambda request: sizes.append(_transferred(request)))
        page.goto(address, wait_until="load")
        paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? -1")
        page.wait_for_timeout(500)
        requests, first = len(sizes), sum(sizes)
        for _ in range(400):
            page.mouse.wheel(0, 1_500)
            page.wait_for_timeout(10)
        page.wait_for_load_state("networkidle")
        click.echo(f"{title:<34}{width:>6}{paint:>15.0f}{requests:>9}{first / 1e3:>12,.0f}{sum(sizes) / 1e3:>11,.0f}")
        browser.close()


def _transferred(request: Request) -> int:
    found = request.sizes()
    return found["responseBodySize"] + found["responseHeadersSize"]


# -- eras


@main.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def eras(folder: Path) -> None:
    """Import each archive in FOLDER into a mirror of its own; print by era what became of the files that messages name.

    An archive is a ZIP, a folder with JSON files, or a JSON file by itself.
    """
    found: Counter[tuple[str, str]] = Counter()
    for archive in _archives(folder):
        with tempfile.TemporaryDirectory() as name:
            with suppress(ChatmirrorError):
                app.import_archives(Path(name) / "chats.db", [archive], Timing(), lambda *_: None)
            found.update(_references(Path(name) / "chats.db", archive))
    names = sorted({era for era, _ in found})
    for era in names:
        of_era = {why: count for (one, why), count in found.items() if one == era}
        total, resolved = sum(of_era.values()), of_era.pop("found", 0)
        click.echo(f"{era}: {total:,} files named, {resolved:,} found ({resolved / total:.0%})")
        for why, count in sorted(of_era.items(), key=lambda item: -item[1]):
            click.echo(f"    {count:>6,} {why}")


def _archives(folder: Path) -> list[Path]:
    """Return what is imported: ZIPs, and folders that hold JSON files."""
    zips = sorted(folder.rglob("*.zip"))
    folders = sorted({path.parent for path in folder.rglob("*.json")})
    return zips + [one for one in folders if not any(other in one.parents for other in folders)]


def _references(path: Path, archive: Path) -> Iterator[tuple[str, str]]:
    """Yield the era of each file that a message names, and what became of it."""
    if not path.exists():
        return
    holds_files = any(
        one.suffix == ".dat" or one.name.startswith("file") for one in archive.rglob("*") if one.is_file()
    )
    with closing(sqlite3.connect(path)) as conn:
        sql = "SELECT f.id, f.created_at, f.state FROM files f WHERE f.source IS NOT 'export'"
        for file_id, created_at, state in conn.execute(sql):
            yield _era(created_at), "found" if state == "stored" else _why(file_id, holds_files=holds_files)


def _era(created_at: str | None) -> str:
    if created_at is None:
        return "without a date"
    if created_at < "2024":
        return "up to 2023"
    return "2024 to May 2026" if created_at < NEW_NAMES else "since June 2026"


def _why(file_id: str, *, holds_files: bool) -> str:
    kinds = {"sandbox:": "in the code sandbox", "mounted:": "in a connected drive", "canvas:": "a version of a canvas"}
    kind = next((what for begin, what in kinds.items() if file_id.startswith(begin)), "")
    if not holds_files:
        return f"the archive holds no files at all{f' ({kind})' if kind else ''}"
    return kind or "the archive does not hold it"


if __name__ == "__main__":
    main()
