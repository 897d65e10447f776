import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { RandomGenerator } from 'pure-rand/types/RandomGenerator';

import { TamisError } from '../../contract/errors.ts';
import type { ErrorCode } from '../../contract/messages/en.ts';
import type { MessageParams } from '../../contract/messages/params.ts';
import type { Corpus } from '../../contract/recipe.ts';
import type { Tokenizer } from './pieces.ts';
import { openTexts, type Texts } from './texts.ts';
import { checkVocabulary, readTokenFile, type OpenTensorFile } from './token-file.ts';

export interface Warning {
  readonly code: ErrorCode;
  readonly params: MessageParams;
}

export interface CalibrationTokens {
  /** int32 [sequences, seqlen] */
  readonly tokens: Int32Array;
  readonly sequences: number;
  readonly seqlen: number;
  /** int32 [at most `heldBack`, seqlen]: sequences that share no token with those above, as long as the corpus has such. */
  readonly heldBack: Int32Array;
  readonly warnings: readonly Warning[];
}

export interface SampleOptions {
  readonly sequences: number;
  /** So many more are wanted that the run is not calibrated on, to measure on. */
  readonly heldBack: number;
  /** Tokens a sequence. */
  readonly seqlen: number;
  /** 0 … 2³² - 1 */
  readonly seed: number;
  /** Number of ids the model knows. */
  readonly vocab: number;
  readonly signal: AbortSignal;
}

/** Where a corpus is read from; the tokenizer is opened for texts only. */
export interface Sources {
  readonly tokenizer: () => Promise<Tokenizer>;
  readonly openTensorFile: OpenTensorFile;
}

/**
 * The calibration sequences of a corpus (method.md, section 10). The same corpus, options and tokenizer give the same tokens.
 * @throws texts.*, tokenizer.*, tokens.*, calibration.too-short
 */
export async function calibrationTokens(
  corpus: Corpus,
  options: SampleOptions,
  sources: Sources,
): Promise<CalibrationTokens> {
  if (corpus.kind === 'tokens') return readSequences(corpus.path, options, sources.openTensorFile);
  return await sampleTexts(await openTexts(corpus.paths), await sources.tokenizer(), options);
}

/**
 * The first `sequences` sequences of a token file: its rows where `tokens` is [n, seqlen], consecutive cuts where it is [n]. Held
 * back are those after them; where there are none, the last ones serve for both, with a warning.
 * @throws calibration.seqlen where the rows have another length
 */
export function readSequences(path: string, options: SampleOptions, open: OpenTensorFile): CalibrationTokens {
  const { sequences: wanted, heldBack, seqlen, vocab } = options;
  const { shape, ids } = readTokenFile(path, open, { vocab, dimensions: [1, 2] });
  const rowLength = shape[1] ?? seqlen;
  if (rowLength !== seqlen) throw new TamisError('calibration.seqlen', { path, found: rowLength, seqlen });
  const found = Math.floor(ids.length / seqlen);
  if (found === 0) throw new TamisError('calibration.too-short', { tokens: ids.length, seqlen });
  const sequences = Math.min(wanted, found);
  const warnings: Warning[] =
    sequences < wanted ? [{ code: 'calibration.fewer-sequences', params: { path, found, wanted } }] : [];
  const tokens = ids.slice(0, sequences * seqlen);
  const others = ids.slice(sequences * seqlen, Math.min(found, sequences + heldBack) * seqlen);
  if (heldBack === 0 || others.length > 0) return { tokens, sequences, seqlen, heldBack: others, warnings };
  const last = tokens.slice(-heldBack * seqlen);
  const none: Warning = {
    code: 'calibration.nothing-held-back',
    params: { sequences, last: last.length / seqlen },
  };
  return { tokens, sequences, seqlen, heldBack: last, warnings: [...warnings, none] };
}

/**
 * `sequences` windows of `seqlen` tokens, each at a random place of a random document with at least `seqlen` tokens. Where those
 * documents hold fewer than `sequences` windows side by side, windows of all documents concatenated instead, with a warning.
 * Windows held back overlap no other; where no such place is found, the last windows serve for both, with a warning.
 */
export async function sampleTexts(
  texts: Texts,
  tokenizer: Tokenizer,
  options: SampleOptions,
): Promise<CalibrationTokens> {
  const { sequences, heldBack, seqlen, seed } = options;
  const rng = xoroshiro128plus(seed);
  const long = await windowsOfLongDocuments(new Documents(texts, tokenizer, options, ''), rng, options);
  const warnings: Warning[] = [];
  let sampled: Sampled = long;
  if (!long.enough) {
    warnings.push({
      code: 'calibration.concatenated',
      params: { long: long.documents, documents: texts.documents, seqlen, sequences },
    });
    sampled = await windowsOfConcatenation(new Documents(texts, tokenizer, options, '\n\n'), rng, options);
  }
  let apart = await windowsApart(sampled, options);
  if (heldBack > 0 && apart.length === 0) {
    apart = sampled.windows.slice(-heldBack);
    warnings.push({ code: 'calibration.nothing-held-back', params: { sequences, last: apart.length } });
  }
  return { tokens: joined(sampled.windows), sequences, seqlen, heldBack: joined(apart), warnings };
}

/** Tokens and where they are from: a place in a document, or in all of them one after another. */
interface Window {
  readonly tokens: Int32Array;
  readonly document: number;
  readonly start: number;
}

interface Sampled {
  readonly windows: readonly Window[];
  /** One more window, from anywhere; null where the document drawn is too short for one. */
  readonly draw: () => Promise<Window | null>;
}

interface LongWindows extends Sampled {
  /** Whether the documents that are long enough hold enough windows. */
  readonly enough: boolean;
  /** How many documents are long enough; of those looked at. */
  readonly documents: number;
}

