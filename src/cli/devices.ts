import { availableParallelism } from 'node:os';

import { Command } from 'commander';

import { message } from '../contract/messages/index.ts';
import { listDevices } from '../worker/runtime/devices.ts';
import { act, locale, print, printJson } from './act.ts';
import { number } from './recipe-options.ts';
import { table } from './table.ts';

export function devicesCommand(): Command {
  return new Command('devices')
    .description('List the devices that forward passes can run on here, each tried with a small graph and measured.')
    .option('--threads <n>', 'threads of the CPU (default: all)', number)
    .option('--json', 'print them as JSON')
    .action(async (flags: { threads?: number; json?: true }) => {
      await act(async () => {
        const devices = await listDevices(flags.threads ?? availableParallelism());
        if (flags.json) printJson(devices);
        else
          print(
            table(
              ['Device', 'GFLOP/s', ''],
              devices.map(({ device, gflops, failure }) => [
                device,
                gflops?.toFixed(0) ?? '–',
                failure === null ? 'works' : message(failure.code, failure.params, locale()),
              ]),
            ),
          );
      });
    });
}
