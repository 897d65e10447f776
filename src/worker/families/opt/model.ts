import { activationOf } from '../config.ts';
import type { FamilyModel, Source } from '../family.ts';
import { openGptLike } from '../gpt-like/model.ts';
import { evenHeads, type TensorNames } from '../gpt-like/traits.ts';
import { readOptConfig } from './config.ts';

const names: TensorNames = {
  prefixes: ['decoder.', 'model.decoder.'],
  embedding: 'embed_tokens',
  positions: 'embed_positions',
  heads: ['lm_head.weight'],
  blocks: 'layers',
  attentionNorm: 'self_attn_layer_norm',
  queriesKeysValues: { rows: 'apart', names: ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj'] },
  attentionOut: 'self_attn.out_proj',
  mlpNorm: 'final_layer_norm',
  mlpUp: 'fc1',
  mlpDown: 'fc2',
};
const projections = { projectIn: 'project_in', projectOut: 'project_out' };

/**
 * OPT (arXiv 2205.01068) as in transformers' OPTForCausalLM: learned positions, ReLU, layer norms before (or, in OPT-350m, after)
 * attention and MLP, there with projections between the embedding's width and the blocks'. llama.cpp does not know it.
 */
export function openOpt(source: Source): FamilyModel {
  const config = readOptConfig(source);
  const { hidden_size: hidden, word_embed_proj_dim: embeddingWidth, do_layer_norm_before: before } = config;
  return openGptLike(source, {
    family: 'opt',
    defaultScheduler: 'paper',
    names: {
      ...names,
      ...(before && !config._remove_final_layer_norm && { finalNorm: 'final_layer_norm' }),
      ...(embeddingWidth !== hidden && projections),
    },
    blocks: config.num_hidden_layers,
    hidden,
    inner: config.ffn_dim,
    vocab: config.vocab_size,
    maxSeqlen: config.max_position_embeddings,
    embeddingWidth,
    positionOffset: 2,
    shape: evenHeads(hidden, config.num_attention_heads),
    arrangement: before ? 'pre-norm' : 'post-norm',
    activation: activationOf(config.activation_function),
    epsilon: 1e-5,
    affine: config.layer_norm_elementwise_affine,
    biases: { attention: config.enable_bias, mlp: config.enable_bias },
    tied: config.tie_word_embeddings,
    gguf: null,
  });
}
