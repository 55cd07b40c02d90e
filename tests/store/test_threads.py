"""One conversation: which is meant, and its messages in an order that can be read."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mirrors import add, add_conversation, add_message, open_mirror

from mirror.errors import UsageError
from mirror.store import threads
from mirror.store.threads import BranchNumber, UnclearReferenceError, find_conversation

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

ID = "6712ab34-0000-4000-8000-00000000000a"
TWIN = "6712ab34-0000-4000-8000-00000000000b"


@pytest.fixture
def conn() -> Iterator[sqlite3.Connection]:
    with closing(open_mirror()) as conn:
        add_conversation(conn, ID, "Rye", updated_at="2025-02-01T00:00:00.000Z")
        add_conversation(conn, TWIN, "Wheat", updated_at="2025-03-01T00:00:00.000Z")
        add_conversation(conn, "import-1", None, updated_at=None)
        yield conn


@pytest.mark.parametrize(
    ("reference", "id_"),
    [
        (ID, ID),
        (f"  {ID.upper()}\n", ID),
        ("imp", "import-1"),
        ("last", TWIN),
        ("LAST", TWIN),
        (f"https://chatgpt.com/c/{ID}", ID),
        (f"https://chatgpt.com/c/{ID}?model=gpt-4o#x", ID),
        (f"https://chatgpt.com/g/g-p-0123-bakery/c/{ID}", ID),
        (f"http://chat.openai.com/c/{ID}/", ID),
        (f"chatgpt.com/c/{ID}", ID),
        (f"https://www.chatgpt.com/c/{ID}", ID),
        (f"HTTPS://CHATGPT.COM/c/{ID}", ID),
        (f"/c/{ID}", ID),
    ],
)
def test_what_names_a_conversation(conn: sqlite3.Connection, reference: str, id_: str) -> None:
    """An id, its unique beginning, every form of its address, or the last one."""
    assert find_conversation(conn, reference) == id_


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("nope", "no conversation “nope”"),
        ("", "neither an id nor"),
        ("rye bread", "neither an id nor"),
        ("%", "neither an id nor"),
        (f"https://chatgpt.com/share/{ID}", "share link"),
        ("https://chatgpt.com/", "neither an id nor"),
        ("http://[::1/c/x", "neither an id nor"),
        (f"https://other.host/c/{ID}", "neither an id nor"),
        ("https://other.host/c/6", "neither an id nor"),
        (f"other.host/c/{ID}", "neither an id nor"),
        (f"https://chatgpt.com.other.host/c/{ID}", "neither an id nor"),
        (f"https://other.host/?x=https://chatgpt.com/c/{ID}", "neither an id nor"),
        (f"https://chatgpt.com@other.host/c/{ID}", "neither an id nor"),
    ],
)
def test_what_names_none_is_said(conn: sqlite3.Connection, reference: str, says: str) -> None:
    """What cannot be found is a usage error that says why."""
    with pytest.raises(UsageError, match=says.replace("(", r"\(")):
        find_conversation(conn, reference)


def test_an_ambiguous_beginning_names_the_candidates(conn: sqlite3.Connection) -> None:
    """Several could be meant: they are listed, newest first."""
    with pytest.raises(UnclearReferenceError, match="2 conversations begin") as error:
        find_conversation(conn, "6712")
    assert error.value.candidates == ((TWIN, "Wheat"), (ID, "Rye"))


def test_an_id_is_never_ambiguous(conn: sqlite3.Connection) -> None:
    """An id that begins another one is that one."""
    add_conversation(conn, "import-12", "x")
    assert find_conversation(conn, "import-1") == "import-1"
    assert find_conversation(conn, "IMPORT-1") == "import-1"


def test_an_empty_mirror_has_no_last() -> None:
    """Nothing is there yet, and it is said."""
    with closing(open_mirror()) as conn, pytest.raises(UnclearReferenceError, match="chatmirror sync"):
        find_conversation(conn, "last")


def test_a_conversation_comes_with_names(conn: sqlite3.Connection) -> None:
    """Project and GPT stand by their names."""
    add(conn, "projects", id="g-p-1", name="Bakery")
    add(conn, "gpts", id="g-1", name="Baker")
    add_conversation(conn, "named", "x", project_id="g-p-1", gpt_id="g-1", is_starred=1)
    view = threads.conversation(conn, "named")
    assert (view.project, view.gpt, view.is_starred, view.is_archived) == ("Bakery", "Baker", True, False)
    with pytest.raises(UnclearReferenceError):
        threads.conversation(conn, "nope")


def test_a_mirror_of_an_older_version_can_be_read(conn: sqlite3.Connection) -> None:
    """A backup from before completeness was recorded: nothing is known to be lacking."""
    add_conversation(conn, "old", "Old")
    conn.execute("DROP INDEX conversations_incomplete")
    conn.execute("ALTER TABLE conversations DROP COLUMN is_complete")
    conn.execute("ALTER TABLE conversations DROP COLUMN incomplete_reason")
    view = threads.conversation(conn, "old")
    assert (view.title, view.is_complete, view.incomplete_reason) == ("Old", True, None)


def test_a_conversation_says_what_it_lacks(conn: sqlite3.Connection) -> None:
    add_conversation(conn, "part", "Part", is_complete=0, incomplete_reason="its end is missing")
    view = threads.conversation(conn, "part")
    assert (view.is_complete, view.incomplete_reason) == (False, "its end is missing")


def test_messages_come_with_links_and_files(conn: sqlite3.Connection) -> None:
    """Each message has its own, in order."""
    first = add_message(conn, ID, "a", "one")
    second = add_message(conn, ID, "b", "two")
    add(conn, "links", message_rowid=second, position=2, url="https://b", title=None, kind="citation")
    add(conn, "links", message_rowid=second, position=1, url="https://a", title="A", kind="citation")
    add(conn, "attachments", message_rowid=first, position=1, id="f", name="x.pdf", size=3, kind="file")
    one, two = threads.messages(conn, ID)
    assert [link.url for link in two.links] == ["https://a", "https://b"]
    assert [file.name for file in one.attachments] == ["x.pdf"]
    assert (one.links, two.attachments) == ((), ())


def node(conn: sqlite3.Connection, id_: str, parent: str, day: int, **more: Any) -> None:
    add_message(conn, ID, id_, id_, parent_id=parent, created_at=f"2025-01-{day:02}T00:00:00.000Z", **more)


def test_branches_left_behind_come_before_the_one_that_goes_on(conn: sqlite3.Connection) -> None:
    """A fork's branches are numbered by age, the visible one is read last and on to the end."""
    node(conn, "q", "root", 1, position=1)
    node(conn, "a1", "q", 2, position=None)
    node(conn, "a2", "q", 3, position=2)
    node(conn, "a3", "q", 4, position=None)
    node(conn, "a3x", "a3", 5, position=None)
    node(conn, "q2", "a2", 6, position=3)
    views = threads.messages(conn, ID, all_branches=True)
    assert [(view.id, view.branch) for view in views] == [
        ("q", None),
        ("a1", BranchNumber(1, 3, is_visible=False)),
        ("a3", BranchNumber(3, 3, is_visible=False)),
        ("a3x", None),
        ("a2", BranchNumber(2, 3, is_visible=True)),
        ("q2", None),
    ]
    assert [view.id for view in threads.messages(conn, ID)] == ["q", "a2", "q2"]


