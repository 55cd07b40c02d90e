"""The lists of the simulated service, and what they can get wrong (API notes §2, §5)."""

from __future__ import annotations

import pytest

from mirror.simulator.clock import iso_microseconds


def rows(browser, **query):
    return browser.get("/conversations", **query)[1]["items"]


def test_a_row_has_the_services_shape(start):
    """``id`` and ISO times with microseconds, no tree, no ``conversation_id``."""
    browser = start()
    row = rows(browser)[0]
    living = browser.account.conversations[row["id"]]
    assert "conversation_id" not in row
    assert row["mapping"] is row["current_node"] is None
    assert (row["create_time"], row["update_time"]) == (
        iso_microseconds(living["create_time"]),
        iso_microseconds(living["update_time"]),
    )
    assert row["update_time"].endswith("Z")
    assert {"gizmo_id", "conversation_template_id", "is_archived", "is_starred", "async_status", "memory_scope"} <= set(
        row
    )


def test_a_page_is_28_unless_asked_and_100_at_most(start):
    """101 is refused with a list of details, as is what is not a number from 0 on."""
    browser = start(130)
    assert len(rows(browser)) == 28
    status, found = browser.get("/conversations", offset=0, limit=100)
    assert (len(found["items"]), found["limit"], found["offset"]) == (100, 100, 0)
    for query in ({"limit": 101}, {"limit": "many"}, {"offset": -1}):
        status, found = browser.get("/conversations", **query)
        assert status == 422
        assert found["detail"][0]["loc"][0] == "query"


def test_the_newest_come_first_and_past_the_end_is_an_empty_page(start):
    """By update time, complete, and nothing after it."""
    browser = start(230)
    times = [browser.account.conversations[key]["update_time"] for key in browser.all_listed()]
    assert times == sorted(times, reverse=True)
    assert len(times) == 230
    assert rows(browser, offset=230) == []
    assert browser.get("/conversations", order="created")[0] == 500


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("hint", 101), ("true", 150), ("null", None), ("zero", 0), ("wrong", 7), ("absent", "absent")],
)
def test_the_total(start, mode, expected):
    """Usually one more than was shown; it proves nothing."""
    found = start(150, total=mode).get("/conversations", limit=100)[1]
    assert found.get("total", "absent") == expected


def test_archive_star_and_projects_have_their_own_lists(start):
    """Archived chats are in one list only; project chats are hidden when asked; stars filter."""
    browser = start(6, archived=2)
    archived = {key for key in browser.ids() if browser.account.conversations[key]["is_archived"]}
    a, b, c = (key for key in browser.ids()[:3])
    browser.person.star(a)
    browser.person.archive(b)
    browser.person.move(c, browser.person.new_project("Bread"))
    assert set(browser.listed(is_archived="true")) == {b, *archived}
    assert browser.listed(is_starred="true") == [a]
    assert a not in browser.listed(is_starred="false")
    assert c not in browser.listed(hide_snorlax="true")
    assert c in browser.listed(hide_snorlax="false")
    assert set(browser.listed()) == set(browser.ids()) - {b, *archived}
    browser.behaviour.main_excludes_projects = True
    assert c not in browser.listed(hide_snorlax="false")
    browser.behaviour.ignores_filters = True
    assert len(browser.listed(is_starred="true")) == 4
    browser.behaviour.hide_snorlax_rejected = True
    assert browser.get("/conversations", hide_snorlax="false")[0] == 422


@pytest.mark.parametrize(
    ("behaviour", "seen"),
    [
        ({"collapse_to": 0.1}, 6),
        ({"collapse_to": 0.1, "collapse_scopes": frozenset({"archived"})}, 60),
        ({"end_early_at": 33}, 33),
        ({"empty_page_at": 1}, 20),
        ({"page_cap": 7}, 60),
    ],
)
def test_lists_that_hide_rows(start, behaviour, seen):
    """So many rows come before the first empty page."""
    assert len(start(60, **behaviour).all_listed(limit=20)) == seen


def test_rows_that_no_list_shows_live_on(start):
    """Left out of the lists, there when asked for."""
    browser = start()
    key = browser.ids()[2]
    browser.behaviour.omitted = frozenset({key})
    assert key not in browser.all_listed()
    assert browser.get(f"/conversation/{key}")[0] == 200


def test_lists_that_repeat_rows(start):
    """Two rows twice and two never; one page twice; the first page for ever."""
    browser = start(60, repeat_and_skip=True)
    found = browser.all_listed(limit=20)
    assert (len(found), len(set(found))) == (60, 56)
    browser.behaviour.repeat_and_skip, browser.behaviour.repeated_page_at = False, 1
    pages = [browser.listed(offset=offset, limit=20) for offset in (0, 18, 36)]
    assert pages[1] == pages[0] != pages[2]
    browser.behaviour.endless = True
    assert browser.listed(offset=600, limit=20) == pages[0]


