import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import {
  ByteLevelPreTokenizer,
  SequencePreTokenizer,
  Tokenizer as HuggingFaceTokenizer,
  type PreTokenizer,
} from '@huggingface/tokenizers';

import { TamisError } from '../../contract/errors.ts';
import { cutsIntoPieces, PieceTokenizer, WholeTokenizer, type Tokenizer } from './pieces.ts';

export type { Tokenizer };

/**
 * The tokenizer of a checkpoint folder: tokenizer.json, or OPT's vocab.json and merges.txt.
 * @throws tokenizer.missing, tokenizer.invalid, tokenizer.not-opt
 */
export async function openTokenizer(folder: string): Promise<Tokenizer> {
  const file = join(folder, 'tokenizer.json');
  if (existsSync(file)) {
    const configFile = join(folder, 'tokenizer_config.json');
    const config = existsSync(configFile) ? await readJson(configFile) : {};
    return tokenizerOf(await readJson(file), config, file);
  }
  const vocabulary = join(folder, 'vocab.json');
  const merges = join(folder, 'merges.txt');
  if (!existsSync(vocabulary) || !existsSync(merges)) throw new TamisError('tokenizer.missing', { path: folder });
  return tokenizerOf(await byteLevelBpe(vocabulary, merges), {}, vocabulary);
}

function tokenizerOf(definition: object, config: object, file: string): Tokenizer {
  let tokenizer: HuggingFaceTokenizer;
  try {
    tokenizer = new HuggingFaceTokenizer(definition, config);
  } catch (error) {
    throw new TamisError('tokenizer.invalid', {
      path: file,
      reason: error instanceof Error ? error.message : String(error),
    });
  }
  correctWhitespace(tokenizer.pre_tokenizer);
  return cutsIntoPieces(tokenizer) ? new PieceTokenizer(tokenizer) : new WholeTokenizer(tokenizer);
}

/**
 * The byte-level pre-tokenizer's pattern with Unicode's white space: JavaScript's `\s` counts U+FEFF as white space and U+0085
 * as none, the tokenizers that the models were trained with do the reverse.
 */
const byteLevelPattern =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

function correctWhitespace(preTokenizer: PreTokenizer | null): void {
  if (preTokenizer instanceof ByteLevelPreTokenizer) preTokenizer.pattern = byteLevelPattern;
  if (preTokenizer instanceof SequencePreTokenizer) preTokenizer.tokenizers.forEach(correctWhitespace);
}

/** tokenizer.json of OPT's byte-level BPE, which puts `</s>` (id 2) in front of every text. */
async function byteLevelBpe(vocabularyFile: string, mergesFile: string): Promise<object> {
  const vocab = await readJson(vocabularyFile);
  if (!('</s>' in vocab) || vocab['</s>'] !== 2) throw new TamisError('tokenizer.not-opt', { path: vocabularyFile });
  const merges = (await readFile(mergesFile, 'utf8'))
    .split(/\r?\n/)
    .filter((line) => line !== '' && !line.startsWith('#version'));
  const special = (id: number, content: string): object => ({ id, content, special: true, normalized: false });
  return {
    added_tokens: [special(2, '</s>'), ...('<pad>' in vocab ? [special(1, '<pad>')] : [])],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '</s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [],
      special_tokens: { '</s>': { id: '</s>', ids: [2], tokens: ['</s>'] } },
    },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: { type: 'BPE', unk_token: null, vocab, merges },
  };
}

async function readJson(path: string): Promise<object> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new TamisError('tokenizer.invalid', { path, reason: error instanceof Error ? error.message : String(error) });
  }
  if (typeof value === 'object' && value !== null) return value;
  throw new TamisError('tokenizer.invalid', { path, reason: 'not a JSON object' });
}
