import { availableParallelism } from 'node:os';

import { Command } from 'commander';

import type { TamisError } from '../contract/errors.ts';
import { message } from '../contract/messages/index.ts';
import { listAdapters } from '../worker/runtime/adapters.ts';
import { listDevices } from '../worker/runtime/devices.ts';
import { act, locale, print, printJson } from './act.ts';
import { number } from './recipe-options.ts';
import { table } from './table.ts';

export function devicesCommand(): Command {
  return new Command('devices')
    .description(
      'List the devices that forward passes can run on here, and the GPUs that the native core can open (runs do not use them yet); each is tried and measured.',
    )
    .option('--threads <n>', 'threads of the CPU (default: all)', number)
    .option('--json', 'print them as JSON')
    .action(async (flags: { threads?: number; json?: true }) => {
      await act(async () => {
        const devices = await listDevices(flags.threads ?? availableParallelism());
        const adapters = await listAdapters();
        if (flags.json) {
          printJson({ devices, adapters });
          return;
        }
        print(
          table(
            ['Device', 'GFLOP/s', ''],
            devices.map(({ device, gflops, failure }) => [device, gflops?.toFixed(0) ?? '–', verdict(failure)]),
          ),
        );
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
