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
  readonly dataset: string | null;
  readonly seqlen: number | null;
  readonly windows: number | null;
  readonly perplexity_dense: number | null;
  readonly perplexity: number | null;
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
    dataset: row.perplexity?.dataset ?? null,
    seqlen: row.perplexity?.seqlen ?? null,
    windows: row.perplexity?.windows ?? null,
    perplexity_dense: row.perplexity?.dense ?? null,
    perplexity: row.perplexity?.compressed ?? null,
    seconds: row.seconds,
    bytes: row.bytes,
    non_zero_bytes: row.nonZeroBytes,
    failure: row.failure && JSON.stringify(row.failure),
    search: searchText(row),
  };
}

const parsed = (json: string): unknown => JSON.parse(json);

export function rowFrom(record: RunRecord): RunRow {
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
    perplexity:
      record.dataset === null
        ? null
        : {
            dataset: record.dataset,
            seqlen: record.seqlen,
            windows: record.windows,
            dense: record.perplexity_dense,
            compressed: record.perplexity,
          },
    seconds: record.seconds,
    bytes: record.bytes,
    nonZeroBytes: record.non_zero_bytes,
    failure: record.failure === null ? null : keptFailureSchema.parse(JSON.parse(record.failure)),
  });
}

/** What a point of the scatter is made from: no run without all of it is one. */
export type PointRecord = Pick<
  RunRecord,
  'id' | 'name' | 'model_name' | 'dataset' | 'seqlen' | 'windows' | 'non_zero_bytes' | 'sparsity' | 'perplexity'
>;

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
    perplexity: record.perplexity,
  });
}
