import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';

import { Command } from 'commander';

import { bytes } from '../contract/format.ts';
import type { Device } from '../contract/recipe.ts';
import { measureSpeed, type Speed } from '../worker/evaluate/speed.ts';
import { chooseDevice } from '../worker/runtime/devices.ts';
import type { RunDevice } from '../worker/runtime/session.ts';
import { act, print, printJson } from './act.ts';
import { number } from './field-options.ts';
import { addDeviceOptions } from './recipe-options.ts';
import { table } from './table.ts';

interface BenchFlags {
  prompt: number;
  generate: number;
  device?: Device;
  threads?: number;
  json?: true;
}

interface Bench extends Speed {
  readonly path: string;
  readonly device: RunDevice;
}

const forms: Readonly<Record<Speed['form'], string>> = {
  dense: 'dense',
  onnx: 'ONNX, as it is',
  unpacked: 'dense, unpacked first',
};

export function benchModelCommand(): Command {
  const command = new Command('bench-model')
    .description(
      'How fast models compute on one device, and in how much memory: tokens a second of a prompt, and of what follows one token at a time. Each model has a process of its own.',
    )
    .argument('<path...>', 'folders of checkpoints and of exports')
    .option('--prompt <n>', 'tokens of the prompt', number, 128)
    .option('--generate <n>', 'tokens that follow it', number, 64)
    .option('--json', 'print the figures as JSON');
  return addDeviceOptions(command).action(async (paths: string[], flags: BenchFlags) => {
    await act(async ({ signal }) => {
      const results = await benches(paths, flags, signal);
      if (results === null) return;
      if (flags.json) printJson(results);
      else print(describeBenches(results));
    });
  });
}

/** null where a process of a model has failed: it has said why itself. */
async function benches(paths: readonly string[], flags: BenchFlags, signal: AbortSignal): Promise<Bench[] | null> {
  const threads = flags.threads ?? availableParallelism();
  const device = await chooseDevice(flags.device ?? 'auto', threads);
  const [only, ...more] = paths.map((path) => resolve(path));
  if (only !== undefined && more.length === 0) {
    const { prompt, generate } = flags;
    return [{ path: only, device, ...(await measureSpeed(only, { prompt, generate, device, threads, signal })) }];
  }
  const results: Bench[] = [];
  for (const path of paths) {
    const { output, code } = await benchApart(path, { ...flags, device, threads }, signal);
    if (code !== 0) {
      process.exitCode = code;
      return null;
    }
    results.push(...(JSON.parse(output) as Bench[]));
  }
  return results;
}

/** Has this command measure one model in a process of its own: what another one left in memory is not counted then. */
async function benchApart(
  path: string,
  { prompt, generate, device, threads }: Required<Omit<BenchFlags, 'json'>>,
  signal: AbortSignal,
): Promise<{ output: string; code: number }> {
  const flags = Object.entries({ prompt, generate, device, threads });
  const options = flags.flatMap(([name, value]) => [`--${name}`, String(value)]);
  const [, program = ''] = process.argv;
  const child = spawn(process.execPath, [program, 'bench-model', path, ...options, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const end = (): void => void child.kill();
  signal.addEventListener('abort', end, { once: true });
  const exited = once(child, 'exit') as Promise<[code: number | null]>;
  const [output, [code]] = await Promise.all([text(child.stdout), exited]);
  signal.removeEventListener('abort', end);
  return { output, code: code ?? 70 };
}

function describeBenches(results: readonly Bench[]): string {
  const rows = results.map(
    ({ path, form, device, promptTokensPerSecond, generateTokensPerSecond, peakMemoryBytes }) => [
      path,
      forms[form],
      device,
      promptTokensPerSecond.toFixed(0),
      generateTokensPerSecond.toFixed(0),
      bytes(peakMemoryBytes),
    ],
  );
  return table(['Model', 'computed as', 'device', 'prompt tokens/s', 'generated tokens/s', 'peak memory'], rows);
}
