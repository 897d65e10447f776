import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

import { predict } from '../../src/worker/evaluate/predictions.ts';
import { openModel } from '../../src/worker/model/open.ts';
import { native } from '../../src/worker/native.ts';
import { demoModel } from '../fixtures/demo-model.ts';
import { withPerplexity } from '../fixtures/measured.ts';

const shared = fileURLToPath(new URL('../../../shared', import.meta.url));

interface Reference {
  readonly dense: number;
  readonly windows: number;
  readonly seqlen: number;
}

test('the demo model has the perplexity that the PyTorch reference measured', async (context) => {
  if (!existsSync(shared)) context.skip('shared/reference is not here');
  const reference = JSON.parse(readFileSync(join(shared, 'reference/results.json'), 'utf8')) as Reference;
  const tokens = Int32Array.from(
    native.Checkpoint.openFile(join(shared, 'reference/eval.safetensors')).readI64('tokens'),
  );
  const scratch = mkdtempSync(join(tmpdir(), 'tamis-perplexity-'));
  try {
    const predicted = await predict(await openModel(demoModel), [{ name: 'eval', tokens }], {
      device: 'cpu',
      threads: 2,
      seqlen: reference.seqlen,
      windows: reference.windows,
      scratch,
      signal: new AbortController().signal,
    });
    const [result] = withPerplexity(predicted);
    expect(result?.windows).toBe(256);
    expect(Math.abs((result?.perplexity ?? NaN) / reference.dense - 1)).toBeLessThan(1e-5);
  } finally {
    rmSync(scratch, { recursive: true });
  }
});
