import { open, stat } from 'node:fs/promises';
import { extname } from 'node:path';

import { asyncBufferFromFile, parquetMetadataAsync } from 'hyparquet';

import { TamisError } from '../../contract/errors.ts';
import type { Corpus } from '../../contract/recipe.ts';
import { openParquet } from '../texts/parquet.ts';
import type { Sources } from '../texts/sample.ts';
import { textFilePaths } from '../texts/texts.ts';
import { openTensorFile } from '../native.ts';

/** Text that is tokenized to learn how many bytes a token has here, and how long it takes. */
const SAMPLE_BYTES = 64 * 1024;

/** What a corpus holds, without reading it. */
export interface CorpusSize {
  readonly tokens: number;
  /** From the size of the texts and the first of them; token files are counted. */
  readonly estimated: boolean;
  /** Bytes of the text as UTF-8; 0 for token ids. */
  readonly bytes: number;
  /** Text files; 0 for token ids. */
  readonly files: number;
  /** Seconds to tokenize a byte of it. */
  readonly secondsPerByte: number;
}

/** @throws what reading the corpus would throw, as far as its names and its first text go */
export async function corpusSize(corpus: Corpus, sources: Sources): Promise<CorpusSize> {
  if (corpus.kind === 'tokens')
    return { tokens: countTokens(corpus.path), estimated: false, bytes: 0, files: 0, secondsPerByte: 0 };
  const paths = await textFilePaths(corpus.paths);
  const sizes = await Promise.all(paths.map(textBytes));
  const bytes = sizes.reduce((a, b) => a + b, 0);
  const { text, bytes: sampled } = await firstText(paths[0] ?? '');
  const tokenizer = await sources.tokenizer();
  // Twice, because the first time compiles the code.
  tokenizer.encode(text);
  const start = performance.now();
  const { length } = tokenizer.encode(text);
  const seconds = (performance.now() - start) / 1000;
  const read = Math.max(1, sampled);
  return {
    tokens: Math.floor((bytes * length) / read),
    estimated: true,
    bytes,
    files: paths.length,
    secondsPerByte: seconds / read,
  };
}

/** Elements of the tensor `tokens`; what is wrong with it is said when the run reads it. */
function countTokens(path: string): number {
  const tensor = openTensorFile(path)
    .tensors()
    .find(({ name }) => name === 'tokens');
  return tensor?.shape.reduce((a, b) => a * b, 1) ?? 0;
}

/** Bytes of a file of texts; those of a .parquet file are its text column's when decompressed. */
async function textBytes(path: string): Promise<number> {
  if (!isParquet(path)) return (await stat(path)).size;
  const { row_groups: groups } = await parquetMetadataAsync(await asyncBufferFromFile(path));
  const columns = groups.flatMap((group) =>
    group.columns.filter(({ meta_data: data }) => data?.path_in_schema[0] === 'text'),
  );
  return columns.reduce((sum, { meta_data: data }) => sum + Number(data?.total_uncompressed_size ?? 0), 0);
}

interface Sample {
  readonly text: string;
  /** Bytes of the file that hold the text, with what is around the texts in a .jsonl. */
  readonly bytes: number;
}

/** Up to 64 KiB of a file's first texts. */
async function firstText(path: string): Promise<Sample> {
  if (isParquet(path)) {
    const text = (await (await openParquet(path)).read(0)).slice(0, SAMPLE_BYTES);
    return { text, bytes: Buffer.byteLength(text) };
  }
  const bytes = await firstBytes(path);
  // A character cut in two at the end is kept back by the decoder.
  const text = new TextDecoder().decode(bytes, { stream: true });
  return extname(path).toLowerCase() === '.jsonl' ? textsOfLines(text, path) : { text, bytes: bytes.length };
}

async function firstBytes(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(SAMPLE_BYTES), 0, SAMPLE_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** The texts of whole lines; of a line longer than the sample, the line as it is written. */
function textsOfLines(sample: string, path: string): Sample {
  const end = sample.lastIndexOf('\n') + 1;
  if (end === 0) return { text: sample, bytes: Buffer.byteLength(sample) };
  const lines = sample.slice(0, end - 1).split('\n');
  const texts = lines.map((line, index) => (line.trim() === '' ? '' : textOfLine(line, path, index + 1)));
  return { text: texts.join('\n\n'), bytes: Buffer.byteLength(sample.slice(0, end)) };
}

function textOfLine(line: string, path: string, number: number): string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new TamisError('texts.not-json', { path, line: number });
  }
  if (typeof value === 'object' && value !== null && 'text' in value && typeof value.text === 'string')
    return value.text;
  throw new TamisError('texts.no-text-field', { path, line: number });
}

function isParquet(path: string): boolean {
  return extname(path).toLowerCase() === '.parquet';
}
