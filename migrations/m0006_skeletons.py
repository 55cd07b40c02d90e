"""What the service's answers are made of, so that a change of them is told: keys and types, never a value."""

SCHEMA = """
CREATE TABLE _skeletons (         -- one row a status, a content type or a place in the answers of an endpoint
  provider TEXT NOT NULL,
  endpoint TEXT NOT NULL,         -- method and path, with {id} for every id
  kind TEXT NOT NULL,             -- status, content type, key
  name TEXT NOT NULL,             -- the status, the type, or the path of the key: items[].title
  types TEXT,                     -- of a key's values: number, null
  units INTEGER NOT NULL,         -- how often it was seen, at most once an answer or element of an answer's list
  object_units INTEGER NOT NULL,  -- how often it held an object
  possible INTEGER NOT NULL,      -- how often it could have been seen since it was first seen
  missed INTEGER NOT NULL,        -- how often it could have been seen since it was last seen
  PRIMARY KEY (provider, endpoint, kind, name)
) WITHOUT ROWID;
CREATE TABLE _drift (             -- what was told of it
  id INTEGER PRIMARY KEY,
  provider TEXT NOT NULL,
  seen_at TEXT NOT NULL,          -- when the run saw it
  endpoint TEXT NOT NULL,
  what TEXT NOT NULL              -- in words
);
"""
