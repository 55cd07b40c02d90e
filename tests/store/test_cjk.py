"""Scripts without spaces: every word inside a run is found, and the index of them follows what is stored."""

from __future__ import annotations

from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mirrors import START, add_conversation, add_message, open_mirror

from mirror.normalize.rows import Conversation, Message
from mirror.store import cjk
from mirror.store.conversations import Facts, message_rows, save_messages, save_row
from mirror.store.search import search

RUN = "昨日京都で美味しいラーメンを食べた後に駅へ行く"  # no character twice but い and た
TEXTS = st.sampled_from(
    ["", "plain", "京都", "京都 and more", "大阪へ", "iPhone手机", "🥖 rolls", "🥖", "กรุงเทพ", "서울에서"]
)


@pytest.fixture
def conn():
    with closing(open_mirror()) as conn:
        yield conn


def keep(conn, texts):
    """Store the conversation as the program does; ``texts``: node -> text."""
    messages = tuple(Message(node, None, "user", "text", "text", text, position=1) for node, text in texts.items())
    conversation = Conversation("c1", "x", START, START, None, messages=messages)
    save_row(conn, conversation, Facts("chatgpt", "https://chatgpt.com/c/c1"), START)
    save_messages(conn, conversation, message_rows(conn, "c1"))


def indexed(conn):
    """Return every (word, message, place) of the index."""
    conn.execute("CREATE VIRTUAL TABLE IF NOT EXISTS temp.held USING fts5vocab(main, messages_cjk, instance)")
    return sorted(tuple(row) for row in conn.execute("SELECT term, doc, offset FROM temp.held"))


def is_found(conn, words):
    return bool(search(conn, words).hits)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("京都", ["京", "都"]),
        ("iPhone手机", ["iPhone", "手", "机"]),
        ("手机iPhone", ["手", "机", "iPhone"]),
        ("2024年5月", ["2024", "年", "5", "月"]),
        ("서울에서", ["서", "울", "에", "서"]),
        ("\u1109\u1165\u110b\u116e\u11af", ["서", "울"]),  # as some systems write the same letters
        ("ラーメン", ["ラ", "ー", "メ", "ン"]),
        ("ﾗｰﾒﾝ", ["ラ", "ー", "メ", "ン"]),
        ("ｶﾞ", ["ガ"]),
        ("กรุงเทพ", ["ก", "รุ", "ง", "เ", "ท", "พ"]),
        ("ที่นี่", ["ที่", "นี่"]),
        ("ລາວ", ["ລ", "າ", "ວ"]),
        ("ခေါ", ["ခေါ"]),
        ("ខ្មែ", ["ខ្", "មែ"]),
        ("𠮷野家", ["𠮷", "野", "家"]),
        ("々〆〇", ["々", "〆", "〇"]),
        ("ㄅㄆ", ["ㄅ", "ㄆ"]),
        ("京🍜x", ["京", "u1f35c", "x"]),
    ],
)
def test_each_character_is_a_word_of_its_own(text, words):
    """Whatever the script and its width; what is written above or below a letter stays with it."""
    assert cjk.set_apart(text).split() == words


@pytest.mark.parametrize(
    ("text", "is_unspaced"),
    [
        *(
            (text, True)
            for text in ("京", "か", "カ", "ｶ", "서", "\u1100", "ก", "ລ", "က", "ក", "ㄅ", "々", "𠮷", "a京b", "㐀")
        ),
        *(
            (text, False)
            for text in ("", "rye", "Zürich", "Ελλάδα", "Москва", "שלום", "مرحبا", "हिन्दी", "🥖", "“x” – …", "①")
        ),
    ],
)
def test_scripts_with_spaces_pay_nothing(text, is_unspaced):
    """Only what has no spaces is set apart."""
    assert cjk.is_unspaced(text) is is_unspaced
    assert cjk.set_apart(text).split() == ([f"u{ord(text):x}"] if text == "🥖" else []) or is_unspaced


