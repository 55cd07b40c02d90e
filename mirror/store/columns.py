"""Every column of every table, as the migrations make them.

It stands here a second time because to apply the migrations takes a quarter of a second, which each run would wait for.
A test compares the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# The columns of a table; one that holds no TEXT names its type. Without the full-text indexes' own tables.
_TABLES = {
    "accounts": "id name plan structure provider first_seen_at last_seen_at left_at",
    "projects": "id name url description instructions account_id created_at updated_at last_seen_at",
    "gpts": "id name url description last_seen_at",
    "conversations": (
        "id title url created_at updated_at message_count:INTEGER model project_id gpt_id is_archived:INTEGER "
        "is_starred:INTEGER deleted_at missing_since last_seen_at provider account_id current_node_id "
        "is_complete:INTEGER incomplete_reason"
    ),
    "messages": (
        "rowid:INTEGER id conversation_id parent_id position:INTEGER role kind text created_at model author "
        "recipient channel content_type status is_hidden:INTEGER is_lossy:INTEGER updated_at removed_at "
        "message_id drafts"
    ),
    "links": "id:INTEGER message_rowid:INTEGER position:INTEGER url title kind",
    "attachments": (
        "rowid:INTEGER id message_rowid:INTEGER position:INTEGER name mime_type size:INTEGER kind file_id "
        "source prompt width:INTEGER height:INTEGER parameters"
    ),
    "memories": "rowid:INTEGER id account_id content created_at updated_at first_seen_at replaced_at",
    "instructions": "rowid:INTEGER account_id content first_seen_at replaced_at",
    "sync_runs": (
        "id:INTEGER started_at finished_at command outcome exit_code:INTEGER message is_full:INTEGER "
        "listed:INTEGER new:INTEGER changed:INTEGER unchanged:INTEGER failed:INTEGER pending:INTEGER "
        "requests:INTEGER waits:REAL version provider files:INTEGER files_pending:INTEGER"
    ),
    "changes": "id:INTEGER run_id:INTEGER conversation_id kind before after",
    "_payloads": (
        "id:INTEGER conversation_id body:BLOB size:INTEGER sha256 origin source fetched_at payload_us:INTEGER "
        "proves_absence:INTEGER fingerprint incomplete_reason"
    ),
    "_listed": (
        "conversation_id account_id provider title created_at is_archived:INTEGER is_starred:INTEGER "
        "list_us:INTEGER stored_us:INTEGER is_generating:INTEGER listed_at is_branch_only:INTEGER "
        "tries:INTEGER retry_at error missing_since gone_run_id:INTEGER checked_at project_id gpt_id "
        "states_home:INTEGER list_mark stored_mark read_at verified_at smaller_at smaller_ids "
        "gone_proofs:INTEGER in_main:INTEGER is_work:INTEGER owner_id"
    ),
    "_scopes": "account_id scope watermark_us:INTEGER listed:INTEGER read_to_end_at",
    "_settings": "key value",
    "_skeletons": (
        "provider endpoint kind name types units:INTEGER object_units:INTEGER possible:INTEGER missed:INTEGER"
    ),
    "_drift": "id:INTEGER provider seen_at endpoint what",
    "_row_hashes": "table_name row_key hash:BLOB",
    "files": (
        "id name mime_type size:INTEGER kind state reason source prompt width:INTEGER height:INTEGER sha256 "
        "created_at first_seen_at fetched_at provider origin project_id"
    ),
    "file_texts": "rowid:INTEGER sha256 text is_whole:INTEGER",
    "_file_fetches": "file_id tries:INTEGER retry_at durable_id",
}


def _named(words: str) -> Mapping[str, str]:
    return {name: kind or "TEXT" for name, _, kind in (word.partition(":") for word in words.split())}


# Table -> column -> type.
COLUMNS: Mapping[str, Mapping[str, str]] = {table: _named(words) for table, words in _TABLES.items()}
