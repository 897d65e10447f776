import { join } from 'node:path';

import type { Bits } from '../../contract/recipe.ts';
import { bitWidths } from '../../contract/recipe/fields.ts';
import type { LayerResult, Report } from '../../contract/report.ts';
import { allLayers } from '../families/family.ts';
import { openModel, type Model } from '../model/open.ts';
import { native, translated, type Checkpoint, type QuantizedLayer } from '../native.ts';
import { readReport } from '../run/directory.ts';

/** A quantized layer of a run. */
export interface CodedLayer {
  /** As in the checkpoint, without `.weight`. */
  readonly name: string;
  readonly block: number;
  readonly rows: number;
  readonly cols: number;
  readonly bits: Bits;
  /** Columns that share a scale; null = the whole row. */
  readonly groupSize: number | null;
  readonly symmetric: boolean;
  /** The columns of a group are not neighbours. */
  readonly isScattered: boolean;
  readonly isPruned: boolean;
  /** The checkpoint holds the weight as [in, out]. */
  readonly transposed: boolean;
}

/** A run whose model is whole, whether it has its report or not yet. */
export interface CompressedRun {
  readonly folder: string;
  readonly report: Pick<Report, 'recipe' | 'layers'>;
  readonly model: Model;
  /** By name, those that are quantized. */
  readonly layers: ReadonlyMap<string, CodedLayer>;
  /** Opens the scales and zero points of a layer. */
  open(layer: CodedLayer): Promise<QuantizedLayer>;
}

/** A run as exports see it. */
export interface FinishedRun extends CompressedRun {
  readonly report: Report;
}

/** Errors: run.not-finished, run.not-a-run, and what `openModel` refuses. */
export async function openRun(folder: string): Promise<FinishedRun> {
  const report = await readReport(folder);
  return { ...(await openCompressed(folder, report)), report };
}

/** @param report what is known of the run's layers and settings */
export async function openCompressed(folder: string, report: CompressedRun['report']): Promise<CompressedRun> {
  const model = await openModel(folder);
  const turned = new Set(allLayers(model.family).flatMap(({ name, transposed }) => (transposed ? [name] : [])));
  const coded = report.layers.flatMap((layer) => codedLayer(report, layer, turned));
  let open: { block: number; parameters: Checkpoint } | null = null;
  return {
    folder,
    report,
    model,
    layers: new Map(coded.map((layer) => [layer.name, layer])),
    async open({ name, block, bits, groupSize, transposed }) {
      if (open?.block !== block) open = { block, parameters: await openParameters(folder, block) };
      const { parameters } = open;
      return await translated(() =>
        native.QuantizedLayer.open(model.checkpoint, parameters, { name, transposed }, bits, groupSize ?? 0),
      );
    },
  };
}

/** `turned`: names of the layers that the checkpoint holds as [in, out]. */
function codedLayer(
  { recipe }: CompressedRun['report'],
  layer: LayerResult,
  turned: ReadonlySet<string>,
): CodedLayer[] {
  const { quantization } = recipe;
  const bits = bitWidths.find((width) => width === layer.bits);
  if (quantization === null || bits === undefined) return [];
  const { groupSize, symmetric, actOrder, staticGroups } = quantization;
  const { name, block, rows, cols } = layer;
  const isGrouped = groupSize !== null && groupSize < cols;
  return [
    {
      name,
      block,
      rows,
      cols,
      bits,
      groupSize,
      symmetric,
      isScattered: isGrouped && actOrder && !staticGroups,
      isPruned: layer.targetSparsity > 0,
      transposed: turned.has(name),
    },
  ];
}

async function openParameters(folder: string, block: number): Promise<Checkpoint> {
  const file = join(folder, 'quantization', `block-${String(block).padStart(4, '0')}.safetensors`);
  return await translated(() => native.Checkpoint.openFile(file));
}
