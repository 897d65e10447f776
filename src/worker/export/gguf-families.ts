import { TamisError } from '../../contract/errors.ts';
import type { FamilyModel } from '../families/family.ts';
import { bloom } from './gguf-bloom.ts';
import type { GgufFamily } from './gguf-family.ts';
import { gemma2 } from './gguf-gemma2.ts';
import { gemma3 } from './gguf-gemma3.ts';
import { gptNeox } from './gguf-gpt-neox.ts';
import { gpt2 } from './gguf-gpt2.ts';
import { llama } from './gguf-llama.ts';
import { mistral } from './gguf-mistral.ts';
import { qwen2 } from './gguf-qwen2.ts';
import { qwen3 } from './gguf-qwen3.ts';

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
