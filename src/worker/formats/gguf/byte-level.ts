import { z } from 'zod';

import type { TamisError } from '../../../contract/errors.ts';
import type { GgufValue } from '../../families/gguf.ts';
import { partsOf } from '../../texts/tokenizer-json.ts';
import { kinds, vocabulary, type TokenizerFile, type Words } from './vocabulary.ts';

const contractions = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)`;
const afterDigits = String.raw`| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
const [upper, lower] = [String.raw`[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`, String.raw`[\p{Ll}\p{Lm}\p{Lo}\p{M}]`];
const notWord = String.raw`[^\r\n\p{L}\p{N}]?`;

/** A way to cut text before the bytes' words are merged, as llama.cpp has it. */
interface Cut {
  readonly name: string;
  /** A word that is a token is taken whole, whatever merges say. */
  readonly ignoresMerges: boolean;
}

const splits: Readonly<Record<string, Cut>> = {
  [`${contractions}|${notWord}\\p{L}+|\\p{N}{1,3}${afterDigits}`]: { name: 'llama-bpe', ignoresMerges: true },
  [`${contractions}|${notWord}\\p{L}+|\\p{N}${afterDigits}`]: { name: 'qwen2', ignoresMerges: false },
  [`${notWord}${upper}*${lower}+|${notWord}${upper}+${lower}*|\\p{N}${afterDigits.replace(String.raw`[\r\n]*`, String.raw`[\r\n/]*`)}`]:
    {
      name: 'tekken',
      ignoresMerges: true,
    },
  [String.raw` ?[^(\s|[.,!?…。，、।۔،])]+`]: { name: 'bloom', ignoresMerges: false },
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

/** Byte-level BPE. llama.cpp does not normalize: text that is not NFC gets other tokens where the tokenizer makes it that. */
export function byteLevelMetadata(words: Words, refuse: (reason: string) => TamisError): Record<string, GgufValue> {
  const { model, normalizer, pre_tokenizer: whole } = words.file;
  if (normalizer && normalizer.type !== 'NFC') throw refuse(`normalizer ${normalizer.type}`);
  const cut = cutOf(words.file);
  if (cut === null) throw refuse(`pre_tokenizer ${JSON.stringify(whole ?? null)}`);
  if (cut.ignoresMerges !== model.ignore_merges && !everyTokenIsMerged(words.file))
    throw refuse(`ignore_merges ${model.ignore_merges}`);
  const { tokens, types } = vocabulary(words, (_, added) => {
    if (added === null) return kinds.normal;
    return added.special ? kinds.control : kinds.added;
  });
  return {
    'tokenizer.ggml.model': { string: 'gpt2' },
    'tokenizer.ggml.pre': { string: cut.name },
    'tokenizer.ggml.tokens': { strings: tokens },
    'tokenizer.ggml.token_type': { i32s: types },
    'tokenizer.ggml.merges': {
      strings: model.merges.map((merge) => merge.join(' ')),
    },
  };
}

function cutOf({ pre_tokenizer: whole }: TokenizerFile): Cut | null {
  const parts = partsOf(whole, 'pretokenizers');
  const bytes = byteLevelSchema.safeParse(parts.at(-1)).data;
  const [before, ...more] = parts.slice(0, -1);
  if (bytes?.add_prefix_space !== false || more.length > 0) return null;
  if (bytes.use_regex) {
    if (before === undefined) return { name: 'gpt-2', ignoresMerges: false };
    return digitsSchema.safeParse(before).success ? { name: 'smollm', ignoresMerges: false } : null;
  }
  const split = splitSchema.safeParse(before).data;
  return (split && splits[split.pattern.Regex]) ?? null;
}

/** Whether it makes no difference if words that are tokens are looked for before merging. */
function everyTokenIsMerged({ model, added_tokens: added }: TokenizerFile): boolean {
  const made = new Set(model.merges.map((merge) => merge.join('')));
  const others = new Set(added.map(({ content }) => content));
  return Object.keys(model.vocab).every(
    (token) => Array.from(token).length === 1 || made.has(token) || others.has(token),
  );
}
