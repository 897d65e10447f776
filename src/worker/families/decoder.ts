import { z } from 'zod';

import { TamisError } from '../../contract/errors.ts';
import type { GraphBuilder, Rows, Value } from '../graph/builder.ts';
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
  type Activation,
  type Attention,
  type AttentionShape,
} from '../graph/operations.ts';
import type { Rotary, Tokens } from '../graph/tokens.ts';
import { readConfig } from './config.ts';
import { headTensor, layersAt, requireTensor, tensorsAt, type FamilyModel, type Layer, type Source } from './family.ts';
import { rotaryOf, type Rope } from './rope.ts';

// What LLaMA and those that came after it have in common: RMS norms, rotary positions, grouped queries, a gated MLP, and the names of
// their tensors. A family's own file says which traits it has.

/** What a class of transformers' takes where config.json says nothing. */
export interface SizeDefaults {
  readonly vocab: number;
  readonly hidden: number;
  readonly inner: number;
  readonly blocks: number;
  readonly heads: number;
  readonly kvHeads: number | null;
}

/** The sizes, as all of these families name them; no `num_key_value_heads` means as many as there are of queries. */
export function sizeFields(defaults: SizeDefaults) {
  return {
    vocab_size: z.int().positive().default(defaults.vocab),
    hidden_size: z.int().positive().default(defaults.hidden),
    intermediate_size: z.int().positive().default(defaults.inner),
    num_hidden_layers: z.int().positive().default(defaults.blocks),
    num_attention_heads: z.int().positive().default(defaults.heads),
    num_key_value_heads: z.int().positive().nullable().default(defaults.kvHeads),
    head_dim: z.int().positive().multipleOf(2).nullish(),
    rms_norm_eps: z.number().positive().default(1e-6),
  };
}
type Sizes = z.infer<z.ZodObject<ReturnType<typeof sizeFields>>>;

const layerTypes = [
  { path: 'self_attn.q_proj', tap: 'attn_in' },
  { path: 'self_attn.k_proj', tap: 'attn_in' },
  { path: 'self_attn.v_proj', tap: 'attn_in' },
  { path: 'self_attn.o_proj', tap: 'attn_out' },
  { path: 'mlp.gate_proj', tap: 'mlp_in' },
  { path: 'mlp.up_proj', tap: 'mlp_in' },
  { path: 'mlp.down_proj', tap: 'mlp_mid' },
] as const;
type LayerPath = (typeof layerTypes)[number]['path'];

/** How a block's tokens see each other. */
export interface BlockAttention extends Attention {
  readonly rotary: Omit<Rotary, 'heads'>;
}

/** What a checkpoint of these families is. */
export interface Traits {
  readonly family: string;
  readonly sizes: Sizes;
  readonly maxSeqlen: number;
  readonly activation: Activation;
  /** The head's matrix is the embedding's. */
  readonly tied: boolean;
  readonly attention: (block: number) => BlockAttention;
  /** Which layers have a bias. */
  readonly biases?: readonly LayerPath[];
  /** RMS norms of queries and keys, over each head. */
  readonly headNorms?: boolean;
  /** Attention and MLP are normalized before and after, not before only. */
  readonly normsAround?: boolean;
  /** Added to the weights of the norms. */
  readonly normOffset?: 0 | 1;
  /** What embedded tokens are multiplied by. */
  readonly embeddingScale?: number;
  /** Logits become cap * tanh(logits / cap). */
  readonly logitCap?: number | null | undefined;
}

export const attentionLayers = [
  'self_attn.q_proj',
  'self_attn.k_proj',
  'self_attn.v_proj',
  'self_attn.o_proj',
] as const;
export const mlpLayers = ['mlp.gate_proj', 'mlp.up_proj', 'mlp.down_proj'] as const;

/** Checks the tensors of the checkpoint, each of which has its place by name. */
export function openDecoder(source: Source, traits: Traits): FamilyModel {
  const model = new Decoder(source, traits);
  for (const [name, shape] of model.expectedTensors()) requireTensor(source, name, shape);
  return model;
}

