"""Whether everything that the service is known to hold of a conversation is stored, and what makes that sure."""

SCHEMA = """
ALTER TABLE conversations ADD COLUMN is_complete INTEGER NOT NULL DEFAULT 1;
ALTER TABLE conversations ADD COLUMN incomplete_reason TEXT;  -- in plain words; NULL when complete
ALTER TABLE accounts ADD COLUMN left_at TEXT;  -- when the login no longer included this workspace

CREATE INDEX conversations_incomplete ON conversations(id) WHERE is_complete = 0;

ALTER TABLE _payloads ADD COLUMN incomplete_reason TEXT;      -- why this payload alone is not known to be whole

ALTER TABLE _listed ADD COLUMN read_at TEXT;       -- when what is stored was read; NULL: not by this version
ALTER TABLE _listed ADD COLUMN verified_at TEXT;   -- when a later run last read it again to be sure; NULL: not yet
ALTER TABLE _listed ADD COLUMN smaller_at TEXT;    -- when a whole reading first lacked messages that are stored
ALTER TABLE _listed ADD COLUMN smaller_ids TEXT;   -- hash of the messages that this reading held
ALTER TABLE _listed ADD COLUMN gone_proofs INTEGER NOT NULL DEFAULT 0;  -- 2 for "deleted", 1 for "unknown"; 4: gone
UPDATE _listed SET gone_proofs = 2 WHERE gone_run_id IS NOT NULL;

UPDATE conversations SET is_complete = 0, incomplete_reason = 'only its visible branch could be read'
  WHERE id IN (SELECT conversation_id FROM _listed WHERE is_branch_only = 1);
UPDATE conversations SET is_complete = 0, incomplete_reason = coalesce(
    (SELECT error FROM _listed WHERE conversation_id = conversations.id), 'changed since it was last read'
  ) WHERE deleted_at IS NULL AND id IN (
    SELECT conversation_id FROM _listed WHERE stored_us IS NOT list_us OR stored_mark IS NOT list_mark
  );
"""
