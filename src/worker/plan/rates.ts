import { z } from 'zod';

import type { LayerShape } from '../model/costs.ts';

const rate = z.number().positive();

/** Numbers of what is done with Gram matrices and factors, by the shapes that it is done with. */
export const solverRatesSchema = z.strictObject({
  /** By columns of the layers' inputs, at most the cap's. */
  gram: z.record(z.string(), rate),
  factor: z.record(z.string(), rate),
  /**
   * By `layerKey`: of a sweep; of pruning or quantizing as the recipe says, which counts as two sweeps whatever is done; and of pruning
   * to measure a sensitivity, which counts as two as well.
   */
  statistics: z.record(z.string(), rate),
  solve: z.record(z.string(), rate),
  sweep: z.record(z.string(), rate),
  /** Of ADMM, within a cap of its own, where the recipe's method is that: inverses by columns, iterations by `layerKey`. */
  invert: z.record(z.string(), rate),
  iterate: z.record(z.string(), rate),
});
export type SolverRates = z.infer<typeof solverRatesSchema>;

/** How fast this machine does each kind of work without a GPU: floating-point operations or bytes a second. */
export const machineRatesSchema = solverRatesSchema.extend({
  /** By seqlen: a block of the model. */
  forward: z.record(z.string(), rate),
  head: rate,
  spectrum: rate,
  /** Logits that are compared with a reference's, or are the reference's. */
  divergence: rate,
  /** Bytes of weights, as stored, that a block's graph is opened with. */
  open: rate,
  /** Bytes of the checkpoint read and hashed, and looked through. */
  hash: rate,
  scan: rate,
  /** Bytes of activations. */
  read: rate,
  write: rate,
});
export type MachineRates = z.infer<typeof machineRatesSchema>;

/** How fast a GPU is, and what of its matrix product's rate each kernel reaches. */
export const gpuRatesSchema = z.strictObject({
  /** Floating-point operations a second of a matrix product. */
  gemm: rate,
  /** Bytes a second between the machine's memory and the GPU's. */
  transfer: rate,
  /** Weights a second that the CPU reads from the checkpoint, turns into columns and back, and stores. */
  store: rate,
  /** Most rows and columns of a matrix that was measured. */
  cap: z.strictObject({ rows: z.int(), cols: z.int() }),
  /** The kernels' rates as shares of the product's. */
  shares: solverRatesSchema,
});
export type GpuRates = z.infer<typeof gpuRatesSchema>;

export interface Rates extends MachineRates {
  /** null where the CPU does all the solver's work. */
  readonly gpu: GpuRates | null;
}

/** The largest matrix whose rate is measured: it stands for those beyond it. */
export interface Cap {
  readonly rows: number;
  readonly cols: number;
}

/**
 * Rates grow with a matrix's size until the processor's caches are full, so they are measured on the model's own shapes; beyond these
 * sizes they hardly change, and a plan must not take long itself.
 */
export const cpuCap: Cap = { rows: 2048, cols: 4096 };

/** ADMM takes many times as long as a sweep: with fewer columns it is measured in a few seconds. On a GPU too. */
export const iterateCap: Cap = { rows: 2048, cols: 2048 };

export function capped({ rows, cols }: Pick<LayerShape, 'rows' | 'cols'>, cap: Cap): Pick<LayerShape, 'rows' | 'cols'> {
  return { rows: Math.min(rows, cap.rows), cols: Math.min(cols, cap.cols) };
}

/** The layers of one shape share a rate. */
export function layerKey(layer: Pick<LayerShape, 'rows' | 'cols'>, cap: Cap): string {
  const { rows, cols } = capped(layer, cap);
  return `${rows}x${cols}`;
}

/** So do the taps of one width. */
export function tapKey(cols: number, cap: Cap): string {
  return String(Math.min(cols, cap.cols));
}
