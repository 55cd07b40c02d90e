"""What every command that prints says on a terminal, and at every level of detail."""

from __future__ import annotations

import os
import random
import re
import sys
import time
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

import canaries
import pexpect
import pytest
from mirrored_service import MirroredService

from mirror.simulator.faults import BREAKAGES, STUBBORN

if TYPE_CHECKING:
    from collections.abc import Iterator

CHATMIRROR = str(Path(sys.executable).with_name("chatmirror"))
SEED = int(os.environ.get("CHATMIRROR_SEED", "1"))

# What acts on a terminal: each control and format character alone, and sequences that move, colour, title, link, report
# and paste. https://invisible-island.net/xterm/ctlseqs/ctlseqs.html
ALONE = [
    chr(n) for n in (*range(1, 32), *range(127, 160), 0xAD, 0x061C, *range(0x200B, 0x2010), *range(0x2028, 0x202F))
]
ALONE += [chr(n) for n in (*range(0x2060, 0x2070), 0xFEFF, *range(0xFFF9, 0xFFFC), 0xE0001, 0xE0041)]
SEQUENCES = [
    "\x1b[2J",
    "\x1b[31m",
    "\x1b[1;1H",
    "\x1b]0;owned\x07",
    "\x1b]8;;http://x.example\x1b\\",
    "\x1b[6n",
    "\x1bc",
]
SEQUENCES += [
    "\x9b2J",
    "\x9d0;owned\x9c",
    "\x1bP+q544e\x1b\\",
    "\x1b]52;c;b3duZWQ=\x07",
    "\x1b[200~ls\n\x1b[201~",
    "\r\x1b[K",
]
HOSTILE = [f"a{one}b" for one in (*ALONE, *SEQUENCES)]
# What the program itself writes: colours of finds, the line and bar that are drawn over, and the hidden cursor.
OWN = re.compile(r"\x1b\[(?:1|33|0)m|\x1b\[K|\x1b\[\?25[lh]|\r")
LIKE_JOINERS = set("\u200c\u200d")


IS_LONG = "CHATMIRROR_LONG" in os.environ
ALWAYS = [
    ("sync", "-v"),
    ("search", "quince"),
    ("show", "last"),
    ("show", "quince"),
    ("status",),
    ("import", "\x1b[2J.zip"),
]
FURTHER = [("sync",), ("search", "quince", "--json"), ("show", "last", "--json"), ("status", "--json"), ("report", "-")]
FURTHER += [("export", "vault"), ("check",), ("show", "\x1b[2J no such title"), ("search", "\x1b[2J")]


@pytest.fixture
def mirrored(tmp_path: Path) -> Iterator[MirroredService]:
    with MirroredService(tmp_path, conversations=3) as opened:
        opened.clock.seconds = time.time()
        yield opened


def on_a_terminal(mirrored: MirroredService, *arguments: str) -> str:
    """Run a command on a terminal of its own; return all that it wrote."""
    environ = {**os.environ, **mirrored.environ, "CHATMIRROR_WAIT_SCALE": "0", "PAGER": "cat", "TERM": "xterm"}
    environ |= {"CHATMIRROR_DB": str(mirrored.path), "LANG": "C.UTF-8"}
    child = pexpect.spawn(CHATMIRROR, list(arguments), env=environ, cwd=str(mirrored.path.parent), timeout=60)
    child.expect(pexpect.EOF)
    child.close()
    canaries.note_program((CHATMIRROR, *arguments), child.before)
    return str(child.before.decode())


def acting(said: str) -> set[str]:
    """Return the characters that act on a terminal, of what is not the program's own."""
    left = OWN.sub("", said.replace("\r\n", "\n"))
    return {c for c in left if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}} - LIKE_JOINERS - {"\n", "\t"}


def test_nothing_that_came_from_a_chat_acts_on_a_terminal(mirrored: MirroredService) -> None:
    """Titles, texts, names of projects and files, ids and reasons, by every command that prints any of them."""
    person, keys = mirrored.person, mirrored.ids()
    half = len(HOSTILE) // 2
    for key, part in zip(keys, (HOSTILE[:half], HOSTILE[half:], HOSTILE), strict=True):
        person.rename(key, "quince " + " ".join(part))
        person.new_message(key, "quince " + " ".join(part), "quince\n" + "\n".join(part))
    person.new_project("Project " + " ".join(HOSTILE))
    person.new_message(keys[2], "quince " + " ".join(HOSTILE), "quince")  # the last one
    poisoned = person.new_conversation("poisoned " + " ".join(HOSTILE), "x", "y")
    mirrored.behaviour.poisoned = frozenset({poisoned})
    said = {}
    for command in (*ALWAYS, *(FURTHER if IS_LONG else ())):
        said[command] = on_a_terminal(mirrored, *command)
        assert acting(said[command]) == set(), (command, said[command][-2000:])
    for command in ALWAYS[1:4]:
        assert "quince a\\x01" in OWN.sub("", said[command]), command
    assert "poisoned a\\x01b" in said["status",]
    assert "\\x1b[2J" in said["import", "\x1b[2J.zip"]


LEVELS = {"plain": ((), {}), "-v": (("-v",), {}), "debug": ((), {"CHATMIRROR_DEBUG": "1"})}
LEVELS["both"] = (("-v",), {"CHATMIRROR_DEBUG": "1"})
FAULTS = sorted({*BREAKAGES, *STUBBORN} - {"drip"})


@pytest.mark.parametrize("level", list(LEVELS))
def test_no_secret_is_said_at_any_level_whatever_goes_wrong(mirrored: MirroredService, level: str) -> None:
    """On a terminal, where most is said. That no secret is in it, is looked for after every test."""
    arguments, environ = LEVELS[level]
    mirrored.environ |= environ
    rng = random.Random(f"{SEED} {level}")
    chosen = FAULTS if IS_LONG else rng.sample(FAULTS, 1)
    for fault in chosen:
        at = rng.randrange(14)
        mirrored.service.requests.clear()
        mirrored.behaviour.break_request = lambda r, at=at, fault=fault: fault if r.number >= at else None
        said = on_a_terminal(mirrored, "sync", *arguments)
        assert "chatmirror: " in said, fault
        mirrored.behaviour.break_request = None
