"""What a run must not confuse: an older list time with no change, and messages of one id with one message."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from mirrored_service import MirroredService, content, differences, findings

from mirror.simulator.trees import branch

if TYPE_CHECKING:
    from pathlib import Path


def rewrite(mirrored: MirroredService, key: str, words: str) -> None:
    """Change the newest message of a conversation, and nothing else of it."""
    tree = mirrored.account.tree(key)
    tree["mapping"][tree["current_node"]]["message"]["content"]["parts"] = [words]


@pytest.mark.parametrize("seconds", [-3 * 86_400.0, -60.0, -0.000_5, 0.000_5, 60.0])
def test_a_list_time_that_differs_in_any_way_is_a_change(tmp_path: Path, seconds: float) -> None:
    """The service can set a time back, as when it restores a conversation: what counts is that it is another one."""
    with MirroredService(tmp_path) as mirrored:
        assert mirrored.sync().error is None
        key = mirrored.ids()[5]
        rewrite(mirrored, key, "written since")
        mirrored.account.conversations[key]["update_time"] += seconds
        assert mirrored.next_run() == 0
        assert mirrored.value("SELECT count(*) FROM messages WHERE text = 'written since'") == 1
        assert differences(mirrored) == []


def share_ids(mirrored: MirroredService) -> None:
    """Let all conversations have the same node ids: an id is unique inside its conversation only."""
    for key in mirrored.ids():
        tree = mirrored.account.tree(key)
        names = {node: f"00000000-0000-4000-8000-{n:012}" for n, node in enumerate(tree["mapping"])}
        text = json.dumps(tree["mapping"])
        for old, new in names.items():
            text = text.replace(old, new)
        tree.update(mapping=json.loads(text), current_node=names[tree["current_node"]])


def test_conversations_that_share_message_ids_stay_apart(tmp_path: Path) -> None:
    """Each keeps its own texts, through changes, branches, removals and a deletion of others."""
    with MirroredService(tmp_path, conversations=6) as mirrored:
        share_ids(mirrored)
        assert mirrored.sync().error is None
        assert differences(mirrored) == []
        ids = mirrored.value("SELECT count(DISTINCT id) FROM messages")
        assert mirrored.value("SELECT count(*) FROM messages") == 6 * ids
        first, second, third = mirrored.ids()[:3]
        before = {row[0]: row for row in content(mirrored)["conversations"]}
        rewrite(mirrored, first, "said in the first one only")
        mirrored.account.conversations[first]["update_time"] += 60
        mirrored.person.edit_prompt(second, "asked otherwise")
        parent, leaf = branch(mirrored.account.tree(third))[-2:]
        del mirrored.account.tree(third)["mapping"][leaf]
        mirrored.account.tree(third)["mapping"][parent]["children"] = []
        mirrored.account.tree(third)["current_node"] = parent
        mirrored.account.conversations[third]["update_time"] += 60
        assert mirrored.next_run() in {0, 3}  # the smaller tree is read once more to be sure
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []
        assert findings(mirrored) == []
        assert mirrored.value("SELECT count(*) FROM messages WHERE text = 'said in the first one only'") == 1
        assert mirrored.rows("SELECT conversation_id FROM messages WHERE removed_at IS NOT NULL") == [(third,)]
        untouched = set(before) - {first, second, third}
        assert {row[0]: row for row in content(mirrored)["conversations"] if row[0] in untouched} == {
            key: before[key] for key in untouched
        }
