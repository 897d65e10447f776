import { keptFailureSchema } from '../../contract/failure.ts';
import { runPointSchema, runRowSchema, type RunPoint, type RunRow } from '../../contract/history.ts';
import { searchText, type StoredRow } from './rows.ts';

/** A row of the table `runs` with its tags, as SQLite gives it. */
export interface RunRecord {
  readonly id: string;
  readonly name: string;
  readonly notes: string;
  readonly tags: string;
  readonly state: string;
  readonly model_id: string | null;
  readonly model_name: string;
  readonly model_path: string;
  readonly path: string;
  readonly sweep: string | null;
  readonly created_at: string;
  readonly finished_at: string | null;
  readonly method: string;
  readonly nm: string | null;
  readonly scheduler: string;
  readonly device: string;
  readonly target_sparsity: number | null;
  readonly sparsity: number | null;
  readonly bits: number | null;
  readonly seconds: number | null;
  readonly bytes: number | null;
  readonly non_zero_bytes: number | null;
  readonly failure: string | null;
}
export type RunValues = Omit<RunRecord, 'tags' | 'model_id'> & { readonly search: string };

export function valuesOf(row: StoredRow): RunValues {
  return {
    id: row.id,
    name: row.name,
    notes: row.notes,
    state: row.state,
    model_name: row.modelName,
    model_path: row.modelPath,
    path: row.path,
    sweep: row.sweep,
    created_at: row.createdAt,
    finished_at: row.finishedAt,
    method: row.method,
    nm: row.nm && JSON.stringify(row.nm),
    scheduler: row.scheduler,
    device: row.device,
    target_sparsity: row.targetSparsity,
    sparsity: row.sparsity,
    bits: row.bits,
    seconds: row.seconds,
    bytes: row.bytes,
    non_zero_bytes: row.nonZeroBytes,
    failure: row.failure && JSON.stringify(row.failure),
    search: searchText(row),
  };
}

const parsed = (json: string): unknown => JSON.parse(json);

/** @param measured the run's, in their order */
export function rowFrom(record: RunRecord, measured: readonly MeasuredRecord[]): RunRow {
  return runRowSchema.parse({
    id: record.id,
    name: record.name,
    notes: record.notes,
    tags: parsed(record.tags),
    state: record.state,
    modelName: record.model_name,
    modelPath: record.model_path,
    modelId: record.model_id,
    path: record.path,
    sweep: record.sweep,
    createdAt: record.created_at,
    finishedAt: record.finished_at,
    method: record.method,
    nm: record.nm === null ? null : parsed(record.nm),
    scheduler: record.scheduler,
    device: record.device,
    targetSparsity: record.target_sparsity,
    sparsity: record.sparsity,
    bits: record.bits,
    measured: measured.map((each) => ({
      measure: each.measure,
      dataset: each.dataset,
      seqlen: each.seqlen,
      windows: each.windows,
      dense: { value: each.dense, standardError: each.dense_error },
      compressed: { value: each.compressed, standardError: each.compressed_error },
    })),
    seconds: record.seconds,
    bytes: record.bytes,
    nonZeroBytes: record.non_zero_bytes,
    failure: record.failure === null ? null : keptFailureSchema.parse(JSON.parse(record.failure)),
  });
}

/** A row of the table `measured`. */
export interface MeasuredRecord {
  readonly run_id: string;
  readonly position: number;
  readonly measure: string;
  readonly place: number;
  readonly dataset: string;
  readonly seqlen: number;
  readonly windows: number;
  readonly dense: number;
  readonly dense_error: number | null;
  readonly compressed: number;
  readonly compressed_error: number | null;
}

export function measuredOf({ id, measured }: Pick<StoredRow, 'id' | 'measured'>): MeasuredRecord[] {
  return measured.map(({ measure, dataset, seqlen, windows, dense, compressed }, position) => ({
    run_id: id,
    position,
    measure,
    place: measured.slice(0, position).filter((before) => before.measure === measure).length,
    dataset,
    seqlen,
    windows,
    dense: dense.value,
    dense_error: dense.standardError,
    compressed: compressed.value,
    compressed_error: compressed.standardError,
  }));
}

/** What a point of the scatter is made from: no run without all of it is one. */
export type PointRecord = Pick<RunRecord, 'id' | 'name' | 'model_name' | 'non_zero_bytes' | 'sparsity'> &
  Pick<MeasuredRecord, 'dataset' | 'seqlen' | 'windows' | 'compressed'>;

export function pointFrom(record: PointRecord): RunPoint {
  return runPointSchema.parse({
    id: record.id,
    name: record.name,
    modelName: record.model_name,
    dataset: record.dataset,
    seqlen: record.seqlen,
    windows: record.windows,
    nonZeroBytes: record.non_zero_bytes,
    sparsity: record.sparsity,
    value: record.compressed,
  });
}
