import { mkdirSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect } from 'vitest';

import { newestRuns } from '../../src/contract/history.ts';
import { writeTinyBloom } from '../fixtures/tiny-bloom.ts';
import { writeTinyLlama } from '../fixtures/tiny-llama.ts';
import { readReportOf } from '../integration/helpers.ts';
import { test } from './application.ts';
import { ask, choose, openExports, tinyRecipe } from './ask.ts';
import { loadRecipe, packedBits } from './new-run.ts';

const screens = fileURLToPath(new URL('../../test-results/screens', import.meta.url));

/** The tiny models' positions. */
const seqlen = 32;

/** By what factor the perplexity of the file may differ from the run's: out of a GGUF file come the run's weights, ONNX runs as it is. */
const gguf = { name: 'GGUF file', ratio: /^1\.0000$/ };
const onnx = { name: 'ONNX folder', ratio: /^(0\.999|1\.000)\d$/ };

test.for([
  { family: 'llama', write: writeTinyLlama, estimate: 'relative-by-type', formats: [gguf, onnx] },
  { family: 'bloom', write: writeTinyBloom, estimate: 'raw', formats: [gguf, onnx] },
])(
  '$family: added to the library, planned, compressed to 4 bits, exported',
  async ({ family, write, estimate, formats }, { start, folder }) => {
    mkdirSync(screens, { recursive: true });
    const { app, page } = await start();
    const picture = async (name: string): Promise<void> => {
      await page.screenshot({ path: join(screens, `${family}-${name}.png`) });
    };
    const model = write(join(folder, `tiny-${family}`), { dtype: 'F16', tokenizer: true });
    await choose(app, model);
    await page.getByRole('button', { name: 'Add a model' }).click();
    await page.getByRole('button', { name: 'Choose a folder …' }).click();
    await page.getByRole('link', { name: `Compress ${basename(model)}` }).click();

    const { calibration, evaluation, ...recipe } = await tinyRecipe(page, { model });
    await loadRecipe(page, app, folder, {
      ...recipe,
      calibration: { ...calibration, seqlen },
      evaluation: { ...evaluation, seqlen },
    });
    await page.getByText(`demo, seqlen ${seqlen}`).waitFor();
    const pruned = await packedBits(page);
    await page.locator('[data-field="quantization.bits"]').getByText('4', { exact: true }).click();
    await page.getByLabel('Codes around zero; no zero points are stored.').check();
    await expect.poll(async () => await packedBits(page)).toBeLessThan(pruned);
    await picture('planned');
    await page.getByRole('button', { name: 'Start', exact: true }).click();
    await page.getByText('Finished', { exact: true }).first().waitFor();
    await picture('finished');

    const [row] = (await ask(page, 'runs.list', newestRuns)).rows;
    const report = readReportOf(row?.path ?? '');
    expect(report).toMatchObject({ model: { family }, estimate });
    expect(report.sparsity.actual).toBeCloseTo(0.7, 1);
    for (const { bits } of report.layers) expect(bits).toBe(4);

    const target = join(folder, 'exported');
    await openExports(app, page, target);
    for (const [written, { name, ratio }] of formats.entries()) {
      await page.getByRole('button', { name: `Write: ${name}` }).click();
      const card = page.getByRole('region', { name });
      await card.getByText('Written', { exact: true }).waitFor();
      const perplexities = await card.getByText(/^\d+\.\d\d \(run: /).innerText();
      expect(/([\d.]+) ×\)$/.exec(perplexities)?.[1]).toMatch(ratio);
      expect(readdirSync(target)).toHaveLength(written + 1);
    }
    await picture('exported');
  },
);
