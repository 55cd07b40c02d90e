"""What taking a payload in keeps, derives and reports."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invariants import broken_in
from trees import arrival, tree

from mirror.ingest import ingest
from mirror.json_bytes import parse_json
from mirror.store import payloads, runs
from mirror.store.database import Writer


@pytest.fixture
def writer(tmp_path):
    with Writer(tmp_path / "chats.db") as opened:
        with opened.transaction() as conn:
            runs.begin(conn, "sync", "2026-01-01T00:00:00.000Z", "test")
        yield opened


def take(writer, payload, **how):
    with writer.transaction() as conn:
        return [change.kind for change in ingest(conn, arrival(payload, **how), 1).changes]


def texts(writer, where="1"):
    sql = f"SELECT text FROM messages WHERE {where} ORDER BY position, rowid"
    return [row[0] for row in writer.conn.execute(sql)]


def content(writer):
    """Every content row, for comparing."""
    tables = ("conversations", "messages", "links", "attachments", "_payloads")
    return {table: [tuple(row) for row in writer.conn.execute(f"SELECT * FROM {table}")] for table in tables}


def test_the_same_again_writes_nothing(writer):
    """A second, equal reading changes no content row."""
    assert take(writer, tree("hello", "hi")) == ["new"]
    before = content(writer)
    assert take(writer, tree("hello", "hi"), at="2026-02-01T00:00:00.000Z") == []
    assert content(writer) == before


def test_added_messages_are_reported(writer):
    """A longer reading adds rows and says so."""
    take(writer, tree("hello", "hi"))
    assert take(writer, tree("hello", "hi", "more", "yes")) == ["messages added"]
    assert texts(writer, "position IS NOT NULL") == ["hello", "hi", "more", "yes"]
    assert len(payloads.load(writer.conn, "c1")) == 1


def test_what_vanishes_upstream_stays_marked_and_searchable(writer):
    """A message that a newer whole tree lacks keeps its text, a date, and its place in the index."""
    take(writer, tree("hello", "hi", "secretword", "yes"))
    assert "messages removed" in take(writer, tree("hello", "hi"), at="2026-02-01T00:00:00.000Z")
    row = writer.conn.execute("SELECT text, removed_at, position FROM messages WHERE id = 'n3'").fetchone()
    assert tuple(row) == ("secretword", "2026-02-01T00:00:00.000Z", None)
    hits = writer.conn.execute("SELECT count(*) FROM messages_fts WHERE messages_fts MATCH 'secretword'").fetchone()
    assert hits[0] == 1
    assert broken_in(writer.conn, writer.path) == []


def test_the_date_of_a_removal_does_not_move(writer):
    """Later readings leave the day on which a message was first seen gone."""
    take(writer, tree("a", "b", "c", "d"))
    take(writer, tree("a", "b"), at="2026-02-01T00:00:00.000Z")
    take(
        writer,
        tree("a", "b", ("x3", "n2", "c2"), ("x4", "x3", "d2"), at=1_750_000_900.0),
        at="2026-03-01T00:00:00.000Z",
    )
    dates = {row[0] for row in writer.conn.execute("SELECT removed_at FROM messages WHERE id IN ('n3', 'n4')")}
    assert dates == {"2026-02-01T00:00:00.000Z"}


def test_a_message_that_comes_back_is_no_longer_marked(writer):
    """A removal is lifted when a newer reading has the message again."""
    take(writer, tree("a", "b", "c"))
    take(writer, tree("a", "b"))
    take(writer, tree("a", "b", "c"))
    assert texts(writer, "removed_at IS NOT NULL") == []


def test_a_flat_reading_discards_no_branch(writer):
    """A reading of the visible branch only leaves other branches as they were."""
    take(writer, tree("q", ("a1", "n1", "first"), ("a2", "n1", "second"), current="a2"), origin="batch")
    flat = tree("q", ("a2", "n1", "second"), "more", current="n3")
    messages = [node["message"] for node in flat.pop("mapping").values() if node["message"]]
    messages[1]["metadata"]["parent_id"] = "n1"
    messages[2]["metadata"]["parent_id"] = "a2"
    take(writer, {**flat, "messages": messages}, origin="plural")
    assert "first" in texts(writer, "removed_at IS NULL")
    assert texts(writer, "position IS NOT NULL") == ["q", "second", "more"]


def test_an_older_export_never_replaces_newer(writer):
    """An export from before the last sync adds what only it has, and changes nothing else."""
    take(writer, tree("q", "a", "q2", "a2", title="New"), list_us=1_750_000_004_000_000)
    old = tree("q", "a", ("lost", "n1", "only in the export"), current="n2", title="Old", at=1_740_000_000.0)
    take(writer, old, origin="export", at="2026-05-01T00:00:00.000Z")
    row = writer.conn.execute("SELECT title, current_node_id FROM conversations").fetchone()
    assert tuple(row) == ("New", "n4")
    assert "only in the export" in texts(writer)
    assert texts(writer, "position IS NOT NULL") == ["q", "a", "q2", "a2"]


def test_a_newer_export_wins_but_proves_no_absence(writer):
    """An export that leaves out hidden nodes, as exports do, marks nothing as removed."""
    take(writer, tree("q", "hidden in exports", "q2"), origin="batch")
    take(writer, tree("q", ("n3", "n1", "q2"), ("n5", "n3", "later"), at=1_760_000_000.0), origin="export")
    assert texts(writer, "removed_at IS NOT NULL") == []
    assert texts(writer, "position IS NOT NULL")[-1] == "later"


def test_a_text_that_is_emptied_upstream_is_kept(writer):
    """A message blanked by moderation keeps what it said here."""
    take(writer, tree("q", "an answer"))
    take(writer, tree("q", ""), at="2026-02-01T00:00:00.000Z")
    assert texts(writer, "removed_at IS NOT NULL") == ["an answer"]


def test_a_switched_branch_is_reported(writer):
    """Choosing another answer is seen as such."""
    turns = ("q", ("a1", "n1", "first"), ("a2", "n1", "second"))
    take(writer, tree(*turns, current="a1"))
    assert take(writer, tree(*turns, current="a2")) == ["branch switched"]
    assert texts(writer, "position IS NOT NULL") == ["q", "second"]


def test_a_rename_and_an_archiving_are_reported(writer):
    """Row changes have names a person understands."""
    take(writer, tree("q", title="One"))
    assert sorted(take(writer, tree("q", title="Two", is_archived=True))) == ["archived", "renamed"]
    row = writer.conn.execute("SELECT before, after FROM changes WHERE kind = 'renamed'").fetchone()
    assert tuple(row) == ("One", "Two")


def test_the_payload_comes_back_byte_for_byte(writer):
    """What came is what is kept, also with text that SQLite cannot hold."""
    payload = tree("nul \x00 and lone \ud800 surrogate")
    take(writer, payload)
    assert payloads.load(writer.conn, "c1")[0].body == arrival(payload).body.raw
    assert texts(writer) == ["nul \u2400 and lone \ufffd surrogate"]
    assert writer.conn.execute("SELECT is_lossy FROM messages").fetchone()[0] == 1


@settings(max_examples=40)
@given(st.data())
def test_no_sequence_of_readings_loses_a_text(tmp_path_factory, data):
    """Whatever origins and trees come in whatever order: every text ever seen is in a row or in a kept payload."""
    path = tmp_path_factory.mktemp("db") / "chats.db"
    seen: set[str] = set()
    with Writer(path) as writer:
        with writer.transaction() as conn:
            runs.begin(conn, "sync", "2026-01-01T00:00:00.000Z", "test")
        for step in range(data.draw(st.integers(1, 6))):
            words = data.draw(st.lists(st.sampled_from(["", "aa", "bb", "cc", "dd"]), min_size=1, max_size=6))
            origin = data.draw(st.sampled_from(["single", "batch", "plural", "export"]))
            payload = tree(*words, at=1_750_000_000.0 + data.draw(st.integers(-3, 3)) * 1000)
            take(writer, payload, origin=origin, at=f"2026-01-{step + 1:02}T00:00:00.000Z")
            seen |= {f"n{n}{word}" for n, word in enumerate(words, 1) if word}
            assert seen <= kept_texts(writer)
            assert broken_in(writer.conn, writer.path) == []


def kept_texts(writer):
    rows = {row[0] + row[1] for row in writer.conn.execute("SELECT id, text FROM messages")}
    for layer in payloads.load(writer.conn, "c1"):
        nodes = parse_json(layer.body)["mapping"].values()
        rows |= {node["id"] + node["message"]["content"]["parts"][0] for node in nodes if node["message"]}
    return rows


def test_payloads_are_readable_in_the_sqlite_shell(writer):
    """The stored form is the shell's own: zlib with its plain size (sqlar_uncompress)."""
    take(writer, tree("hello"))
    row = writer.conn.execute("SELECT size, body, sha256 FROM _payloads").fetchone()
    assert row["size"] == arrival(tree("hello")).body.size
    assert sqlite3.sqlite_version_info >= (3, 35)


def test_links_files_and_characters_stay_with_their_conversation(writer):
    """Where messages of several conversations have the same ids, what belongs to one is not hung onto another."""

    def said(key, text):
        payload = tree(f"{text} 東京 [page](https://a.example/{key})", conversation_id=key, title=key)
        payload["mapping"]["n1"]["message"]["metadata"]["attachments"] = [{"id": f"file-{key}", "name": f"{key}.txt"}]
        return payload

    for key in ("c3", "c1", "c2"):
        take(writer, said(key, "first"))
    take(writer, said("c1", "again"), at="2026-01-02T00:00:00.000Z")
    sql = "SELECT m.conversation_id, a.name FROM attachments a JOIN messages m ON m.rowid = a.message_rowid ORDER BY 1"
    assert [tuple(row) for row in writer.conn.execute(sql)] == [("c1", "c1.txt"), ("c2", "c2.txt"), ("c3", "c3.txt")]
    sql = "SELECT count(*) FROM messages_cjk WHERE messages_cjk MATCH '\"東 京\"'"
    assert writer.conn.execute(sql).fetchone()[0] == 3
    assert broken_in(writer.conn, writer.path) == []