/** So many windows are drawn for each one that is to overlap no other. */
const TRIES = 50;

/** At most `heldBack` further windows that share no token with those sampled, nor with each other. */
async function windowsApart({ windows, draw }: Sampled, { heldBack, seqlen }: SampleOptions): Promise<Window[]> {
  const apart: Window[] = [];
  for (let tries = TRIES * heldBack; tries > 0 && apart.length < heldBack; tries--) {
    const drawn = await draw();
    if (drawn === null) continue;
    const overlaps = ({ document, start }: Window): boolean =>
      document === drawn.document && Math.abs(start - drawn.start) < seqlen;
    if (!windows.some(overlaps) && !apart.some(overlaps)) apart.push(drawn);
  }
  return apart;
}

function joined(windows: readonly Window[]): Int32Array {
  const seqlen = windows[0]?.tokens.length ?? 0;
  const tokens = new Int32Array(windows.length * seqlen);
  windows.forEach((window, i) => tokens.set(window.tokens, i * seqlen));
  return tokens;
}

async function windowsOfLongDocuments(
  documents: Documents,
  rng: RandomGenerator,
  options: SampleOptions,
): Promise<LongWindows> {
  const { sequences, seqlen } = options;
  const candidates = Uint32Array.from({ length: documents.count }, (_, index) => index);
  let left = candidates.length;
  const sideBySide = new Map<number, number>();
  const draw = async (): Promise<Window | null> => {
    if (left === 0) return null;
    const at = uniformInt(rng, 0, left - 1);
    const document = candidates[at] ?? 0;
    const tokens = await documents.tokens(document);
    if (tokens.length < seqlen) {
      left -= 1;
      candidates[at] = candidates[left] ?? 0;
      return null;
    }
    sideBySide.set(document, Math.floor(tokens.length / seqlen));
    const start = uniformInt(rng, 0, tokens.length - seqlen);
    return { tokens: tokens.slice(start, start + seqlen), document, start };
  };
  const windows: Window[] = [];
  while (windows.length < sequences && left > 0) {
    const drawn = await draw();
    if (drawn !== null) windows.push(drawn);
  }
  // Most corpora are settled by the documents drawn; only where those are few or small are the others looked at.
  let held = sum(sideBySide.values());
  for (const index of candidates.subarray(0, left)) {
    if (held >= sequences) break;
    if (sideBySide.has(index)) continue;
    const here = Math.floor((await documents.tokens(index)).length / seqlen);
    if (here > 0) sideBySide.set(index, here);
    held += here;
  }
  const allLong = sideBySide.size === documents.count;
  return { windows, draw, enough: allLong || held >= sequences, documents: sideBySide.size };
}

async function windowsOfConcatenation(
  documents: Documents,
  rng: RandomGenerator,
  options: SampleOptions,
): Promise<Sampled> {
  const { sequences, seqlen } = options;
  /** Where each document ends in the concatenation. */
  const ends = new Float64Array(documents.count);
  let total = 0;
  for (let index = 0; index < documents.count; index++) ends[index] = total += (await documents.tokens(index)).length;
  if (total < seqlen) throw new TamisError('calibration.too-short', { tokens: total, seqlen });
  const draw = async (): Promise<Window> => {
    const start = uniformInt(rng, 0, total - seqlen);
    const first = ends.findIndex((end) => end > start);
    const tokens = await window(documents, first, start - (ends[first - 1] ?? 0), seqlen);
    return { tokens, document: 0, start };
  };
  const windows: Window[] = [];
  for (let i = 0; i < sequences; i++) windows.push(await draw());
  return { windows, draw };
}

/** `seqlen` tokens from the place `offset` of a document on, going on into the documents after it. */
async function window(documents: Documents, first: number, offset: number, seqlen: number): Promise<Int32Array> {
  const tokens = new Int32Array(seqlen);
  let filled = 0;
  let from = offset;
  for (let index = first; filled < seqlen; index++) {
    const part = (await documents.tokens(index)).subarray(from, from + seqlen - filled);
    tokens.set(part, filled);
    filled += part.length;
    from = 0;
  }
  return tokens;
}

/** Documents tokenized when they are asked for; those tokenized last are kept, up to 64 MiB of ids. */
class Documents {
  private static readonly maxKept = 2 ** 24;
  private readonly texts: Texts;
  private readonly tokenizer: Tokenizer;
  private readonly options: SampleOptions;
  /** Put in front of each document; where there is one, what the tokenizer puts in front is left out. */
  private readonly separator: string;
  private readonly prefix: number;
  private readonly kept = new Map<number, Int32Array>();
  private keptTokens = 0;

  constructor(texts: Texts, tokenizer: Tokenizer, options: SampleOptions, separator: string) {
    this.texts = texts;
    this.tokenizer = tokenizer;
    this.options = options;
    this.separator = separator;
    this.prefix = separator === '' ? 0 : tokenizer.encode('').length;
  }

  get count(): number {
    return this.texts.documents;
  }

  async tokens(index: number): Promise<Int32Array> {
    const kept = this.kept.get(index);
    if (kept !== undefined) return kept;
    this.options.signal.throwIfAborted();
    const text = this.separator + (await this.texts.read(index));
    const tokens = checkVocabulary(this.tokenizer.encode(text).subarray(this.prefix), this.options.vocab);
    this.keep(index, tokens);
    return tokens;
  }

  private keep(index: number, tokens: Int32Array): void {
    this.kept.set(index, tokens);
    this.keptTokens += tokens.length;
    for (const [oldest, { length }] of this.kept) {
      if (this.keptTokens <= Documents.maxKept || oldest === index) break;
      this.kept.delete(oldest);
      this.keptTokens -= length;
    }
  }
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
