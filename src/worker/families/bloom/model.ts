import type { FamilyModel, Source } from '../family.ts';
import { openGptLike } from '../gpt-like/model.ts';
import { evenHeads, type TensorNames } from '../gpt-like/traits.ts';
import { readBloomConfig } from './config.ts';
import { bloomGguf } from './gguf.ts';

const names: TensorNames = {
  prefixes: ['', 'transformer.'],
  embedding: 'word_embeddings',
  embeddingNorm: 'word_embeddings_layernorm',
  finalNorm: 'ln_f',
  heads: ['lm_head.weight'],
  blocks: 'h',
  attentionNorm: 'input_layernorm',
  queriesKeysValues: { rows: 'by-head', names: ['self_attention.query_key_value'] },
  attentionOut: 'self_attention.dense',
  mlpNorm: 'post_attention_layernorm',
  mlpUp: 'mlp.dense_h_to_4h',
  mlpDown: 'mlp.dense_4h_to_h',
};

/**
 * BLOOM (arXiv 2211.05100) as in transformers' BloomForCausalLM: ALiBi in the place of positions, a norm behind the embedding, and
 * queries, keys and values in one projection. ALiBi knows no longest sequence: it is that of the training, beyond which nothing was
 * measured.
 */
export function openBloom(source: Source): FamilyModel {
  const config = readBloomConfig(source);
  const { blocks, hidden, heads } = config;
  const shape = evenHeads(hidden, heads);
  const slopes = alibiSlopes(heads);
  return openGptLike(source, {
    family: 'bloom',
    defaultScheduler: 'paper',
    names,
    blocks,
    hidden,
    inner: 4 * hidden,
    vocab: config.vocab_size,
    maxSeqlen: config.seq_length,
    shape,
    attention: () => ({ slopes }),
    arrangement: config.apply_residual_connection_post_layernorm ? 'normed-residual' : 'pre-norm',
    activation: 'gelu-tanh',
    epsilon: config.layer_norm_epsilon,
    tied: config.tie_word_embeddings,
    gguf: bloomGguf(config),
  });
}

/**
 * ALiBi's slopes (arXiv 2108.12409) [heads]: 2^(-8 i / n), i = 1..n, of the largest power of two n <= heads; the heads beyond have
 * every second one of 2n heads. In the float32 steps in which transformers computes them.
 */
export function alibiSlopes(heads: number): Float32Array<ArrayBuffer> {
  const power = 2 ** Math.floor(Math.log2(heads));
  const slope = (of: number, i: number): number => Math.fround(2 ** (-8 / of)) ** i;
  return Float32Array.from({ length: heads }, (_, i) =>
    i < power ? slope(power, i + 1) : slope(2 * power, 2 * (i - power) + 1),
  );
}
