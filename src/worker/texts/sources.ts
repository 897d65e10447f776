import { TamisError } from '../../contract/errors.ts';
import type { Dataset, Recipe } from '../../contract/recipe.ts';
import type { FamilyModel } from '../families/family.ts';
import { openTensorFile } from '../native.ts';
import { evaluationTokens, type EvaluationTokens } from './dataset.ts';
import type { Sources } from './sample.ts';
import type { Tokenizer } from './pieces.ts';
import { openTokenizer } from './tokenizer.ts';

/** The papers' sequence length; models with a shorter limit take theirs. */
const SEQLEN = 2048;

/** The sequence length wanted, or the papers' where the model allows it. */
export function seqlenOf(field: string, wanted: number | null, limit: number): number {
  if (wanted !== null && wanted > limit)
    throw new TamisError('recipe.seqlen-too-long', { field, seqlen: wanted, limit });
  return wanted ?? Math.min(SEQLEN, limit);
}

/** What texts are made tokens of. */
export interface Vocabulary {
  /** Holds the tokenizer. */
  readonly folder: string;
  readonly family: Pick<FamilyModel, 'vocab' | 'maxSeqlen'>;
}

/** Where texts and token ids come from for a model: its tokenizer is opened once, and only if there is text. */
export function sourcesOf(model: Pick<Vocabulary, 'folder'>): Sources {
  let tokenizer: Promise<Tokenizer> | null = null;
  return {
    tokenizer: () => (tokenizer ??= openTokenizer(model.folder)),
    openTensorFile: (path) => openTensorFile(path),
  };
}

/** The windows of one dataset for a model. */
export async function tokensOf(
  dataset: Dataset,
  { seqlen, windows }: Recipe['evaluation'],
  model: Vocabulary,
  sources: Sources,
): Promise<EvaluationTokens> {
  const { maxSeqlen, vocab } = model.family;
  return await evaluationTokens(
    dataset,
    { seqlen: seqlenOf('evaluation.seqlen', seqlen, maxSeqlen), windows, vocab },
    sources,
  );
}
