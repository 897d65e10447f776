/** Runs and the models they are made from. `search`: name, notes, tags and model in lower case. */
export const sql = `
CREATE TABLE models (
  id TEXT PRIMARY KEY,
  path TEXT NOT NULL UNIQUE,
  added_at TEXT NOT NULL,
  fingerprint TEXT,
  head TEXT,
  failure TEXT
) STRICT;

CREATE TABLE runs (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL COLLATE NOCASE,
  notes TEXT NOT NULL,
  state TEXT NOT NULL,
  queue_position INTEGER,
  model_id TEXT REFERENCES models (id) ON DELETE SET NULL,
  model_name TEXT NOT NULL COLLATE NOCASE,
  model_path TEXT NOT NULL,
  path TEXT NOT NULL UNIQUE,
  sweep TEXT,
  created_at TEXT NOT NULL,
  finished_at TEXT,
  method TEXT NOT NULL,
  nm TEXT,
  scheduler TEXT NOT NULL,
  device TEXT NOT NULL,
  target_sparsity REAL,
  sparsity REAL,
  dataset TEXT,
  seqlen INTEGER,
  windows INTEGER,
  perplexity_dense REAL,
  perplexity REAL,
  seconds REAL,
  bytes INTEGER,
  non_zero_bytes INTEGER,
  failure TEXT,
  search TEXT NOT NULL
) STRICT;

CREATE TABLE tags (
  run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  tag TEXT NOT NULL,
  PRIMARY KEY (run_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE recipes (
  run_id TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
  recipe TEXT NOT NULL
) STRICT;

CREATE INDEX runs_by_queue ON runs (queue_position) WHERE queue_position IS NOT NULL;
CREATE INDEX runs_by_model ON runs (model_id);
CREATE INDEX runs_by_model_path ON runs (model_path);
CREATE INDEX runs_by_name ON runs (name, id);
CREATE INDEX runs_by_model_name ON runs (model_name, id);
CREATE INDEX runs_by_state ON runs (state, id);
CREATE INDEX runs_by_method ON runs (method, id);
CREATE INDEX runs_by_scheduler ON runs (scheduler, id);
CREATE INDEX runs_by_target_sparsity ON runs (target_sparsity, id);
CREATE INDEX runs_by_sparsity ON runs (sparsity, id);
CREATE INDEX runs_by_perplexity ON runs (dataset, seqlen, windows, perplexity, id);
CREATE INDEX runs_by_seconds ON runs (seconds, id);
CREATE INDEX runs_by_non_zero_bytes ON runs (non_zero_bytes, id);
CREATE INDEX runs_by_created_at ON runs (created_at, id);
`;