def test_a_short_page_can_call_itself_full(start):
    """Its limit is then its length."""
    found = start(25, full_last_page=True).get("/conversations", offset=20, limit=20)[1]
    assert (len(found["items"]), found["limit"]) == (5, 5)


def test_deep_pages_can_fail(start):
    """From an offset on, 500."""
    browser = start(60, deep_offset_error_from=40)
    assert [browser.get("/conversations", offset=n)[0] for n in (0, 39, 40)] == [200, 200, 500]


def test_things_happen_between_pages(start):
    """A changed chat jumps to the top, and the next page repeats the last row of the one before."""
    browser, seen = start(60), []

    def act(scope, page):
        seen.append((scope, page))
        if page == 1:
            browser.person.rename(browser.ids()[50], "Touched")

    browser.behaviour.between_pages = act
    first, second = browser.listed(limit=20), browser.listed(offset=20, limit=20)
    assert seen == [("main", 0), ("main", 1)]
    assert set(first) & set(second) == {first[-1]}
    assert browser.listed(limit=1) == [browser.ids()[50]]


def test_times_and_titles_have_several_forms(start):
    """With and without a zone; rows of 2023 without an update time; titles that are null or empty."""
    browser = start(30, mixed_times=True, null_titles=True)
    old = browser.account.conversations[browser.ids()[3]]
    old["create_time"] = old["update_time"] = 1_690_000_000.5
    found = rows(browser, limit=100)
    assert {row["update_time"][-6:] for row in found if "update_time" in row} >= {"+00:00"}
    assert {row["update_time"][-1] for row in found if "update_time" in row} > {"Z", "0"}
    assert [row["create_time"] for row in found if "update_time" not in row] == ["2023-07-22T04:26:40.500000"]
    assert {None, ""} < {row["title"] for row in found}


def test_shares_have_ids_of_their_own(start):
    """The share's id is not the conversation's, and the list can begin again after its end."""
    browser = start()
    key = browser.ids()[0]
    share = browser.person.share(key)
    (row,) = browser.get("/shared_conversations", order="created")[1]["items"]
    assert (row["id"], row["conversation_id"]) == (share, key)
    assert browser.get(f"/conversation/{share}")[0] == 404
    assert browser.get("/shared_conversations", offset=50)[1]["items"] == []
    browser.behaviour.shared_repeats = True
    assert browser.get("/shared_conversations", offset=50)[1]["items"] == [row]


def test_pins(start):
    """A pinned conversation is a row inside a row."""
    browser = start()
    browser.person.pin(browser.ids()[1])
    (pin,) = browser.get("/pins")[1]
    assert (pin["item_type"], pin["item"]["id"], pin["pinned_at"]) == (
        "conversation",
        browser.ids()[1],
        iso_microseconds(browser.clock()),
    )


# -- projects


def gizmo_of(item):
    inner = item.get("gizmo") or item["resource"]["gizmo"]
    return inner.get("gizmo", inner)


def sidebar(browser, **query):
    found: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(20):
        page = browser.get("/gizmos/snorlax/sidebar", **query, **cursor)[1]
        found += [gizmo_of(item)["id"] for item in page["items"]]
        if page["cursor"] is None:
            break
        cursor = {"cursor": page["cursor"]}
    return found


@pytest.mark.parametrize("nesting", [0, 1, 2])
def test_the_sidebar_shows_five_projects_a_page(start, nesting):
    """All come by the cursor, which is long and must be encoded; rows nest in three ways."""
    browser = start(sidebar_nesting=nesting)
    made = [browser.person.new_project(f"P{n}") for n in range(12)]
    page = browser.get("/gizmos/snorlax/sidebar")[1]
    assert (len(page["items"]), len(page["cursor"])) == (5, 548)
    assert set("+/=") <= set(page["cursor"])
    assert sidebar(browser) == sidebar(browser, limit=50) == made
    bare = f"/backend-api/gizmos/snorlax/sidebar?cursor={page['cursor']}"
    assert browser.raw("GET", bare, browser.signed_headers())[0] == 422


def test_the_sidebar_carries_some_conversations(start):
    """As many of each project as were asked for."""
    browser = start()
    bread = browser.person.new_project("Bread")
    for key in browser.ids()[:3]:
        browser.person.move(key, bread)
    (item,) = browser.get("/gizmos/snorlax/sidebar", conversations_per_gizmo=2)[1]["items"]
    assert len(item["conversations"]["items"]) == 2
    (item,) = browser.get("/gizmos/snorlax/sidebar", conversations_per_gizmo=0)[1]["items"]
    assert item["conversations"] == {"items": [], "cursor": None}


