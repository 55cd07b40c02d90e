"""What a reader's tasks take: ``python -m benchmarks.tasks`` prints clicks and seconds.

A browser does them on the demo's mirror, each from the home page. A click into a box and the words with Enter count as
one click. The seconds are those in which pages load; nobody's reading, thinking and typing is counted.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from benchmarks.screenshot import BROWSERS, served

if TYPE_CHECKING:
    from playwright.sync_api import Page

# Per task: what is clicked, as a CSS selector; words before a bar are typed into the box that the selector names.
SEARCH = "input[placeholder='Search all chats']"
HIT = "article.hit h2 a, article.hit h3 a, article.hit a.jump"
TASKS = {
    "find a sentence from last spring": [f"lamplighter magnitude | {SEARCH}", HIT],
    "read a long thread": ["a[href$='/-/conversations']", "a:text-is('A Japanese word a day')"],
    "compare two answers": [f"lamination | {SEARCH}", HIT, "a[aria-label^='Branch']"],
    "print a recipe": [f"baker's percentages | {SEARCH}", HIT],
    "copy code": [f"strange characters | {SEARCH}", HIT, ".copyable button"],
    "open yesterday's picture": ["a[href$='/-/pictures']", "ul.gallery a"],
}


def do(page: Page, base: str, steps: list[str]) -> tuple[int, float]:
    """Do a task; return clicks, and seconds in which pages loaded."""
    page.goto(f"{base}/-/home")
    seconds = 0.0
    for step in steps:
        words, _, selector = step.rpartition(" | ")
        target = page.locator(selector).first
        target.wait_for(state="attached", timeout=8_000)
        begin = time.perf_counter()
        if words:
            target.fill(words)
            target.press("Enter")
        else:
            target.click()
        page.wait_for_load_state("load")
        seconds += time.perf_counter() - begin
    return len(steps), seconds


def main() -> None:
    """Make the demo's mirror, do each task three times, and print the best."""
    browser = next(found for name in BROWSERS if (found := shutil.which(name)))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "chats.db"
        subprocess.run([sys.executable, "-m", "mirror", "demo", "-d", str(path)], check=True, stdout=subprocess.DEVNULL)
        with served(path) as base:
            page = playwright.chromium.launch(executable_path=browser).new_page()
            page.set_default_timeout(8_000)
            for name, steps in TASKS.items():
                clicks, seconds = min(do(page, base, steps) for _ in range(3))
                print(f"{name:<36}{clicks:>3} clicks {seconds:6.2f} s")


if __name__ == "__main__":
    main()
