import { z } from 'zod';

import { mergesSchema, partSchema, vocabularySchema } from '../../texts/tokenizer-json.ts';

export const tokenizerSchema = z.looseObject({
  model: z.looseObject({
    type: z.string().default('BPE'),
    vocab: vocabularySchema,
    merges: mergesSchema,
    unk_token: z.string().nullish(),
    byte_fallback: z.boolean().default(false),
    ignore_merges: z.boolean().default(false),
  }),
  added_tokens: z.array(z.looseObject({ id: z.int(), content: z.string(), special: z.boolean() })).default([]),
  normalizer: partSchema.nullish(),
  pre_tokenizer: partSchema.nullish(),
  post_processor: partSchema.nullish(),
});
export type TokenizerFile = z.infer<typeof tokenizerSchema>;

/** ggml's kinds of tokens. */
export const kinds = { normal: 1, unknown: 2, control: 3, added: 4, unused: 5, byte: 6 } as const;

/** A tokenizer, and of how many tokens the model is. */
export interface Words {
  readonly file: TokenizerFile;
  readonly vocab: number;
}

/** The tokens in the order of their ids, each with the kind that `kindOf` gives it; ids without one are padded. */
export function vocabulary(
  { file: { model, added_tokens: added }, vocab }: Words,
  kindOf: (token: string, added: { special: boolean } | null) => number,
): { tokens: string[]; types: number[] } {
  const tokens = Array.from({ length: vocab }, (_, id) => `[PAD${id}]`);
  const types = new Array<number>(vocab).fill(kinds.unused);
  const put = (id: number, token: string, kind: number): void => {
    if (id >= vocab) return;
    tokens[id] = token;
    types[id] = kind;
  };
  for (const [token, id] of Object.entries(model.vocab)) put(id, token, kindOf(token, null));
  for (const { id, content, special } of added) put(id, content, kindOf(content, { special }));
  return { tokens, types };
}
