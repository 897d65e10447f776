import { z } from 'zod';

import type { TamisError } from '../../../contract/errors.ts';
import type { GgufValue } from '../../families/gguf.ts';
import { byteToken, partsOf } from '../../texts/tokenizer-json.ts';
import { kinds, vocabulary, type TokenizerFile, type Words } from './vocabulary.ts';

/** What stands for a space. */
const SPACE = '▁';

const prependSchema = z.looseObject({ type: z.literal('Prepend'), prepend: z.literal(SPACE) });
const spacesSchema = z.looseObject({
  type: z.literal('Replace'),
  pattern: z.strictObject({ String: z.literal(' ') }),
  content: z.literal(SPACE),
});
const metaspaceSchema = z.looseObject({
  type: z.literal('Metaspace'),
  replacement: z.literal(SPACE),
  prepend_scheme: z.enum(['first', 'always', 'never']).default('always'),
  split: z.literal(false),
});
/** Cuts at spaces, which are no longer there. */
const noCutSchema = z.looseObject({ type: z.literal('Split'), pattern: z.strictObject({ String: z.literal(' ') }) });

/**
 * BPE as SentencePiece has it: llama.cpp brings together whichever two neighbours make the token of the highest score, so that scores
 * say what the order of merges says. It puts a space in front of a text and behind every control token, of which a `Metaspace` does
 * not the second, nor the first where there is one.
 */
export function sentencePieceMetadata(words: Words, refuse: (reason: string) => TamisError): Record<string, GgufValue> {
  const { file } = words;
  const hasPrefix = prefixOf(file);
  if (hasPrefix === null)
    throw refuse(
      `normalizer ${JSON.stringify(file.normalizer ?? null)}, pre_tokenizer ${JSON.stringify(file.pre_tokenizer ?? null)}`,
    );
  if (file.model.ignore_merges) throw refuse('ignore_merges true');
  const ranks = ranksOf(file);
  if (ranks === null) throw refuse('merges');
  const bytes = new Set(Array.from({ length: 256 }, (_, byte) => byteToken(byte)));
  const unknown = file.model.unk_token ?? null;
  const { tokens, types } = vocabulary(words, (token, added) => {
    if (token === unknown) return kinds.unknown;
    if (bytes.has(token)) return kinds.byte;
    if (added === null) return kinds.normal;
    if (added.special) return kinds.control;
    // As another kind their spaces would be printed as they stand here.
    return token.includes(SPACE) ? kinds.normal : kinds.added;
  });
  return {
    'tokenizer.ggml.model': { string: 'llama' },
    'tokenizer.ggml.pre': { string: 'default' },
    'tokenizer.ggml.tokens': { strings: tokens },
    'tokenizer.ggml.scores': { f32s: tokens.map((token) => -(ranks.get(token) ?? ranks.size)) },
    'tokenizer.ggml.token_type': { i32s: types },
    'tokenizer.ggml.add_space_prefix': { bool: hasPrefix },
    ...(unknown !== null && { 'tokenizer.ggml.unknown_token_id': { u32: file.model.vocab[unknown] ?? 0 } }),
  };
}

/** Whether a space is put in front of a text whose spaces become `▁`; null of a tokenizer that does something else. */
function prefixOf({ normalizer, pre_tokenizer: cut }: TokenizerFile): boolean | null {
  const normalizers = partsOf(normalizer, 'normalizers');
  const metaspace = metaspaceSchema.safeParse(cut).data;
  if (metaspace && normalizers.length === 0) return metaspace.prepend_scheme !== 'never';
  if (cut && !noCutSchema.safeParse(cut).success) return null;
  const [first, second] = normalizers;
  if (normalizers.length === 1 && spacesSchema.safeParse(first).success) return false;
  const prepends = prependSchema.safeParse(first).success && spacesSchema.safeParse(second).success;
  return normalizers.length === 2 && prepends ? true : null;
}

/**
 * The place of each token that a merge makes in the order of merges; null where scores of tokens cannot say that order: where merges
 * of one token have another's between them, or two tokens that make a third are no merge.
 */
function ranksOf({ model, added_tokens: added }: TokenizerFile): Map<string, number> | null {
  const ranks = new Map<string, number>();
  const known = new Set<string>();
  let last: string | null = null;
  for (const [left, right] of model.merges) {
    const made = left + right;
    if (made !== last && ranks.has(made)) return null;
    if (made !== last) ranks.set(made, ranks.size);
    last = made;
    known.add(pairKey(left, right));
  }
  const others = new Set([
    ...added.map(({ content }) => content),
    ...Array.from({ length: 256 }, (_, i) => byteToken(i)),
  ]);
  const isPiece = (token: string): boolean => token in model.vocab && (!others.has(token) || ranks.has(token));
  const isWhole = Object.keys(model.vocab).every((token) => {
    if (!isPiece(token)) return true;
    return waysToMake(token).every(
      ([left, right]) => !isPiece(left) || !isPiece(right) || known.has(pairKey(left, right)),
    );
  });
  return isWhole ? ranks : null;
}

function pairKey(left: string, right: string): string {
  return `${left.length} ${left}${right}`;
}

/** A token in two parts, each of a character or more. */
function waysToMake(token: string): [string, string][] {
  const characters = Array.from(token);
  return characters.slice(1).map((_, i) => [characters.slice(0, i + 1).join(''), characters.slice(i + 1).join('')]);
}
