// The package's own types import each other without extensions, which Node's resolution does not follow: everything would be `any`.
declare module '@huggingface/tokenizers' {
  export class PreTokenizer {
    private readonly preTokenizer: never;
  }
  export class ByteLevelPreTokenizer extends PreTokenizer {
    pattern: RegExp;
    readonly use_regex: boolean;
    readonly add_prefix_space: boolean;
  }
  export class DigitsPreTokenizer extends PreTokenizer {
    pattern: RegExp;
    readonly config: { readonly individual_digits?: boolean };
  }
  export class SequencePreTokenizer extends PreTokenizer {
    readonly tokenizers: readonly (PreTokenizer | null)[];
  }
  export interface AddedToken {
    readonly content: string;
    lstrip: boolean;
    rstrip: boolean;
  }
  export interface Model {
    readonly fuse_unk: boolean;
    readonly tokens_to_ids: ReadonlyMap<string, number>;
    /** Tokens of the words that a text is cut into. */
    encode(words: string[]): string[];
  }
  export interface Splitter {
    /** A text cut into added tokens and what lies between them. */
    split(text: string): string[];
  }
  export class Tokenizer {
    /** The parsed tokenizer.json and tokenizer_config.json. */
    constructor(tokenizer: object, config: object);
    readonly normalizer: object | null;
    readonly pre_tokenizer: PreTokenizer | null;
    readonly model: Model | null;
    /** By content, normalized where the token is looked for in normalized text. */
    readonly added_tokens_map: ReadonlyMap<string, AddedToken>;
    splitter_unnormalized: Splitter;
    splitter_normalized: Splitter;
    encode(text: string, options?: { add_special_tokens: boolean }): { readonly ids: readonly number[] };
    get_added_tokens_decoder(): Map<number, { readonly content: string }>;
  }
}
