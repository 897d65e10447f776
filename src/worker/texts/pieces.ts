import { ByteLevelPreTokenizer, type Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';

export interface Tokenizer {
  /** Token ids of a text, with what the tokenizer puts around every text (OPT: `</s>` in front). */
  encode(text: string): Int32Array;
}

const maxKeptPieces = 2 ** 17;
const maxKeptLength = 64;

/** Hands texts to the library whole. */
export class WholeTokenizer implements Tokenizer {
  private readonly library: HuggingFaceTokenizer;

  constructor(library: HuggingFaceTokenizer) {
    this.library = library;
  }

  encode(text: string): Int32Array {
    return Int32Array.from(this.library.encode(text).ids);
  }
}

/** Whether a tokenizer cuts every text by the byte-level pattern first and then looks at each piece alone, as GPT-2's and OPT's do. */
export function cutsIntoPieces({ normalizer, pre_tokenizer: cut, model }: HuggingFaceTokenizer): boolean {
  const byPattern = cut instanceof ByteLevelPreTokenizer && cut.use_regex && !cut.add_prefix_space;
  return byPattern && normalizer === null && model?.fuse_unk === false;
}

/**
 * Cuts a text as its byte-level pre-tokenizer does and remembers the ids of each piece, most of which are words met before: several
 * times faster than the library, and memory holds no list of strings as long as the text.
 */
export class PieceTokenizer implements Tokenizer {
  private readonly library: HuggingFaceTokenizer;
  private readonly pattern: RegExp;
  private readonly special: readonly string[];
  private readonly prefix: readonly number[];
  private readonly suffix: readonly number[];
  private readonly kept = new Map<string, readonly number[]>();

  constructor(library: HuggingFaceTokenizer) {
    const cut = library.pre_tokenizer;
    if (!(cut instanceof ByteLevelPreTokenizer)) throw new TypeError('pieces need a byte-level pre-tokenizer');
    this.library = library;
    this.pattern = new RegExp(cut.pattern.source, cut.pattern.flags);
    this.special = [...library.get_added_tokens_decoder().values()].map(({ content }) => content);
    const framed = library.encode('a').ids;
    const bare = this.piece('a');
    const start = framed.findIndex((id) => id === bare[0]);
    this.prefix = framed.slice(0, start);
    this.suffix = framed.slice(start + bare.length);
  }

  encode(text: string): Int32Array {
    if (this.special.some((content) => text.includes(content))) return Int32Array.from(this.library.encode(text).ids);
    const ids = new GrowingIds(Math.ceil(text.length / 3) + 16);
    ids.push(this.prefix);
    this.pattern.lastIndex = 0;
    for (let match = this.pattern.exec(text); match !== null; match = this.pattern.exec(text))
      ids.push(this.piece(match[0]));
    ids.push(this.suffix);
    return ids.take();
  }

  private piece(piece: string): readonly number[] {
    const known = this.kept.get(piece);
    if (known !== undefined) return known;
    const { ids } = this.library.encode(piece, { add_special_tokens: false });
    if (piece.length > maxKeptLength) return ids;
    if (this.kept.size === maxKeptPieces) this.kept.clear();
    this.kept.set(piece, ids);
    return ids;
  }
}

class GrowingIds {
  private ids: Int32Array;
  private length = 0;

  constructor(expected: number) {
    this.ids = new Int32Array(expected);
  }

  push(more: readonly number[]): void {
    if (this.length + more.length > this.ids.length) {
      const larger = new Int32Array(2 * this.ids.length + more.length);
      larger.set(this.ids);
      this.ids = larger;
    }
    for (const id of more) this.ids[this.length++] = id;
  }

  take(): Int32Array {
    return this.ids.slice(0, this.length);
  }
}
