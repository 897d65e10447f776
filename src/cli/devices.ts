import { availableParallelism } from 'node:os';

import { Command } from 'commander';

import type { TamisError } from '../contract/errors.ts';
import { failureOf } from '../contract/failure.ts';
import { describe, message } from '../contract/messages/index.ts';
import { listAdapters } from '../worker/runtime/adapters.ts';
import { cudaLacks } from '../worker/runtime/cuda.ts';
import { listDevices } from '../worker/runtime/devices.ts';
import { act, locale, print, printJson } from './act.ts';
import { fetchProvider } from './fetch-cuda.ts';
import { number } from './recipe-options.ts';
import { table } from './table.ts';

interface Flags {
  threads?: number;
  json?: true;
  fetchCuda?: true;
  yes?: true;
}

export function devicesCommand(): Command {
  return new Command('devices')
    .description(
      'List the devices that forward passes can run on here, and the GPUs that the native core can open (runs do not use them yet); each is tried and measured.',
    )
    .option('--threads <n>', 'threads of the CPU (default: all)', number)
    .option('--json', 'print them as JSON')
    .option('--fetch-cuda', "fetch onnxruntime's CUDA provider instead, after asking (Linux x64)")
    .option('--yes', 'with --fetch-cuda: do not ask')
    .action(async (flags: Flags) => {
      await act(async (acting) => {
        if (flags.fetchCuda) {
          await fetchProvider(acting, flags.yes === true);
          return;
        }
        const devices = await listDevices(flags.threads ?? availableParallelism());
        const adapters = await listAdapters();
        const lacks = devices.some(({ device, failure }) => device === 'cuda' && failure) ? await cudaLacks() : [];
        if (flags.json) {
          printJson({ devices, cuda: lacks.map(failureOf), adapters });
          return;
        }
        print(
          table(
            ['Device', 'GFLOP/s', ''],
            devices.map(({ device, gflops, failure }) => [device, gflops?.toFixed(0) ?? '–', verdict(failure)]),
          ),
        );
        // The table has the first.
        for (const lack of lacks.slice(1)) print(describe(lack, locale()));
        if (adapters.length === 0) return;
        print(
          table(
            ['GPU', 'Driver', 'Kind', 'GFLOP/s', ''],
            adapters.map(({ name, driver, kind, gflops, failure }) => [
              name,
              driver,
              kind,
              gflops?.toFixed(0) ?? '–',
              verdict(failure),
            ]),
          ),
        );
      });
    });
}

function verdict(failure: TamisError | null): string {
  return failure === null ? 'works' : message(failure.code, failure.params, locale());
}
