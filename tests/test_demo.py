"""The demo, as a newcomer runs it."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from commands import BIN, run, run_here

from mirror.errors import UsageError
from mirror.simulator.story.demo_account import UNIQUE_WORDS

if TYPE_CHECKING:
    from pathlib import Path


def test_the_demo_tells_what_happened_and_what_to_do_next(demo: tuple[Path, str]) -> None:
    """A first sync, a person's acts, a second sync that fetched only those, and the next steps."""
    _, out = demo
    assert re.search(r"First sync: +\d+ conversations stored, \d+ requests", out)
    second = re.search(r"Second sync: \d+ requests, (\d+) conversations fetched", out)
    assert second is not None
    assert 1 <= int(second[1]) <= 6
    for step in ("datasette chats.db", "chatmirror search", "sqlite3 chats.db", "chatmirror auth"):
        assert step in out


@pytest.mark.parametrize("is_on_path", [True, False])
def test_the_commands_of_the_demo_can_be_run_as_they_are_printed(tmp_path: Path, is_on_path: bool) -> None:
    """Also out of an environment that is not activated, as the README starts it."""
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bin").symlink_to(BIN)
    path = f"{BIN}:{os.defpath}" if is_on_path else os.defpath
    environ = {**os.environ, "PATH": path}
    command = "chatmirror" if is_on_path else ".venv/bin/chatmirror"
    ended = subprocess.run([command, "demo"], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True)
    for name in ("chatmirror search", "chatmirror auth", "datasette demo.db"):
        assert f"\n  {'' if is_on_path else '.venv/bin/'}{name}" in ended.stdout


def test_the_demo_leaves_a_whole_mirror(demo: tuple[Path, str]) -> None:
    """Its database checks, is fresh, and holds every kind of content."""
    folder, _ = demo
    assert run(folder, "chatmirror", "check") == (0, "", "")
    assert run(folder, "chatmirror", "status")[0] == 0
    with closing(sqlite3.connect(folder / "chats.db")) as conn:
        kinds = {row[0] for row in conn.execute("SELECT DISTINCT kind FROM messages")}
        conn.execute("INSERT INTO messages_fts(messages_fts, rank) VALUES ('integrity-check', 1)")
        conn.execute("INSERT INTO conversations_fts(conversations_fts, rank) VALUES ('integrity-check', 1)")
    assert kinds >= {"text", "code", "output", "reasoning", "canvas", "quote", "voice", "image", "context", "error"}


def test_no_private_mark_reaches_a_reader(demo: tuple[Path, str]) -> None:
    """Citation marks of the service stand in no text, title or link."""
    with closing(sqlite3.connect(demo[0] / "chats.db")) as conn:
        texts = [row[0] for row in conn.execute("SELECT text FROM messages UNION ALL SELECT title FROM conversations")]
        texts += [row[0] for row in conn.execute("SELECT coalesce(title, '') || url FROM links")]
    assert not [text for text in texts if re.search("[\ue000-\uf8ff]", text)]


def test_the_demo_never_touches_ones_own_mirror(tmp_path: Path) -> None:
    """A database with other conversations is left alone."""
    (tmp_path / "c.json").write_text(
        '[{"id": "x", "conversation_id": "x", "title": "Mine", "mapping": {"a": {"id": "a", "message":'
        ' {"id": "a", "author": {"role": "user"}, "content": {"content_type": "text", "parts": ["hello"]}}}}}]'
    )
    assert run(tmp_path, "chatmirror", "import", "c.json")[0] == 0
    code, _, err = run(tmp_path, "chatmirror", "demo", "-d", "chats.db")
    assert code == 2
    assert "your own" in err


def test_a_second_demo_spoils_nothing_of_the_first(demo: tuple[Path, str]) -> None:
    """The simulated account begins anew, and its mirror would say that chats went away."""
    with pytest.raises(UsageError, match="holds the demo already and was not changed"):
        run_here(demo[0], "demo", "-d", str(demo[0] / "chats.db"))
    assert run_here(demo[0], "status")[0] == 0


