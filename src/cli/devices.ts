import { availableParallelism } from 'node:os';

import { Command } from 'commander';

import type { AdapterReport } from '../contract/bridge.ts';
import { describe } from '../contract/describe.ts';
import { failureOf, type Failure } from '../contract/failure.ts';
import { bytes, significant } from '../contract/format.ts';
import { message } from '../contract/messages/index.ts';
import { listAdapters } from '../worker/runtime/adapters.ts';
import { cudaLacks } from '../worker/runtime/cuda.ts';
import { listDevices, type DeviceReport } from '../worker/runtime/devices.ts';
import { act, locale, print, printJson } from './act.ts';
import { fetchProvider } from './fetch-cuda.ts';
import { number } from './field-options.ts';
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
      'List what runs can compute on here: devices for forward passes (--device), and GPUs for Hessians, factors and sweeps (--gpu). Each is tried and measured.',
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
        print(deviceTable(devices));
        // The table has the first.
        for (const lack of lacks.slice(1)) print(describe(lack, locale()));
        print(`\n${adapterTable(adapters)}`);
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
