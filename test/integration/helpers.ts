import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect } from 'vitest';

import { reportSchema, type Report } from '../../src/contract/report.ts';
import { testFolder } from '../fixtures/safetensors.ts';
import { writeTinyOpt, writeTokens, type TinyOptions } from '../fixtures/tiny-opt.ts';

export const cli = fileURLToPath(new URL('../../dist/cli/index.js', import.meta.url));

export interface Ended {
  /** null where a signal ended the process. */
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface SpawnOptions {
  cache: string;
  env?: Readonly<Record<string, string>>;
  /** Modules that Node loads before the command line. */
  preload?: readonly string[];
  /** The user to run as; needs root. */
  uid?: number;
  /** Called as standard error comes, with all of it so far; may signal the process. */
  onStderr?: (stderr: string, kill: (signal: NodeJS.Signals) => void) => void;
}

/** Runs the command line as its users do, in a process of its own. */
export async function tamis(
  args: readonly string[],
  { cache, env = {}, preload = [], uid, onStderr }: SpawnOptions,
): Promise<Ended> {
  const nodeArgs = preload.flatMap((module) => ['--import', module]);
  const child = spawn(process.execPath, [...nodeArgs, cli, ...args], {
    env: { ...process.env, LC_ALL: 'C', LANG: 'C', TAMIS_CACHE: cache, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid !== undefined && { uid, gid: uid }),
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    onStderr?.(stderr, (signal) => child.kill(signal));
  });
  return await new Promise((resolve) => {
    child.on('close', (code, signal) => {
      resolve({ code, signal, stdout, stderr });
    });
  });
}

/** A command that must succeed. */
export async function succeed(args: readonly string[], options: SpawnOptions): Promise<Ended> {
  const ended = await tamis(args, options);
  expect(ended, ended.stderr).toMatchObject({ code: 0, signal: null });
  return ended;
}

const killAtModule = fileURLToPath(new URL('../fixtures/kill-at.mjs', import.meta.url));

export interface Kill {
  readonly moment: string;
  readonly when: 'before' | 'after' | 'torn' | 'stop';
  readonly nth?: number;
}

/** How a process is started that is to end, or to stop, at a moment. */
export function killAt(kill: Kill): Pick<SpawnOptions, 'preload' | 'env'> {
  return { preload: [killAtModule], env: { KILL_AT: JSON.stringify(kill) } };
}

/** A command that is killed at a moment, which must come. */
export async function killed(args: readonly string[], cache: string, kill: Kill): Promise<void> {
  const ended = await tamis(args, { cache, ...killAt(kill) });
  expect(ended.signal, `${JSON.stringify(kill)} never came: ${ended.stderr}`).toBe('SIGKILL');
}

/** Halts a command at a moment, sends the signal, lets it go on (again and again: it may not have halted yet). */
export async function cancelled(
  signal: 'SIGINT' | 'SIGTERM',
  kill: Kill,
  args: readonly string[],
  cache: string,
): Promise<Ended> {
  let going: NodeJS.Timeout | undefined;
  const ended = await tamis(args, {
    cache,
    ...killAt(kill),
    onStderr: (stderr, send) => {
      if (going !== undefined || !stderr.includes('stopped by the test')) return;
      send(signal);
      going = setInterval(() => {
        send('SIGCONT');
      }, 50);
    },
  });
  clearInterval(going);
  return ended;
}

/** The one sentence of a refusal: the last line of standard error, and no other of its kind, no stack, nothing left unfilled. */
export function refusal({ code, stderr }: Ended): string {
  const lines = stderr.trimEnd().split('\n');
  const sentences = lines.filter((line) => line.startsWith('tamis: '));
  expect(sentences, stderr).toEqual(lines.slice(-1));
  expect(stderr).not.toMatch(/^\s+at |\{\{|\[object|This is a bug/m);
  expect(code, stderr).toBe(1);
  return (sentences[0] ?? '').slice('tamis: '.length);
}

export interface Tiny {
  path: string;
  model: string;
  cache: string;
  /** Flags that name its calibration and evaluation tokens, on one thread of the CPU. */
  data: string[];
  file: (name: string) => string;
  remove: () => void;
}

/** A folder with a tiny model, calibration and evaluation tokens and a cache of its own. */
export function tinyFolder(name: string, options: TinyOptions = {}): Tiny {
  const { path, remove } = testFolder(name);
  const file = (part: string): string => join(path, part);
  const model = writeTinyOpt(file('model'), options);
  const calibration = writeTokens(file('calibration.safetensors'), [80, 32], 2);
  const evaluation = writeTokens(file('evaluation.safetensors'), [2100], 3);
  return {
    path,
    model,
    cache: file('cache'),
    data: ['--calibration-tokens', calibration, '--evaluation-tokens', evaluation, '--sequences', '80', ...cpu],
    file,
    remove,
  };
}

export const cpu = ['--device', 'cpu', '--threads', '1'];

export function readReportOf(folder: string): Report {
  return reportSchema.parse(JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8')));
}

/** What must be the same to the bit however often a run was interrupted: all but times and memory. */
export function bitsOf(folder: string): Record<string, unknown> {
  const {
    startedAt: _started,
    finishedAt: _finished,
    seconds: _seconds,
    peakMemoryBytes: _peak,
    ...report
  } = readReportOf(folder);
  const timed = /^(report\.(json|html)|events\.jsonl|state)$/;
  const files = readdirSync(folder).filter((name) => !timed.test(name) && name !== 'quantization');
  const scales = join(folder, 'quantization');
  if (existsSync(scales)) files.push(...readdirSync(scales).map((name) => join('quantization', name)));
  const schedule = JSON.parse(readFileSync(join(folder, 'state/schedule.json'), 'utf8')) as { value: unknown };
  return {
    report,
    schedule: schedule.value,
    files: Object.fromEntries(files.map((name) => [name, sha256(join(folder, name))])),
  };
}

export function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** Empties a folder's place, whatever is there. */
export function clear(path: string): string {
  if (existsSync(path)) rmSync(path, { recursive: true });
  return path;
}
