import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { z } from 'zod';

import { TamisError } from '../../contract/errors.ts';
import { cutsIntoPieces, PieceTokenizer, WholeTokenizer, type Tokenizer } from './pieces.ts';
import { correct } from './tokenizer-corrections.ts';
import { vocabularySchema } from './tokenizer-json.ts';
import { preparedTokenizer } from './tokenizer-parts.ts';

/** A tokenizer as tokenizer.json has it. */
export interface TokenizerFile {
  /** The file it is from, or the one of several that is named in errors. */
  readonly path: string;
  readonly content: object;
}

/**
 * The tokenizer of a checkpoint folder.
 * @throws tokenizer.missing, tokenizer.invalid, tokenizer.unsupported, tokenizer.sentencepiece, tokenizer.vocabulary
 */
export async function openTokenizer(folder: string): Promise<Tokenizer> {
  const file = await readTokenizer(folder);
  if (file !== null) return tokenizerOf(file);
  const sentencePiece = join(folder, 'tokenizer.model');
  if (existsSync(sentencePiece)) throw new TamisError('tokenizer.sentencepiece', { path: sentencePiece });
  throw new TamisError('tokenizer.missing', { path: folder });
}

/**
 * tokenizer.json, or what vocab.json and merges.txt of GPT-2 or OPT come to; null of a folder with neither. As in transformers,
 * tokenizer.json alone says what is put around a text; `add_bos_token` of tokenizer_config.json counts where there is none.
 * @throws tokenizer.invalid, tokenizer.vocabulary
 */
export async function readTokenizer(folder: string): Promise<TokenizerFile | null> {
  const file = join(folder, 'tokenizer.json');
  if (existsSync(file)) return { path: file, content: await readJson(file) };
  const vocabulary = join(folder, 'vocab.json');
  if (!existsSync(vocabulary) || !existsSync(join(folder, 'merges.txt'))) return null;
  return { path: vocabulary, content: await byteLevelBpe(folder) };
}

function tokenizerOf({ content, path }: TokenizerFile): Tokenizer {
  const definition = preparedTokenizer(content, path);
  let tokenizer: HuggingFaceTokenizer;
  try {
    tokenizer = new HuggingFaceTokenizer(definition, {});
  } catch (error) {
    throw new TamisError('tokenizer.invalid', {
      path,
      reason: error instanceof Error ? error.message : String(error),
    });
  }
  correct(tokenizer);
  return cutsIntoPieces(tokenizer) ? new PieceTokenizer(tokenizer) : new WholeTokenizer(tokenizer);
}

/** Byte-level BPE that comes as vocab.json and merges.txt. */
interface Kind {
  /** The token that can stand in front of every text. */
  readonly bos: string;
  /** Whether it does where tokenizer_config.json says nothing. */
  readonly addsBos: boolean;
  readonly special: readonly string[];
}

const opt: Kind = { bos: '</s>', addsBos: true, special: ['</s>', '<pad>'] };
const gpt2: Kind = { bos: '<|endoftext|>', addsBos: false, special: ['<|endoftext|>'] };

function kindOf(vocab: Readonly<Record<string, number>>): Kind | null {
  if (vocab[opt.bos] === 2) return opt;
  return gpt2.bos in vocab && !(opt.bos in vocab) ? gpt2 : null;
}

const optionsSchema = z.looseObject({ add_bos_token: z.boolean().optional() });

/** tokenizer.json of a folder with vocab.json and merges.txt. */
async function byteLevelBpe(folder: string): Promise<object> {
  const path = join(folder, 'vocab.json');
  const vocab = valid(await readJson(path), vocabularySchema, path);
  const kind = kindOf(vocab);
  if (kind === null) throw new TamisError('tokenizer.vocabulary', { path });
  const merges = (await readFile(join(folder, 'merges.txt'), 'utf8'))
    .split(/\r?\n/)
    .filter((line) => line !== '' && !line.startsWith('#version'));
  const optionsFile = join(folder, 'tokenizer_config.json');
  const options = existsSync(optionsFile) ? valid(await readJson(optionsFile), optionsSchema, optionsFile) : {};
  return {
    added_tokens: kind.special.flatMap((content) => {
      const id = vocab[content];
      return id === undefined ? [] : [{ id, content, special: true, normalized: false }];
    }),
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: (options.add_bos_token ?? kind.addsBos) ? inFront(kind.bos, vocab[kind.bos] ?? 0) : null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: { type: 'BPE', unk_token: null, vocab, merges },
  };
}

function inFront(token: string, id: number): object {
  return {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: token, type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    pair: [],
    special_tokens: { [token]: { id: token, ids: [id], tokens: [token] } },
  };
}

function valid<T extends z.ZodType>(content: object, schema: T, path: string): z.infer<T> {
  const parsed = schema.safeParse(content);
  if (parsed.success) return parsed.data;
  throw new TamisError('tokenizer.invalid', { path, reason: z.prettifyError(parsed.error) });
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
