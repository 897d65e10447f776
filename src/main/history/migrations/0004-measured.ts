/**
 * What the runs came to by every measure, in place of their first perplexity alone. `position`: in the run's report. `place`: among the
 * run's numbers by the same measure, so 0 on the recipe's first dataset.
 */
export const sql = `
CREATE TABLE measured (
  run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  measure TEXT NOT NULL,
  place INTEGER NOT NULL,
  dataset TEXT NOT NULL,
  seqlen INTEGER NOT NULL,
  windows INTEGER NOT NULL,
  dense REAL NOT NULL,
  dense_error REAL,
  compressed REAL NOT NULL,
  compressed_error REAL,
  PRIMARY KEY (run_id, position)
) STRICT, WITHOUT ROWID;

INSERT INTO measured (run_id, position, measure, place, dataset, seqlen, windows, dense, compressed)
SELECT id, 0, 'perplexity', 0, dataset, seqlen, windows, perplexity_dense, perplexity
FROM runs
WHERE dataset IS NOT NULL;

DROP INDEX runs_by_perplexity;
ALTER TABLE runs DROP COLUMN dataset;
ALTER TABLE runs DROP COLUMN seqlen;
ALTER TABLE runs DROP COLUMN windows;
ALTER TABLE runs DROP COLUMN perplexity_dense;
ALTER TABLE runs DROP COLUMN perplexity;

CREATE INDEX measured_by_value ON measured (measure, place, dataset, seqlen, windows, compressed, run_id);
`;
