import type { Model } from '../../model/open.ts';
import { graphFile, onnxFolder } from './plan.ts';

/** config.json for transformers.js: which of a repository's graphs to load, and that its data lies beside it. */
export function configJson({ config }: Model): Record<string, unknown> {
  return { ...config, 'transformers.js_config': { dtype: 'fp32', use_external_data_format: true } };
}

/** generation_config.json where the checkpoint has none: the tokens that transformers would take from config.json. */
export function generationConfig({ config }: Model): Record<string, unknown> {
  const fields = ['bos_token_id', 'eos_token_id', 'pad_token_id'];
  return Object.fromEntries(fields.flatMap((field) => (field in config ? [[field, config[field]]] : [])));
}

/** genai_config.json for onnxruntime-genai, which treats a `decoder` by these names and asks for no family's. */
export function genaiConfig({ config, family }: Model): Record<string, unknown> {
  const { heads, kvHeads, size } = family.attention;
  const eos = config['eos_token_id'] ?? 2;
  // Several tokens may end a text, as in Gemma and LLaMA 3.
  const [end] = [eos].flat();
  return {
    model: {
      type: 'decoder',
      vocab_size: family.vocab,
      context_length: family.maxSeqlen,
      bos_token_id: config['bos_token_id'] ?? end,
      eos_token_id: eos,
      pad_token_id: config['pad_token_id'] ?? end,
      decoder: {
        filename: `${onnxFolder}/${graphFile}`,
        session_options: { provider_options: [] },
        hidden_size: family.hidden,
        head_size: size,
        num_attention_heads: heads,
        num_key_value_heads: kvHeads,
        num_hidden_layers: family.blocks,
        inputs: {
          input_ids: 'input_ids',
          attention_mask: 'attention_mask',
          position_ids: 'position_ids',
          past_key_names: 'past_key_values.%d.key',
          past_value_names: 'past_key_values.%d.value',
        },
        outputs: { logits: 'logits', present_key_names: 'present.%d.key', present_value_names: 'present.%d.value' },
      },
    },
    search: { max_length: family.maxSeqlen, do_sample: false, num_beams: 1, past_present_share_buffer: false },
  };
}
