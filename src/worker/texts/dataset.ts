import { TamisError } from '../../contract/errors.ts';
import type { Dataset } from '../../contract/recipe.ts';
import type { Sources } from './sample.ts';
import { maxDocumentBytes, openTexts, type Texts } from './texts.ts';
import { checkVocabulary, readTokenFile } from './token-file.ts';

export interface EvaluationTokens {
  readonly name: string;
  /** int32 [windows, seqlen] */
  readonly tokens: Int32Array;
  readonly windows: number;
  readonly seqlen: number;
  /** The whole text before it was cut into windows: its tokens, and its bytes as UTF-8 (null where only token ids were given). */
  readonly text: { readonly tokens: number; readonly bytes: number | null };
}

export interface EvaluationOptions {
  readonly seqlen: number;
  /** At most so many windows; null = all. */
  readonly windows: number | null;
  /** Number of ids the model knows. */
  readonly vocab: number;
}

/**
 * The evaluation windows of a dataset (method.md, section 9): its rows joined with a blank line, tokenized once, cut into windows
 * that do not overlap, the tail dropped.
 * @throws texts.*, tokenizer.*, tokens.*, evaluation.too-short
 */
export async function evaluationTokens(
  dataset: Dataset,
  options: EvaluationOptions,
  sources: Sources,
): Promise<EvaluationTokens> {
  const { seqlen, vocab } = options;
  const { ids, bytes } = await idsOf(dataset, vocab, sources);
  const held = Math.floor(ids.length / seqlen);
  if (held === 0) throw new TamisError('evaluation.too-short', { dataset: dataset.name, tokens: ids.length, seqlen });
  const windows = Math.min(held, options.windows ?? held);
  return {
    name: dataset.name,
    tokens: ids.slice(0, windows * seqlen),
    windows,
    seqlen,
    text: { tokens: ids.length, bytes },
  };
}

/**
 * Bits per byte of the evaluated text, from the mean negative log-likelihood (nats a token); null without a text. The windows are
 * taken to hold as many bytes a token as the whole text.
 */
export function bitsPerByte(nllPerToken: number, { text }: EvaluationTokens): number | null {
  return text.bytes === null ? null : ((nllPerToken / Math.LN2) * text.tokens) / text.bytes;
}

interface Ids {
  readonly ids: Int32Array;
  readonly bytes: number | null;
}

async function idsOf({ corpus }: Dataset, vocab: number, sources: Sources): Promise<Ids> {
  if (corpus.kind === 'tokens') {
    const { ids } = readTokenFile(corpus.path, sources.openTensorFile, { vocab, dimensions: [1] });
    return { ids, bytes: null };
  }
  const text = await joined(await openTexts(corpus.paths));
  const tokenizer = await sources.tokenizer();
  return { ids: checkVocabulary(tokenizer.encode(text), vocab), bytes: Buffer.byteLength(text) };
}

async function joined(texts: Texts): Promise<string> {
  const rows: string[] = [];
  let characters = 0;
  for (const file of texts.files) {
    for (let index = 0; index < file.documents; index++) {
      const row = await file.read(index);
      rows.push(row);
      characters += row.length + 2;
      if (characters > maxDocumentBytes)
        throw new TamisError('texts.too-large', { path: file.path, megabytes: maxDocumentBytes / 2 ** 20 });
    }
  }
  return rows.join('\n\n');
}
