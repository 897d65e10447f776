import type { Database, Statement } from 'better-sqlite3';

import type { PointQuery, RunColumn, RunQuery, RunState } from '../../contract/history.ts';
import { measureIds, type MeasureId } from '../../contract/measures.ts';
import type { MeasuredRecord, PointRecord, RunRecord, RunValues } from './records.ts';
import { words } from './rows.ts';

/** The folder of all runs on its way: see `storage/move.ts`. */
export interface MoveRecord {
  readonly source: string;
  readonly target: string;
  readonly staged: string;
}

interface Folders {
  readonly source: string;
  readonly target: string;
  readonly separator: string;
}

/** What lies in the folder `source` lies in `target` from now on. */
function movePaths(table: 'runs' | 'models'): string {
  return `
    UPDATE ${table} SET path = @target || substr(path, length(@source) + 1)
    WHERE substr(path, 1, length(@source) + 1) = @source || @separator`;
}

/** A model of the library as the database keeps it. */
export interface ModelRecord {
  readonly id: string;
  readonly path: string;
  readonly added_at: string;
  /** The folder's, when `head` or `failure` was found out; null = not looked at yet. */
  readonly fingerprint: string | null;
  /** JSON of a ModelHead, or of a Failure; one of them or none. */
  readonly head: string | null;
  readonly failure: string | null;
}

type Filter = Omit<PointQuery, 'measure'>;

const runColumns = [
  'id',
  'name',
  'notes',
  'state',
  'model_name',
  'model_path',
  'path',
  'sweep',
  'created_at',
  'finished_at',
  'method',
  'nm',
  'scheduler',
  'device',
  'target_sparsity',
  'sparsity',
  'bits',
  'seconds',
  'bytes',
  'non_zero_bytes',
  'failure',
  'search',
] as const satisfies readonly (keyof RunValues)[];

const fields = `
  ${runColumns
    .filter((column) => column !== 'search')
    .map((column) => `runs.${column}`)
    .join(', ')}, model_id,
  (SELECT json_group_array(tag ORDER BY position) FROM tags WHERE run_id = runs.id) AS tags`;
const record = `SELECT ${fields} FROM runs`;

/** The runs with a number by a measure, the two question marks: the order of the index is by what they were measured on, then by it. */
const measuredRecord = `
  SELECT ${fields} FROM measured AS sorted CROSS JOIN runs ON runs.id = sorted.run_id`;
const measuredOrder = ['sorted.dataset', 'sorted.seqlen', 'sorted.windows', 'sorted.compressed', 'sorted.run_id'];

/** What a column sorts by, each with an index of its own. */
const orders: Record<Exclude<RunColumn, MeasureId>, readonly string[]> = {
  name: ['name'],
  model: ['model_name'],
  state: ['state'],
  method: ['method'],
  scheduler: ['scheduler'],
  targetSparsity: ['target_sparsity'],
  sparsity: ['sparsity'],
  bits: ['bits'],
  seconds: ['seconds'],
  nonZeroBytes: ['non_zero_bytes'],
  createdAt: ['created_at'],
};

/** What a run has not come to yet sorts last, whichever way; SQLite's own order has it last in descending. */
function orderBy(terms: readonly string[], descending: boolean): string {
  const [first, ...rest] = terms;
  if (descending) return terms.map((term) => `${term} DESC`).join(', ');
  return [`${first} NULLS LAST`, ...rest].join(', ');
}

function isMeasure(column: RunColumn): column is MeasureId {
  return measureIds.some((id) => id === column);
}

/**
 * The condition of a filter and what its question marks stand for. The plus signs keep SQLite from taking an index here:
 * walking the one of the order beats sorting.
 */
