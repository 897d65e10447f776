import { z } from 'zod';

// What stands in a tokenizer.json, as far as it is read in more than one place: for the ids of texts, and for GGUF.

/** A normalizer, a pre-tokenizer, a post-processor or a decoder. */
export const partSchema = z.looseObject({ type: z.string() });
export type Part = z.infer<typeof partSchema>;

/**
 * The parts of which a whole consists: itself alone, or what a `Sequence` lists under `field`. A `Sequence` without such a list is
 * given back as it is, a part of a type that nobody knows.
 */
export function partsOf(whole: Part | null | undefined, field: string): Part[] {
  if (!whole) return [];
  if (whole.type !== 'Sequence') return [whole];
  return z.array(partSchema).catch([whole]).parse(whole[field]);
}

/** The ids of tokens. It is no `z.record`, because that leaves out a token named `__proto__`. */
export const vocabularySchema = z.custom<Readonly<Record<string, number>>>(
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((id) => Number.isInteger(id) && id >= 0),
  'not whole numbers by token',
);

/** Merges as pairs of tokens, in their order. They come as pairs, or as lines with a space between the two; `#version` begins a line that is none. */
export const mergesSchema = z
  .array(z.unknown())
  .transform((merges) =>
    merges.every((merge) => typeof merge === 'string')
      ? merges.filter((line) => !line.startsWith('#version')).map((line) => line.split(' '))
      : merges,
  )
  .pipe(z.array(z.tuple([z.string(), z.string()])));

/** What is put around a text. */
export interface Frame {
  /** The tokens, with null where the text stands, which is once. */
  readonly single: readonly (string | null)[];
  /** The id of each of the tokens, as a list of one. */
  readonly special_tokens: Readonly<Record<string, { readonly ids: readonly [number] }>>;
}

const specialSchema = z.looseObject({ SpecialToken: z.looseObject({ id: z.string() }) });
const textSchema = z.looseObject({ Sequence: z.looseObject({ id: z.literal('A') }) });
const templateSchema = z
  .looseObject({
    type: z.literal('TemplateProcessing'),
    single: z.array(
      z.union([specialSchema.transform(({ SpecialToken: { id } }) => id), textSchema.transform(() => null)]),
    ),
    special_tokens: z.record(z.string(), z.looseObject({ ids: z.tuple([z.int()]) })),
  })
  .refine(({ single }) => single.filter((token) => token === null).length === 1)
  .refine(({ single, special_tokens: special }) =>
    single.every((token) => token === null || Object.hasOwn(special, token)),
  );

/** What a post-processor puts around a text; null of one that does something else, or is not well formed. */
export function frameOf(processor: Part | null | undefined): Frame | null {
  const [part, ...more] = partsOf(processor, 'processors').filter(({ type }) => type !== 'ByteLevel');
  if (part === undefined) return { single: [null], special_tokens: {} };
  return more.length === 0 ? (templateSchema.safeParse(part).data ?? null) : null;
}

/** SentencePiece's token of a byte. */
export function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
}

/** The characters that stand for the bytes in a byte-level vocabulary: printable ones for themselves, others from U+0100 on. */
export function byteCharacters(): string[] {
  const isPrintable = (byte: number): boolean =>
    (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte <= 0xff && byte !== 0xad);
  let others = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : others++));
}
