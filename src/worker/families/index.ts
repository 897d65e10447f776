import path from 'node:path';

import { z } from 'zod';

import { TamisError } from '../../contract/errors.ts';
import { openBloom } from './bloom.ts';
import { readConfig } from './config.ts';
import type { FamilyModel, Source } from './family.ts';
import { openGemma2 } from './gemma2.ts';
import { openGemma3 } from './gemma3.ts';
import { openGpt2 } from './gpt2.ts';
import { openGptNeox } from './gpt-neox.ts';
import { openLlama } from './llama.ts';
import { openMistral } from './mistral.ts';
import { openOpt } from './opt.ts';
import { openQwen2 } from './qwen2.ts';
import { openQwen3 } from './qwen3.ts';

/** Every known architecture by the `model_type` of its config.json. */
const families: Readonly<Record<string, (source: Source) => FamilyModel>> = {
  opt: openOpt,
  llama: openLlama,
  mistral: openMistral,
  qwen2: openQwen2,
  qwen3: openQwen3,
  gemma2: openGemma2,
  gemma3_text: openGemma3,
  bloom: openBloom,
  gpt_neox: openGptNeox,
  gpt2: openGpt2,
};

const expertFields = ['num_experts', 'num_local_experts', 'n_routed_experts', 'moe_num_experts'];
const expertTensor = /\.(experts\.\d+|router|block_sparse_moe)\./;

/** Finds the family of a checkpoint and lets it check config and tensors. */
export function openFamily(source: Source): FamilyModel {
  const file = path.join(source.folder, 'config.json');
  const { model_type: type } = readConfig(source, z.object({ model_type: z.string() }));
  if (source.config.quantization_config !== undefined) throw new TamisError('config.quantized', { path: file });
  const experts =
    expertFields.find((field) => Number(source.config[field] ?? 0) > 1) ??
    [...source.tensors.keys()].find((name) => expertTensor.test(name));
  if (experts !== undefined) throw new TamisError('config.experts', { path: file, field: experts });
  const open = Object.hasOwn(families, type) ? families[type] : undefined;
  if (!open)
    throw new TamisError('config.unknown-family', { path: file, type, known: Object.keys(families).join(', ') });
  return open(source);
}
