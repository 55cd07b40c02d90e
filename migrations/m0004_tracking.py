"""Plain names for what is known of each listed conversation, and room for services other than the first.

``_listed`` held one id for both project and GPT, told apart by its text wherever it was read. It now holds both, told
apart by the service's own code. ``list_mark`` is for services whose lists show a change by something else than a time.
"""

SCHEMA = """
ALTER TABLE _listed RENAME COLUMN update_us TO list_us;
ALTER TABLE _listed RENAME COLUMN attempts TO tries;
ALTER TABLE _listed RENAME COLUMN is_partial TO is_branch_only;
ALTER TABLE _listed ADD COLUMN project_id TEXT;
ALTER TABLE _listed ADD COLUMN gpt_id TEXT;
ALTER TABLE _listed ADD COLUMN states_home INTEGER NOT NULL DEFAULT 0;  -- a list said where it belongs, or: nowhere
ALTER TABLE _listed ADD COLUMN list_mark TEXT;    -- opaque; another value is a change, as another time is
ALTER TABLE _listed ADD COLUMN stored_mark TEXT;  -- the mark that the stored payload answers
UPDATE _listed SET states_home = gizmo_id IS NOT NULL,
  project_id = CASE WHEN gizmo_id LIKE 'g-p-%' THEN gizmo_id END,
  gpt_id = CASE WHEN gizmo_id <> '' AND gizmo_id NOT LIKE 'g-p-%' THEN gizmo_id END;
ALTER TABLE _listed DROP COLUMN gizmo_id;
DROP INDEX _listed_pending;
CREATE INDEX _listed_pending ON _listed(account_id) WHERE stored_us IS NOT list_us OR stored_mark IS NOT list_mark;

ALTER TABLE _payloads RENAME COLUMN lane TO origin;
ALTER TABLE _payloads RENAME COLUMN ranked_us TO payload_us;
ALTER TABLE _payloads ADD COLUMN fingerprint TEXT;  -- hash of all but what lists state too; NULL: not taken
CREATE INDEX _payloads_sha256 ON _payloads(sha256);

ALTER TABLE _scopes RENAME COLUMN walked_at TO read_to_end_at;

ALTER TABLE sync_runs ADD COLUMN provider TEXT;   -- which service a sync read; NULL: none, or before there were several
UPDATE sync_runs SET provider = 'chatgpt' WHERE command = 'sync';
"""
