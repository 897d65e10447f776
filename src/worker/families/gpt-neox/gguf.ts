import type { Failure } from '../../../contract/failure.ts';
import { activationOf } from '../config.ts';
import { setting } from '../gguf.ts';
import type { GgufTraits } from '../gpt-like/traits.ts';
import { plainRopeRefusal, ropeMetadata } from '../rope/gguf.ts';
import type { GptNeoxConfig } from './config.ts';

const architecture = 'gptneox';

/** `turned`: entries of a head that turn. */
export function gptNeoxGguf(config: GptNeoxConfig, { turned }: { turned: number }): GgufTraits {
  return {
    architecture,
    refusal: refusalOf(config),
    metadata: {
      [`${architecture}.use_parallel_residual`]: { bool: config.use_parallel_residual },
      ...ropeMetadata(architecture, config.rope, turned),
    },
    ownHead: true,
  };
}

/** llama.cpp computes GELU by its approximation with tanh. */
function refusalOf(config: GptNeoxConfig): Failure | null {
  if (!config.attention_bias) return setting('attention_bias', false);
  const isGelu = activationOf(config.hidden_act).startsWith('gelu');
  return isGelu ? plainRopeRefusal(config.rope) : setting('hidden_act', config.hidden_act);
}
