import { existsSync } from 'node:fs';
import { readdir, rm, rmdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { z } from 'zod';

import { freeBytes, makeFolder, mebibytes, readJson, writeJson } from '../../disk/files.ts';
import { TamisError } from '../../contract/errors.ts';
import { fileError, readError } from '../../disk/file-errors.ts';
import {
  parseEndpoint,
  pullRecordName,
  pullRecordSchema,
  type PullPlan,
  type PullProgress,
  type PullRecord,
  type PullResult,
  type PullTask,
} from '../../contract/hub.ts';
import { parseJson } from '../../disk/json.ts';
import { assertKnown } from '../families/index.ts';
import { native, translated } from '../native.ts';
import { chooseFiles } from './choose.ts';
import { download } from './download.ts';
import { get } from './http.ts';
import { Meter } from './meter.ts';
import { isWhole, partialBytes, removePartial, sizeOf } from './partial.ts';
import { bounded, openRepository, type HubFile, type Network } from './repository.ts';
import { persist, type Patience } from './retry.ts';

export interface PlanOptions {
  readonly signal: AbortSignal;
  /** How long is waited; the defaults are for the hub as it is. */
  readonly patience?: Waiting;
}

export interface PullOptions extends PlanOptions {
  /** Before the first file. */
  readonly onPlan?: (plan: PullPlan) => void;
  readonly onProgress: (progress: PullProgress) => void;
}

type Waiting = Pick<Patience, 'attempts' | 'backoffMs' | 'longestWaitMs'> & { readonly stallMs: number };

const withPatience: Waiting = { attempts: 5, backoffMs: 1000, longestWaitMs: 15 * 60_000, stallMs: 30_000 };
/** Somebody looks on. */
const atOnce: Waiting = { attempts: 3, backoffMs: 500, longestWaitMs: 5000, stallMs: 15_000 };

/** Everything known of a pull before its first file. */
interface Pull {
  readonly folder: string;
  readonly commit: string;
  readonly files: readonly HubFile[];
  /** What an earlier pull wrote down of the folder; null where there was none. */
  readonly record: PullRecord | null;
  /** Bytes of each file that are there. */
  readonly kept: readonly number[];
}

/** What a pull will fetch, without fetching it. Errors: hub.*, file.*, cancelled.pull. */
export async function planPull(task: PullTask, { signal, patience = atOnce }: PlanOptions): Promise<PullPlan> {
  const meter = new Meter(() => undefined);
  return await cancellable(task, signal, async () =>
    planOf(await open(task, networkOf(task, { signal, patience }, meter))),
  );
}

/**
 * Fetches what a repository's model consists of into a folder, all of one commit, each file checked against the hub's own sum. What
 * ends it, even a kill, leaves what the next pull goes on from. Errors: hub.*, file.*, config.*, cancelled.pull.
 */
export async function pull(task: PullTask, options: PullOptions): Promise<PullResult> {
  return await cancellable(task, options.signal, async () => {
    const meter = new Meter(options.onProgress);
    const network = networkOf(task, { patience: withPatience, ...options }, meter);
    const found = await open(task, network);
    const plan = await planOf(found);
    options.onPlan?.(plan);
    assertRoom(found.folder, plan);
    try {
      return await locked(found.folder, () => fetchAll(task, found, { network, meter }));
    } finally {
      meter.close();
    }
  });
}

/** Takes back what an unfinished pull has left: all its files, or the partial ones where the folder held a whole model before. */
export async function discardPull(folder: string): Promise<void> {
  const record = await readRecord(folder);
  if (record === null) return;
  try {
    for (const name of record.files) {
      await removePartial(folder, name);
      if (!record.complete) await rm(join(folder, name), { force: true });
    }
    if (record.complete) return;
    await rm(join(folder, pullRecordName), { force: true });
    await rmdir(folder).catch(() => undefined);
  } catch (error) {
    throw fileError(error, folder);
  }
}

const lockName = 'tamis-pull.lock';

/** While no other pull writes into the folder. Error: run.locked. */
async function locked<T>(folder: string, work: () => Promise<T>): Promise<T> {
  makeFolder(folder);
  const path = join(folder, lockName);
  const lock = await translated(() => native.FileLock.acquire(path)).catch((error: unknown) => {
    const isHeld = error instanceof TamisError && error.code === 'run.locked';
    throw isHeld ? new TamisError('run.locked', { path: folder }) : error;
  });
  try {
    return await work();
  } finally {
    lock.release();
    await rm(path, { force: true });
  }
}

function networkOf({ endpoint, token }: PullTask, { signal, patience }: Required<PlanOptions>, meter: Meter): Network {
  const { stallMs, ...waiting } = patience;
  return {
    connection: { endpoint: parseEndpoint(endpoint), token, stallMs, signal },
    patience: { ...waiting, signal, onWait: (reason, ms) => meter.wait(reason, ms) },
  };
}

async function cancellable<T>({ repository }: PullTask, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    signal.throwIfAborted();
    return await work();
  } catch (error) {
    throw signal.aborted ? new TamisError('cancelled.pull', { repository }) : error;
  }
}

async function open(task: PullTask, network: Network): Promise<Pull> {
  const folder = resolve(task.folder);
  const record = await checkedRecord(folder, task.repository);
  const repository = await openRepository(network, task.repository, task.revision);
  const read = async (file: HubFile): Promise<string> =>
    await readSmall(network, addressOf(task, repository.commit, file));
  const files = await chooseFiles(repository, read);
  assertUsable(task.repository, await read(files[0]));
  const kept = await Promise.all(files.map((file) => keptBytes(folder, file)));
  return { folder, commit: repository.commit, files, record, kept };
}

