import { basename } from 'node:path';

import { exportSnippets } from '../../contract/export-snippets.ts';
import type { ExportFormat } from '../../contract/exports.ts';
import { fixed, percent, perplexity } from '../../contract/format.ts';
import { labels } from '../../contract/messages/labels.ts';
import type { Report } from '../../contract/report.ts';
import { methodNames, patternWords, quantizationWords, recipeWords } from '../../contract/words.ts';

/** What a client finds on the hub under this name. */
const libraries: Readonly<Record<ExportFormat, string>> = {
  dense: 'transformers',
  gptq: 'transformers',
  gptq_v2: 'gptqmodel',
  'compressed-tensors': 'transformers',
  onnx: 'transformers.js',
  gguf: 'gguf',
  tamis: 'tamis',
};

/**
 * The README.md of a compressed model in one of the formats, as the Hugging Face hub reads it (YAML front matter, English). Paths
 * are cut to their last part: the card is made to be published.
 */
export function modelCard(report: Report, format: ExportFormat): string {
  const { model, sparsity } = report;
  const name = escapeMarkdown(model.name);
  const t = labels('en');
  const partial =
    model.blocksCompressed < model.blocks
      ? `\n**Only ${model.blocksCompressed} of ${model.blocks} blocks are compressed.**\n`
      : '';
  return `${frontMatter(report, format)}
# ${name}, ${titleWords(report)}

${name} (${escapeMarkdown(model.family)}, ${model.parameters} parameters, ${escapeMarkdown(model.dtype)}) compressed after training with \
Tamis ${escapeMarkdown(report.tamis)}: ${methodWords(report)}. \
${percent(sparsity.actual, 2)} % of the weights of the compressed layers are zero. It was not trained further.
${partial}
## Perplexity

${perplexityTable(report)}

## Limits

- Perplexity on the data above is all that was measured. Other abilities, other languages and biases were not: test what you need before you rely on it.
- ${storageWords(report, format)}
- The licence and the limits of the original model hold for this one.

## How to load

${exportSnippets(format, 'path/to/this-folder')
  .map(({ client, language, code }) => `With ${client}:\n\n\`\`\`${language}\n${code}\n\`\`\``)
  .join('\n\n')}

## How it was made

| | |
|---|---|
${recipeWords(report, t, basename)
  .map(([key, text]) => `| ${key} | ${escapeMarkdown(text)} |`)
  .join('\n')}

The numbers of every layer are in \`layers.csv\`, everything else in \`report.json\` and \`report.html\`.
`;
}

function titleWords({ sparsity, recipe }: Report): string {
  const parts = [
    ...(sparsity.target > 0 || recipe.quantization === null ? [`${percent(sparsity.actual, 1)} % sparse`] : []),
    ...(recipe.quantization ? [`${recipe.quantization.bits}-bit`] : []),
  ];
  return parts.join(', ');
}

function methodWords({ recipe }: Report): string {
  const t = labels('en');
  const pruned = `${methodNames[recipe.method]}, ${patternWords(recipe, t)}`;
  return recipe.quantization ? `${pruned}; weights that are kept: ${quantizationWords(recipe, t)}` : pruned;
}

/** What the format makes of zeros and codes. */
function storageWords({ model }: Report, format: ExportFormat): string {
  switch (format) {
    case 'dense':
      return `The weights are stored densely in ${escapeMarkdown(model.dtype)}, zeros and quantized ones too. The files are as large as the original's, and inference is as fast, unless your runtime skips zeros.`;
    case 'tamis':
      return 'This is an archive, to keep and to send: no program computes with it as it is. Unpack it to a dense folder first.';
    default:
      return 'Zeros are stored like other weights: they make neither the files smaller nor inference faster. Fewer bits do, where your runtime has kernels for them.';
  }
}

function frontMatter({ model, recipe }: Report, format: ExportFormat): string {
  const hubName = /^[\w.-]+(\/[\w.-]+)?$/;
  const tags = [
    'tamis',
    'sparse',
    'pruned',
    recipe.method,
    ...(recipe.nm ? [`${recipe.nm.n}-of-${recipe.nm.m}-pruned`] : []),
    ...(recipe.quantization ? ['quantized', `${recipe.quantization.bits}-bit`] : []),
  ];
  return [
    '---',
    `library_name: ${libraries[format]}`,
    'pipeline_tag: text-generation',
    ...(hubName.test(model.name) ? [`base_model: ${JSON.stringify(model.name)}`] : []),
    'tags:',
    ...tags.map((tag) => `- ${tag}`),
    '---',
  ].join('\n');
}

function perplexityTable(report: Report): string {
  if (report.perplexity.length === 0) return 'Not measured: what this compression cost the model is not known.';
  const rows = report.perplexity.map(({ dataset, seqlen, windows, dense, compressed }) => {
    const cells = [
      escapeMarkdown(dataset),
      seqlen,
      windows,
      perplexity(dense),
      perplexity(compressed),
      fixed(compressed / dense, 3),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '| dataset | seqlen | windows | dense | compressed | ratio |',
    '|---|---:|---:|---:|---:|---:|',
    ...rows,
    '',
    'Perplexities compare only at the same dataset and seqlen.',
  ].join('\n');
}

/** Text that stays text in Markdown, in a table too. */
function escapeMarkdown(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replace(/[\\`*_[\]|#~!]/g, String.raw`\$&`);
}