function where(
  { search, states, model, bits }: Filter,
  ...first: readonly string[]
): { sql: string; values: (string | number)[] } {
  const searched = words(search);
  const widths = bits.filter((width) => width !== null);
  const terms = [
    ...first,
    ...searched.map(() => 'instr(search, ?) > 0'),
    ...(states.length > 0 ? [`+state IN (${states.map(() => '?').join(', ')})`] : []),
    ...(model !== null ? ['+model_id = ?'] : []),
    ...(bits.length > 0
      ? [`(+bits IN (${widths.map(() => '?').join(', ')})${bits.includes(null) ? ' OR +bits IS NULL' : ''})`]
      : []),
  ];
  return {
    sql: terms.length > 0 ? `WHERE ${terms.join(' AND ')}` : '',
    values: [...searched, ...states, ...(model !== null ? [model] : []), ...widths],
  };
}

const assignments = runColumns.map((column) => `${column} = @${column}`).join(', ');

/** Statements that depend on what is asked for, each prepared once. */
function remembering<R>(database: Database): (sql: string) => Statement<(string | number)[], R> {
  const known = new Map<string, Statement<(string | number)[], R>>();
  return (sql) => {
    const statement = known.get(sql) ?? database.prepare<(string | number)[], R>(sql);
    known.set(sql, statement);
    return statement;
  };
}

/** Every statement that the application speaks to its database, the schema's own apart. */
export type Statements = ReturnType<typeof prepareStatements>;

