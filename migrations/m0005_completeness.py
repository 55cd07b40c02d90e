"""Whether everything that the service is known to hold of a conversation is stored, and what makes that sure."""

SCHEMA = """
ALTER TABLE conversations ADD COLUMN is_complete INTEGER NOT NULL DEFAULT 1;
ALTER TABLE conversations ADD COLUMN incomplete_reason TEXT;  -- in plain words; NULL when complete
CREATE INDEX conversations_incomplete ON conversations(id) WHERE is_complete = 0;

ALTER TABLE _payloads ADD COLUMN incomplete_reason TEXT;      -- why this payload alone is not known to be whole

ALTER TABLE _listed ADD COLUMN read_at TEXT;       -- when it was last read whole
ALTER TABLE _listed ADD COLUMN confirmed_at TEXT;  -- when a later run last read the same; NULL: not yet
ALTER TABLE _listed ADD COLUMN smaller_at TEXT;    -- when a whole reading first lacked messages that are stored
ALTER TABLE _listed ADD COLUMN smaller_ids TEXT;   -- hash of the messages that reading held

UPDATE conversations SET is_complete = 0, incomplete_reason = 'only its visible branch could be read'
  WHERE id IN (SELECT conversation_id FROM _listed WHERE is_branch_only = 1);
UPDATE conversations SET is_complete = 0, incomplete_reason = coalesce(
    (SELECT error FROM _listed WHERE conversation_id = conversations.id), 'changed since it was last read'
  ) WHERE deleted_at IS NULL AND id IN (
    SELECT conversation_id FROM _listed WHERE stored_us IS NOT list_us OR stored_mark IS NOT list_mark
  );
"""
