"""What stored files say, for the search; and what pointers to files say beside an id."""

SCHEMA = """
ALTER TABLE attachments ADD COLUMN parameters TEXT;  -- for the request for the file
CREATE TABLE file_texts (           -- one row a content that was looked into, however many files have it
  rowid INTEGER PRIMARY KEY,
  sha256 TEXT NOT NULL UNIQUE,      -- of the content: files.sha256
  text TEXT NOT NULL,               -- empty where it has none that could be read
  is_whole INTEGER NOT NULL         -- 0: only its beginning
);
CREATE VIRTUAL TABLE file_texts_fts USING fts5(
  text, content="file_texts", tokenize="porter unicode61 remove_diacritics 2"
);
CREATE TRIGGER file_texts_ai AFTER INSERT ON file_texts BEGIN
  INSERT INTO "file_texts_fts"(rowid, text) VALUES (new.rowid, new.text);
END;
CREATE TRIGGER file_texts_ad AFTER DELETE ON file_texts BEGIN
  INSERT INTO "file_texts_fts"(file_texts_fts, rowid, text) VALUES ('delete', old.rowid, old.text);
END;
CREATE TRIGGER file_texts_au AFTER UPDATE OF rowid, text ON file_texts
WHEN old.rowid IS NOT new.rowid OR old.text IS NOT new.text BEGIN
  INSERT INTO "file_texts_fts"(file_texts_fts, rowid, text) VALUES ('delete', old.rowid, old.text);
  INSERT INTO "file_texts_fts"(rowid, text) VALUES (new.rowid, new.text);
END;
CREATE VIRTUAL TABLE file_texts_cjk USING fts5(  -- as messages_cjk
  text, content="", tokenize="unicode61 remove_diacritics 0 categories 'L* M* N* Co'"
);

-- Versions of canvases are files, which are called canvas:<conversation>/<textdoc>/<version>.
CREATE VIEW textdocs AS
SELECT textdoc AS id, CAST(substr(rest, length(textdoc) + 2) AS INTEGER) AS version, conversation_id,
  named.name, t.text, named.created_at, named.state, named.id AS file_id
FROM (
  SELECT *, substr(rest, 1, instr(rest, '/') - 1) AS textdoc FROM (
    SELECT *, substr(whole, 1, instr(whole, '/') - 1) AS conversation_id, substr(whole, instr(whole, '/') + 1) AS rest
    FROM (SELECT *, substr(id, 8) AS whole FROM files WHERE id >= 'canvas:' AND id < 'canvas;')
  )
) named LEFT JOIN file_texts t ON t.sha256 = named.sha256;
"""
