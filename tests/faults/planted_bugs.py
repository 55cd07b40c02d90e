"""Bugs that the tests must see: each a change to one place of the program, and the tests that turn red by it.

They are faults that were made once, here or elsewhere, or that would cost somebody a conversation, their login or their
account. ``test_planted_bugs.py`` plants each into a copy of the program.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlantedBug:
    """``code`` stands once in ``file`` and becomes ``bug``. ``tests``: paths that pytest runs, of which one fails."""

    name: str
    file: str
    code: str
    bug: str
    tests: tuple[str, ...]


def _bug(name: str, file: str, code: str, bug: str, *tests: str) -> PlantedBug:
    return PlantedBug(name, f"mirror/{file}.py", code, bug, tuple(f"tests/{test}" for test in tests))


POWER = "faults/test_power_loss.py::test_a_power_cut_loses_nothing_that_was_saved[first sync]"
POWER_OF_BACKUP, POWER_OF_EXPORT = (POWER.replace("first sync", name) for name in ("backup", "export"))
UNTRUE_LISTS, TROUBLE, ACCOUNT = "test_untrue_lists.py", "test_sync_trouble.py", "test_sync_account.py"
BAD, EVIDENCE, PLAN = "sync/test_one_bad_thing.py", "sync/test_evidence.py", "sync/test_plan.py"
STORAGE = "faults/test_storage.py"
DATABASE, MERGE = "store/test_database.py", "normalize/test_normalize_merge.py"
BACKUP, PLACES, LOGIN = "store/test_backup.py", "store/test_places.py", "test_credentials.py"
READER = "reader/test_second_process.py"
PAGING, TRANSPORT, PACING = "chatgpt/test_paging.py", "web/test_transport.py", "web/test_pacing.py"

BUGS = (
    # -- an import that reads by a second process
    _bug(
        "a second process that ends early is believed to be through",
        "reader/second_process",
        "ever its bytes happen to ask for\n            return\n",
        "ever its bytes happen to ask for\n            pass\n",
        READER,
    ),
    _bug(
        "what a second process gave before it ended is taken twice",
        "reader/second_process",
        "islice(readings(archive, known), count, None)",
        "readings(archive, known)",
        READER,
    ),
    _bug(
        "what others print is taken for its answer",
        "reader/second_process",
        ".endswith(mark):",
        ".endswith(line):",
        READER,
    ),
    _bug("no second process is ever started", "reader/second_process", "and _processors() > 1", "and False", READER),
    _bug(
        "a second process outlives a first one that was killed",
        "reader/second_process",
        "        Thread(target=_end_with, args=[task.asked_by], daemon=True).start()\n",
        "        pass\n",
        READER,
    ),
    _bug("what is stored is read again", "reader/reading", "elif item.body.sha256 in known:", "elif False:", READER),
    _bug(
        "a mistake in merging ends the import",
        "importing",
        "except UnreadablePayloadError as error:  # where its copies are put together",
        "except ZeroDivisionError as error:",
        "test_own_mistakes.py",
    ),
    # -- durable
    _bug("synchronous is off", "store/database", '"synchronous=FULL"', '"synchronous=OFF"', POWER),
    _bug("synchronous is normal", "store/database", '"synchronous=FULL"', '"synchronous=NORMAL"', POWER),
    _bug(
        "bytes of files are not synced",
        "files/byte_store",
        "            sync_handle(self._file.fileno())\n",
        "",
        POWER,
    ),
    _bug(
        "names of files are not synced",
        "files/byte_store",
        "                sync_path(folder)\n",
        "                pass\n",
        POWER,
    ),
    _bug(
        "a backup's name is not synced",
        "store/files",
        "    copy.replace(target)\n    sync_path(target.parent)\n",
        "    copy.replace(target)\n",
        POWER_OF_BACKUP,
    ),
    _bug(
        "exported files are not synced",
        "export/folder",
        "                sync_handle(file.fileno())  # of a part that a power cut left, the same is true\n",
        "",
        POWER_OF_EXPORT,
    ),
    _bug(
        "a failed transaction is kept",
        "store/database",
        'self.conn.execute("ROLLBACK")\n                raise\n',
        'self.conn.execute("COMMIT")\n                raise\n',
        f"{DATABASE}::test_a_failed_transaction_leaves_nothing",
    ),
    _bug(
        "a moved database takes writes",
        "store/database",
        "                self._same_file()\n",
        "",
        f"{DATABASE}::test_a_moved_database_takes_no_more_writes",
    ),
    _bug(
        "a log that does not fit its file is folded in",
        "store/database",
        "            if not self._is_for_repair:\n",
        "            if False:\n",
        f"{STORAGE}::test_a_log_of_another_mirror_is_named_and_spoils_no_file",
    ),
    _bug(
        "a run begins on a full disk",
        "store/database",
        ".free < FREE_SPACE:\n        raise",
        ".free < 0:\n        raise",
        f"{STORAGE}::test_a_run_that_would_meet_a_full_disk_does_not_begin",
    ),
    _bug(
        "each step of an update of the tables is a transaction of its own",
        "store/database",
        "        migrations.apply(Database(conn, execute_plugins=False))\n",
        "        for name in (*MIGRATIONS, None):\n"
        "            migrations.apply(Database(conn, execute_plugins=False), stop_before=name)\n"
        '            conn.execute("COMMIT")\n            conn.execute("BEGIN IMMEDIATE")\n',
        f"{STORAGE}::test_an_update_killed_at_any_statement_is_old_or_new_and_is_taken_up",
    ),
    _bug(
        "a second Ctrl-C prints a traceback",
        "cli/interruptions",
        "            signal.signal(number, before or signal.SIG_DFL)\n",
        "            pass\n",
        "faults/test_stopped.py::test_a_second_signal_while_the_last_line_is_printed_prints_no_traceback",
    ),
    _bug(
        "another program's database is taken",
        "store/database",
        "    if not applied:\n",
        "    if False:\n",
        f"{DATABASE}::test_somebody_elses_database_is_refused_and_not_touched",
    ),
    _bug(
        "a newer database is taken",
        "store/database",
        "if unknown := applied.difference(MIGRATIONS):",
        "if unknown := set():",
        f"{DATABASE}::test_a_newer_database_is_refused_and_not_touched",
    ),
    _bug(
        "a damaged payload is believed",
        "store/payloads",
        "if hash_of(body) != self.sha256:",
        "if False:",
        "test_cli.py::test_check_finds_and_repairs",
        "test_fold.py::test_damaged_bytes_are_named_where_they_are_needed",
    ),
    _bug(
        "only the newest payload is kept",
        "fold",
        "    return sorted(kept)\n",
        "    return [len(versions) - 1]\n",
        "test_ingest.py::test_no_sequence_of_readings_loses_a_text",
    ),
    _bug(
        "a smaller tree is believed at once",
        "fold",
        "return None if tracked.smaller_ids == ids"
        " and since >= (SURE_OF_OLDER_US if is_older else SURE_AFTER_US) else ids",
        "return None",
        "test_fold.py::test_a_smaller_tree_takes_nothing_away_at_first",
    ),
    _bug(
        "a smaller tree is never believed",
        "fold",
        "return None if tracked.smaller_ids == ids"
        " and since >= (SURE_OF_OLDER_US if is_older else SURE_AFTER_US) else ids",
        "return ids",
        "test_fold.py::test_a_smaller_tree_is_believed_when_another_says_the_same",
    ),
    _bug(
        "an older copy replaces a newer one",
        "fold",
        "return rank - 1 if rank in live else rank",
        "return max([rank, *live]) + 1",
        "test_fold.py::test_an_older_copy_never_replaces_a_newer_one",
        "test_fold.py::test_an_export_stands_below_a_live_payload_of_the_same_time",
    ),
    _bug(
        "a text emptied upstream is emptied here",
        "normalize/merge",
        "if old is None or new.text.strip() or not old.text.strip():",
        "if True:",
        f"{MERGE}::test_a_text_emptied_upstream_is_kept",
    ),
    _bug(
        "what a whole tree lacks gets no date",
        "normalize/merge",
        "replace(merged[node], removed_at=payload.seen_at)",
        "replace(merged[node], removed_at=None)",
        f"{MERGE}::test_what_a_whole_tree_lacks_is_kept_with_a_date",
    ),
    _bug(
        "a partial payload marks messages as removed",
        "normalize/merge",
        "if payload.proves_absence else emptied",
        "if True else emptied",
        f"{MERGE}::test_a_partial_payload_proves_nothing_gone",
    ),
    _bug(
        "an index is not kept",
        "store/message_writes",
        "cjk.update(conn, [(rowids",
        "print(conn, [(rowids",
        "faults/test_interruptions.py::test_an_exception_at_any_line[import-0]",
    ),
    _bug(
        "links go to another conversation's message of the same id",
        "store/message_writes",
        '"SELECT id, rowid FROM messages WHERE conversation_id = ?"',
        "\"SELECT id, rowid FROM messages WHERE ? <> ''\"",
        "test_ingest.py::test_links_files_and_characters_stay_with_their_conversation",
    ),
    _bug(
        "messages are known by their id alone",
        "store/message_writes",
        'WHERE true ORDER BY rowid {_UPDATE}"',
        'WHERE id NOT IN (SELECT id FROM messages) ORDER BY rowid {_UPDATE}"',
        "sync/test_what_is_told_apart.py::test_conversations_that_share_message_ids_stay_apart",
    ),
    _bug(
        "messages of a conversation that is there already wait, too",
        "store/conversations",
        "if waiting is None or not update.is_new:",
        "if waiting is None:",
        "test_import_transactions.py::test_messages_that_come_later_are_hashed_as_they_are_written",
    ),
    _bug(
        "a body has no cap",
        "web/transport",
        'headers.get("content-encoding", ""), self.limits.body)',
        'headers.get("content-encoding", ""), 1 << 60)',
        "web/test_deadline.py::test_a_body_larger_than_one_may_be_is_not_read_on",
    ),
    _bug(
        "the transfer of a file outlasts the run",
        "web/downloads",
        "min(FILE_TIMEOUT, self.time_left())",
        "FILE_TIMEOUT",
        "web/test_deadline.py::test_the_end_of_the_run_ends_the_transfer_of_a_file",
    ),
    _bug(
        "what killed runs left of files stays",
        "store/files",
        "        ByteStore(path).remove_leftovers()\n",
        "",
        "files/test_safe_keeping.py::test_what_a_killed_run_left_of_a_file_is_gone_after_the_next_one",
    ),
    _bug(
        "a conversation is read while messages of it wait to be written",
        "ingest",
        "waiting.finish_one(key)",
        "pass",
        "test_import_transactions.py::test_the_same_conversation_twice_in_one_transaction",
    ),
    # -- current
    _bug(
        "a change is known by a newer time only",
        "store/tracking",
        '"(l.stored_us IS NOT l.list_us OR',
        '"(l.stored_us IS NULL OR l.stored_us < l.list_us OR',
        "sync/test_what_is_told_apart.py::test_a_list_time_that_differs_in_any_way_is_a_change",
    ),
    _bug(
        "a list is read to the first known conversation",
        "sync/plan",
        "        if max(listed.list_us or 0 for listed in lower) > watermark_us:\n            return False\n",
        "",
        f"{PLAN}::test_stop_line",
    ),
    _bug(
        "a list in another order is read to the watermark",
        "chatgpt/paging",
        "if self.is_newest_first and not self._is_short(page)",
        "if not self._is_short(page)",
        f"{BAD}::test_rows_in_another_order_are_read_to_the_end",
    ),
    _bug(
        "a gap between two pages is not seen",
        "chatgpt/paging",
        "self.has_gap = self.has_gap or bool(self.last_ids and page.items and not self.last_ids & known)",
        "self.has_gap = False",
        PAGING,
    ),
    _bug(
        "what moves to the top meanwhile is not seen",
        "chatgpt/paging",
        "        _read_top_again(result, fetch)\n    return",
        "        pass\n    return",
        PAGING,
    ),
    _bug(
        "a time in the future becomes the watermark",
        "sync/run",
        "if (us := listed.list_us) and us <= now_us]",
        "if (us := listed.list_us)]",
        f"{BAD}::test_a_time_in_the_future_hides_nothing",
    ),
    _bug(
        "a list that says it is incomplete is believed",
        "chatgpt/list_rows",
        'if record.get("has_missing_conversations") is True:',
        "if False:",
        f"{BAD}::test_a_list_that_says_it_is_incomplete",
    ),
    _bug(
        "rows of an unknown form are an empty account",
        "chatgpt/list_rows",
        "if rows and not any(found):",
        "if False:",
        f"{BAD}::test_rows_of_an_unknown_form",
    ),
    _bug(
        "what is left to be read is success",
        "sync/run",
        "left = [incomplete(pending, is_all=not others)] if pending else []",
        "left: list[ChatmirrorError] = []",
        f"{BAD}::test_conversations_that_always_answer_500",
    ),
    _bug(
        "only the first workspace is read",
        "sync/run",
        "for workspace in identity.workspaces:\n                if not self._is_limited:",
        "for workspace in identity.workspaces[:1]:\n                if not self._is_limited:",
        f"{ACCOUNT}::test_every_workspace_is_mirrored",
    ),
    _bug(
        "nothing is read again",
        "sync/run",
        "if self.options.verify and not self._is_limited:",
        "if False:",
        "sync/test_verification.py::test_a_branch_switch_that_no_list_shows_arrives",
    ),
    _bug(
        "a failed conversation waits although it changed",
        "store/tracking",
        '        row |= {"tries": 0, "retry_at": None}  # what failed before may come now\n',
        "        pass\n",
        f"{BAD}::test_what_failed_is_tried_again_at_once",
        ACCOUNT,
    ),
    _bug(
        "a long conversation begins anew in each run",
        "chatgpt/plural",
        "_stored_part(stored()) if cursor else None",
        "None",
        "sync/test_long_conversations.py",
    ),
    _bug(
        "an import that is not whole spares its reading",
        "store/payloads",
        " AND origin IN ('export', 'capture') AND incomplete_reason IS NULL",
        " AND origin IN ('export', 'capture')",
        "test_import_cases.py",
    ),
    _bug(
        "the payload's title outranks the list's",
        "fold",
        "title=listed.title or row.title,",
        "title=row.title,",
        "test_fold.py::test_the_lists_outrank_the_payload",
    ),
    _bug(
        "a lost star is not seen",
        "sync/plan",
        "return [key for key in lost if key not in starred.items and key not in listed]",
        "return []",
        f"{PLAN}::test_unstarred",
    ),
    # -- complete
    _bug(
        "a cut tree of a batch is believed",
        "chatgpt/conversations",
        "reason = contradiction_in(batched.payload, wanted.known_messages)",
        "reason = None",
        f"{UNTRUE_LISTS}::test_a_truncated_batch_is_read_singly",
    ),
    _bug(
        "an endpoint is closed without a control",
        "chatgpt/by_id",
        "if not self._gives_control(endpoint):",
        "if True:",
        f"{BAD}::test_neighbours_that_are_refused_close_no_endpoint",
    ),
    _bug(
        "one broken conversation costs its batch",
        "chatgpt/batch",
        "return found | parts",
        "return found",
        f"{BAD}::test_conversations_that_always_answer_500",
        f"{UNTRUE_LISTS}::test_a_poisoned_chat_blocks_no_other",
    ),
    _bug(
        "another conversation's answer is stored",
        "chatgpt/single",
        "if is_of_another_conversation(answer.data, conversation_id):",
        "if False:",
        "test_untrue_answers.py::test_an_answer_that_is_another_conversations_is_not_stored",
    ),
    _bug(
        "one answer makes a tombstone",
        "sync/missing",
        "DELETED_WEIGHT, UNKNOWN_WEIGHT = 2, 1",
        "DELETED_WEIGHT, UNKNOWN_WEIGHT = 4, 4",
        f"{UNTRUE_LISTS}::test_a_deletion_needs_proof_on_two_runs",
    ),
    _bug(
        "a collapsed list is believed",
        "sync/missing",
        "if count <= SAFETY_COUNT or count <= SAFETY_SHARE * self.looked_for:",
        "if True:",
        f"{EVIDENCE}::test_a_collapsed_list_is_said_in_every_run",
    ),
    _bug(
        "the shown branch is the newest one",
        "normalize/tree",
        "leaf = current_node_id if current_node_id in parents else newest_leaf(parents, weight)",
        "leaf = newest_leaf(parents, weight)",
        "normalize/test_normalize_tree.py",
    ),
    _bug(
        "milliseconds are taken for seconds",
        "values",
        "elif value >= _MILLISECONDS_FROM:",
        "elif value < 0:",
        "normalize/test_normalize_values.py",
    ),
    _bug(
        "a NUL goes into the database",
        "values",
        'value.replace("\\0", "\\u2400")',
        "value",
        "normalize/test_normalize_values.py",
    ),
    # -- private
    _bug("redirects are followed", "web/transport", "allow_redirects=False", "allow_redirects=True", TRANSPORT),
    _bug(
        "the environment's proxies and .netrc are used",
        "web/transport",
        "self._session.trust_env = False",
        "self._session.trust_env = True",
        TRANSPORT,
    ),
    _bug(
        "files come by the environment's proxies, with what .netrc says",
        "web/downloads",
        "self._session.trust_env = False",
        "self._session.trust_env = True",
        f"{TRANSPORT}::test_the_environment_reroutes_no_file",
    ),
    _bug(
        "titles on a terminal are not made safe",
        "cli/progress",
        "{self.done}/{self.total} {safe(title)}",
        "{self.done}/{self.total} {title}",
        "test_printed.py::test_nothing_that_came_from_a_chat_acts_on_a_terminal",
    ),
    _bug(
        "a login is sent without encryption",
        "web/transport",
        'if parts.scheme != "https" and not (',
        "if False and not (",
        f"{TRANSPORT}::test_only_https_or_this_machine",
    ),
    _bug(
        "another person's account is taken",
        "sync/run",
        "if owner not in (None, identity.user_id):",
        "if False:",
        f"{TROUBLE}::test_a_database_takes_one_account_only",
    ),
    _bug(
        "a session that becomes somebody else's goes on",
        "chatgpt/session",
        "if previous and _user_id(previous) != _user_id(self.data):",
        "if False:",
        f"{TROUBLE}::test_a_session_that_turns_into_somebody_elses_stops_the_run",
    ),
    _bug(
        "a terminal is given control characters",
        "terminal",
        'return _escaped(text.replace("\\r\\n", "\\n") if newlines else text, "\\n\\t" if newlines else "", _escape)',
        "return text",
        "test_terminal.py",
    ),
    _bug(
        "a message's HTML reaches the page",
        "browse/safe_html",
        "_cleaner().clean(unsafe)",
        "unsafe",
        "browse/test_safe_html.py",
    ),
    _bug(
        "a link leads to the server's own pages",
        "browse/safe_html",
        "return value if is_whole else None",
        "return value",
        "browse/test_safe_html.py",
    ),
    _bug(
        "a login is written in place",
        "credentials/stored",
        "Path(temporary).replace(path)",
        "path.write_bytes(Path(temporary).read_bytes())",
        f"{LOGIN}::test_a_login_takes_its_place_when_it_is_on_the_disk",
    ),
    _bug(
        "a login is not synced",
        "credentials/stored",
        "        sync_path(Path(temporary))\n",
        "",
        f"{LOGIN}::test_a_login_takes_its_place_when_it_is_on_the_disk",
    ),
    _bug(
        "a login that another user could exchange is taken",
        "credentials/stored",
        "if folder & stat.S_IWOTH and not folder & stat.S_ISVTX:",
        "if False:",
        f"{LOGIN}::test_a_login_that_others_could_exchange_is_refused",
    ),
    _bug(
        "a backup is written in place",
        "store/files",
        "    copy.replace(target)\n",
        "    target.write_bytes(copy.read_bytes())\n",
        f"{BACKUP}::test_a_backup_is_on_the_disk_before_it_has_its_name",
    ),
    _bug(
        "a backup is not synced",
        "store/files",
        "    sync_path(copy)\n",
        "",
        f"{BACKUP}::test_a_backup_is_on_the_disk_before_it_has_its_name",
    ),
    _bug(
        "a backup is not proven",
        "store/backup",
        "problem = proof(written)",
        "problem = None",
        f"{BACKUP}::test_a_damaged_or_empty_mirror_never_replaces_a_good_backup",
    ),
    _bug(
        "a backup replaces whatever has its name",
        "store/backup",
        "if (problem := _why_not_older(conn, target)) is not None:",
        "if (problem := None) is not None:",
        f"{BACKUP}::test_nothing_but_an_older_backup_is_replaced",
    ),
    _bug(
        "each name of a database has a lock",
        "store/files",
        'FileLock(f"{real_path(path)}.lock"',
        'FileLock(f"{path}.lock"',
        f"{PLACES}::test_two_runs_exclude_each_other_by_whatever_name",
    ),
    _bug(
        "a file with two names is taken",
        "store/files",
        "path.stat().st_nlink > 1",
        "False",
        f"{PLACES}::test_a_file_with_two_names_is_refused_by_both",
    ),
    _bug(
        "what only damaged bytes gave is given up",
        "fold",
        "arrival.proves_absence and not only_rows",
        "arrival.proves_absence",
        "sync/test_damaged_payload.py::test_what_only_damaged_bytes_gave_is_kept",
    ),
    _bug(
        "rows without a payload are not compared",
        "health/integrity",
        "found.hashed += row_hashes.findings(conn)\n",
        "pass\n",
        "test_damaged_values.py::test_a_row_that_is_gone_or_added_is_found",
    ),
    _bug(
        "of an index only the structure is looked at",
        "store/health",
        "return (is_read_only(conn) or _is_consistent(conn, index)) and holds_what_its_table_does(conn, index)",
        "return is_read_only(conn) or _is_consistent(conn, index)",
        "store/test_index_findings.py",
    ),
    _bug(
        "sums by which finds are ranked are not compared",
        "store/index_comparison",
        "_are_the_same(conn, _LENGTHS) and _are_the_same(conn, _SUMS)",
        "_are_the_same(conn, _LENGTHS)",
        "store/test_index_findings.py",
    ),
    _bug(
        "sums are compared that are not written yet",
        "store/index_comparison",
        "        _write_out(conn)\n        yield",
        "        yield",
        "store/test_index_findings.py",
    ),
    _bug(
        "an index with pages of another size is called damaged",
        "store/index_comparison",
        "(_are_the_same(conn, _PAGES) or _have_the_same_words(conn))",
        "_are_the_same(conn, _PAGES)",
        "store/test_index_findings.py",
    ),
    _bug(
        "of an index with pages of another size no places are compared",
        "store/index_comparison",
        "return _are_the_same(conn, _PLACES)",
        "return True",
        "store/test_index_findings.py",
    ),
    _bug(
        "messages that were changed are trusted",
        "store/message_hashes",
        "return _stored(conn, conversation_id) == _of_rows(conn, conversation_id)",
        "return _stored(conn, conversation_id) is not None",
        "test_normalize_calls.py::test_a_check_reads_only_what_was_touched",
    ),
    _bug(
        "messages that were made without a damaged payload are trusted",
        "store/conversations",
        "if update.damage is not None:",
        "if False:",
        "test_normalize_calls.py::test_so_it_is_where_files_alone_bring_them",
    ),
    _bug(
        "messages that a rebuild could not derive are trusted",
        "health/repairs",
        "                message_hashes.forget(conn, conversation_id)\n                damaged",
        "                damaged",
        "test_normalize_calls.py::test_rows_that_a_rebuild_could_not_derive_are_not_trusted",
    ),
    _bug("others can read the mirror", "store/database", "os.O_WRONLY, 0o600", "os.O_WRONLY, 0o644", DATABASE),
    # -- polite
    _bug(
        "a long Retry-After is waited for",
        "web/pacing",
        "if asked is not None and asked > LONGEST_PAUSE:",
        "if False:",
        f"{PACING}::test_a_pause_longer_than_a_run_ends_it",
    ),
    _bug(
        "requests are sent without a pause",
        "web/pacing",
        "self._sleep(request_class.spacing * self.slowness * jitter - elapsed)",
        "pass",
        f"{PACING}::test_requests_are_spaced",
    ),
    _bug(
        "the account lock is not seen",
        "web/pacing",
        "if site.lock_words and site.lock_words in reply.body[:LOCK_SEARCH_BYTES]:",
        "if False:",
        f"{PACING}::test_the_lock_ends_the_run_at_once",
    ),
    _bug(
        "tokens are renewed without end",
        "chatgpt/session",
        "if self._renewals >= MOST_RENEWALS or",
        "if",
        "chatgpt/test_chatgpt_session.py::test_tokens_that_are_good_for_one_request_are_renewed_some_times_only",
    ),
    _bug(
        "a failed conversation is asked for in every run",
        "sync/plan",
        "due = [t for t in todo if full or t.retry_at is None or t.retry_at <= now or t.retry_at > latest]",
        "due = todo",
        f"{PLAN}::test_to_fetch",
    ),
    _bug(
        "a budget is not kept",
        "web/pacing",
        "if request_class.is_budgeted and self.budget is not None and self.budgeted_requests >= self.budget:",
        "if False:",
        PACING,
    ),
)