def test_every_kind_of_content_is_found(demo: tuple[Path, str]) -> None:
    """One memorable word in each kind of content: a search finds its conversation, whatever holds the word."""
    lost = []
    for kind, word in UNIQUE_WORDS.items():
        code, out, _ = run_here(demo[0], "search", word, "--json", "--all-branches")
        found = [json.loads(line) for line in out.splitlines()]
        hits = [one for one in found if one["kind"] == "conversation"]  # a canvas is a file, too
        if code or len(hits) != 1:
            lost.append((kind, word, len(hits)))
    assert lost == []


@pytest.mark.parametrize(
    "words", ["what's", "C++", "foo_bar", "node.js", '"exact phrase', "-", "(", "*", "AND OR NOT", "🥖", "NEAR(a b"]
)
def test_nothing_that_is_typed_is_an_error(demo: tuple[Path, str], words: str) -> None:
    """Results or none, never a message about syntax."""
    code, _, err = run_here(demo[0], "search", "--", words)
    assert (code, err) == (0, "")


@pytest.mark.parametrize(
    ("typed", "same_as"),
    [
        (["sourdough", "-rye"], "sourdough -rye"),
        (["-rye", "--json", "sourdough"], "sourdough -rye"),
        (["sourdough", "-dough", "-nuts", "-hazel"], "sourdough -dough -nuts -hazel"),
        (["sourdough", "-n5", "-starter"], "sourdough -starter"),
        (["sourdough", "-n", "5", "--role", "user", "-ärger"], "sourdough -ärger"),
        (["sourdough", "-rye flour"], 'sourdough -"rye flour"'),
        (["sourdough", "--", "-rye", "--latest"], "sourdough -rye --latest"),
    ],
)
def test_an_excluded_word_is_no_option(demo: tuple[Path, str], typed: list[str], same_as: str) -> None:
    """Wherever it stands, and whatever options begin with its letters."""
    options = [one for one in typed if one in {"-n5", "-n", "5", "--role", "user"}]
    code, out, err = run_here(demo[0], "search", "--json", *typed)
    assert (code, err) == (0, "")
    assert out == run_here(demo[0], "search", "--json", *options, "--", same_as)[1]


def test_an_attached_value_is_no_word(demo: tuple[Path, str], tmp_path: Path) -> None:
    """`-dother.db` names a file, as before; a letter alone is a mistyped option."""
    assert run_here(demo[0], "search", "sourdough", f"-d{demo[0]}/chats.db")[0] == 0
    with pytest.raises(UsageError, match="no-such"):
        run_here(tmp_path, "search", "sourdough", "-d./no-such.db")
    assert run_here(demo[0], "search", "sourdough", "-x")[0] == 2
    assert run_here(demo[0], "search", "sourdough", "--no-such")[0] == 2


@pytest.mark.parametrize(
    ("option", "value", "choices"),
    [
        ("--role", "me", "user, assistant, tool, system"),
        ("--role", "You", "user, assistant, tool, system"),
        ("--role", "", "user, assistant"),
        ("--kind", "txt", "text, code, output"),
        ("--model", "gpt-9", "gpt-"),
        ("--project", "No such", "choose "),
    ],
)
def test_a_filter_that_nothing_has_is_said(demo: tuple[Path, str], option: str, value: str, choices: str) -> None:
    """A mistyped one looks like a search without a match; the choices are named."""
    with pytest.raises(UsageError, match=choices):
        run_here(demo[0], "search", "sourdough", option, value)


