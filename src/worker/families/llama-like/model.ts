import type { GraphBuilder, Rows, Value } from '../../graph/builder.ts';
import {
  activate,
  add,
  embedding,
  linear,
  multiply,
  reshape,
  rmsNorm,
  scale,
  softcap,
  type AttentionShape,
} from '../../graph/operations.ts';
import type { Tokens } from '../../graph/tokens.ts';
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
import { attentionShape, layerTypes, type LayerPath, type Traits } from './traits.ts';

type Tap = (name: string, value: Value) => void;

/** Checks the tensors of the checkpoint, each of which has its place by name. */
export function openLlamaLike(source: Source, traits: Traits): FamilyModel {
  const model = new LlamaLike(source, traits);
  for (const [name, shape] of model.expectedTensors()) requireTensor(source, name, shape);
  return model;
}

class LlamaLike implements FamilyModel {
  readonly family: string;
  readonly defaultScheduler = 'relative-by-type';
  readonly blocks: number;
  readonly hidden: number;
  readonly vocab: number;
  readonly maxSeqlen: number;
  readonly attention: AttentionShape;
  readonly headWeight: string;
  readonly gguf: GgufDescription;
  readonly #tensors: Source['tensors'];
  readonly #traits: Traits;
  readonly #prefix: string;

  constructor({ tensors }: Source, traits: Traits) {
    const { sizes } = traits;
    this.family = traits.family;
    this.blocks = sizes.num_hidden_layers;
    this.hidden = sizes.hidden_size;
    this.vocab = sizes.vocab_size;
    this.maxSeqlen = traits.maxSeqlen;
    this.attention = attentionShape(sizes);
    this.#tensors = tensors;
    this.#traits = traits;
    this.#prefix = tensors.has('embed_tokens.weight') ? '' : 'model.';
    const embeddingWeight = `${this.#prefix}embed_tokens.weight`;
    const heads = { embedding: embeddingWeight, tied: traits.tied, names: ['lm_head.weight'] as const };
    this.headWeight = headTensor({ tensors }, heads);
    this.gguf = describeGguf(traits);
  }

