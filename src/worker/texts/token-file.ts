import { TamisError } from '../../contract/errors.ts';

/** What is needed of an open .safetensors file: the addon's `Checkpoint`, or a test's. */
export interface TensorFile {
  tensors(): readonly { readonly name: string; readonly dtype: string; readonly shape: readonly number[] }[];
  /** An I64 or I32 tensor as exact numbers, row-major. */
  readI64(name: string): Float64Array;
}
export type OpenTensorFile = (path: string) => TensorFile;

export interface TokenTensor {
  readonly shape: readonly number[];
  readonly ids: Int32Array;
}

/**
 * The tensor `tokens` of a .safetensors file.
 * @param vocab number of ids the model knows
 * @throws tokens.no-tensor, tokens.shape, tokens.out-of-range; what the reader throws for a broken file
 */
export function readTokenFile(
  path: string,
  open: OpenTensorFile,
  { vocab, dimensions }: { vocab: number; dimensions: readonly number[] },
): TokenTensor {
  const file = open(path);
  const tensor = file.tensors().find(({ name }) => name === 'tokens');
  if (tensor === undefined || !['I64', 'I32'].includes(tensor.dtype))
    throw new TamisError('tokens.no-tensor', { path });
  if (!dimensions.includes(tensor.shape.length)) {
    throw new TamisError('tokens.shape', { path, shape: `[${tensor.shape.join(', ')}]` });
  }
  const ids = file.readI64('tokens');
  const bad = ids.findIndex((id) => !(id >= 0 && id < vocab));
  if (bad >= 0) throw new TamisError('tokens.out-of-range', { path, position: bad, id: ids[bad] ?? NaN, vocab });
  return { shape: tensor.shape, ids: Int32Array.from(ids) };
}

/** Ids that a tokenizer gave: refused where the model has no embedding for one, because the two do not belong together. */
export function checkVocabulary(ids: Int32Array, vocab: number): Int32Array {
  const id = ids.find((token) => token >= vocab);
  if (id !== undefined) throw new TamisError('tokenizer.beyond-vocabulary', { id, vocab });
  return ids;
}
