/**
 * The folder of all runs on its way to another place. `staged`: what is renamed to `target` when it is whole: the folder
 * itself, or a copy of it on another file system.
 */
export const sql = `
CREATE TABLE moves (
  source TEXT PRIMARY KEY,
  target TEXT NOT NULL,
  staged TEXT NOT NULL
) STRICT;
`;
