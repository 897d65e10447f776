import { join } from 'node:path';

import { z } from 'zod';

import { readJson, readText } from '../../../disk/files.ts';
import { TamisError } from '../../../contract/errors.ts';
import { checked } from '../../../disk/json.ts';
import type { GgufValue } from '../../families/gguf.ts';
import { frameOf, partSchema } from '../../texts/tokenizer-json.ts';
import { readTokenizer } from '../../texts/tokenizer.ts';
import type { Model } from '../../model/open.ts';
import { byteLevelMetadata } from './byte-level.ts';
import { sentencePieceMetadata } from './sentencepiece.ts';
import { tokenizerSchema, type TokenizerFile } from './vocabulary.ts';

/**
 * The tokenizer in GGUF's terms: byte-level BPE whose way to cut text into words llama.cpp knows, or BPE as SentencePiece has it. null
 * where the model has none. Error export.tokenizer {path, reason} where it is of another kind.
 */
export async function tokenizerMetadata(
  model: Pick<Model, 'folder' | 'config'> & { readonly family: Pick<Model['family'], 'vocab'> },
): Promise<Record<string, GgufValue> | null> {
  const found = await readTokenizer(model.folder);
  if (found === null) return null;
  const { path, content } = found;
  const refuse = (reason: string): TamisError => new TamisError('export.tokenizer', { path, reason });
  const kind = checked(path, content, z.looseObject({ model: partSchema.partial() })).model.type ?? 'BPE';
  if (kind !== 'BPE') throw refuse(`model ${kind}`);
  const file = checked(path, content, tokenizerSchema);
  const words = { file, vocab: model.family.vocab };
  const template = await chatTemplate(model.folder);
  return {
    ...(file.model.byte_fallback ? sentencePieceMetadata(words, refuse) : byteLevelMetadata(words, refuse)),
    ...specialTokens(model.config),
    ...addedAround(file, refuse),
    ...(template !== null && { 'tokenizer.chat_template': { string: template } }),
  };
}

function specialTokens(config: Model['config']): Record<string, GgufValue> {
  const names = { bos_token_id: 'bos_token_id', eos_token_id: 'eos_token_id', pad_token_id: 'padding_token_id' };
  return Object.fromEntries(
    Object.entries(names).flatMap(([field, name]) => {
      const value: unknown = config[field];
      const id: unknown = Array.isArray(value) ? value[0] : value;
      return typeof id === 'number' ? [[`tokenizer.ggml.${name}`, { u32: id }]] : [];
    }),
  );
}

/** Whether the tokenizer puts a token before, and one behind, every text. */
function addedAround(
  { post_processor: processor }: TokenizerFile,
  refuse: (reason: string) => TamisError,
): Record<string, GgufValue> {
  const frame = frameOf(processor);
  if (frame === null) throw refuse(`post_processor ${JSON.stringify(processor)}`);
  const { single: around } = frame;
  return {
    'tokenizer.ggml.add_bos_token': { bool: around[0] !== null },
    'tokenizer.ggml.add_eos_token': { bool: around.at(-1) !== null },
  };
}

async function chatTemplate(folder: string): Promise<string | null> {
  const own = await readText(join(folder, 'chat_template.jinja'));
  if (own !== null) return own;
  const config = await readJson(
    join(folder, 'tokenizer_config.json'),
    z.looseObject({ chat_template: z.unknown().optional() }),
  );
  return typeof config?.chat_template === 'string' ? config.chat_template : null;
}
