"""Make the README's picture: the demo's mirror, served by Datasette, as Chromium shows it.

Run ``python -m benchmarks.screenshot`` (the extra ``dev``, and Chromium) after a change of how pages look. It writes
docs/conversation.png; look at it before you commit it.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.webserver import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGET = Path(__file__).resolve().parent.parent / "docs" / "conversation.png"
TITLE = (
    "Comparing the deck oven offer"  # of the demo's account: a file, tool output in folds, an answer with its source
)
MOST_BYTES = 150_000  # of the picture: the README is read on telephones, too
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    """Parse the options, and make the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--title", default=TITLE, help="of the conversation")
    parser.add_argument("--size", default="1280,760", help="of the window: width,height")
    parser.add_argument("--to", type=Path, default=TARGET, help="where to write it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chats.db"
        subprocess.run([sys.executable, "-m", "mirror", "demo", "-d", str(path)], check=True, stdout=subprocess.DEVNULL)
        with served(path) as base:
            shoot(base + page_of(path, options.title), options.size, options.to)
    size = options.to.stat().st_size
    print(f"{options.to}: {size:,} bytes")
    if size > MOST_BYTES:
        sys.exit(f"That is more than {MOST_BYTES:,} bytes; choose a smaller window.")


def page_of(path: Path, title: str) -> str:
    """Return the address of a conversation's page below the database's."""
    with closing(sqlite3.connect(path)) as conn:
        (key,) = conn.execute("SELECT id FROM conversations WHERE title = ?", (title,)).fetchone()
    return f"/-/conversation/{key}"


@contextmanager
def served(path: Path) -> Iterator[str]:
    """Serve a mirror; yield the address of its database."""
    with serving(path) as port:
        yield f"http://127.0.0.1:{port}/{path.stem}"


def shoot(address: str, size: str, target: Path) -> None:
    """Let Chromium write a picture of a page."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit("There is no Chromium here.")
    options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--force-color-profile=srgb"]
    options += [f"--window-size={size}", "--virtual-time-budget=3000", f"--screenshot={target}"]
    subprocess.run([browser, *options, address], check=True, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
