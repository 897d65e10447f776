import path from 'node:path';

import { z } from 'zod';

import { TamisError } from '../../contract/errors.ts';
import { openBloom } from './bloom/model.ts';
import { readConfig } from './config.ts';
import type { FamilyModel, Source } from './family.ts';
import { openGemma2 } from './gemma2/model.ts';
import { openGemma3 } from './gemma3/model.ts';
import { openGpt2 } from './gpt2/model.ts';
import { openGptNeox } from './gpt-neox/model.ts';
import { openLlama } from './llama/model.ts';
import { openMistral } from './mistral/model.ts';
import { openOpt } from './opt/model.ts';
import { openQwen2 } from './qwen2/model.ts';
import { openQwen3 } from './qwen3/model.ts';

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
  const open = assertKnown(source);
  const tensor = [...source.tensors.keys()].find((name) => expertTensor.test(name));
  if (tensor !== undefined) throw new TamisError('config.experts', { path: configPath(source), field: tensor });
  return open(source);
}

/** What opens a checkpoint of such a config.json. Errors: config.field, config.quantized, config.experts, config.unknown-family. */
export function assertKnown(source: Pick<Source, 'folder' | 'config'>): (source: Source) => FamilyModel {
  const path = configPath(source);
  const { model_type: type } = readConfig(source, z.object({ model_type: z.string() }));
  if (source.config.quantization_config !== undefined) throw new TamisError('config.quantized', { path });
  const experts = expertFields.find((field) => Number(source.config[field] ?? 0) > 1);
  if (experts !== undefined) throw new TamisError('config.experts', { path, field: experts });
  const open = Object.hasOwn(families, type) ? families[type] : undefined;
  if (!open) throw new TamisError('config.unknown-family', { path, type, known: Object.keys(families).join(', ') });
  return open;
}

function configPath({ folder }: Pick<Source, 'folder'>): string {
  return path.join(folder, 'config.json');
}
