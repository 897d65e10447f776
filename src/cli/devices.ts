import { availableParallelism } from 'node:os';

import { Command } from 'commander';

import type { AdapterReport } from '../contract/bridge.ts';
import type { Failure } from '../contract/failure.ts';
import { bytes, significant } from '../contract/format.ts';
import { message } from '../contract/messages/index.ts';
import { listAdapters } from '../worker/runtime/adapters.ts';
import { listDevices, type DeviceReport } from '../worker/runtime/devices.ts';
import { act, locale, print, printJson } from './act.ts';
import { number } from './recipe-options.ts';
import { table } from './table.ts';

export function devicesCommand(): Command {
  return new Command('devices')
    .description(
      'List what runs can compute on here: devices for forward passes (--device), and GPUs for Hessians, factors and sweeps (--gpu). Each is tried and measured.',
    )
    .option('--threads <n>', 'threads of the CPU (default: all)', number)
    .option('--json', 'print them as JSON')
    .action(async (flags: { threads?: number; json?: true }) => {
      await act(async () => {
        const devices = await listDevices(flags.threads ?? availableParallelism());
        const adapters = await listAdapters();
        if (flags.json) printJson({ devices, adapters });
        else print(`${deviceTable(devices)}\n\n${adapterTable(adapters)}`);
      });
    });
}

function deviceTable(devices: readonly DeviceReport[]): string {
  const rows = devices.map(({ device, gflops, failure }) => [device, rate(gflops), verdict(failure)]);
  return `Forward passes, by onnxruntime (--device):\n${table(['Device', 'GFLOP/s', ''], rows)}`;
}

function adapterTable(adapters: readonly AdapterReport[]): string {
  const title = 'Hessians, factors and sweeps, by the native core (--gpu):';
  if (adapters.length === 0) return `${title}\nThe CPU; no driver of a GPU was found (Vulkan, Metal or DirectX 12).`;
  const rows = adapters.map(({ name, driver, kind, memoryBytes, gflops, failure }) => [
    name,
    driver,
    kind,
    memoryBytes === null ? '–' : bytes(memoryBytes),
    rate(gflops),
    verdict(failure),
  ]);
  return `${title}\n${table(['GPU', 'Driver', 'Kind', 'Memory', 'GFLOP/s', ''], rows)}`;
}

function rate(gflops: number | null): string {
  return gflops === null ? '–' : significant(gflops, 3);
}

function verdict(failure: Failure | null): string {
  return failure === null ? 'works' : message(failure.code, failure.params, locale());
}
