import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { beforeEach, describe, expect, test } from 'vitest';

import { softwareGpu } from '../../scripts/software-gpu.mjs';
import type { AdapterReport } from '../../src/contract/bridge.ts';
import type { GpuUsage } from '../../src/contract/gpu.ts';

interface Probe {
  readonly differences: Readonly<Record<string, number>>;
  readonly unsupported: unknown;
  readonly devices: readonly { device: string; gflops: number | null; failure: string | null }[];
  readonly adapters: readonly AdapterReport[];
  readonly usages: readonly GpuUsage[];
  readonly auto: string;
}

const run = promisify(execFile);
const probe = fileURLToPath(new URL('webgpu-probe.ts', import.meta.url));

async function probeWith(environment: Record<string, string>): Promise<Probe> {
  const { stdout } = await run(process.execPath, [probe], { env: { ...process.env, ...environment } });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Probe;
}

const gpu = await softwareGpu();

describe('WebGPU on the software adapter', () => {
  let result: Promise<Probe> | undefined;
  beforeEach((context) => {
    if (gpu === null) context.skip('no software adapter here');
    result ??= gpu ? probeWith(gpu) : undefined;
  });

  test('a block with its taps and the head give what the CPU gives', async () => {
    const differences = (await result)?.differences ?? {};
    expect(Object.keys(differences)).toEqual([
      'attn_in',
      'attn_out',
      'mlp_in',
      'mlp_mid',
      'output',
      'logSum',
      'target',
    ]);
    for (const difference of Object.values(differences)) expect(difference).toBeLessThan(5e-5);
  });

  test('a graph that it does not run whole is refused by the device, not run on the CPU', async () => {
    expect((await result)?.unsupported).toMatchObject({ code: 'device.failed', params: { device: 'webgpu' } });
  });

  test('is listed as working, and never chosen by itself', async () => {
    const { devices = [], auto } = (await result) ?? {};
    const webgpu = devices.find(({ device }) => device === 'webgpu');
    expect(webgpu?.failure).toBeNull();
    expect(webgpu?.gflops).toBeGreaterThan(0);
    expect(devices.find(({ device }) => device === 'dml')).toMatchObject({
      gflops: null,
      failure: 'device.not-built-in',
    });
    expect(auto).toBe('cpu');
  });

  test('is listed among the GPUs as working in software, with no memory of its own and nobody who tells its use', async () => {
    const { adapters = [], usages } = (await result) ?? {};
    const [software] = adapters;
    expect(adapters).toHaveLength(1);
    expect(software).toMatchObject({ kind: 'software', memoryBytes: null, failure: null });
    expect(software?.name).toContain('SwiftShader');
    expect(software?.driver).toContain('SwiftShader');
    expect(software?.gflops).toBeGreaterThan(0);
    expect(usages).toEqual([{ memoryBytes: null, utilization: null }]);
  });
});
