import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';

import { makeFolder } from '../../disk/files.ts';
import { TamisError } from '../../contract/errors.ts';
import { fileError } from '../../disk/file-errors.ts';
import { providerFiles } from './cuda.ts';

export interface FetchOptions {
  readonly signal: AbortSignal;
  /** Bytes downloaded so far, twice a second. */
  readonly onProgress: (bytes: number) => void;
  /** The folder that libonnxruntime was loaded from. */
  readonly runtime: string;
  /** onnxruntime-node's install script, in one file. */
  readonly installer?: string;
}

/** Named alike each time, so that the next fetch removes what a killed one has left. */
const SCRATCH = 'cuda.partial';
const PROGRESS_MS = 500;

/**
 * Fetches onnxruntime's CUDA provider into `folder`, beside a copy of libonnxruntime where that is not the folder it was loaded from.
 * onnxruntime-node's own install script does it, in a folder of its own; what it has brought is then moved into place, so that a
 * fetch that was cut leaves nothing. Errors: cuda.fetch-failed, file.*, cancelled.no-run.
 */
export async function fetchCuda(folder: string, options: FetchOptions): Promise<void> {
  const { signal, runtime, installer = ownInstaller() } = options;
  const scratch = join(folder, SCRATCH);
  try {
    makeFolder(folder);
    await rm(scratch, { recursive: true, force: true });
    // The script writes to bin/ beside its own folder.
    await mkdir(join(scratch, 'script'), { recursive: true });
    const script = join(scratch, 'script', 'install.cjs');
    // Out of the packed application, inside of which nothing can be written.
    await writeFile(script, await readFile(installer));
    const stop = watch(scratch, options.onProgress);
    await runInstaller(script, scratch, signal).finally(stop);
    await moveIn(join(scratch, 'bin/napi-v6/linux/x64'), folder, runtime);
  } catch (error) {
    throw signal.aborted ? new TamisError('cancelled.no-run') : fileError(error, folder);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** As bundled by scripts/bundle.mjs: what it needs of node_modules is not beside the copy that runs. */
function ownInstaller(): string {
  const root = dirname(createRequire(import.meta.url).resolve('#package'));
  return join(root, 'dist/onnxruntime-install.cjs');
}

/**
 * In a thread: the packed application has no Node to start as a process, and what a script leaves uncaught ends only its thread. Its
 * temporary files go to `scratch` too. @throws cuda.fetch-failed with what the script threw, or with its exit code
 */
async function runInstaller(script: string, scratch: string, signal: AbortSignal): Promise<void> {
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'true', TMPDIR: scratch };
  const worker = new Worker(script, { env, stdout: true, stderr: true });
  const stop = (): void => void worker.terminate();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    await new Promise<void>((resolve, reject) => {
      worker.on('error', (error) => reject(failed(error instanceof Error ? error.message : String(error))));
      worker.on('exit', (code) => (code === 0 ? resolve() : reject(failed(`exit code ${code}`))));
    });
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** The provider last: where it is, all is. */
async function moveIn(from: string, folder: string, runtime: string): Promise<void> {
  const missing = providerFiles.find((name) => !existsSync(join(from, name)));
  // A connection that was cut lets the script end as if all were well.
  if (missing !== undefined) throw failed(`the install script ended without ${missing}`);
  const library = 'libonnxruntime.so.1';
  if (folder !== runtime) {
    await copyFile(join(runtime, library), join(from, library));
    await rename(join(from, library), join(folder, library));
  }
  for (const name of providerFiles) await rename(join(from, name), join(folder, name));
}

/** Tells how much of the package is there until the returned function is called. */
function watch(scratch: string, tell: (bytes: number) => void): () => void {
  const timer = setInterval(() => void downloaded(scratch).then(tell), PROGRESS_MS);
  return () => clearInterval(timer);
}

async function downloaded(scratch: string): Promise<number> {
  const names = await readdir(scratch, { recursive: true }).catch(() => []);
  const packages = names.filter((name) => name.endsWith('.nupkg'));
  const sizes = packages.map(async (name) => (await stat(join(scratch, name)).catch(() => null))?.size ?? 0);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

function failed(reason: string): TamisError {
  return new TamisError('cuda.fetch-failed', { reason });
}
