import { z } from 'zod';

import { TamisError } from '../../contract/errors.ts';
import {
  byteCharacters,
  byteToken,
  frameOf,
  mergesSchema,
  partSchema,
  partsOf,
  vocabularySchema,
  type Part,
} from './tokenizer-json.ts';

// Which parts of a tokenizer.json give the ids of the `tokenizers` package here, and how those that the library reads otherwise are
// put so that it reads them alike.

const definitionSchema = z.looseObject({
  added_tokens: z
    .array(z.looseObject({ id: z.int(), content: z.string(), single_word: z.boolean().default(false) }))
    .default([]),
  normalizer: partSchema.nullish().transform((part) => part ?? null),
  pre_tokenizer: partSchema.nullish().transform((part) => part ?? null),
  post_processor: partSchema.nullish().transform((part) => part ?? null),
  decoder: partSchema.nullish().transform((part) => part ?? null),
  model: z.looseObject({}),
});
type Definition = z.infer<typeof definitionSchema>;

const nothing = z.literal('').nullish();
const bpeSchema = z
  .looseObject({
    type: z.literal('BPE').default('BPE'),
    vocab: vocabularySchema,
    merges: mergesSchema,
    dropout: z.literal(0).nullish(),
    continuing_subword_prefix: nothing,
    end_of_word_suffix: nothing,
    byte_fallback: z.boolean().default(false),
    unk_token: z.string().nullish(),
  })
  .superRefine(({ vocab, merges }, context) => {
    const isToken = (token: string): boolean => Object.hasOwn(vocab, token);
    const index = merges.findIndex(([left, right]) => ![left, right, left + right].every(isToken));
    if (index !== -1) context.addIssue({ code: 'custom', path: ['merges', index], input: merges[index] });
  });
type Bpe = z.infer<typeof bpeSchema>;

const replacedSpaces = z.looseObject({
  type: z.literal('Replace'),
  pattern: z.strictObject({ String: z.literal(' ') }),
});
const normalizerSchemas = [
  z.looseObject({ type: z.literal('NFC') }),
  z.looseObject({ type: z.literal('Prepend'), prepend: z.string() }),
  z.looseObject({ type: z.literal('Replace'), pattern: z.strictObject({ String: z.string().min(1) }) }),
];

const isolatedSchema = z.looseObject({
  type: z.literal('Split'),
  pattern: z.strictObject({ Regex: z.string() }),
  behavior: z.literal('Isolated'),
  invert: z.literal(false).default(false),
});
const byteLevelSchema = z.looseObject({ type: z.literal('ByteLevel'), add_prefix_space: z.boolean() });
const metaspaceSchema = z.looseObject({
  type: z.literal('Metaspace'),
  replacement: z.string(),
  prepend_scheme: z.enum(['first', 'always', 'never']).default('always'),
  split: z.boolean().default(true),
});
const digitsSchema = z.looseObject({ type: z.literal('Digits') });
/** Gemma cuts at spaces that its normalizer has replaced before: nothing is cut. */
const spacesSchema = z.looseObject({
  type: z.literal('Split'),
  pattern: z.strictObject({ String: z.literal(' ') }),
});

/** tokenizer.json as the library is to have it. Errors tokenizer.invalid, tokenizer.unsupported {path, part} */
export function preparedTokenizer(content: object, path: string): object {
  const parsed = definitionSchema.safeParse(content);
  if (!parsed.success) throw new TamisError('tokenizer.invalid', { path, reason: z.prettifyError(parsed.error) });
  const definition = parsed.data;
  const refuse = (part: string): TamisError => new TamisError('tokenizer.unsupported', { path, part });
  const bpe = bpeSchema.safeParse(definition.model, { reportInput: true });
  if (!bpe.success) throw refuse(says('model', unknownOfModel(definition.model, bpe.error)));
  const unknown = unknownPart(definition, bpe.data);
  if (unknown !== null) throw refuse(unknown);
  return { ...definition, pre_tokenizer: preparedCut(definition.pre_tokenizer, bpe.data) };
}

/** What refuses a part of a tokenizer by name. */
function says(field: string, part: unknown): string {
  return `${field} ${JSON.stringify(part)}`;
}

/** What of a model is not known here: a merge that is not of two tokens which make a third, or its options. */
function unknownOfModel(
  { vocab: _vocab, merges: _merges, ...options }: Definition['model'],
  error: z.ZodError,
): object {
  const isMerge = ({ path: [field, index] }: z.core.$ZodIssue): boolean => field === 'merges' && index !== undefined;
  return error.issues.every(isMerge) ? { merges: [error.issues[0]?.input] } : options;
}

