"""The files that messages name: what is known of each, and whether its bytes are stored beside the database."""

SCHEMA = """
CREATE TABLE files (                -- one row a file of the service, however many messages show it
  id TEXT PRIMARY KEY,              -- the service's id; sandbox:<conversation>/<message><path> for what only has a path
  name TEXT,                        -- as the person or the service calls it: data, never a path
  mime_type TEXT,                   -- of the bytes, where they are stored; else as the service says
  size INTEGER,                     -- bytes; of what is stored, else as the service says
  kind TEXT NOT NULL,               -- image, audio, video, document
  state TEXT NOT NULL,              -- stored, pending, gone, refused, skipped
  reason TEXT,                      -- in plain words, where it is not stored
  source TEXT,                      -- upload, generated, code, voice, project, library, canvas, export
  prompt TEXT,                      -- what a picture was made from, or its title
  width INTEGER,                    -- of a picture, in pixels, as the service says
  height INTEGER,
  sha256 TEXT,                      -- of the bytes, which lie at <database>.files/<first two>/<sha256>
  created_at TEXT,
  first_seen_at TEXT NOT NULL,
  fetched_at TEXT,                  -- when its bytes came, from the service or an archive
  provider TEXT NOT NULL,
  origin TEXT,                      -- where the bytes came from: service, archive
  project_id TEXT REFERENCES projects(id)  -- of a file that was put into a project; NULL: into a message
);
CREATE INDEX files_state ON files(state);
CREATE INDEX files_sha256 ON files(sha256);
CREATE INDEX files_kind ON files(kind, created_at);
CREATE TABLE _file_fetches (        -- what a later run has to know of a file that it asks for again
  file_id TEXT PRIMARY KEY REFERENCES files(id) ON DELETE CASCADE,
  tries INTEGER NOT NULL DEFAULT 0,
  retry_at TEXT,
  durable_id TEXT                   -- of a file in the code sandbox: the id under which it outlives the sandbox
);
ALTER TABLE attachments ADD COLUMN file_id TEXT REFERENCES files(id);
ALTER TABLE attachments ADD COLUMN source TEXT;
ALTER TABLE attachments ADD COLUMN prompt TEXT;
ALTER TABLE attachments ADD COLUMN width INTEGER;
ALTER TABLE attachments ADD COLUMN height INTEGER;
ALTER TABLE sync_runs ADD COLUMN files INTEGER;          -- files whose bytes this run stored
ALTER TABLE sync_runs ADD COLUMN files_pending INTEGER;  -- files that can be had and are not stored
CREATE INDEX attachments_file_id ON attachments(file_id);

-- The double quotes round the table names matter: Datasette and sqlite-utils recognise an index only by them.
CREATE VIRTUAL TABLE files_fts USING fts5(
  name, prompt, content="files", tokenize="porter unicode61 remove_diacritics 2"
);
CREATE TRIGGER files_ai AFTER INSERT ON files BEGIN
  INSERT INTO "files_fts"(rowid, name, prompt) VALUES (new.rowid, new.name, new.prompt);
END;
CREATE TRIGGER files_ad AFTER DELETE ON files BEGIN
  INSERT INTO "files_fts"(files_fts, rowid, name, prompt) VALUES ('delete', old.rowid, old.name, old.prompt);
END;
CREATE TRIGGER files_au AFTER UPDATE OF rowid, name, prompt ON files
WHEN old.rowid IS NOT new.rowid OR old.name IS NOT new.name OR old.prompt IS NOT new.prompt BEGIN
  INSERT INTO "files_fts"(files_fts, rowid, name, prompt) VALUES ('delete', old.rowid, old.name, old.prompt);
  INSERT INTO "files_fts"(rowid, name, prompt) VALUES (new.rowid, new.name, new.prompt);
END;
"""
