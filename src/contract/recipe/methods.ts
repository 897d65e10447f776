/** What a method of pruning is called, and what a run has to know of it. */
interface MethodTraits {
  readonly name: string;
  /** Whether it looks at calibration data. */
  readonly calibrates: boolean;
  /** Whether columns are swept one after the other, each making up for the error of those before it, that of codes too. */
  readonly sweeps: boolean;
  /** Whether mask and weights are chosen together, in iterations over the whole layer, which need the Hessian itself beside its factor. */
  readonly iterates: boolean;
}

/** How weights are pruned, and rounded or quantized. */
export const methods = {
  sparsegpt: { name: 'SparseGPT', calibrates: true, sweeps: true, iterates: false },
  admm: { name: 'ADMM', calibrates: true, sweeps: true, iterates: true },
  wanda: { name: 'Wanda', calibrates: true, sweeps: false, iterates: false },
  magnitude: { name: 'magnitude', calibrates: false, sweeps: false, iterates: false },
} as const satisfies Readonly<Record<string, MethodTraits>>;

export type Method = keyof typeof methods;
export const methodKinds = Object.keys(methods) as readonly Method[];