  layers(block: number): readonly Layer[] {
    // What is normed before it is added is no layer's output as it is.
    const layers = this.#traits.normsAround ? layerTypes.map(({ path, tap }) => ({ path, tap })) : layerTypes;
    return layersAt(this.#block(block), layers);
  }

  blockTensors(block: number): readonly string[] {
    return tensorsAt(this.#block(block), this.#tensors);
  }

  embed(g: GraphBuilder, ids: Value): Value {
    const x = embedding(g, `${this.#prefix}embed_tokens.weight`, ids);
    const { embeddingScale } = this.#traits;
    return embeddingScale === undefined ? x : scale(g, x, embeddingScale);
  }

  block(g: GraphBuilder, index: number, x: Value, tokens: Tokens, tap: Tap): Value {
    const at = this.#block(index);
    const around = this.#traits.normsAround;
    const attention = this.#attention(g, index, this.#norm(g, x, `${at}input_layernorm`), tokens, tap);
    const y = add(g, x, around ? this.#norm(g, attention, `${at}post_attention_layernorm`) : attention);
    tap('attn_sum', y);
    const before = around ? 'pre_feedforward_layernorm' : 'post_attention_layernorm';
    const mlp = this.#mlp(g, at, this.#norm(g, y, `${at}${before}`), tap);
    const output = add(g, y, around ? this.#norm(g, mlp, `${at}post_feedforward_layernorm`) : mlp);
    tap('mlp_sum', output);
    return output;
  }

  norm(g: GraphBuilder, x: Value): Value {
    return this.#norm(g, x, `${this.#prefix}norm`);
  }

  logits(g: GraphBuilder, x: Value, vocabulary?: Rows): Value {
    const logits = linear(g, x, this.headWeight, { rows: vocabulary });
    const { logitCap } = this.#traits;
    return logitCap ? softcap(g, logits, logitCap) : logits;
  }

  /** Every tensor the graphs ask for, with its shape. */
  expectedTensors(): [string, number[]][] {
    const { vocab, hidden } = this;
    const blocks = Array.from({ length: this.blocks }, (_, index) => this.#expectedBlock(this.#block(index)));
    return [
      [`${this.#prefix}embed_tokens.weight`, [vocab, hidden]],
      [`${this.#prefix}norm.weight`, [hidden]],
      [this.headWeight, [vocab, hidden]],
      ...blocks.flat(),
    ];
  }

  #expectedBlock(at: string): [string, number[]][] {
    const { headNorms, normsAround } = this.#traits;
    const layers = layerTypes.flatMap(({ path }): [string, number[]][] => {
      const [rows, cols] = this.#shape(path);
      const bias: [string, number[]][] = this.#hasBias(path) ? [[`${at}${path}.bias`, [rows]]] : [];
      return [[`${at}${path}.weight`, [rows, cols]], ...bias];
    });
    const norms = ['input_layernorm', 'post_attention_layernorm'];
    if (normsAround) norms.push('pre_feedforward_layernorm', 'post_feedforward_layernorm');
    const ofHeads = headNorms ? ['self_attn.q_norm', 'self_attn.k_norm'] : [];
    return [
      ...layers,
      ...norms.map((name): [string, number[]] => [`${at}${name}.weight`, [this.hidden]]),
      ...ofHeads.map((name): [string, number[]] => [`${at}${name}.weight`, [this.attention.size]]),
    ];
  }

  #shape(path: LayerPath): [rows: number, cols: number] {
    const { heads, kvHeads, size } = this.attention;
    const inner = this.#traits.sizes.intermediate_size;
    switch (path) {
      case 'self_attn.q_proj':
        return [heads * size, this.hidden];
      case 'self_attn.k_proj':
      case 'self_attn.v_proj':
        return [kvHeads * size, this.hidden];
      case 'self_attn.o_proj':
        return [this.hidden, heads * size];
      case 'mlp.gate_proj':
      case 'mlp.up_proj':
        return [inner, this.hidden];
      case 'mlp.down_proj':
        return [this.hidden, inner];
    }
  }

  #attention(g: GraphBuilder, index: number, x: Value, tokens: Tokens, tap: Tap): Value {
    const at = this.#block(index);
    tap('attn_in', x);
    const q = this.#linear(g, x, at, 'self_attn.q_proj');
    const k = this.#linear(g, x, at, 'self_attn.k_proj');
    const v = this.#linear(g, x, at, 'self_attn.v_proj');
    const { rotary, ...attention } = this.#traits.attention(index);
    const { heads, kvHeads } = attention;
    const turned = [
      tokens.rotate(this.#headNorm(g, q, `${at}self_attn.q_norm`, heads), { heads, ...rotary }),
      tokens.rotate(this.#headNorm(g, k, `${at}self_attn.k_norm`, kvHeads), { heads: kvHeads, ...rotary }),
      v,
    ] as const;
    const a = tokens.attention(index, turned, attention);
    tap('attn_out', a);
    return this.#linear(g, a, at, 'self_attn.o_proj');
  }

  #mlp(g: GraphBuilder, at: string, x: Value, tap: Tap): Value {
    tap('mlp_in', x);
    const gate = activate(g, this.#traits.activation, this.#linear(g, x, at, 'mlp.gate_proj'));
    const mid = multiply(g, gate, this.#linear(g, x, at, 'mlp.up_proj'));
    tap('mlp_mid', mid);
    return this.#linear(g, mid, at, 'mlp.down_proj');
  }

  #linear(g: GraphBuilder, x: Value, at: string, path: LayerPath): Value {
    return linear(g, x, `${at}${path}.weight`, { bias: this.#hasBias(path) ? `${at}${path}.bias` : undefined });
  }

  #hasBias(path: LayerPath): boolean {
    return this.#traits.biases?.includes(path) ?? false;
  }

  /** x [tokens, heads * size]: each head normalized where the family does that. */
  #headNorm(g: GraphBuilder, x: Value, name: string, heads: number): Value {
    if (!this.#traits.headNorms) return x;
    const { size } = this.attention;
    return reshape(g, this.#norm(g, reshape(g, x, [-1, heads, size]), name), [-1, heads * size]);
  }

  #norm(g: GraphBuilder, x: Value, name: string): Value {
    const { sizes, normOffset } = this.#traits;
    return rmsNorm(g, x, { scale: `${name}.weight`, epsilon: sizes.rms_norm_eps, offset: normOffset ?? 0 });
  }

  #block(index: number): string {
    return `${this.#prefix}layers.${index}.`;
  }
}
