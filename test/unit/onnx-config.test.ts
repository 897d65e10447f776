import { expect, test } from 'vitest';

import { genaiConfig } from '../../src/worker/formats/onnx/config.ts';
import { openModel } from '../../src/worker/model/open.ts';
import { fixtureFolder } from '../fixtures/models.ts';

test('genai is told the sizes of the heads, and one of several tokens that end a text where it takes one', async () => {
  const model = await openModel(fixtureFolder('qwen3-tied'));
  const { model: told } = genaiConfig({
    ...model,
    config: { ...model.config, eos_token_id: [7, 9], bos_token_id: undefined, pad_token_id: undefined },
  });
  expect(told).toMatchObject({
    type: 'decoder',
    eos_token_id: [7, 9],
    bos_token_id: 7,
    pad_token_id: 7,
    decoder: { hidden_size: 16, head_size: 8, num_attention_heads: 4, num_key_value_heads: 1, num_hidden_layers: 2 },
  });
});
