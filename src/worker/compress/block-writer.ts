import type { Layer } from '../families/family.ts';
import { native, translated, type CompressedLayer, type ShardWriter, type TensorInfo } from '../native.ts';
import type { Work } from '../run/run.ts';
import { need } from './names.ts';
import { ScalesWriter } from './quantization-file.ts';
import { shardName } from './shards.ts';

/** Writes a block's files: its shard, and the scales of those of its layers that are quantized. */
export class BlockWriter implements Disposable {
  readonly #work: Work;
  readonly #shard: ShardWriter;
  readonly #scales: ScalesWriter | null;

  private constructor(work: Work, shard: ShardWriter, scales: ScalesWriter | null) {
    this.#work = work;
    this.#shard = shard;
    this.#scales = scales;
  }

  /** Begins the files with the block's tensors that stay as they are; `layers`: all the others, in the order in which they will be added. */
  static async open(work: Work, block: number, layers: readonly Layer[]): Promise<BlockWriter> {
    const { model, directory, clock } = work;
    const compressed = layers.map(({ name }) => `${name}.weight`);
    const kept = model.family.blockTensors(block).filter((name) => !compressed.includes(name));
    const specs = [...kept, ...compressed].map((name) => need(model.tensors, name));
    const path = directory.file(shardName(model, block + 1));
    const shard = await translated(() => new native.ShardWriter(path, specs));
    try {
      for (const name of kept) await clock.time('write', () => translated(() => shard.copy(name, model.checkpoint)));
      return new BlockWriter(work, shard, await ScalesWriter.open(work, block, layers));
    } catch (error) {
      shard.abandon();
      throw error;
    }
  }

  async add({ name, transposed }: Layer, compressed: CompressedLayer): Promise<void> {
    const part = transposed ? 'transposed' : 'weight';
    await this.#work.clock.time('write', async () => {
      await translated(() => this.#shard.write(`${name}.weight`, compressed, part));
      await this.#scales?.add(name, compressed);
    });
  }

  /** The block's tensors that are written so far: until it is finished they can take the place of the checkpoint's. */
  async written(): Promise<Map<string, TensorInfo>> {
    const tensors = await this.#work.clock.time('write', () => translated(() => this.#shard.written()));
    return new Map(tensors.map((tensor) => [tensor.name, tensor]));
  }

  /** Makes the files durable and gives them their names, the shard last. */
  async finish(): Promise<void> {
    await this.#work.clock.time('write', async () => {
      await this.#scales?.finish();
      await translated(() => this.#shard.finish());
    });
  }

  /** Removes what is not finished. */
  [Symbol.dispose](): void {
    this.#scales?.[Symbol.dispose]();
    this.#shard.abandon();
  }
}
