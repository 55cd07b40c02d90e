"""The first schema: what a reader queries, its full-text indexes, and the plumbing (names beginning with ``_``)."""

SCHEMA = """
CREATE TABLE accounts (
  id TEXT PRIMARY KEY,            -- the workspace's id; one login can have several
  name TEXT,
  plan TEXT,                      -- free, plus, pro, team, ...
  structure TEXT,                 -- personal or workspace
  provider TEXT NOT NULL,
  first_seen_at TEXT,
  last_seen_at TEXT
);
CREATE TABLE projects (
  id TEXT PRIMARY KEY,            -- g-p-...
  name TEXT,
  url TEXT UNIQUE,                -- also keeps `name` the label in Datasette 1.0
  description TEXT,
  instructions TEXT,
  account_id TEXT REFERENCES accounts(id),
  created_at TEXT,
  updated_at TEXT,
  last_seen_at TEXT
);
CREATE TABLE gpts (
  id TEXT PRIMARY KEY,            -- g-...
  name TEXT,
  url TEXT UNIQUE,
  description TEXT,
  last_seen_at TEXT
);
CREATE TABLE conversations (
  id TEXT PRIMARY KEY,
  title TEXT,
  url TEXT NOT NULL UNIQUE,       -- the original, https://chatgpt.com/c/<id>
  created_at TEXT,
  updated_at TEXT,
  message_count INTEGER,          -- messages on the visible branch that are not hidden
  model TEXT,
  project_id TEXT REFERENCES projects(id),
  gpt_id TEXT REFERENCES gpts(id),
  is_archived INTEGER NOT NULL DEFAULT 0,
  is_starred INTEGER NOT NULL DEFAULT 0,
  deleted_at TEXT,                -- proven gone at the service; everything is kept here
  missing_since TEXT,             -- absent from every list since, not proven gone
  last_seen_at TEXT,              -- when a list or an import last held it
  provider TEXT NOT NULL,
  account_id TEXT REFERENCES accounts(id),
  current_node_id TEXT            -- the leaf of the visible branch
);
CREATE TABLE messages (
  rowid INTEGER PRIMARY KEY,      -- declared, so that VACUUM keeps it: the index points here
  id TEXT NOT NULL,               -- the node's id, unique in its conversation only
  conversation_id TEXT NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
  parent_id TEXT,
  position INTEGER,               -- 1..n along the branch that the person sees; NULL off it
  role TEXT,                      -- user, assistant, system, tool
  kind TEXT NOT NULL,             -- text, code, output, reasoning, canvas, quote, voice, image, file, context, ...
  text TEXT NOT NULL,
  created_at TEXT,
  model TEXT,
  author TEXT,                    -- a tool's or a person's name
  recipient TEXT,                 -- all, or the tool spoken to
  channel TEXT,                   -- final, commentary, analysis
  content_type TEXT,
  status TEXT,
  is_hidden INTEGER NOT NULL DEFAULT 0,
  is_lossy INTEGER NOT NULL DEFAULT 0,  -- the text was mended; the payload keeps the original
  updated_at TEXT,
  removed_at TEXT,                -- gone from the service's newer copy; kept here
  message_id TEXT,                -- the message's own id where it differs from the node's
  UNIQUE (conversation_id, id)
);
CREATE TABLE links (
  id INTEGER PRIMARY KEY,
  message_rowid INTEGER NOT NULL REFERENCES messages(rowid) ON DELETE CASCADE,
  position INTEGER NOT NULL,      -- 1..n in reading order
  url TEXT NOT NULL,
  title TEXT,
  kind TEXT NOT NULL              -- citation, search, quote, widget
);
CREATE TABLE attachments (
  rowid INTEGER PRIMARY KEY,
  id TEXT,                        -- the service's file id
  message_rowid INTEGER NOT NULL REFERENCES messages(rowid) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  name TEXT,
  mime_type TEXT,
  size INTEGER,                   -- bytes
  kind TEXT NOT NULL              -- image, audio, video, file
);
CREATE TABLE memories (           -- what the service remembers about the person; a changed one keeps its older text
  rowid INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  account_id TEXT REFERENCES accounts(id),
  content TEXT NOT NULL,
  created_at TEXT,
  updated_at TEXT,
  first_seen_at TEXT NOT NULL,
  replaced_at TEXT                -- when it was seen changed or gone; NULL: current
);
CREATE TABLE instructions (       -- custom instructions, the same way
  rowid INTEGER PRIMARY KEY,
  account_id TEXT REFERENCES accounts(id),
  content TEXT NOT NULL,
  first_seen_at TEXT NOT NULL,
  replaced_at TEXT
);
CREATE TABLE sync_runs (
  id INTEGER PRIMARY KEY,
  started_at TEXT NOT NULL,
  finished_at TEXT,               -- NULL: running, or stopped without a word
  command TEXT NOT NULL,          -- sync or import
  outcome TEXT,                   -- current, partial, sign-in needed, ...
  exit_code INTEGER,
  message TEXT,                   -- the line that was printed
  is_full INTEGER NOT NULL DEFAULT 0,
  listed INTEGER,
  new INTEGER,
  changed INTEGER,
  unchanged INTEGER,
  failed INTEGER,
  pending INTEGER,                -- known to be newer at the service than here
  requests INTEGER,
  waits REAL,                     -- seconds waited on purpose
  version TEXT
);
CREATE TABLE changes (
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL REFERENCES sync_runs(id) ON DELETE CASCADE,
  conversation_id TEXT NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
  kind TEXT NOT NULL,             -- new, messages added, messages removed, branch switched, renamed, archived, ...
  before TEXT,
  after TEXT
);

CREATE TABLE _payloads (          -- what came, as it came: layers of one conversation, the newest last
  id INTEGER PRIMARY KEY,
  conversation_id TEXT NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
  body BLOB NOT NULL,             -- zlib; the sqlite3 shell reads it: sqlar_uncompress(body, size)
  size INTEGER NOT NULL,          -- bytes before compression
  sha256 TEXT NOT NULL,           -- of the bytes before compression
  lane TEXT NOT NULL,             -- batch, single, plural, export, capture
  source TEXT,                    -- the archive's member or the request's path
  fetched_at TEXT NOT NULL,
  ranked_us INTEGER NOT NULL,     -- microseconds; orders the layers: the list's or the payload's own update time
  proves_absence INTEGER NOT NULL -- a whole tree from the service: what it lacks is gone
);
CREATE TABLE _listed (            -- what the lists said last, and what of it is stored: unequal = still to fetch
  conversation_id TEXT PRIMARY KEY,
  account_id TEXT,
  provider TEXT NOT NULL,
  title TEXT,
  created_at TEXT,
  is_archived INTEGER,
  is_starred INTEGER,
  gizmo_id TEXT,
  update_us INTEGER,              -- list update_time, microseconds since 1970
  stored_us INTEGER,              -- the list update_time that the stored payload answers
  is_generating INTEGER NOT NULL DEFAULT 0,  -- an answer was being written when it was stored: read it again
  listed_at TEXT NOT NULL,
  is_partial INTEGER NOT NULL DEFAULT 0,  -- only its visible branch could be read: read it whole when that works
  attempts INTEGER NOT NULL DEFAULT 0,
  retry_at TEXT,
  error TEXT,
  missing_since TEXT,
  gone_run_id INTEGER,            -- the run that first saw proof of deletion; a second run confirms
  checked_at TEXT                 -- when an absent one was last asked for by itself
);
CREATE TABLE _scopes (            -- one row a list: how far a complete run has brought it
  account_id TEXT NOT NULL,
  scope TEXT NOT NULL,            -- main, archived, starred, shared, project:<id>, ...
  watermark_us INTEGER,           -- newest list update_time at the last complete run
  listed INTEGER,                 -- conversations at the last walk to the end
  walked_at TEXT,                 -- last walk to the end
  PRIMARY KEY (account_id, scope)
);
CREATE TABLE _settings (key TEXT PRIMARY KEY, value TEXT);

CREATE INDEX messages_thread ON messages(conversation_id, position);
CREATE INDEX messages_created_at ON messages(created_at);
CREATE INDEX messages_role ON messages(role);
CREATE INDEX messages_kind ON messages(kind);
CREATE INDEX messages_model ON messages(model);
CREATE INDEX conversations_updated_at ON conversations(updated_at);
CREATE INDEX conversations_created_at ON conversations(created_at);
CREATE INDEX conversations_project_id ON conversations(project_id);
CREATE INDEX conversations_gpt_id ON conversations(gpt_id);
CREATE INDEX conversations_account_id ON conversations(account_id);
CREATE INDEX conversations_title ON conversations(title);
CREATE INDEX links_message_rowid ON links(message_rowid);
CREATE INDEX links_url ON links(url);
CREATE INDEX attachments_message_rowid ON attachments(message_rowid);
CREATE INDEX memories_id ON memories(account_id, id);
CREATE INDEX changes_run_id ON changes(run_id);
CREATE INDEX changes_conversation_id ON changes(conversation_id);
CREATE INDEX _payloads_conversation_id ON _payloads(conversation_id, ranked_us);
CREATE INDEX _listed_pending ON _listed(account_id) WHERE stored_us IS NOT update_us;
CREATE INDEX _listed_gone ON _listed(account_id) WHERE gone_run_id IS NOT NULL;

-- The double quotes round the table names matter: Datasette and sqlite-utils recognise an index only by them.
CREATE VIRTUAL TABLE messages_fts USING fts5(
  text, content="messages", tokenize="porter unicode61 remove_diacritics 2"
);
CREATE TRIGGER messages_ai AFTER INSERT ON messages BEGIN
  INSERT INTO "messages_fts"(rowid, text) VALUES (new.rowid, new.text);
END;
CREATE TRIGGER messages_ad AFTER DELETE ON messages BEGIN
  INSERT INTO "messages_fts"(messages_fts, rowid, text) VALUES ('delete', old.rowid, old.text);
END;
CREATE TRIGGER messages_au AFTER UPDATE OF rowid, text ON messages
WHEN old.rowid IS NOT new.rowid OR old.text IS NOT new.text BEGIN
  INSERT INTO "messages_fts"(messages_fts, rowid, text) VALUES ('delete', old.rowid, old.text);
  INSERT INTO "messages_fts"(rowid, text) VALUES (new.rowid, new.text);
END;
CREATE VIRTUAL TABLE conversations_fts USING fts5(
  title, content="conversations", tokenize="porter unicode61 remove_diacritics 2"
);
CREATE TRIGGER conversations_ai AFTER INSERT ON conversations BEGIN
  INSERT INTO "conversations_fts"(rowid, title) VALUES (new.rowid, new.title);
END;
CREATE TRIGGER conversations_ad AFTER DELETE ON conversations BEGIN
  INSERT INTO "conversations_fts"(conversations_fts, rowid, title) VALUES ('delete', old.rowid, old.title);
END;
CREATE TRIGGER conversations_au AFTER UPDATE OF rowid, title ON conversations
WHEN old.rowid IS NOT new.rowid OR old.title IS NOT new.title BEGIN
  INSERT INTO "conversations_fts"(conversations_fts, rowid, title) VALUES ('delete', old.rowid, old.title);
  INSERT INTO "conversations_fts"(rowid, title) VALUES (new.rowid, new.title);
END;

CREATE VIEW thread AS             -- what the person sees, one row a turn: WHERE conversation_id = ? ORDER BY position
SELECT m.conversation_id, c.title, m.position, m.role, m.kind, m.text, m.model, m.created_at, c.url, m.id, m.rowid
FROM messages m JOIN conversations c ON c.id = m.conversation_id
WHERE m.position IS NOT NULL AND m.is_hidden = 0;
CREATE VIEW messages_by_month AS
SELECT substr(created_at, 1, 7) AS month, role, model, count(*) AS messages, sum(length(text)) AS characters
FROM messages WHERE created_at IS NOT NULL GROUP BY 1, 2, 3;
CREATE VIEW recent_changes AS     -- what every run saw change, by conversation
SELECT r.started_at AS run_at, ch.kind, c.title, ch.before, ch.after, c.url, ch.conversation_id, ch.run_id
FROM changes ch JOIN sync_runs r ON r.id = ch.run_id JOIN conversations c ON c.id = ch.conversation_id;
"""