def test_the_sidebar_can_be_wrong(start):
    """Rows twice; cursors without end; the endpoint missing."""
    browser = start(sidebar_duplicates=True)
    made = [browser.person.new_project(f"P{n}") for n in range(7)]
    assert sidebar(browser) == [*made[:5], made[4], *made[5:]]
    browser.behaviour.cursors_never_end = True
    assert len(sidebar(browser)) > 40
    browser.behaviour.has_projects_endpoint = False
    assert browser.get("/gizmos/snorlax/sidebar")[0] == 404


def test_a_projects_conversations(start):
    """By an opaque cursor; a plain number as a cursor shows the first page for ever."""
    browser = start()
    bread, empty = browser.person.new_project("Bread"), browser.person.new_project("Empty")
    made = [browser.person.new_conversation(f"Loaf {n}", project=bread) for n in range(70)]
    path = f"/gizmos/{bread}/conversations"
    first = browser.get(path, cursor=0, limit=50)[1]
    second = browser.get(path, cursor=first["cursor"], limit=50)[1]
    assert {row["id"] for row in first["items"] + second["items"]} == set(made)
    assert second["cursor"] is None
    assert browser.get(path, cursor=1, limit=50)[1] == first
    assert browser.get(path, limit=51)[0] == 422
    assert browser.get(f"/gizmos/{empty}/conversations")[1] == {"items": [], "cursor": None}
    assert browser.get("/gizmos/g-p-none/conversations")[0] == 404
    row = first["items"][0]
    assert row["gizmo_id"] == row["conversation_template_id"] == bread


def test_a_gizmo_by_its_id(start):
    """A project or a GPT of the account; 404 for what is private."""
    browser = start()
    browser.account.gpts["g-abc"] = {"id": "g-abc", "display": {"name": "Crumb Coach"}}
    assert browser.get("/gizmos/g-abc")[1]["gizmo"]["display"]["name"] == "Crumb Coach"
    assert browser.get(f"/gizmos/{browser.person.new_project('Bread')}")[0] == 200
    assert browser.get("/gizmos/g-private")[0] == 404


@pytest.mark.parametrize(
    ("work", "main", "of_work"),
    [("apart", {"chat"}, {"work"}), ("together", {"chat", "work"}, {"work"}), ("ignored", {"chat", "work"}, None)],
)
def test_work_conversations(start, work, main, of_work):
    """In a list of their own, in the main one too, or wherever the parameter is not known."""
    browser = start(0, work=work)
    keys = {name: browser.person.new_conversation(name, origin="tpp" if name == "work" else None) for name in main}
    keys |= {} if "work" in keys else {"work": browser.person.new_conversation("work", origin="tpp")}
    assert {row["title"] for row in rows(browser)} == main
    assert {row["title"] for row in rows(browser, conversation_origin="tpp")} == (of_work or main)
    assert {row["title"] for row in rows(browser, exclude_conversation_origin="tpp")} == (
        main if work == "ignored" else {"chat"}
    )
    assert [row["conversation_origin"] for row in rows(browser) if row["id"] == keys["work"]] == (
        ["tpp"] if "work" in main else []
    )


def test_a_refused_origin_and_projects_of_others(start):
    """422 for the parameter; shared projects come only where the sidebar is asked for them, and may be refused."""
    browser = start(work="refused")
    assert browser.get("/conversations", conversation_origin="tpp")[0] == 422
    shared = browser.person.new_project("Theirs")
    browser.account.projects_of_others.add(shared)
    assert sidebar(browser) == []
    assert len(browser.get("/gizmos/snorlax/sidebar", owned_only="false")[1]["items"]) == 1
    browser.behaviour.owned_only_rejected = True
    assert browser.get("/gizmos/snorlax/sidebar", owned_only="false")[0] == 422


def test_the_work_list_is_limited_by_itself(start):
    """429 there, and 200 for the main list."""
    browser = start(work_limited=1)
    assert browser.get("/conversations", conversation_origin="tpp")[0] == 429
    assert browser.get("/conversations")[0] == 200
    assert browser.get("/conversations", conversation_origin="tpp")[0] == 200


def test_rows_that_are_no_conversations(start):
    """Behind the others on the first page of a list."""
    browser = start(3, odd_rows={"main": [None, {"id": 5}]})
    assert rows(browser)[3:] == [None, {"id": 5}]
    assert rows(browser, offset=3) == []
