import { activationOf } from '../config.ts';
import type { FamilyModel, Source } from '../family.ts';
import { openGptLike } from '../gpt-like/model.ts';
import { evenHeads, type TensorNames } from '../gpt-like/traits.ts';
import { readGpt2Config } from './config.ts';
import { gpt2Gguf } from './gguf.ts';

const names: TensorNames = {
  prefixes: ['', 'transformer.'],
  embedding: 'wte',
  positions: 'wpe',
  finalNorm: 'ln_f',
  heads: ['lm_head.weight'],
  blocks: 'h',
  attentionNorm: 'ln_1',
  queriesKeysValues: { rows: 'by-part', names: ['attn.c_attn'] },
  attentionOut: 'attn.c_proj',
  mlpNorm: 'ln_2',
  mlpUp: 'mlp.c_fc',
  mlpDown: 'mlp.c_proj',
};

/** Masks that older checkpoints hold. */
const ignored = /\.attn\.(bias|masked_bias)$/;

/** GPT-2 as in transformers' GPT2LMHeadModel: learned positions, layer norms before attention and MLP; its layers are Conv1D, whose weights are [in, out]. */
export function openGpt2(source: Source): FamilyModel {
  const config = readGpt2Config(source);
  const { blocks, hidden, inner, positions } = config;
  const shape = evenHeads(hidden, config.heads);
  const scale = config.scale_attn_weights ? Math.sqrt(1 / shape.size) : 1;
  return openGptLike(source, {
    family: 'gpt2',
    defaultScheduler: 'relative-by-type',
    names,
    ignored,
    blocks,
    hidden,
    inner,
    vocab: config.vocab_size,
    maxSeqlen: positions,
    shape,
    attention: (block) => ({ scale: config.scale_attn_by_inverse_layer_idx ? scale / (block + 1) : scale }),
    arrangement: 'pre-norm',
    activation: activationOf(config.activation_function),
    epsilon: config.layer_norm_epsilon,
    transposed: true,
    tied: config.tie_word_embeddings,
    gguf: gpt2Gguf(config),
  });
}
