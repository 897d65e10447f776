import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { z } from 'zod';

import { readJson } from '../../disk/files.ts';
import { TamisError } from '../../contract/errors.ts';
import { readError } from '../../disk/file-errors.ts';
import { Generation, type CachedShape } from './generation.ts';
import { Session, type SessionOptions } from './session.ts';

/** Tokens of a run; logits are at most this many times the vocabulary. */
const SLICE_TOKENS = 256;

/** What genai_config.json tells of an export. */
const genaiSchema = z.object({
  model: z.object({
    vocab_size: z.int().positive(),
    context_length: z.int().positive(),
    decoder: z.object({
      filename: z.string().min(1),
      head_size: z.int().positive(),
      num_hidden_layers: z.int().positive(),
      num_key_value_heads: z.int().positive(),
    }),
  }),
});

/** Positions start .. start + rows of a sequence. */
export interface LogitsSlice {
  readonly start: number;
  /** [rows, vocab]; they hold until the next slice is asked for. */
  readonly logits: Float32Array;
}

/** An exported folder, run as it is. */
export interface OnnxModel extends AsyncDisposable {
  readonly shape: CachedShape;
  readonly maxSeqlen: number;
  /** One sequence from its first token on, in slices of at most 256 tokens. */
  logits(ids: Int32Array): AsyncGenerator<LogitsSlice, void>;
  /** A sequence whose tokens come one after another. */
  generation(): Generation;
}

export function isOnnxFolder(folder: string): boolean {
  return existsSync(path.join(folder, 'genai_config.json'));
}

/** Opens the graph that `folder`'s genai_config.json names. */
export async function openOnnxModel(folder: string, options: SessionOptions): Promise<OnnxModel> {
  const file = path.join(folder, 'genai_config.json');
  const config = await readJson(file, genaiSchema);
  if (!config) throw new TamisError('export.no-genai-config', { path: folder });
  const { vocab_size: vocab, context_length: maxSeqlen, decoder } = config.model;
  const attention = { kvHeads: decoder.num_key_value_heads, size: decoder.head_size };
  const session = await openGraph(path.resolve(folder, decoder.filename), options);
  return onnxModel(session, { blocks: decoder.num_hidden_layers, vocab, attention }, maxSeqlen);
}

/** A graph with a cache as a model. */
export function onnxModel(session: Session, shape: CachedShape, maxSeqlen: number): OnnxModel {
  return {
    shape,
    maxSeqlen,
    generation: () => new Generation(session, shape),
    async *logits(ids) {
      using generation = new Generation(session, shape);
      const rows = new Float32Array(Math.min(SLICE_TOKENS, ids.length) * shape.vocab);
      for (let start = 0; start < ids.length; start += SLICE_TOKENS) {
        const slice = ids.subarray(start, start + SLICE_TOKENS);
        const logits = rows.subarray(0, slice.length * shape.vocab);
        await generation.run(slice, logits);
        yield { start, logits };
      }
    },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

async function openGraph(file: string, options: SessionOptions): Promise<Session> {
  return await Session.open({ bytes: readBytes(file), folder: path.dirname(file) }, options);
}

function readBytes(file: string): Uint8Array<ArrayBuffer> {
  try {
    return readFileSync(file);
  } catch (error) {
    throw readError(error, file);
  }
}