/** What can't be compressed is refused before anything is fetched. Errors: file.not-json, file.wrong-shape, config.*. */
function assertUsable(repository: string, text: string): void {
  const config = parseJson(`${repository}/config.json`, text, z.record(z.string(), z.unknown()));
  assertKnown({ folder: repository, config });
}

/** The record of the folder's earlier pull; null where it is new or empty but for what a pull has only just begun to write. Errors: hub.folder, hub.other-repository. */
async function checkedRecord(folder: string, repository: string): Promise<PullRecord | null> {
  const record = await readRecord(folder);
  if (record !== null && record.repository !== repository)
    throw new TamisError('hub.other-repository', { path: folder, repository: record.repository });
  if (record === null && (await namesIn(folder)).length > 0) throw new TamisError('hub.folder', { path: folder });
  return record;
}

async function namesIn(folder: string): Promise<string[]> {
  if (!existsSync(folder)) return [];
  try {
    return (await readdir(folder)).filter((name) => !name.startsWith('tamis-pull.'));
  } catch (error) {
    throw readError(error, folder);
  }
}

async function readRecord(folder: string): Promise<PullRecord | null> {
  return await readJson(join(folder, pullRecordName), pullRecordSchema);
}

async function keptBytes(folder: string, file: HubFile): Promise<number> {
  return (await sizeOf(join(folder, file.path))) === file.bytes ? file.bytes : await partialBytes(folder, file);
}

async function readSmall({ connection, patience }: Network, url: URL): Promise<string> {
  return await persist(
    async () => (await bounded((await get(connection, url, {})).body, url)).toString('utf8'),
    patience,
  );
}

function addressOf({ endpoint, repository }: PullTask, commit: string, { path }: HubFile): URL {
  return new URL(
    `${parseEndpoint(endpoint).href.replace(/\/$/, '')}/${repository}/resolve/${commit}/${encodeURIComponent(path)}`,
  );
}

async function planOf({ folder, commit, files, record, kept }: Pull): Promise<PullPlan> {
  const bytes = sum(files);
  return {
    commit,
    earlier: record !== null && record.commit !== commit ? record.commit : null,
    files: files.map((file, i) => ({ path: file.path, bytes: file.bytes, kept: kept[i] ?? 0 })),
    bytes,
    missingBytes: bytes - kept.reduce((a, b) => a + b, 0),
    freeBytes: await freeBytes(folder),
  };
}

/** Error: hub.no-space. */
function assertRoom(folder: string, { missingBytes, freeBytes: free }: PullPlan): void {
  if (free < missingBytes)
    throw new TamisError('hub.no-space', { path: folder, needed: mebibytes(missingBytes), free: mebibytes(free) });
}

async function fetchAll(
  task: PullTask,
  { folder, commit, files, record }: Pull,
  { network, meter }: { network: Network; meter: Meter },
): Promise<PullResult> {
  const { repository, revision } = task;
  const names = files.map(({ path }) => path);
  const superseded = (record?.files ?? []).filter((name) => !names.includes(name));
  const write = async (now: Pick<PullRecord, 'complete' | 'files'>): Promise<void> =>
    await writeJson(join(folder, pullRecordName), { repository, revision, commit, ...now } satisfies PullRecord);
  const wasComplete = record !== null && record.complete && record.commit === commit;
  await write({ complete: wasComplete, files: [...names, ...superseded] });

  const total = sum(files);
  const missing = await missingFiles(folder, files, { network, meter });
  const fetchedBytes = sum(missing) - (await partialsOf(folder, missing));
  meter.begin('download', { done: total - fetchedBytes, total });
  for (const file of missing) {
    await download({
      network,
      url: addressOf(task, commit, file),
      file,
      folder,
      onBytes: (bytes) => meter.add(bytes),
    });
  }
  for (const name of superseded) await removeSuperseded(folder, name);
  await write({ complete: true, files: names });
  return { folder, commit, files: files.length, bytes: total, fetchedBytes };
}

/** Those that are not in the folder to the bit. */
async function missingFiles(
  folder: string,
  files: readonly HubFile[],
  { network, meter }: { network: Network; meter: Meter },
): Promise<HubFile[]> {
  const sizes = await Promise.all(files.map(({ path }) => sizeOf(join(folder, path))));
  const there = files.filter(({ bytes }, i) => sizes[i] === bytes);
  meter.begin('check', { done: 0, total: sum(there) });
  const whole = new Set<HubFile>();
  for (const file of there)
    if (await isWhole(folder, file, (bytes) => meter.add(bytes), network.connection.signal)) whole.add(file);
  return files.filter((file) => !whole.has(file));
}

async function partialsOf(folder: string, files: readonly HubFile[]): Promise<number> {
  const bytes = await Promise.all(files.map((file) => partialBytes(folder, file)));
  return bytes.reduce((a, b) => a + b, 0);
}

/** A file of an earlier commit that this one has not. */
async function removeSuperseded(folder: string, name: string): Promise<void> {
  await removePartial(folder, name);
  await rm(join(folder, name), { force: true });
}

function sum(files: readonly { readonly bytes: number }[]): number {
  return files.reduce((total, { bytes }) => total + bytes, 0);
}