@pytest.mark.parametrize(("option", "typed"), [("--role", "User"), ("--kind", "TEXT")])
def test_a_filter_is_taken_in_any_case(demo: tuple[Path, str], option: str, typed: str) -> None:
    found = run_here(demo[0], "search", "sourdough", option, typed)
    assert found == run_here(demo[0], "search", "sourdough", option, typed.lower())
    assert found[1]


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["-rye"], "Nothing found. A word with a minus is left out; add a word to find."),
        (["sourdough", "--since", "2025", "--until", "2024"], "Nothing found. Nothing is from 2025 to 2024"),
        (
            ["{url}"],
            "A search finds words, and this is the id or address of a conversation. `chatmirror show {id}`",
        ),
        (["{id}"], "`chatmirror show {id}` prints it."),
        (["{beginning}"], "`chatmirror show {id}` prints it."),
        (["nosuchword"], "Nothing found.\n"),
    ],
)
def test_why_nothing_could_be_found_is_said(
    demo: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, typed: list[str], says: str
) -> None:
    """At a terminal, a search that can find nothing is told from one that finds nothing by chance."""
    monkeypatch.setattr("mirror.cli.search_output.is_interactive", lambda _: True)
    with closing(sqlite3.connect(demo[0] / "chats.db")) as conn:
        key, url = conn.execute("SELECT id, url FROM conversations LIMIT 1").fetchone()
    named = {"id": key, "url": url, "beginning": key[:8]}
    assert says.format(**named) in run_here(demo[0], "search", *[word.format(**named) for word in typed])[1]


def test_a_conversation_is_shown_by_its_title(demo: tuple[Path, str]) -> None:
    """The title, or words of it with or without quotes; several are listed with their ids, and none is shown."""
    title = "# Planets for the weekend"
    for words in (["Planets for the weekend"], ["planets", "weekend"], ["WEEKEND planets"]):
        code, out, _ = run_here(demo[0], "show", *words)
        assert (code, out.splitlines()[0]) == (0, title)
    with pytest.raises(UsageError, match=r"titles have “the”, give the id: \S+ “.*”; \S+ “") as error:
        run_here(demo[0], "show", "the")
    assert error.value.exit_code == 2
    with pytest.raises(UsageError, match="no title has these words"):
        run_here(demo[0], "show", "no such words")


@pytest.mark.parametrize(
    ("shell", "typed", "offered"),
    [
        ("bash", "chatmirror sch", "plain,schedule"),
        ("bash", "chatmirror search --kind cod", "plain,code"),
        ("zsh", "chatmirror sync --no", "plain\n--no-files"),
        ("fish", "chatmirror schedule --for lau", "plain,launchd"),
    ],
)
def test_shells_complete_commands_options_and_values(shell: str, typed: str, offered: str) -> None:
    """With exit code 0, which zsh and fish ask for."""
    words = typed if shell != "fish" else typed.replace("lau", "")
    environ = {"_CHATMIRROR_COMPLETE": f"{shell}_complete", "COMP_WORDS": words}
    environ["COMP_CWORD"] = typed.rsplit(maxsplit=1)[-1] if shell == "fish" else str(len(typed.split()) - 1)
    found = subprocess.run([BIN / "chatmirror"], env=environ, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith(offered)


def test_a_conversation_prints_as_markdown_json_and_bytes(demo: tuple[Path, str]) -> None:
    """The newest conversation in all three forms."""
    code, out, _ = run(demo[0], "chatmirror", "show", "last")
    assert code == 0
    assert out.startswith("# Rain on the observing night\n")
    assert "Will a dew shield do?" in out
    found = json.loads(run(demo[0], "chatmirror", "show", "last", "--json")[1])
    assert found["messages"][0]["text"] == "Will a dew shield do?"
    assert "mapping" in json.loads(run(demo[0], "chatmirror", "show", found["url"], "--raw")[1])
    assert run(demo[0], "chatmirror", "show", found["id"][:13])[0] == 0
    assert run(demo[0], "chatmirror", "show", "no-such-chat")[0] == 2


def test_a_closed_pipe_is_no_error(demo: tuple[Path, str]) -> None:
    """`| head -1` ends quietly."""
    command = f"{BIN / 'chatmirror'} search the -n 500 | head -1"
    found = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=demo[0], capture_output=True, check=False)
    assert found.stderr == b""
