"""In which lists a conversation stands: some stand in lists beside the main one, which may leave them out."""

SCHEMA = """
ALTER TABLE _listed ADD COLUMN in_main INTEGER;  -- the main or archived list shows it; NULL: not known
ALTER TABLE _listed ADD COLUMN is_work INTEGER;  -- a list of Work conversations has shown it
ALTER TABLE _listed ADD COLUMN owner_id TEXT;    -- whose it is, where a list says so: in shared projects

UPDATE _listed SET in_main = 0
  WHERE project_id IS NOT NULL AND coalesce(is_archived, 0) = 0 AND account_id IN (
    SELECT substr(key, 8) FROM _settings
    WHERE key LIKE 'source:%'
      AND CASE WHEN json_valid(value) THEN json_extract(value, '$.main_lacks_projects') = 1 ELSE 0 END
  );
"""
