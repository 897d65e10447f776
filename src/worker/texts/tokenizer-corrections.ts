import {
  ByteLevelPreTokenizer,
  DigitsPreTokenizer,
  SequencePreTokenizer,
  type AddedToken,
  type Model,
  type PreTokenizer,
  type Splitter,
  type Tokenizer,
} from '@huggingface/tokenizers';

import { byteCharacters } from './tokenizer-json.ts';

/**
 * The byte-level pre-tokenizer's pattern with Unicode's white space: JavaScript's `\s` counts U+FEFF as white space and U+0085
 * as none, the tokenizers that the models were trained with do the reverse.
 */
const byteLevelPattern =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;
/** JavaScript's `\d` knows the digits of ASCII only. */
const digitPatterns = { each: /\P{N}+|\p{N}/gu, together: /\P{N}+|\p{N}+/gu };

/** Puts right where the library gives other ids than the tokenizers that the models were trained with. */
export function correct(tokenizer: Tokenizer): void {
  correctCut(tokenizer.pre_tokenizer);
  if (tokenizer.model !== null && isByteLevel(tokenizer.pre_tokenizer)) leaveOutUnknown(tokenizer.model);
  const { added_tokens_map: tokens } = tokenizer;
  const stripping = new Map([...tokens].flatMap(([content, token]) => stripOf(content, token)));
  if (stripping.size === 0) return;
  for (const token of tokens.values()) token.lstrip = token.rstrip = false;
  tokenizer.splitter_unnormalized = stripped(tokenizer.splitter_unnormalized, stripping);
  tokenizer.splitter_normalized = stripped(tokenizer.splitter_normalized, stripping);
}

function correctCut(preTokenizer: PreTokenizer | null): void {
  if (preTokenizer instanceof ByteLevelPreTokenizer) preTokenizer.pattern = byteLevelPattern;
  if (preTokenizer instanceof DigitsPreTokenizer)
    preTokenizer.pattern = preTokenizer.config.individual_digits ? digitPatterns.each : digitPatterns.together;
  if (preTokenizer instanceof SequencePreTokenizer) preTokenizer.tokenizers.forEach(correctCut);
}

function isByteLevel(cut: PreTokenizer | null): boolean {
  if (cut instanceof SequencePreTokenizer) return cut.tokenizers.some(isByteLevel);
  return cut instanceof ByteLevelPreTokenizer;
}

/** Leaves bytes without a token out before what is around them is merged; the library would do so afterwards. */
function leaveOutUnknown(model: Model): void {
  const unknown = byteCharacters().filter((character) => !model.tokens_to_ids.has(character));
  if (unknown.length === 0) return;
  const pattern = new RegExp(
    `[${unknown.map((character) => `\\u{${character.codePointAt(0)?.toString(16)}}`).join('')}]`,
    'gu',
  );
  const encode = model.encode.bind(model);
  model.encode = (words) => encode(words.map((word) => word.replace(pattern, '')).filter((word) => word !== ''));
}

interface Strip {
  readonly left: boolean;
  readonly right: boolean;
}

function stripOf(content: string, { lstrip: left, rstrip: right }: AddedToken): [string, Strip][] {
  return left || right ? [[content, { left, right }]] : [];
}

/** A splitter that takes Unicode's white space beside the tokens that want it away; the library would take JavaScript's. */
function stripped(splitter: Splitter, tokens: ReadonlyMap<string, Strip>): Splitter {
  return {
    split(text) {
      const sections = splitter.split(text);
      return sections.map((section, i) => {
        if (tokens.has(section)) return section;
        const before = tokens.get(sections[i - 1] ?? '')?.right ? section.replace(/^\p{White_Space}+/u, '') : section;
        return tokens.get(sections[i + 1] ?? '')?.left ? before.replace(/\p{White_Space}+$/u, '') : before;
      });
    },
  };
}