/** What of a tokenizer is not known to give the same ids here; null of a known one. */
function unknownPart(definition: Definition, bpe: Bpe): string | null {
  const { added_tokens: added, normalizer, pre_tokenizer: cut, post_processor: processor } = definition;
  const single = added.find(({ single_word: isSingle }) => isSingle);
  if (single) return says('added_tokens', single.content);
  const strange = partsOf(normalizer, 'normalizers').find((part) => !matches(part, normalizerSchemas));
  if (strange) return says('normalizer', strange);
  const spacesAreReplaced = partsOf(normalizer, 'normalizers').some((part) => matches(part, [replacedSpaces]));
  const cuts = [
    isolatedSchema,
    byteLevelSchema,
    metaspaceSchema,
    digitsSchema,
    ...(spacesAreReplaced ? [spacesSchema] : []),
  ];
  const unknownCut = partsOf(cut, 'pretokenizers').find((part) => !matches(part, cuts));
  if (unknownCut) return says('pre_tokenizer', unknownCut);
  if (!takesEveryText(bpe, partsOf(cut, 'pretokenizers'))) return says('model', 'vocab');
  const ids = { ...bpe.vocab, ...Object.fromEntries(added.map(({ id, content }) => [content, id])) };
  const frame = frameOf(processor);
  const isKnown =
    frame !== null && Object.entries(frame.special_tokens).every(([token, special]) => ids[token] === special.ids[0]);
  return isKnown ? null : says('post_processor', processor);
}

function matches(part: Part, schemas: readonly z.ZodType[]): boolean {
  return schemas.some((schema) => schema.safeParse(part).success);
}

/**
 * Whether every text can be said in the vocabulary, or what cannot is left out of it: SmolLM2's lacks bytes that no well-formed text
 * has, and a few control characters. Elsewhere libraries differ in what they make of it.
 */
function takesEveryText({ vocab, byte_fallback: fallsBack, unk_token: unknown }: Bpe, cuts: readonly Part[]): boolean {
  if (cuts.some(({ type }) => type === 'ByteLevel'))
    return (unknown ?? null) === null || byteCharacters().every((character) => character in vocab);
  if (!fallsBack) return false;
  return Array.from({ length: 256 }, (_, byte) => byteToken(byte)).every((token) => token in vocab);
}

function preparedCut(cut: Part | null, bpe: Bpe): Part | null {
  const parts = partsOf(cut, 'pretokenizers').flatMap(preparedParts);
  if (staysInWords(bpe)) parts.push({ type: 'Split', pattern: words, behavior: 'Isolated', invert: false });
  return parts.length > 1 ? { type: 'Sequence', pretokenizers: parts } : (parts[0] ?? null);
}

/** SentencePiece's words, with the spaces before them. */
const words = { Regex: '▁*[^▁]+|▁+' };

/**
 * Whether no merge reaches from a word into the space behind it: then a text is the same cut into words, and far quicker merged than as
 * the one word that such a tokenizer takes it for.
 */
function staysInWords({ byte_fallback: isSentencePiece, merges }: Bpe): boolean {
  return isSentencePiece && !merges.some((merge) => /[^▁]▁/u.test(merge.join('')));
}

function preparedParts(part: Part): Part[] {
  const isolated = isolatedSchema.safeParse(part).data;
  if (isolated) return [{ ...isolated, pattern: { Regex: foldedCase(isolated.pattern.Regex) } }];
  const metaspace = metaspaceSchema.safeParse(part).data;
  if (!metaspace) return [part];
  const { replacement, prepend_scheme: scheme, split } = metaspace;
  const replaced = { type: 'Metaspace', replacement, prepend_scheme: scheme };
  const pattern = { Regex: `${replacement}?[^${replacement}]+|${replacement}` };
  return [replaced, ...(split ? [{ type: 'Split', pattern, behavior: 'Isolated', invert: false }] : [])];
}

/** Letters outside ASCII that are the same as one of ASCII where case is ignored: the library does not know them. */
const foldedLetters: Readonly<Record<string, string>> = { s: '\u017f', S: '\u017f', k: '\u212a', K: '\u212a' };

/** A pattern whose groups that ignore case name the letters outside ASCII too. */
function foldedCase(pattern: string): string {
  return pattern.replace(/\(\?i:((?:\\.|\[[^\]]*\]|[^()[\]\\])*)\)/gu, (_, body: string) => {
    let inClass = false;
    const folded = body.replace(/\\.|[\s\S]/gu, (character) => {
      if (character === '[' || character === ']') inClass = character === '[';
      const other = foldedLetters[character];
      if (other === undefined) return character;
      return inClass ? `${character}${other}` : `[${character}${other}]`;
    });
    return `(?i:${folded})`;
  });
}
