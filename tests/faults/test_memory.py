"""How much memory a run takes, whatever comes: measured as the peak of a process of its own, over real HTTP."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from contextlib import closing
from sqlite3 import connect
from typing import TYPE_CHECKING

import pytest

from mirror.simulator import Behaviour, ManualClock, Simulator, generated_account
from mirror.simulator.exchange import Response

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mirror.simulator import ReceivedRequest

resource = pytest.importorskip("resource", reason="this system does not say how much memory a process took")
MB = 1024 * 1024
MOST_OF_A_RUN = 256 * MB
# On Linux the peak that ``getrusage`` tells includes that of the process which started this one.
RUN = """
import pathlib, resource, sys
from mirror.cli.entry import main
try:
    main()
except SystemExit as end:
    code = end.code or 0
status = pathlib.Path("/proc/self/status")
if status.exists():
    peak = next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(code, peak)
"""


def run(folder: Path, environ: dict[str, str], *arguments: str) -> tuple[int, int, str]:
    """Run the program; return its exit code, its peak in bytes and what it printed on stderr."""
    environ = {**os.environ, "CHATMIRROR_DB": str(folder / "chats.db"), **environ}
    command = [sys.executable, "-c", RUN, *arguments]
    found = subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, check=False, timeout=280)
    code, peak = found.stdout.split()[-2:]
    return int(code), int(peak), found.stderr


def node(n: int, last: int, text: str) -> tuple[str, dict[str, object]]:
    """One node of a chain, with what the service says of each message."""
    key = f"{n:08x}-0000-4000-8000-000000000000"
    message = {
        "id": key,
        "author": {"role": "assistant" if n % 2 else "user", "name": None, "metadata": {}},
        "create_time": 1_700_000_000.5 + n,
        "update_time": None,
        "content": {"content_type": "text", "parts": [text]},
        "status": "finished_successfully",
        "end_turn": True,
        "weight": 1.0,
        "metadata": {"request_id": f"request-{n}", "model_slug": "gpt-5", "citations": [], "timestamp_": "absolute"},
        "recipient": "all",
        "channel": None,
    }
    above = f"{n - 1:08x}-0000-4000-8000-000000000000" if n else None
    below = [f"{n + 1:08x}-0000-4000-8000-000000000000"] if n < last else []
    return key, {"id": key, "message": message, "parent": above, "children": below}


def conversation(key: str, messages: int, text: str = "A message of some words. ") -> bytes:
    """A conversation of one branch."""
    mapping = dict(node(n, messages - 1, text) for n in range(messages))
    payload = {"title": "Long", "conversation_id": key, "create_time": 1.7e9, "update_time": 1.7e9}
    payload |= {"current_node": list(mapping)[-1], "mapping": mapping}
    return json.dumps(payload, ensure_ascii=False).encode()


def filled(head: str, unit: str, size: int, tail: str) -> bytes:
    """JSON text of ``size`` bytes, most of it one unit again and again."""
    return (head + unit * (size // len(unit.encode())) + tail).encode()


IS_LONG = pytest.mark.skipif("CHATMIRROR_LONG" not in os.environ, reason="takes long; CHATMIRROR_LONG=1 runs it")
FAST = {"lists", "one emoji", "no end", "dense nodes"}
HOSTILE: dict[str, Callable[[], bytes]] = {
    "lists": lambda: filled('{"mapping": {}, "x": [', "[],", 30 * MB, "0]}"),  # 640 MB, parsed
    "objects": lambda: filled('{"mapping": {}, "x": [', '{"a":{}},', 30 * MB, "0]}"),
    "numbers": lambda: filled('{"mapping": {}, "x": [', "1000,", 18 * MB, "0]}"),
    "texts": lambda: filled('{"mapping": {}, "x": [', '"ab",', 18 * MB, "0]}"),
    "names": lambda: b'{"mapping": {%s}}' % b",".join(b'"%d":{}' % n for n in range(1_200_000)),
    "depth": lambda: filled('{"mapping": ', "[", 60 * MB, ""),
    "one text": lambda: filled('{"mapping": {"n": {"message": {"content": {"parts": ["', "word ", 100 * MB, '"]}}}}}'),
    "one emoji": lambda: filled(
        '{"mapping": {"n": {"message": {"content": {"parts": ["\U0001f600', "word ", 30 * MB, '"]}}}}}'
    ),
    "blanks": lambda: filled("[", " ", 127 * MB, "]"),
    "no JSON": lambda: filled("", "x", 127 * MB, ""),
    "no end": lambda: filled('{"mapping": "', "x", 50 * MB, ""),
    "nodes": lambda: filled('{"mapping": {', '"n":{},', 60 * MB, '"n":{}}}'),
    "dense nodes": lambda: filled('{"mapping": {"n": {"message": [', "{},", 20 * MB, "0]}}}"),
}


@pytest.mark.parametrize("where", ["list", "refusal"])
def test_a_bomb_costs_the_one_thing_that_it_came_for(tmp_path: Path, where: str) -> None:
    """Wherever it comes: it is named, what is not concerned is stored."""
    sync_meeting(tmp_path, where, HOSTILE["lists"](), is_packed=False)


@pytest.mark.parametrize("what", [pytest.param(what, marks=[] if what in FAST else [IS_LONG]) for what in HOSTILE])
def test_a_bomb_of_any_kind_costs_its_conversation(tmp_path: Path, what: str) -> None:
    """Of brackets, of numbers, of names, of depth, of one text."""
    sync_meeting(tmp_path, "single", HOSTILE[what](), is_packed=True)


def sync_meeting(folder: Path, where: str, body: bytes, *, is_packed: bool) -> None:
    account = generated_account(ManualClock(), 3, 4)
    bad = next(iter(account.conversations))
    headers = {"Content-Type": ["application/json"]} | ({"Content-Encoding": ["gzip"]} if is_packed else {})
    response = Response(403 if where == "refusal" else 200, gzip.compress(body, 1) if is_packed else body, headers)
    with Simulator(account, Behaviour(plural="broken")) as service:
        service.behaviour.replace_response = lambda request: response if is_meant(request, where, bad) else None
        environ = {"CHATMIRROR_BASE_URL": service.url, "CHATGPT_SESSION_TOKEN": service.session_cookie}
        code, peak, said = run(folder, {**environ, "CHATMIRROR_WAIT_SCALE": "0"}, "sync")
    assert peak < MOST_OF_A_RUN, f"{peak / MB:.0f} MB"
    assert "internal error" not in said
    if where in {"single", "refusal"}:
        assert (code, stored(folder)) == (3, 2)
    else:
        assert code in {4, 5, 7}


@pytest.mark.parametrize(("megabytes", "wanted"), [(32, (0, 3)), (36, (3, 2))])
def test_one_long_text_is_stored_within_the_bound_or_named(
    tmp_path: Path, megabytes: int, wanted: tuple[int, int]
) -> None:
    """SQLite and its index of words hold it several times; all else that a run needs is beside that."""
    words = " ".join(f"w{n * 7919 % 40_000:x}" for n in range(60_000)) + " "
    account = generated_account(ManualClock(), 3, 4)
    long = next(iter(account.conversations))
    text = words * (megabytes * MB // len(words))
    body = conversation(long, 2).replace(b"A message of some words. ", text.encode(), 1)
    response = Response(200, body, {"Content-Type": ["application/json"]})
    with Simulator(account, Behaviour(plural="broken", batch="missing")) as service:
        service.behaviour.replace_response = lambda request: response if is_meant(request, "single", long) else None
        environ = {"CHATMIRROR_BASE_URL": service.url, "CHATGPT_SESSION_TOKEN": service.session_cookie}
        code, peak, _ = run(tmp_path, {**environ, "CHATMIRROR_WAIT_SCALE": "0"}, "sync")
    assert (code, stored(tmp_path)) == wanted
    assert peak < MOST_OF_A_RUN, f"{peak / MB:.0f} MB"


def is_meant(request: ReceivedRequest, where: str, bad: str) -> bool:
    if where in {"list", "session"}:
        return request.path == {"list": "/backend-api/conversations", "session": "/api/auth/session"}[where]
    return request.path.endswith(f"/conversation/{bad}") or bad in request.ids


def stored(folder: Path) -> int:
    with closing(connect(folder / "chats.db")) as conn:
        return int(conn.execute("SELECT count(*) FROM conversations").fetchone()[0])


def test_a_long_conversation_is_read_within_the_same_bound(tmp_path: Path) -> None:
    """20,000 messages, more than were ever seen, come and are stored whole."""
    account = generated_account(ManualClock(), 2, 4)
    long = next(iter(account.conversations))
    body = conversation(long, 20_000)
    response = Response(200, body, {"Content-Type": ["application/json"]})
    with Simulator(account, Behaviour(batch="missing")) as service:
        service.behaviour.replace_response = lambda request: response if request.path.endswith(long) else None
        environ = {"CHATMIRROR_BASE_URL": service.url, "CHATGPT_SESSION_TOKEN": service.session_cookie}
        code, peak, _ = run(tmp_path, {**environ, "CHATMIRROR_WAIT_SCALE": "0"}, "sync")
    assert code == 0
    with closing(connect(tmp_path / "chats.db")) as conn:
        count = conn.execute("SELECT count(*) FROM messages WHERE conversation_id = ?", (long,)).fetchone()[0]
    assert count == 20_000
    assert peak < 3 * len(body) + 64 * MB


@IS_LONG
@pytest.mark.parametrize("way", ["import", "sync"])
def test_a_hundred_thousand_messages_are_read(tmp_path: Path, way: str) -> None:
    """Five times as long as any conversation that was ever seen."""
    account = generated_account(ManualClock(), 2, 4)
    long = next(iter(account.conversations))
    body = conversation(long, 100_000)
    if way == "import":
        (tmp_path / "conversations.json").write_bytes(b"[" + body + b"]")
        code, peak, _ = run(tmp_path, {}, "import", "conversations.json")
        assert peak < 3 * len(body) + 64 * MB
    else:
        response = Response(200, body, {"Content-Type": ["application/json"]})
        with Simulator(account, Behaviour(batch="missing")) as service:
            service.behaviour.replace_response = lambda request: response if request.path.endswith(long) else None
            environ = {"CHATMIRROR_BASE_URL": service.url, "CHATGPT_SESSION_TOKEN": service.session_cookie}
            code, peak, _ = run(tmp_path, {**environ, "CHATMIRROR_WAIT_SCALE": "0"}, "sync")
        assert peak < MOST_OF_A_RUN
    assert code == 0


@pytest.mark.parametrize("what", ["lists", "texts"])
def test_an_import_takes_what_its_largest_conversation_does(tmp_path: Path, what: str) -> None:
    """What is denser than any conversation is refused by name; what is beside it in the file is imported."""
    bad, good = HOSTILE[what](), conversation("good", 4)
    (tmp_path / "conversations.json").write_bytes(b"[" + bad + b"," + good + b"]")
    code, peak, said = run(tmp_path, {}, "import", "conversations.json")
    assert (code, stored(tmp_path)) == (3, 1)
    assert "conversations.json[0]" in said
    assert peak < 5 * len(bad) + 64 * MB, f"{peak / MB:.0f} MB"