@given(st.lists(st.tuples(st.integers(0, 12), st.booleans()), max_size=12))
@settings(max_examples=100)
def test_every_message_is_read_once_whatever_the_tree(tree: list[tuple[int, bool]]) -> None:
    """Loops, lost parents and several roots neither hide a message nor repeat one."""
    views = [
        threads.MessageView(
            rowid=n,
            id=str(n),
            parent_id=str(parent),
            position=n if is_visible else None,
            role="user",
            kind="text",
            text="",
            created_at=None,
            model=None,
            author=None,
            recipient=None,
            channel=None,
            content_type=None,
            status=None,
            is_hidden=False,
            removed_at=None,
            links=(),
            attachments=(),
        )
        for n, (parent, is_visible) in enumerate(tree)
    ]
    assert sorted(view.rowid for view in threads.in_reading_order(views)) == list(range(len(views)))


def test_a_very_deep_tree_is_read(conn: sqlite3.Connection) -> None:
    """Thousands of turns are no recursion."""
    for n in range(5000):
        conn.execute(
            "INSERT INTO messages (id, conversation_id, parent_id, kind, text) VALUES (?, ?, ?, 'text', 'x')",
            (f"n{n}", ID, f"n{n - 1}"),
        )
    assert [view.id for view in threads.messages(conn, ID, all_branches=True)] == [f"n{n}" for n in range(5000)]
