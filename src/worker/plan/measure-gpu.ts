import { join } from 'node:path';

import { constants, controlled, native, translated, type Gpu } from '../native.ts';
import type { Recipe } from '../../contract/recipe.ts';
import type { LayerShape } from '../model/costs.ts';
import type { Term } from './gpu-costs.ts';
import { solverRates, type Bench } from './measure-solver.ts';
import type { Cap, GpuRates } from './rates.ts';
import { best, LAYER, noise, randomLayer } from './samples.ts';

/** A sweep of a square matrix is to take about so many seconds, at a fifth of the product's rate. */
const SECONDS = 1;
const SHARE = 0.2;
/** Beyond so many columns the rates of no GPU grow, and what is measured takes gigabytes. */
const MOST = 8192;
/** At least this share of a kernel's measured seconds is its own. */
const LEAST = 0.1;

/** The size of a layer whose sweep takes the CPU hardly longer than its weights' way from the checkpoint and back. */
const FLAT = { rows: 2 ** 15, cols: 128 };

/** The rates of an open GPU: the product, the bus, and of the kernels what of the product's rate they reach on these layers. */
export async function gpuRates(
  gpu: Gpu,
  layers: readonly LayerShape[],
  recipe: Pick<Recipe, 'method' | 'quantization'>,
  { dtype, scratch, signal }: Pick<Bench, 'dtype' | 'scratch' | 'signal'>,
): Promise<GpuRates> {
  const gemm = await translated(() => gpu.productRate());
  const transfer = await translated(() => gpu.transferRate());
  const store = await storeRate({ dtype, scratch, signal });
  const cap = gpuCap(gemm);
  const rateOf = (term: Term, seconds: number): number => shareOf(term, seconds, { gemm, transfer, store });
  const shares = await solverRates({ dtype, scratch, signal, gpu, cap, rateOf }, layers, recipe);
  return { gemm, transfer, store, cap, shares };
}

/** The faster a GPU is, the larger are the matrices that show it. */
export function gpuCap(gemm: number): Cap {
  const { block } = constants.method;
  const columns = Math.cbrt(SECONDS * SHARE * gemm);
  const size = Math.min(MOST, Math.max(block, block * Math.floor(columns / block)));
  return { rows: size, cols: size };
}

/**
 * What of the product's rate a kernel reaches, from the seconds with all that crosses the bus and the CPU's part. Those are measured
 * apart, so they may come out as more than there is: some is left to the kernel.
 */
export function shareOf(
  { operations, up, down, stored }: Term,
  seconds: number,
  { gemm, transfer, store }: Pick<GpuRates, 'gemm' | 'transfer' | 'store'>,
): number {
  const beside = (up + down) / transfer + stored / store;
  return operations / gemm / Math.max(seconds - beside, LEAST * seconds);
}

/** Weights a second that are read, turned, and stored again, on the CPU. */
async function storeRate({ dtype, scratch, signal }: Pick<Bench, 'dtype' | 'scratch' | 'signal'>): Promise<number> {
  const checkpoint = randomLayer(join(scratch, 'flat.safetensors'), FLAT, dtype);
  using gram = new native.Gram(FLAT.cols);
  await controlled(signal, (control) => gram.add(noise(2 * FLAT.cols ** 2), 2 * FLAT.cols, control));
  using factor = await controlled(signal, (control) => native.factorize(gram, 1, 0.01, 'natural', false, control));
  const options = { method: 'sparsegpt', sparsity: 0.5, storage: dtype } as const;
  const seconds = await best(() =>
    controlled(signal, async (control) => {
      using _pruned = await native.prune(checkpoint, { name: LAYER }, factor, options, control);
    }),
  );
  return (FLAT.rows * FLAT.cols) / seconds;
}