export function prepareStatements(database: Database) {
  const pages = remembering<RunRecord>(database);
  const counts = remembering<{ total: number }>(database);
  const pointLists = remembering<PointRecord>(database);

  /** The runs with a number by the measure as its index has them, then those without. */
  function pageByMeasure(query: RunQuery, measure: MeasureId): RunRecord[] {
    const { sort, limit, offset } = query;
    const having = where(query, 'sorted.measure = ?', 'sorted.place = 0');
    const ordered = `${measuredRecord} ${having.sql} ORDER BY ${orderBy(measuredOrder, sort.descending)} LIMIT ? OFFSET ?`;
    const found = pages(ordered).all(measure, ...having.values, limit, offset);
    if (found.length === limit) return found;
    const counted = `SELECT count(*) AS total FROM measured AS sorted CROSS JOIN runs ON runs.id = sorted.run_id ${having.sql}`;
    const before = counts(counted).get(measure, ...having.values)?.total ?? 0;
    const isMeasured = 'SELECT 1 FROM measured WHERE run_id = runs.id AND +measure = ? AND +place = 0';
    const without = where(query, `NOT EXISTS (${isMeasured})`);
    const rest = pages(`${record} ${without.sql} ORDER BY ${orderBy(['id'], sort.descending)} LIMIT ? OFFSET ?`);
    const skipped = Math.max(0, offset - before);
    return [...found, ...rest.all(measure, ...without.values, limit - found.length, skipped)];
  }

  return {
    insertRun: database.prepare<[RunValues]>(`
      INSERT INTO runs (${runColumns.join(', ')}, model_id)
      VALUES (${runColumns.map((column) => `@${column}`).join(', ')}, (SELECT id FROM models WHERE path = @model_path))`),
    updateRun: database.prepare<[RunValues]>(`UPDATE runs SET ${assignments} WHERE id = @id`),
    deleteRun: database.prepare<[string]>('DELETE FROM runs WHERE id = ?'),
    run: database.prepare<[string], RunRecord>(`${record} WHERE id = ?`),
    runAt: database.prepare<[string], RunRecord>(`${record} WHERE path = ?`),
    runsIn: database.prepare<[RunState], RunRecord>(
      `${record} WHERE state = ? ORDER BY queue_position, created_at, id`,
    ),
    sweep: database.prepare<[string], RunRecord>(`${record} WHERE sweep = ? ORDER BY created_at, id`),
    folders: database.prepare<[], { id: string; path: string; state: string }>('SELECT id, path, state FROM runs'),
    enqueue: database.prepare<[string]>(`
      UPDATE runs SET queue_position = 1 + (SELECT coalesce(max(queue_position), 0) FROM runs) WHERE id = ?`),
    dequeue: database.prepare<[string]>('UPDATE runs SET queue_position = NULL WHERE id = ?'),

    insertTag: database.prepare<[string, number, string]>('INSERT INTO tags (run_id, position, tag) VALUES (?, ?, ?)'),
    deleteTags: database.prepare<[string]>('DELETE FROM tags WHERE run_id = ?'),
    putRecipe: database.prepare<[string, string]>(`
      INSERT INTO recipes (run_id, recipe) VALUES (?, ?) ON CONFLICT (run_id) DO UPDATE SET recipe = excluded.recipe`),
    recipe: database.prepare<[string], { recipe: string }>('SELECT recipe FROM recipes WHERE run_id = ?'),

    insertMeasured: database.prepare<[MeasuredRecord]>(`
      INSERT INTO measured (run_id, position, measure, place, dataset, seqlen, windows, dense, dense_error, compressed, compressed_error)
      VALUES (@run_id, @position, @measure, @place, @dataset, @seqlen, @windows, @dense, @dense_error, @compressed, @compressed_error)`),
    deleteMeasured: database.prepare<[string]>('DELETE FROM measured WHERE run_id = ?'),
    /** What was measured of the runs whose ids are in a JSON array. */
    measured: database.prepare<[string], MeasuredRecord>(`
      SELECT * FROM measured WHERE run_id IN (SELECT value FROM json_each(?)) ORDER BY run_id, position`),

    page(query: RunQuery): RunRecord[] {
      const { column, descending } = query.sort;
      if (isMeasure(column)) return pageByMeasure(query, column);
      const { sql, values } = where(query);
      const found = pages(
        `${record} ${sql} ORDER BY ${orderBy([...orders[column], 'id'], descending)} LIMIT ? OFFSET ?`,
      );
      return found.all(...values, query.limit, query.offset);
    },
    count(filter: Filter): number {
      const { sql, values } = where(filter);
      return counts(`SELECT count(*) AS total FROM runs ${sql}`).get(...values)?.total ?? 0;
    },
    points(query: PointQuery, limit: number): PointRecord[] {
      const complete = ["state = 'finished'", 'non_zero_bytes IS NOT NULL', 'sparsity IS NOT NULL'];
      const { sql, values } = where(query, '+measure = ?', '+place = 0', ...complete);
      return pointLists(`
        SELECT id, name, model_name, dataset, seqlen, windows, non_zero_bytes, sparsity, compressed
        FROM runs CROSS JOIN measured ON run_id = id ${sql}
        ORDER BY created_at DESC, id DESC LIMIT ?`).all(query.measure, ...values, limit);
    },

    moveRunPaths: database.prepare<[Folders]>(movePaths('runs')),
    moveModelPaths: database.prepare<[Folders]>(movePaths('models')),
    putMove: database.prepare<[MoveRecord]>(`
      INSERT INTO moves (source, target, staged) VALUES (@source, @target, @staged)
      ON CONFLICT (source) DO UPDATE SET target = @target, staged = @staged`),
    deleteMove: database.prepare<[string]>('DELETE FROM moves WHERE source = ?'),
    moves: database.prepare<[], MoveRecord>('SELECT source, target, staged FROM moves'),

    insertModel: database.prepare<[ModelRecord]>(`
      INSERT INTO models (id, path, added_at, fingerprint, head, failure)
      VALUES (@id, @path, @added_at, @fingerprint, @head, @failure)`),
    updateModel: database.prepare<[ModelRecord]>(`
      UPDATE models SET path = @path, fingerprint = @fingerprint, head = @head, failure = @failure WHERE id = @id`),
    deleteModel: database.prepare<[string]>('DELETE FROM models WHERE id = ?'),
    models: database.prepare<[], ModelRecord & { runs: number }>(`
      SELECT *, (SELECT count(*) FROM runs WHERE model_id = models.id) AS runs FROM models ORDER BY added_at, id`),
    /** Runs made from a folder belong to the library's model there. */
    claimRuns: database.prepare<[string, string]>(
      'UPDATE runs SET model_id = ? WHERE model_path = ? AND model_id IS NULL',
    ),
  };
}
