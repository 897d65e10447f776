import type { GraphBuilder, Rows, Value } from '../../graph/builder.ts';
import {
  activate,
  add,
  embedding,
  layerNorm,
  linear,
  reshape,
  slice,
  type AttentionShape,
} from '../../graph/operations.ts';
import type { QueriesKeysValues, Tokens } from '../../graph/tokens.ts';
import {
  headTensor,
  layersAt,
  requireTensor,
  tensorsAt,
  type FamilyModel,
  type Layer,
  type Source,
} from '../family.ts';
import type { GgufDescription } from '../gguf.ts';
import { describeGguf } from './gguf.ts';
import { blockLayers, type BlockLayer, type Traits } from './traits.ts';

type Tap = (name: string, value: Value) => void;
type ExpectedTensor = [name: string, shape: number[]];

/** Checks the tensors of the checkpoint, each of which has its place by name. */
export function openGptLike(source: Source, traits: Traits): FamilyModel {
  const model = new GptLike(source, traits);
  for (const [name, shape] of model.expectedTensors()) requireTensor(source, name, shape);
  return model;
}

class GptLike implements FamilyModel {
  readonly family: string;
  readonly defaultScheduler: FamilyModel['defaultScheduler'];
  readonly ignored: RegExp | undefined;
  readonly blocks: number;
  readonly hidden: number;
  readonly vocab: number;
  readonly maxSeqlen: number;
  readonly attention: AttentionShape;
  readonly headWeight: string;
  readonly gguf: GgufDescription | null;
  readonly #tensors: Source['tensors'];
  readonly #traits: Traits;
  readonly #layers: readonly BlockLayer[];
  readonly #prefix: string;

  constructor({ tensors }: Source, traits: Traits) {
    const { names } = traits;
    const [alone, whole] = names.prefixes;
    this.family = traits.family;
    this.defaultScheduler = traits.defaultScheduler;
    this.ignored = traits.ignored;
    this.blocks = traits.blocks;
    this.hidden = traits.hidden;
    this.vocab = traits.vocab;
    this.maxSeqlen = traits.maxSeqlen;
    this.attention = traits.shape;
    this.#tensors = tensors;
    this.#traits = traits;
    this.#layers = blockLayers(traits);
    this.#prefix = tensors.has(`${alone}${names.embedding}.weight`) ? alone : whole;
    const embeddingWeight = `${this.#prefix}${names.embedding}.weight`;
    const heads = { embedding: embeddingWeight, tied: traits.tied, names: names.heads };
    this.headWeight = headTensor({ tensors }, heads);
    this.gguf = traits.gguf && describeGguf(traits, traits.gguf, { isTied: this.headWeight === embeddingWeight });
  }

