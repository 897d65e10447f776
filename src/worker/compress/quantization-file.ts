import { makeFolder } from '../../disk/files.ts';
import { groupsOf, hasScatteredGroups, layerBits } from '../../contract/quantization.ts';
import type { Quantization } from '../../contract/recipe.ts';
import { weightShape, type Layer } from '../families/family.ts';
import {
  native,
  translated,
  type CompressedLayer,
  type QuantizationOptions,
  type ShardWriter,
  type TensorSpec,
} from '../native.ts';
import { quantizationFolder } from '../run/directory.ts';
import type { Run } from '../run/run.ts';

/** The name in `quantization/` of a block's scales (docs/formats.md). */
export function quantizationFile(block: number): string {
  return `block-${String(block).padStart(4, '0')}.safetensors`;
}

/** How a layer is quantized; null where it is not. */
export function quantizationOptions(quantization: Quantization | null, layer: string): QuantizationOptions | null {
  const bits = layerBits(quantization, layer);
  if (quantization === null || bits === null) return null;
  const { groupSize, symmetric, staticGroups, range } = quantization;
  return { bits, symmetric, staticGroups, range, ...(groupSize !== null && { groupSize }) };
}

/** Writes the file of a block's scales, to which its layers are added in their order. */
export class ScalesWriter implements Disposable {
  readonly #writer: ShardWriter;
  readonly #parts: readonly Part[];

  private constructor(writer: ShardWriter, parts: readonly Part[]) {
    this.#writer = writer;
    this.#parts = parts;
  }

  /** Begins the file of these layers of a block; null, and no file, where none of them is quantized. */
  static async open(
    { directory, model, recipe: { quantization } }: Run,
    block: number,
    layers: readonly Layer[],
  ): Promise<ScalesWriter | null> {
    const parts = layers.flatMap((layer) =>
      quantization !== null && layerBits(quantization, layer.name) !== null
        ? partsOf(layer.name, weightShape(layer, model.tensors), quantization)
        : [],
    );
    if (parts.length === 0) return null;
    makeFolder(directory.file(quantizationFolder));
    const path = directory.file(quantizationFolder, quantizationFile(block));
    return new ScalesWriter(await translated(() => new native.ShardWriter(path, parts)), parts);
  }

  /** Writes what a quantized layer is stored with beside its weight; of other layers nothing. */
  async add(layer: string, compressed: CompressedLayer): Promise<void> {
    for (const { name, part } of this.#parts.filter((each) => each.layer === layer))
      await translated(() => this.#writer.write(name, compressed, part));
  }

  /** Makes the file durable and gives it its name. */
  async finish(): Promise<void> {
    await translated(() => this.#writer.finish());
  }

  /** Removes the file, unless it is finished. */
  [Symbol.dispose](): void {
    this.#writer.abandon();
  }
}

interface Part extends TensorSpec {
  readonly layer: string;
  readonly part: 'scales' | 'zeros' | 'g_idx';
}

/** The tensors of a quantized layer, in the order in which they are written. */
function partsOf(layer: string, { rows, cols }: ReturnType<typeof weightShape>, quantization: Quantization): Part[] {
  const grid = [rows, groupsOf(quantization, cols)];
  const part = (part: Part['part'], dtype: string, shape: number[]): Part => ({
    layer,
    part,
    name: `${layer}.${part}`,
    dtype,
    shape,
  });
  return [
    part('scales', 'F16', grid),
    ...(quantization.symmetric ? [] : [part('zeros', 'U8', grid)]),
    ...(hasScatteredGroups(quantization, cols) ? [part('g_idx', 'I32', [cols])] : []),
  ];
}
