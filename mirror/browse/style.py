"""The style sheet for Datasette's own pages of a chatmirror database; a string, for it is all that the pages need."""

CSS = """
/* Ids and addresses are for following and copying, not for reading: one short line. A row's own page is not a list. */
body.table td.col-id, body.table td.col-parent_id, body.table td.col-message_id, body.table td.col-message_rowid,
body.table td.col-current_node_id, body.table td.col-account_id, body.table-thread td.col-conversation_id {
  max-width: 6em; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
}
body.table td.col-conversation_id em { display: none; }
body.table td.col-url { max-width: 11em; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
body.table-messages td.col-conversation_id, body.table td.col-title { min-width: 12em; max-width: 20em; }

/* Times in one line, the eye's column in a list. */
body .rows-and-columns :is(td.col-created_at, td.col-updated_at, td.col-last_seen_at, td.col-started_at,
td.col-finished_at, td.col-run_at) {
  white-space: nowrap; font-variant-numeric: tabular-nums;
}

/* A message: its line breaks, a width that reads, and in a list no more than a glance; a row's page shows it whole. */
td.col-text, td.col-content { white-space: pre-wrap; overflow-wrap: anywhere; min-width: 28em; max-width: 46em; }
body.table td.col-text, body.table td.col-content { display: block; max-height: 11em; overflow-y: auto; }

/* Facets beside each other in a strip: the rows begin on the first screen. */
.facet-results .facet-info ul { max-height: 8.5em; overflow-y: auto; scrollbar-width: thin; }
"""