  layers(block: number): readonly Layer[] {
    const at = this.#block(block);
    const { transposed } = this.#traits;
    const layers = layersAt(at, this.#layers);
    return transposed ? layers.map((layer) => ({ ...layer, transposed })) : layers;
  }

  blockTensors(block: number): readonly string[] {
    return tensorsAt(this.#block(block), this.#tensors).filter((name) => !this.ignored?.test(name));
  }

  embed(g: GraphBuilder, ids: Value, tokens: Tokens): Value {
    const { names, positionOffset: offset = 0 } = this.#traits;
    const words = embedding(g, this.#weight(names.embedding), ids);
    const x = names.projectIn === undefined ? words : linear(g, words, this.#weight(names.projectIn));
    const placed =
      names.positions === undefined
        ? x
        : tokens.addPositions(x, { table: this.#weight(names.positions), offset, width: this.hidden });
    return names.embeddingNorm === undefined ? placed : this.#norm(g, placed, `${this.#prefix}${names.embeddingNorm}`);
  }

  block(g: GraphBuilder, index: number, x: Value, tokens: Tokens, tap: Tap): Value {
    const { names, arrangement } = this.#traits;
    const at = this.#block(index);
    const attention = (input: Value): Value => this.#attention(g, index, input, tokens, tap);
    const mlp = (input: Value): Value => this.#mlp(g, at, input, tap);
    const attentionNorm = (input: Value): Value => this.#norm(g, input, `${at}${names.attentionNorm}`);
    const mlpNorm = (input: Value): Value => this.#norm(g, input, `${at}${names.mlpNorm}`);
    const sum = (name: string, residual: Value, output: Value): Value => {
      const value = add(g, residual, output);
      tap(name, value);
      return value;
    };
    switch (arrangement) {
      case 'pre-norm': {
        const y = sum('attn_sum', x, attention(attentionNorm(x)));
        return sum('mlp_sum', y, mlp(mlpNorm(y)));
      }
      case 'post-norm': {
        const y = attentionNorm(sum('attn_sum', x, attention(x)));
        return mlpNorm(sum('mlp_sum', y, mlp(y)));
      }
      case 'normed-residual': {
        const normed = attentionNorm(x);
        const y = mlpNorm(sum('attn_sum', normed, attention(normed)));
        return sum('mlp_sum', y, mlp(y));
      }
      case 'parallel': {
        const y = sum('attn_sum', x, attention(attentionNorm(x)));
        return sum('mlp_sum', y, mlp(mlpNorm(x)));
      }
    }
  }

  norm(g: GraphBuilder, x: Value): Value {
    const { finalNorm, projectOut } = this.#traits.names;
    const normed = finalNorm === undefined ? x : this.#norm(g, x, `${this.#prefix}${finalNorm}`);
    return projectOut === undefined ? normed : linear(g, normed, this.#weight(projectOut));
  }

  logits(g: GraphBuilder, x: Value, vocabulary?: Rows): Value {
    return linear(g, x, this.headWeight, { rows: vocabulary });
  }

  /** Every tensor the graphs ask for, with its shape. */
  expectedTensors(): ExpectedTensor[] {
    const { vocab, hidden, maxSeqlen } = this;
    const { names, embeddingWidth: width = hidden, positionOffset: offset = 0 } = this.#traits;
    const outer = (name: string | undefined, shape: number[]): ExpectedTensor[] =>
      name === undefined ? [] : [[this.#weight(name), shape]];
    const outerNorm = (name: string | undefined): ExpectedTensor[] =>
      name === undefined ? [] : this.#expectedNorm(`${this.#prefix}${name}`);
    return [
      ...outer(names.embedding, [vocab, width]),
      ...outer(names.positions, [maxSeqlen + offset, hidden]),
      [this.headWeight, [vocab, width]],
      ...outerNorm(names.embeddingNorm),
      ...outerNorm(names.finalNorm),
      ...outer(names.projectIn, [hidden, width]),
      ...outer(names.projectOut, [width, hidden]),
      ...Array.from({ length: this.blocks }, (_, index) => this.#expectedBlock(this.#block(index))).flat(),
    ];
  }

  #expectedBlock(at: string): ExpectedTensor[] {
    const { names, transposed } = this.#traits;
    const layers = this.#layers.flatMap(({ path, rows, cols, hasBias }): ExpectedTensor[] => [
      [`${at}${path}.weight`, transposed ? [cols, rows] : [rows, cols]],
      ...(hasBias ? [[`${at}${path}.bias`, [rows]] satisfies ExpectedTensor] : []),
    ]);
    return [
      ...layers,
      ...this.#expectedNorm(`${at}${names.attentionNorm}`),
      ...this.#expectedNorm(`${at}${names.mlpNorm}`),
    ];
  }

  #expectedNorm(name: string): ExpectedTensor[] {
    const { affine = true } = this.#traits;
    return affine ? ['weight', 'bias'].map((kind) => [`${name}.${kind}`, [this.hidden]]) : [];
  }

  #attention(g: GraphBuilder, index: number, x: Value, tokens: Tokens, tap: Tap): Value {
    const at = this.#block(index);
    const { names, rotary, attention } = this.#traits;
    tap('attn_in', x);
    const [q, k, v] = this.#queriesKeysValues(g, x, at);
    const turned: QueriesKeysValues = rotary ? [tokens.rotate(q, rotary), tokens.rotate(k, rotary), v] : [q, k, v];
    const a = tokens.attention(index, turned, { ...this.attention, ...attention?.(index) });
    tap('attn_out', a);
    return this.#linear(g, a, at, names.attentionOut);
  }

  /** x [tokens, hidden] -> three times [tokens, hidden]. */
  #queriesKeysValues(g: GraphBuilder, x: Value, at: string): QueriesKeysValues {
    const { rows, names } = this.#traits.names.queriesKeysValues;
    const { hidden, attention } = this;
    switch (rows) {
      case 'apart': {
        const [q, k, v] = names;
        return [this.#linear(g, x, at, q), this.#linear(g, x, at, k), this.#linear(g, x, at, v)];
      }
      case 'by-head': {
        const apart = reshape(g, this.#linear(g, x, at, names[0]), [-1, attention.heads, 3, attention.size]);
        const part = (i: number): Value => reshape(g, slice(g, apart, 2, { start: i, end: i + 1 }), [-1, hidden]);
        return [part(0), part(1), part(2)];
      }
      case 'by-part': {
        const fused = this.#linear(g, x, at, names[0]);
        const part = (i: number): Value => slice(g, fused, 1, { start: i * hidden, end: (i + 1) * hidden });
        return [part(0), part(1), part(2)];
      }
    }
  }

  #mlp(g: GraphBuilder, at: string, x: Value, tap: Tap): Value {
    const { names, activation } = this.#traits;
    tap('mlp_in', x);
    const mid = activate(g, activation, this.#linear(g, x, at, names.mlpUp));
    tap('mlp_mid', mid);
    return this.#linear(g, mid, at, names.mlpDown);
  }

  #linear(g: GraphBuilder, x: Value, at: string, path: string): Value {
    const hasBias = this.#layers.some((layer) => layer.path === path && layer.hasBias);
    const bias = hasBias ? `${at}${path}.bias` : undefined;
    return linear(g, x, `${at}${path}.weight`, { bias, transposed: this.#traits.transposed ?? false });
  }

  #norm(g: GraphBuilder, x: Value, name: string): Value {
    const { epsilon, affine = true } = this.#traits;
    const weights = { scale: `${name}.weight`, bias: `${name}.bias` };
    return layerNorm(g, x, { size: this.hidden, epsilon, affine: affine ? weights : undefined });
  }

  #weight(name: string): string {
    return `${this.#prefix}${name}.weight`;
  }

  #block(index: number): string {
    return `${this.#prefix}${this.#traits.names.blocks}.${index}.`;
  }
}
