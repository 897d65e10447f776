import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

// Loads it, so that it is found among what this process has mapped.
import 'onnxruntime-node';

import { readText } from '../../disk/files.ts';
import { TamisError } from '../../contract/errors.ts';

/** Where CUDA's parts are looked for. */
export interface CudaPlace {
  /** `linux/x64` */
  readonly platform: string;
  /** The folder of libonnxruntime, beside which it looks for its providers. */
  readonly runtime: string;
  /** What NVIDIA's kernel module tells of itself. */
  readonly driver: string;
}

/** The provider, last: where it is, all is. */
export const providerFiles = ['libonnxruntime_providers_shared.so', 'libonnxruntime_providers_cuda.so'] as const;

/** The oldest drivers that each CUDA runs on (NVIDIA, CUDA Toolkit Release Notes, Linux x86_64, minor version compatibility). */
const oldestDrivers: Readonly<Record<string, string>> = { 12: '525.60.13', 13: '580.65.06' };
/** That of the oldest driver, before the provider is there and tells which it is. */
const OLDEST_CUDA = '12';

export function cudaPlace(): CudaPlace {
  return {
    platform: `${process.platform}/${process.arch}`,
    runtime: process.platform === 'linux' ? loadedRuntime() : '',
    driver: '/proc/driver/nvidia/version',
  };
}

/**
 * What is missing for CUDA, as far as can be seen without a try; none where nothing is. `cuda.old-driver`, `cuda.no-libraries`: the
 * CUDA that the provider there was built for.
 */
export async function cudaLacks(place: CudaPlace = cudaPlace()): Promise<TamisError[]> {
  if (place.platform !== 'linux/x64') return [new TamisError('cuda.platform', { platform: place.platform })];
  const files = providerFiles.filter((name) => !existsSync(join(place.runtime, name)));
  const needs = files.length === 0 ? await readNeeds(join(place.runtime, providerFiles[1])) : null;
  const lacks = [await driverLack(place.driver, needs?.cuda ?? OLDEST_CUDA)];
  if (files.length > 0)
    lacks.push(new TamisError('cuda.no-provider', { files: files.join(', '), path: place.runtime }));
  if (needs && needs.missing.length > 0)
    lacks.push(new TamisError('cuda.no-libraries', { libraries: needs.missing.join(', '), cuda: needs.cuda }));
  return lacks.filter((lack) => lack !== null);
}

async function driverLack(path: string, cuda: string): Promise<TamisError | null> {
  const text = await readText(path);
  // Under WSL the driver is that of Windows, which this file does not tell of.
  if (text === null) return existsSync('/dev/dxg') ? null : new TamisError('cuda.no-driver', { path });
  const version = /Kernel Module.*?\s(\d+(?:\.\d+)+)/.exec(text)?.[1];
  const oldest = oldestDrivers[cuda];
  if (version === undefined || oldest === undefined) return null;
  const isOld = version.localeCompare(oldest, 'en', { numeric: true }) < 0;
  return isOld ? new TamisError('cuda.old-driver', { version, oldest, cuda }) : null;
}

/** What the provider is linked to: the CUDA that it was built for, and the libraries that the system's loader does not find. */
async function readNeeds(provider: string): Promise<{ cuda: string; missing: string[] }> {
  // Without ldd, or of a file that it refuses, nothing is known: a try then tells in onnxruntime's own words.
  const { stdout } = await promisify(execFile)('ldd', [provider]).catch(() => ({ stdout: '' }));
  return {
    cuda: /libcudart\.so\.(\d+)/.exec(stdout)?.[1] ?? OLDEST_CUDA,
    missing: [...stdout.matchAll(/^\s*(\S+) => not found$/gm)].map(([, name = '']) => name),
  };
}

/** The folder that libonnxruntime was loaded from. Linux alone. */
function loadedRuntime(): string {
  const folder = /(\/.*)\/libonnxruntime\.so\.1$/m.exec(readFileSync('/proc/self/maps', 'utf8'))?.[1];
  if (folder === undefined) throw new Error('libonnxruntime is not among what this process has mapped');
  return folder;
}
