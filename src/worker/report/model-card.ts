import { basename } from 'node:path';

import { formatClients } from '../../contract/export-formats.ts';
import type { ExportFormat } from '../../contract/exports.ts';
import { percent } from '../../contract/format.ts';
import { firstOf, type Measured } from '../../contract/measured.ts';
import {
  contrastKey,
  firstMeasure,
  mainMeasures,
  writeContrast,
  writeValue,
  type MeasureId,
} from '../../contract/measures.ts';
import { labels, type Label } from '../../contract/messages/labels.ts';
import type { Quantization } from '../../contract/recipe.ts';
import type { Report } from '../../contract/report.ts';
import { methods } from '../../contract/recipe/methods.ts';
import { patternWords, quantizationWords, recipeWords } from '../../contract/words.ts';

/**
 * The README.md of a compressed model in one of the formats, as the Hugging Face hub reads it (YAML front matter, English). Paths
 * are cut to their last part: the card is made to be published.
 */
export function modelCard(report: Report, format: ExportFormat): string {
  const { model, recipe, sparsity } = report;
  const t = labels('en');
  const name = escapeMarkdown(model.name);
  const partial =
    model.blocksCompressed < model.blocks
      ? `\n**Only ${model.blocksCompressed} of ${model.blocks} blocks are compressed.**\n`
      : '';
  return `${frontMatter(report, format)}
# ${name}, ${compressionOf(report).join(', ')}

${name} (${escapeMarkdown(model.family)}, ${model.parameters} parameters, ${escapeMarkdown(model.dtype)}) compressed after training with \
Tamis ${escapeMarkdown(report.tamis)}: ${methods[recipe.method].name}, ${patternWords(recipe, t)}. \
${percent(sparsity.actual, 2)} % of the weights of the pruned layers are zero.${quantized(report, t)} It was not trained further.
${partial}
${measureSections(report, t)}

## Limits

- ${mainMeasures.map((measure) => t(`measure.${measure}`)).join(', ')} on the data above is all that was measured. Other abilities, other languages and biases were not: test what you need before you rely on it.
- ${stored(report, t, format)}
- The licence and the limits of the original model hold for this one.

## How to load

${formatClients[format]
  .snippets('path/to/this-folder')
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

/** What was done, as short as a title: `70.0 % sparse`, `4 bits`. */
function compressionOf({ recipe, sparsity }: Report): string[] {
  const { quantization } = recipe;
  return [
    ...(isPruned(sparsity, quantization) ? [`${percent(sparsity.actual, 1)} % sparse`] : []),
    ...(quantization === null ? [] : [`${quantization.bits} bits`]),
  ];
}

/** Not where weights were quantized alone: the zeros are then those of the codes. */
function isPruned({ target }: Report['sparsity'], quantization: Quantization | null): boolean {
  return target > 0 || quantization === null;
}

function quantized({ recipe }: Report, t: Label): string {
  if (recipe.quantization === null) return '';
  return ` ${escapeMarkdown(t('text.headline-bits', { quantization: quantizationWords(recipe, t) }))}`;
}

/** What the format makes of zeros and codes. */
function stored({ recipe, model }: Report, t: Label, format: ExportFormat): string {
  if (format === 'tamis')
    return 'This is an archive, to keep and to send: no program computes with it as it is. Unpack it to a dense folder first.';
  if (format !== 'dense')
    return 'Zeros are stored like other weights: they make neither the files smaller nor inference faster. Fewer bits do, where your runtime has kernels for them.';
  if (recipe.quantization !== null) return t('text.storage-quantized');
  return `The zeros are stored densely in ${escapeMarkdown(model.dtype)}. The files are as large as the original's, and inference is as fast, unless your runtime skips zeros.`;
}

function frontMatter({ model, recipe, sparsity }: Report, format: ExportFormat): string {
  const hubName = /^[\w.-]+(\/[\w.-]+)?$/;
  const tags = [
    'tamis',
    ...(isPruned(sparsity, recipe.quantization) ? ['sparse', 'pruned'] : []),
    recipe.method,
    ...(recipe.nm ? [`${recipe.nm.n}-of-${recipe.nm.m}-pruned`] : []),
    ...(recipe.quantization ? ['quantized', `${recipe.quantization.bits}-bit`] : []),
  ];
  return [
    '---',
    `library_name: ${formatClients[format].library}`,
    'pipeline_tag: text-generation',
    ...(hubName.test(model.name) ? [`base_model: ${JSON.stringify(model.name)}`] : []),
    'tags:',
    ...tags.map((tag) => `- ${tag}`),
    '---',
  ].join('\n');
}

/** A section for each measure. */
function measureSections({ measured }: Report, t: Label): string {
  const found = mainMeasures.filter((measure) => firstOf(measured, measure));
  if (found.length === 0)
    return `## ${t(`measure.${firstMeasure}`)}\n\nNot measured: what this compression cost the model is not known.`;
  return found.map((measure) => `## ${t(`measure.${measure}`)}\n\n${measureTable(measured, measure, t)}`).join('\n\n');
}

function measureTable(measured: readonly Measured[], measure: MeasureId, t: Label): string {
  const entries = measured.filter((one) => one.measure === measure);
  const rows = entries.map(({ dataset, seqlen, windows, dense, compressed }) => {
    const cells = [
      escapeMarkdown(dataset),
      seqlen,
      windows,
      writeValue(measure, dense.value),
      writeValue(measure, compressed.value),
      writeContrast(measure, compressed.value, dense.value).replace(' ×', ''),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    `| dataset | seqlen | windows | dense | compressed | ${t(contrastKey(measure)).toLowerCase()} |`,
    '|---|---:|---:|---:|---:|---:|',
    ...rows,
    '',
    `${t(`measure.${measure}.plural`)} compare only at the same dataset and seqlen.`,
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
