import { activationOf } from '../config.ts';
import type { FamilyModel, Source } from '../family.ts';
import { openGptLike } from '../gpt-like/model.ts';
import { evenHeads, type TensorNames } from '../gpt-like/traits.ts';
import { rotaryOf } from '../rope/rope.ts';
import { readGptNeoxConfig } from './config.ts';
import { gptNeoxGguf } from './gguf.ts';

/** transformers calls the head `lm_head` since its version 5 and still writes `embed_out`. */
const names: TensorNames = {
  prefixes: ['', 'gpt_neox.'],
  embedding: 'embed_in',
  finalNorm: 'final_layer_norm',
  heads: ['embed_out.weight', 'lm_head.weight'],
  blocks: 'layers',
  attentionNorm: 'input_layernorm',
  queriesKeysValues: { rows: 'by-head', names: ['attention.query_key_value'] },
  attentionOut: 'attention.dense',
  mlpNorm: 'post_attention_layernorm',
  mlpUp: 'mlp.dense_h_to_4h',
  mlpDown: 'mlp.dense_4h_to_h',
};

/** Masks and tables that older checkpoints hold and that follow from config.json. */
const ignored = /\.attention\.(bias|masked_bias|rotary_emb\.inv_freq)$/;

/**
 * GPT-NeoX (arXiv 2204.06745), Pythia among them, as in transformers' GPTNeoXForCausalLM: rotary positions on a part of each head,
 * attention and MLP beside each other (or one after the other), and queries, keys and values in one projection.
 */
export function openGptNeox(source: Source): FamilyModel {
  const config = readGptNeoxConfig(source);
  const { hidden_size: hidden, num_attention_heads: heads } = config;
  const shape = evenHeads(hidden, heads);
  const turned = rotaryOf(config.rope, shape.size);
  return openGptLike(source, {
    family: 'gpt_neox',
    defaultScheduler: 'relative-by-type',
    names,
    ignored,
    blocks: config.num_hidden_layers,
    hidden,
    inner: config.intermediate_size,
    vocab: config.vocab_size,
    maxSeqlen: config.max_position_embeddings,
    shape,
    rotary: { heads, ...turned },
    arrangement: config.use_parallel_residual ? 'parallel' : 'pre-norm',
    activation: activationOf(config.hidden_act),
    epsilon: config.layer_norm_eps,
    biases: { attention: config.attention_bias, mlp: true },
    tied: config.tie_word_embeddings,
    gguf: gptNeoxGguf(config, turned),
  });
}
