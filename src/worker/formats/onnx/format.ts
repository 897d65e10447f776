import { posix } from 'node:path';

import type { Failure } from '../../../contract/failure.ts';
import { controlled, native, translated, type FileWriter } from '../../native.ts';
import { openFolder } from '../export-folder.ts';
import type { FinishedRun } from '../finished-run.ts';
import { first, scattered, zeroWarnings } from '../refusals.ts';
import type { ExportFile, Format, Writing } from '../format.ts';
import { configJson, genaiConfig, generationConfig } from './config.ts';
import { dataAlignment, dataFile, graphFile, onnxFolder, planOnnx, type OnnxContent, type OnnxPlan } from './plan.ts';
import { onnxSource } from './source.ts';
import { bytesFile, companionFiles, jsonFile } from '../plain-files.ts';
import { manifestFile } from '../weight-files.ts';

/**
 * ONNX for onnxruntime, onnxruntime-genai and transformers.js (docs/formats.md): one graph with a cache, quantized layers as
 * MatMulNBits, and the weights in a file beside it.
 */
export const onnx: Format = {
  format: 'onnx',
  refusal: (run) => Promise.resolve(scattered(run, 'onnx')),
  warnings: (run) => [...slowBits(run), ...zeroWarnings(run)],
  async files(run) {
    const plan = planOnnx(run.model, run.layers);
    const companions = await companionFiles(run.folder);
    const hasGenerationConfig = companions.some(({ path }) => path === 'generation_config.json');
    return [
      bytesFile(posix.join(onnxFolder, graphFile), plan.graph),
      weightsFile(run, plan),
      jsonFile('config.json', configJson(run.model)),
      jsonFile('genai_config.json', genaiConfig(run.model)),
      ...(hasGenerationConfig ? [] : [jsonFile('generation_config.json', generationConfig(run.model))]),
      manifestFile(run, 'onnx', leftOut(run, plan)),
      ...companions,
    ];
  },
  open: (folder) => openFolder(folder, onnxSource),
};

/** Other layers' codes are widened to float32 at every run, with float32 activations at least. */
function slowBits({ layers }: FinishedRun): Failure[] {
  const layer = first(layers, ({ bits }) => bits === 2 || bits === 8);
  return layer === null ? [] : [{ code: 'export.slow-bits', params: { layer: layer.name, bits: layer.bits } }];
}

/** Tensors of the checkpoint that no operator uses, as the rotary frequencies of older files. */
function leftOut({ model }: FinishedRun, { pieces }: OnnxPlan): ReadonlySet<string> {
  const held = new Set(pieces.map(({ content }) => tensorOf(content)));
  return new Set([...model.tensors.keys()].filter((name) => !held.has(name)));
}

function tensorOf(content: OnnxContent): string {
  return content.kind === 'dense' ? content.tensor : `${content.layer}.weight`;
}

function weightsFile(run: FinishedRun, { pieces, dataBytes }: OnnxPlan): ExportFile {
  const layers = new Set(run.report.layers.map(({ name }) => `${name}.weight`));
  const ofLayers = pieces.filter(({ content }) => layers.has(tensorOf(content)));
  return {
    path: posix.join(onnxFolder, dataFile),
    bytes: dataBytes,
    async write(to, writing) {
      using writer = await translated(() => new native.FileWriter(to));
      let end = 0;
      for (const { content, offset, bytes } of pieces) {
        writing.signal.throwIfAborted();
        await translated(() => {
          writer.align(dataAlignment);
        });
        await append(run, writer, content, writing);
        writing.onBytes(offset + bytes - end);
        end = offset + bytes;
      }
      await translated(() => writer.finish());
      return { layerBytes: ofLayers.reduce((sum, { bytes }) => sum + bytes, 0) };
    },
  };
}

async function append(
  run: FinishedRun,
  writer: FileWriter,
  content: OnnxContent,
  { signal }: Pick<Writing, 'signal'>,
): Promise<void> {
  if (content.kind === 'dense') {
    const { checkpoint } = run.model;
    await controlled(signal, (control) =>
      writer.appendTensor(checkpoint, { name: content.tensor }, content.dtype, null, control),
    );
    return;
  }
  const layer = run.layers.get(content.layer);
  if (!layer) throw new Error('a layer of the run');
  const opened = await run.open(layer);
  const { part, blockSize } = content;
  await controlled(signal, (control) => writer.appendPacked(opened, { part, blockSize }, control));
}