class Decoder implements FamilyModel {
  readonly family: string;
  readonly defaultScheduler = 'relative-by-type';
  readonly blocks: number;
  readonly hidden: number;
  readonly vocab: number;
  readonly maxSeqlen: number;
  readonly attention: AttentionShape;
  readonly #tensors: Source['tensors'];
  readonly #traits: Traits;
  readonly #prefix: string;
  readonly #headWeight: string;

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
    this.#headWeight = headTensor({ tensors }, `${this.#prefix}embed_tokens.weight`, traits.tied);
  }

  layers(block: number): readonly Layer[] {
    return layersAt(this.#block(block), layerTypes);
  }

  blockTensors(block: number): readonly string[] {
    return tensorsAt(this.#block(block), this.#tensors);
  }

  embed(g: GraphBuilder, ids: Value): Value {
    const x = embedding(g, `${this.#prefix}embed_tokens.weight`, ids);
    const { embeddingScale } = this.#traits;
    return embeddingScale === undefined ? x : scale(g, x, embeddingScale);
  }

  block(g: GraphBuilder, index: number, x: Value, tokens: Tokens, tap: (name: string, value: Value) => void): Value {
    const at = this.#block(index);
    const around = this.#traits.normsAround;
    const attention = this.#attention(g, index, this.#norm(g, x, `${at}input_layernorm`), tokens, tap);
    const y = add(g, x, around ? this.#norm(g, attention, `${at}post_attention_layernorm`) : attention);
    const before = around ? 'pre_feedforward_layernorm' : 'post_attention_layernorm';
    const mlp = this.#mlp(g, at, this.#norm(g, y, `${at}${before}`), tap);
    return add(g, y, around ? this.#norm(g, mlp, `${at}post_feedforward_layernorm`) : mlp);
  }

  norm(g: GraphBuilder, x: Value): Value {
    return this.#norm(g, x, `${this.#prefix}norm`);
  }

  logits(g: GraphBuilder, x: Value, vocabulary?: Rows): Value {
    const logits = linear(g, x, this.#headWeight, { rows: vocabulary });
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
      [this.#headWeight, [vocab, hidden]],
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

  #attention(
    g: GraphBuilder,
    index: number,
    x: Value,
    tokens: Tokens,
    tap: (name: string, value: Value) => void,
  ): Value {
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

  #mlp(g: GraphBuilder, at: string, x: Value, tap: (name: string, value: Value) => void): Value {
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

/** Refuses heads that do not divide what they share. */
export function attentionShape(sizes: Sizes): AttentionShape {
  const heads = sizes.num_attention_heads;
  const kvHeads = sizes.num_key_value_heads ?? heads;
  if (!sizes.head_dim && sizes.hidden_size % heads !== 0)
    throw new TamisError('config.heads', { hidden: sizes.hidden_size, heads });
  if (heads % kvHeads !== 0) throw new TamisError('config.kv-heads', { heads, kvHeads });
  return { heads, kvHeads, size: sizes.head_dim ?? sizes.hidden_size / heads };
}

/** The rotary positions of a family whose heads turn as a whole. */
export function wholeHeads(rope: Rope, { size }: AttentionShape): BlockAttention['rotary'] {
  const rotary = rotaryOf(rope, size);
  if (rotary.turned !== size) throw new TamisError('config.rope-partial', { turned: rotary.turned, size });
  return rotary;
}

const layerType = z.enum(['full_attention', 'sliding_attention']);
export type LayerType = z.infer<typeof layerType>;

/** The type of each block: what `layer_types` says, which has to have one for each, or what `usual` says. */
export function layerTypesOf(
  source: Pick<Source, 'folder' | 'config'>,
  { num_hidden_layers: blocks }: Pick<Sizes, 'num_hidden_layers'>,
  usual: (block: number) => LayerType,
): LayerType[] {
  const schema = z.object({ layer_types: z.array(layerType).length(blocks).nullish() });
  return readConfig(source, schema).layer_types ?? Array.from({ length: blocks }, (_, block) => usual(block));
}

/** `sliding_window`, which a config with such blocks has to have. */
export function windowOf(source: Pick<Source, 'folder' | 'config'>, usual: number): number {
  return readConfig(source, z.object({ sliding_window: z.int().positive().default(usual) })).sliding_window;
}

/** Blocks of one type attend alike. */
export function attentionByType(
  types: readonly LayerType[],
  attentionOf: (type: LayerType) => BlockAttention,
): Traits['attention'] {
  const made = new Map([...new Set(types)].map((type) => [type, attentionOf(type)]));
  return (block) => {
    const attention = made.get(types[block] ?? 'full_attention');
    if (!attention) throw new Error(`no block ${block}`);
    return attention;
  };
}
