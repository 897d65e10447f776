/** What a method of pruning is called, and what a run has to know of it. */
interface MethodTraits {
  readonly name: string;
  /** Whether it looks at calibration data. */
  readonly calibrates: boolean;
  /** Whether columns are swept one after the other, each making up for the error of those before it, that of codes too. */
  readonly sweeps: boolean;
}

/** How weights are pruned, and rounded or quantized. */
export const methods = {
  sparsegpt: { name: 'SparseGPT', calibrates: true, sweeps: true },
  wanda: { name: 'Wanda', calibrates: true, sweeps: false },
  magnitude: { name: 'magnitude', calibrates: false, sweeps: false },
} as const satisfies Readonly<Record<string, MethodTraits>>;

export type Method = keyof typeof methods;
export const methodKinds = Object.keys(methods) as readonly Method[];
