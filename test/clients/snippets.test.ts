import { expect, test } from 'vitest';

import { formatClients } from '../../src/contract/export-formats.ts';
import type { ExportFormat } from '../../src/contract/exports.ts';
import { exportFolder, type RunName } from './exports.ts';
import { script } from './program.ts';

const exported: readonly [run: RunName, format: ExportFormat][] = [
  ['opt, 70 %, 4 bits', 'dense'],
  ['opt, 70 %, 4 bits', 'gptq'],
  ['opt, 3 bits', 'gptq_v2'],
  ['opt, 70 %, 4 bits', 'compressed-tensors'],
  ['opt, 4 bits with zero points', 'compressed-tensors'],
  ['opt, 70 %, 4 bits', 'onnx'],
  ['llama, 50 %, 4 bits', 'onnx'],
  ['llama, 50 %, 4 bits', 'gguf'],
  ['bloom, 50 %, 4 bits', 'onnx'],
  ['bloom, 50 %, 4 bits', 'gguf'],
];

/** Those for vLLM and llama.cpp's own program are shell lines for what is not here. */
const snippets = exported.flatMap(([run, format]) =>
  formatClients[format]
    .snippets(exportFolder(run, format))
    .flatMap(({ language, ...snippet }) => (language === 'shell' ? [] : [{ run, format, language, ...snippet }])),
);

test.each(snippets)('$format, $run: the lines for $client run', async ({ run, format, client, language, code }) => {
  await expect(script(language === 'python' ? 'python' : 'node', code)).resolves.toBeDefined();
  console.log(`${format}, ${run}: the lines for ${client} ran`);
});
