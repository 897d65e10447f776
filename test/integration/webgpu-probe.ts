/** Run by webgpu.test.ts with a software adapter in its environment: prints what the devices computed as JSON. */

import { TamisError } from '../../src/contract/errors.ts';
import { GraphBuilder } from '../../src/worker/graph/builder.ts';
import { openModel } from '../../src/worker/model/open.ts';
import { listAdapters } from '../../src/worker/runtime/adapters.ts';
import { chooseDevice, listDevices } from '../../src/worker/runtime/devices.ts';
import { openGpu } from '../../src/worker/runtime/gpu.ts';
import { openBlock, openHead } from '../../src/worker/runtime/forward.ts';
import { Session, type RunDevice } from '../../src/worker/runtime/session.ts';
import { demoModel } from '../fixtures/demo-model.ts';

const SEQLEN = 24;
const SEQUENCES = 2;

const model = await openModel(demoModel);
const tokens = SEQUENCES * SEQLEN;
const x = Float32Array.from({ length: tokens * model.family.hidden }, (_, i) => Math.sin(i * i));
const targets = Int32Array.from({ length: tokens }, (_, i) => (i * 1009) % model.family.vocab);

async function forward(device: RunDevice): Promise<Map<string, Float32Array>> {
  await using block = await openBlock(model, 3, { device, threads: 2, seqlen: SEQLEN, taps: true, output: true });
  const { output = x, taps } = await block.run(x);
  await using head = await openHead(model, { start: 1000, end: 3000 }, { device, threads: 2 });
  const { logSum, target } = await head.run(output, targets);
  const results = [...taps, ['output', output], ['logSum', logSum], ['target', target]] as [string, Float32Array][];
  const copies = new Map(results.map(([name, values]) => [name, values.slice()]));
  return copies;
}

/** The largest difference of each result, relative to its largest entry. */
function differences(expected: Map<string, Float32Array>, actual: Map<string, Float32Array>): Record<string, number> {
  return Object.fromEntries(
    [...expected].map(([name, values]) => {
      const other = actual.get(name) ?? new Float32Array();
      const largest = values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
      return [name, values.reduce((a, b, i) => Math.max(a, Math.abs(b - (other[i] ?? NaN))), 0) / largest];
    }),
  );
}

/** What a graph with an operator that WebGPU has no kernel for (LogSoftmax) is refused with. */
async function unsupported(): Promise<unknown> {
  const g = new GraphBuilder(new Map());
  g.output('y', g.node('LogSoftmax', [g.input('x', 'float32', [2, 3])], { axis: 1 }));
  try {
    await using _session = await Session.open(g.build(), { device: 'webgpu', threads: 1 });
    return null;
  } catch (error) {
    return error instanceof TamisError ? { code: error.code, params: error.params } : String(error);
  }
}

const devices = (await listDevices(2)).map(({ device, gflops, failure }) => ({
  device,
  gflops,
  failure: failure?.code ?? null,
}));
const adapters = await listAdapters();
const usages: unknown[] = [];
for (const { name } of adapters) usages.push(await (await openGpu(name)).handle.usage());
console.log(
  JSON.stringify({
    differences: differences(await forward('cpu'), await forward('webgpu')),
    unsupported: await unsupported(),
    devices,
    adapters,
    usages,
    auto: await chooseDevice('auto', 2),
  }),
);
