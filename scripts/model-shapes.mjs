/**
 * What a checkpoint of a family consists of: config.json in transformers' names, and every tensor as [name, shape] in the order of
 * the model. `shapes` are those of published models.
 */

const INIT_STD = 0.02;

export const shapes = {
  'opt-1.3b': { family: 'opt', hidden: 2048, ffn: 8192, heads: 32, layers: 24, vocab: 50272, positions: 2048 },
  'opt-13b': { family: 'opt', hidden: 5120, ffn: 20480, heads: 40, layers: 40, vocab: 50272, positions: 2048 },
  'opt-66b': { family: 'opt', hidden: 9216, ffn: 36864, heads: 72, layers: 64, vocab: 50272, positions: 2048 },
  'llama-13b': { family: 'llama', hidden: 5120, ffn: 13824, heads: 40, layers: 40, vocab: 32000, positions: 2048 },
  'bloom-176b': { family: 'bloom', hidden: 14336, ffn: 57344, heads: 112, layers: 70, vocab: 250880, positions: 2048 },
};

export const families = {
  opt: { config: optConfig, tensors: optTensors },
  llama: { config: llamaConfig, tensors: llamaTensors },
  bloom: { config: bloomConfig, tensors: bloomTensors },
};

function optConfig({ hidden, ffn, heads, layers, vocab, positions, embedded, flags }) {
  return {
    architectures: ['OPTForCausalLM'],
    model_type: 'opt',
    vocab_size: vocab,
    hidden_size: hidden,
    ffn_dim: ffn,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    max_position_embeddings: positions,
    word_embed_proj_dim: embedded ?? hidden,
    activation_function: 'relu',
    do_layer_norm_before: !flags['post-norm'],
    enable_bias: !flags['no-bias'],
    layer_norm_elementwise_affine: true,
    _remove_final_layer_norm: false,
    dropout: 0,
    attention_dropout: 0,
    layerdrop: 0,
    init_std: INIT_STD,
    bos_token_id: 2,
    eos_token_id: 2,
    pad_token_id: 1,
    tie_word_embeddings: !flags.untied,
    use_cache: true,
  };
}

function* optTensors(config) {
  const { hidden_size: hidden, ffn_dim: ffn, word_embed_proj_dim: embedded, vocab_size: vocab } = config;
  function* linear(name, rows, cols) {
    yield [`${name}.weight`, [rows, cols]];
    if (config.enable_bias) yield [`${name}.bias`, [rows]];
  }
  yield ['model.decoder.embed_tokens.weight', [vocab, embedded]];
  // OPT's positions are offset by 2.
  yield ['model.decoder.embed_positions.weight', [config.max_position_embeddings + 2, hidden]];
  if (embedded !== hidden) {
    yield ['model.decoder.project_in.weight', [hidden, embedded]];
    yield ['model.decoder.project_out.weight', [embedded, hidden]];
  }
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const layer = `model.decoder.layers.${i}`;
    for (const part of ['k_proj', 'v_proj', 'q_proj', 'out_proj']) {
      yield* linear(`${layer}.self_attn.${part}`, hidden, hidden);
    }
    yield* layerNorm(`${layer}.self_attn_layer_norm`, hidden);
    yield* linear(`${layer}.fc1`, ffn, hidden);
    yield* linear(`${layer}.fc2`, hidden, ffn);
    yield* layerNorm(`${layer}.final_layer_norm`, hidden);
  }
  if (config.do_layer_norm_before) yield* layerNorm('model.decoder.final_layer_norm', hidden);
  if (!config.tie_word_embeddings) yield ['lm_head.weight', [vocab, embedded]];
}

function llamaConfig({ hidden, ffn, heads, layers, vocab, positions }) {
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: vocab,
    hidden_size: hidden,
    intermediate_size: ffn,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: heads,
    max_position_embeddings: positions,
    hidden_act: 'silu',
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    initializer_range: INIT_STD,
    bos_token_id: 1,
    eos_token_id: 2,
    tie_word_embeddings: false,
    use_cache: true,
  };
}

function* llamaTensors({ hidden_size: hidden, intermediate_size: ffn, vocab_size: vocab, num_hidden_layers: layers }) {
  yield ['model.embed_tokens.weight', [vocab, hidden]];
  for (let i = 0; i < layers; i++) {
    const layer = `model.layers.${i}`;
    yield [`${layer}.input_layernorm.weight`, [hidden]];
    for (const part of ['q_proj', 'k_proj', 'v_proj', 'o_proj'])
      yield [`${layer}.self_attn.${part}.weight`, [hidden, hidden]];
    yield [`${layer}.post_attention_layernorm.weight`, [hidden]];
    yield [`${layer}.mlp.gate_proj.weight`, [ffn, hidden]];
    yield [`${layer}.mlp.up_proj.weight`, [ffn, hidden]];
    yield [`${layer}.mlp.down_proj.weight`, [hidden, ffn]];
  }
  yield ['model.norm.weight', [hidden]];
  yield ['lm_head.weight', [vocab, hidden]];
}

/** Its MLP is four times as wide as the rest. */
function bloomConfig({ hidden, heads, layers, vocab, positions }) {
  return {
    architectures: ['BloomForCausalLM'],
    model_type: 'bloom',
    vocab_size: vocab,
    hidden_size: hidden,
    n_layer: layers,
    n_head: heads,
    seq_length: positions,
    layer_norm_epsilon: 1e-5,
    apply_residual_connection_post_layernorm: false,
    initializer_range: INIT_STD,
    bos_token_id: 1,
    eos_token_id: 2,
    pad_token_id: 3,
    tie_word_embeddings: true,
    use_cache: true,
  };
}

function* bloomTensors({ hidden_size: hidden, vocab_size: vocab, n_layer: layers }) {
  function* linear(name, rows, cols) {
    yield [`${name}.weight`, [rows, cols]];
    yield [`${name}.bias`, [rows]];
  }
  yield ['word_embeddings.weight', [vocab, hidden]];
  yield* layerNorm('word_embeddings_layernorm', hidden);
  for (let i = 0; i < layers; i++) {
    const layer = `h.${i}`;
    yield* layerNorm(`${layer}.input_layernorm`, hidden);
    yield* linear(`${layer}.self_attention.query_key_value`, 3 * hidden, hidden);
    yield* linear(`${layer}.self_attention.dense`, hidden, hidden);
    yield* layerNorm(`${layer}.post_attention_layernorm`, hidden);
    yield* linear(`${layer}.mlp.dense_h_to_4h`, 4 * hidden, hidden);
    yield* linear(`${layer}.mlp.dense_4h_to_h`, hidden, 4 * hidden);
  }
  yield* layerNorm('ln_f', hidden);
}

function* layerNorm(name, width) {
  yield [`${name}.weight`, [width]];
  yield [`${name}.bias`, [width]];
}
