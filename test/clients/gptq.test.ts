import { describe, expect, test } from 'vitest';
import { z } from 'zod';

import type { ExportFormat } from '../../src/contract/exports.ts';
import type { Report } from '../../src/contract/report.ts';
import { readReportOf } from '../integration/helpers.ts';
import { expectWeights } from './compare.ts';
import { exportFolder, runFolder, runsAs, work } from './exports.ts';
import { client } from './program.ts';

const read = z.object({ layers: z.int() });

/** As PyTorch names it. */
const dtypes = new Map([
  ['F32', 'float32'],
  ['F16', 'float16'],
  ['BF16', 'bfloat16'],
]);
const dtypeOf = ({ model }: Report): string => dtypes.get(model.dtype) ?? model.dtype;

describe.each(['gptq', 'gptq_v2'] satisfies ExportFormat[])('%s', (format) => {
  describe.each(runsAs(format))('%s', (run) => {
    test.each(['gptq_reader.py', 'gptqmodel_reader.py'] as const)('%s reads the weights of the run', async (reader) => {
      const out = `${work}/${reader}/${runsAs(format).indexOf(run)}-${format}`;
      const report = readReportOf(runFolder(run));
      const { layers } = await client(reader, [exportFolder(run, format), out, dtypeOf(report)], read);
      expect(layers).toBe(report.layers.filter(({ bits }) => bits !== null).length);
      expect(expectWeights(out, runFolder(run)).tensors).toBe(layers);
      console.log(`${format}, ${run}: ${reader}: ${layers} layers, equal to the bit`);
    });
  });
});
