import { TamisError } from '../../contract/errors.ts';
import type { FamilyModel } from './family.ts';
import { bloom } from './bloom/gguf.ts';
import type { GgufFamily } from './gguf-family.ts';
import { gemma2 } from './gemma2/gguf.ts';
import { gemma3 } from './gemma3/gguf.ts';
import { gptNeox } from './gpt-neox/gguf.ts';
import { gpt2 } from './gpt2/gguf.ts';
import { llama } from './llama/gguf.ts';
import { mistral } from './mistral/gguf.ts';
import { qwen2 } from './qwen2/gguf.ts';
import { qwen3 } from './qwen3/gguf.ts';

/** The families that llama.cpp knows. */
const families: Readonly<Record<string, GgufFamily>> = {
  llama,
  mistral,
  qwen2,
  qwen3,
  gemma2,
  gemma3,
  bloom,
  gpt_neox: gptNeox,
  gpt2,
};

export function ggufFamily({ family }: Pick<FamilyModel, 'family'>): GgufFamily | null {
  return Object.hasOwn(families, family) ? (families[family] ?? null) : null;
}

/** Error export.family where llama.cpp does not know it. */
export function knownGgufFamily(model: Pick<FamilyModel, 'family'>): GgufFamily {
  const family = ggufFamily(model);
  if (family === null) throw new TamisError('export.family', { family: model.family.toUpperCase() });
  return family;
}
