import { existsSync } from 'node:fs';

import { listSupportedBackends, Tensor } from 'onnxruntime-node';

import { TamisError } from '../../contract/errors.ts';
import type { Device } from '../../contract/recipe.ts';
import { GraphBuilder, type GraphFile } from '../graph/builder.ts';
import { activate } from '../graph/operations.ts';
import { cudaLacks } from './cuda.ts';
import { Session, type RunDevice, type SessionOptions } from './session.ts';

export interface DeviceReport {
  readonly device: RunDevice;
  /** float32, of products like a block's; null where it does not work. */
  readonly gflops: number | null;
  /** Why it does not work; null where it does. */
  readonly failure: TamisError | null;
}

const accelerators: readonly RunDevice[] = ['cuda', 'dml', 'webgpu'];

const TOKENS = 512;
/** Widths of the test's block; a device that takes longer than `ENOUGH_MS` for one is not given the next. */
const WIDTHS = [128, 512, 1024];
const ENOUGH_MS = 100;

/** Every device, tried and measured. */
export async function listDevices(threads: number): Promise<DeviceReport[]> {
  const reports: DeviceReport[] = [];
  for (const device of ['cpu', ...accelerators] as const) reports.push(await tryDevice({ device, threads }));
  return reports;
}

/** The device to run on. `auto` is the fastest that works: a software adapter never beats the CPU that it runs on. */
export async function chooseDevice(device: Device, threads: number): Promise<RunDevice> {
  if (device !== 'auto') return device;
  if (!mayHaveGpu()) return 'cpu';
  const working: DeviceReport[] = [];
  for (const accelerator of accelerators) {
    const report = await tryDevice({ device: accelerator, threads });
    if (report.gflops !== null) working.push(report);
  }
  if (working.length === 0) return 'cpu';
  working.push(await tryDevice({ device: 'cpu', threads }));
  return working.reduce((best, report) => ((report.gflops ?? 0) > (best.gflops ?? 0) ? report : best)).device;
}

/** Errors device.not-built-in, device.failed: a device that does not run a small graph. */
export async function assertWorks(options: SessionOptions): Promise<void> {
  if (options.device === 'cpu') return;
  assertBuiltIn(options.device);
  await timeMlp(WIDTHS[0] ?? 1, options);
}

/** Without one of these Linux has no driver for a GPU, and asking for an adapter only writes warnings on the terminal. */
export function mayHaveGpu(): boolean {
  return process.platform !== 'linux' || ['/dev/dri', '/dev/nvidiactl', '/dev/dxg'].some((path) => existsSync(path));
}

async function tryDevice(options: SessionOptions): Promise<DeviceReport> {
  const { device } = options;
  try {
    assertBuiltIn(device);
    return { device, gflops: await measure(options), failure: null };
  } catch (error) {
    if (!(error instanceof TamisError)) throw error;
    // What is missing says more than the loader's own words.
    const [lack] = device === 'cuda' ? await cudaLacks() : [];
    return { device, gflops: null, failure: lack ?? error };
  }
}

function assertBuiltIn(device: RunDevice): void {
  if (!listSupportedBackends().some(({ name }) => name === device))
    throw new TamisError('device.not-built-in', { device, platform: process.platform });
}

async function measure(options: SessionOptions): Promise<number> {
  let gflops = 0;
  for (const width of WIDTHS) {
    const milliseconds = await timeMlp(width, options);
    gflops = (16 * TOKENS * width * width) / milliseconds / 1e6;
    if (milliseconds > ENOUGH_MS) break;
  }
  return gflops;
}

/** Milliseconds of the best of three runs, after a first one in which devices compile their kernels. */
async function timeMlp(width: number, options: SessionOptions): Promise<number> {
  const x = new Tensor('float32', new Float32Array(TOKENS * width).fill(1), [TOKENS, width]);
  const y = new Tensor('float32', new Float32Array(TOKENS * width), [TOKENS, width]);
  await using session = await Session.open(mlp(width), options);
  await session.run({ x }, { y });
  let best = Infinity;
  for (let i = 0; i < 3; i++) {
    const start = performance.now();
    await session.run({ x }, { y });
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

/** A block's MLP with four times the width inside: 16 * tokens * width² operations. */
function mlp(width: number): GraphFile {
  const g = new GraphBuilder(new Map());
  const weight = new Float32Array(4 * width * width).fill(1 / width);
  const mid = activate(
    g,
    'relu',
    g.node('MatMul', [g.input('x', 'float32', [TOKENS, width]), g.floats(weight, [width, 4 * width])]),
  );
  g.output('y', g.node('MatMul', [mid, g.floats(weight, [4 * width, width])]));
  return g.build();
}
