import { join } from 'node:path';

import { z } from 'zod';

import { readJson, readText } from '../../contract/disk.ts';
import { TamisError } from '../../contract/errors.ts';
import type { Model } from '../model/open.ts';
import type { GgufValue } from './gguf-header.ts';

const partSchema = z.looseObject({ type: z.string() });
const tokenizerSchema = z.looseObject({
  model: z.looseObject({
    type: z.string().default('BPE'),
    vocab: z.record(z.string(), z.int()),
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])),
  }),
  added_tokens: z.array(z.looseObject({ id: z.int(), content: z.string(), special: z.boolean() })).default([]),
  normalizer: partSchema.nullish(),
  pre_tokenizer: partSchema.nullish(),
  post_processor: partSchema.nullish(),
});
type TokenizerFile = z.infer<typeof tokenizerSchema>;

/** ggml's kinds of tokens. */
const kinds = { normal: 1, control: 3, added: 4, unused: 5 } as const;

/**
 * The tokenizer in GGUF's terms, from tokenizer.json: byte-level BPE whose way to cut text into words llama.cpp knows. null where the
 * model has none. Error export.tokenizer {path, reason} where it is of another kind.
 */
export async function tokenizerMetadata(
  model: Pick<Model, 'folder' | 'config'> & { readonly family: Pick<Model['family'], 'vocab'> },
): Promise<Record<string, GgufValue> | null> {
  const path = join(model.folder, 'tokenizer.json');
  const file = await readJson(path, z.looseObject({ model: z.looseObject({ type: z.string().default('BPE') }) }));
  if (file === null) return null;
  if (file.model.type !== 'BPE') throw unknown(path, `model ${file.model.type}`);
  const tokenizer = (await readJson(path, tokenizerSchema)) as TokenizerFile;
  const { tokens, types } = vocabulary(tokenizer, model.family.vocab);
  const template = await chatTemplate(model.folder);
  return {
    'tokenizer.ggml.model': { string: 'gpt2' },
    'tokenizer.ggml.pre': { string: preTokenizer(tokenizer, path) },
    'tokenizer.ggml.tokens': { strings: tokens },
    'tokenizer.ggml.token_type': { i32s: types },
    'tokenizer.ggml.merges': {
      strings: tokenizer.model.merges.map((merge) => (typeof merge === 'string' ? merge : merge.join(' '))),
    },
    ...specialTokens(model.config),
    ...addedAround(tokenizer),
    ...(template !== null && { 'tokenizer.chat_template': { string: template } }),
  };
}

function unknown(path: string, reason: string): TamisError {
  return new TamisError('export.tokenizer', { path, reason });
}

function vocabulary(
  { model, added_tokens: added }: TokenizerFile,
  vocab: number,
): { tokens: string[]; types: number[] } {
  const tokens = Array.from({ length: vocab }, (_, id) => `[PAD${id}]`);
  const types = new Array<number>(vocab).fill(kinds.unused);
  const put = (id: number, token: string, kind: number): void => {
    if (id >= vocab) return;
    tokens[id] = token;
    types[id] = kind;
  };
  for (const [token, id] of Object.entries(model.vocab)) put(id, token, kinds.normal);
  for (const { id, content, special } of added) put(id, content, special ? kinds.control : kinds.added);
  return { tokens, types };
}

const contractions = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)`;
const afterDigits = String.raw`| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
/** What text is split by before the bytes' words are merged, and llama.cpp's name for it. */
const splits: Readonly<Record<string, string>> = {
  [String.raw`${contractions}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}${afterDigits}`]: 'llama-bpe',
  [String.raw`${contractions}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}${afterDigits}`]: 'qwen2',
};

const byteLevelSchema = z.looseObject({
  type: z.literal('ByteLevel'),
  add_prefix_space: z.boolean().default(true),
  use_regex: z.boolean().default(true),
});
const splitSchema = z.looseObject({
  type: z.literal('Split'),
  pattern: z.strictObject({ Regex: z.string() }),
  behavior: z.literal('Isolated'),
  invert: z.literal(false).default(false),
});
const digitsSchema = z.looseObject({ type: z.literal('Digits'), individual_digits: z.literal(true) });
const sequenceSchema = z.looseObject({ type: z.literal('Sequence'), pretokenizers: z.array(partSchema) });

function preTokenizer({ normalizer, pre_tokenizer: whole }: TokenizerFile, path: string): string {
  if (normalizer && normalizer.type !== 'NFC') throw unknown(path, `normalizer ${normalizer.type}`);
  const parts = sequenceSchema.safeParse(whole).data?.pretokenizers ?? (whole ? [whole] : []);
  const bytes = byteLevelSchema.safeParse(parts.at(-1)).data;
  const before = parts.slice(0, -1);
  if (bytes?.add_prefix_space === false) {
    if (bytes.use_regex && before.length === 0) return 'gpt-2';
    if (bytes.use_regex && before.length === 1 && digitsSchema.safeParse(before[0]).success) return 'smollm';
    const split = splitSchema.safeParse(before[0]).data;
    const known = split && splits[split.pattern.Regex];
    if (!bytes.use_regex && before.length === 1 && known !== undefined) return known;
  }
  throw unknown(path, `pre_tokenizer ${JSON.stringify(whole ?? null)}`);
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

const templateSchema = z.looseObject({
  type: z.literal('TemplateProcessing'),
  single: z.array(z.record(z.string(), z.unknown())),
});
const processorsSchema = z.looseObject({ type: z.literal('Sequence'), processors: z.array(partSchema) });

/** Whether the tokenizer puts a token before, and one behind, every text. */
function addedAround({ post_processor: whole }: TokenizerFile): Record<string, GgufValue> {
  const parts = processorsSchema.safeParse(whole).data?.processors ?? (whole ? [whole] : []);
  const single = parts.flatMap((part) => templateSchema.safeParse(part).data?.single ?? []);
  const isSpecial = (piece: Record<string, unknown> | undefined): boolean =>
    piece !== undefined && 'SpecialToken' in piece;
  return {
    'tokenizer.ggml.add_bos_token': { bool: isSpecial(single[0]) },
    'tokenizer.ggml.add_eos_token': { bool: isSpecial(single.at(-1)) },
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