def test_every_word_inside_a_run_is_found(conn):
    """One, two, three characters anywhere in it; what does not stand together there is not found."""
    add_conversation(conn, "c1", "x")
    add_message(conn, "c1", "n1", f"so {RUN}, yes")
    for size in (1, 2, 3):
        for at in range(len(RUN) - size + 1):
            assert is_found(conn, RUN[at : at + size]), RUN[at : at + size]
    for words in ("京で", "都京", "昨京", "京ラ", "行駅", "京都に", "阪"):
        assert not is_found(conn, words), words


@pytest.mark.parametrize(
    ("text", "found", "missed"),
    [
        (
            "新iPhone手机壳",
            ["手机", "手", "机壳", "iPhone手机", "IPHONE手", "新iPhone"],
            ["手壳", "iPhone壳", "phone手机"],
        ),
        ("สวัสดีกรุงเทพฯ", ["กรุงเทพ", "สวัสดี", "รุง"], ["รง", "กรง", "เทกรุง"]),
        ("서울에서 만나요", ["서울", "울에", "나"], ["서에", "만요"]),
        ("ﾗｰﾒﾝを𠮷野家で", ["ラーメン", "ﾗｰﾒﾝ", "𠮷野", "𠮷"], ["ラメ", "吉野"]),
    ],
)
def test_words_are_found_in_every_script(conn, text, found, missed):
    """Also where Latin words stand in the run, in any case and any width."""
    add_conversation(conn, "c1", "x")
    add_message(conn, "c1", "n1", text)
    assert [words for words in found if not is_found(conn, words)] == []
    assert [words for words in missed if is_found(conn, words)] == []


@given(st.lists(st.dictionaries(st.sampled_from(["n1", "n2", "n3"]), TEXTS), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_the_index_follows_what_is_stored(versions):
    """After any edits and removals it holds what it would hold if it were made anew: no trace of an old text."""
    with closing(open_mirror()) as conn:
        for texts in versions:
            keep(conn, texts)
            assert cjk.is_whole(conn)
        held = indexed(conn)
        cjk.fill(conn)
        assert held == indexed(conn)


def test_edited_and_removed_texts_are_not_found(conn):
    """What a message said before leads nowhere, what it says now does."""
    keep(conn, {"n1": "京都へ", "n2": "大阪へ"})
    assert (is_found(conn, "京都"), is_found(conn, "大阪")) == (True, True)
    keep(conn, {"n1": "東京へ", "n3": "plain"})
    assert [is_found(conn, words) for words in ("京都", "大阪", "東京", "京へ")] == [False, False, True, True]
    assert {row[0] for row in conn.execute("SELECT rowid FROM messages_cjk")} == {
        row[0] for row in conn.execute("SELECT rowid FROM messages WHERE id = 'n1'")
    }


@pytest.mark.parametrize("text", ["京都", "rolls 🥖"])
def test_an_index_out_of_step_is_noticed_and_mended(conn, text):
    """A text that it lacks, and one that is there no more; texts of other scripts do not matter to it."""
    keep(conn, {"n1": "東京", "n2": "plain"})
    insert = "INSERT INTO messages (conversation_id, id, kind, text) VALUES ('c1', ?, 'text', ?)"
    conn.execute(insert, ("n3", "spaced words"))
    assert cjk.is_whole(conn)
    conn.execute(insert, ("n4", text))
    assert not cjk.is_whole(conn)
    cjk.fill(conn)
    assert cjk.is_whole(conn)
    assert is_found(conn, text[-1])
    conn.execute("DELETE FROM messages WHERE id = 'n4'")
    assert not cjk.is_whole(conn)
    cjk.fill(conn)
    assert cjk.is_whole(conn)
    assert not is_found(conn, text[-1])


def test_an_index_of_another_rule_is_made_anew(conn, monkeypatch):
    """A newer program that sets characters apart in another way knows that the index is not its own."""
    assert cjk.is_filled(conn)
    monkeypatch.setattr(cjk, "VERSION", cjk.VERSION + 1)
    assert not cjk.is_filled(conn)
    cjk.fill(conn)
    assert cjk.is_filled(conn)
