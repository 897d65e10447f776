import { fileURLToPath } from 'node:url';

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** What `smollm2.py` made. */
export const model = at('build/real/smollm2');
/** Everything that the tests make, anew each time. */
export const work = at('build/real/work');

/** Beside the repository: token ids, and what a reference in PyTorch measured with them. */
export const reference = at('../shared/reference/smollm2');
/** Beside the repository: the text whose first windows those ids are. */
export const wikitext = at('../shared/data/wikitext2-raw-test.txt');

export const sample = { sequences: 32, seqlen: 1024, windows: 40 } as const;

/** How far the dense perplexity may be from the reference's, as a share of it. */
export const DENSE_WITHIN = 0.001;

export interface RealRun {
  readonly sparsity: number;
  readonly bits?: 4;
  readonly scheduler?: readonly string[];
  /** Beside those of `tamis compress` that the others stand for. */
  readonly flags?: readonly string[];
  /** How far its perplexity may be from the reference's, as a share of it; the reference has made these runs only. */
  readonly within?: number;
}

const uniform = ['uniform'];
const kmeans = ['kmeans', '--estimate'];
const byType = [...kmeans, 'relative-by-type'];
const auto = ['auto', '--targets', 'layer'];

export const runs = {
  'uniform-50': { sparsity: 0.5, scheduler: uniform, within: 0.01 },
  'uniform-70': { sparsity: 0.7, scheduler: uniform, within: 0.03 },
  'admm-uniform-70': { sparsity: 0.7, scheduler: uniform, flags: ['--method', 'admm'] },
  'relative-by-type-70': { sparsity: 0.7, scheduler: byType, within: 0.03 },
  'relative-by-type-50': { sparsity: 0.5, scheduler: byType },
  'raw-70': { sparsity: 0.7, scheduler: [...kmeans, 'raw'] },
  'relative-70': { sparsity: 0.7, scheduler: [...kmeans, 'relative'] },
  'owl-70': { sparsity: 0.7, scheduler: ['owl'] },
  'alpha-70': { sparsity: 0.7, scheduler: ['alpha'] },
  'atp-70': { sparsity: 0.7, scheduler: ['atp'] },
  'measured-70': { sparsity: 0.7, scheduler: [...kmeans, 'measured'] },
  'allocate-50': { sparsity: 0.5, scheduler: ['allocate'] },
  'allocate-70': { sparsity: 0.7, scheduler: ['allocate', '--range', '0.2'] },
  int4: { sparsity: 0, bits: 4 },
  'int4-act-order': { sparsity: 0, bits: 4, flags: ['--act-order', '--static-groups'] },
  'int4-nearest': { sparsity: 0, bits: 4, flags: ['--method', 'magnitude'] },
  'uniform-70-int4': { sparsity: 0.7, bits: 4, scheduler: uniform },
  'relative-by-type-70-int4': { sparsity: 0.7, bits: 4, scheduler: byType },
  'uniform-60': { sparsity: 0.6, scheduler: uniform },
  'uniform-80': { sparsity: 0.8, scheduler: uniform },
  'auto-50': { sparsity: 0.5, scheduler: auto },
  'auto-60': { sparsity: 0.6, scheduler: auto },
  'auto-70': { sparsity: 0.7, scheduler: auto },
  'auto-80': { sparsity: 0.8, scheduler: auto },
  'admm-dense-uniform-70': { sparsity: 0.7, scheduler: uniform, flags: ['--method', 'admm', '--targets', 'dense'] },
  'admm-auto-layer-70': { sparsity: 0.7, scheduler: auto, flags: ['--method', 'admm'] },
  'admm-auto-50': { sparsity: 0.5, scheduler: ['auto'], flags: ['--method', 'admm'] },
  'admm-auto-70': { sparsity: 0.7, scheduler: ['auto'], flags: ['--method', 'admm'] },
} as const satisfies Record<string, RealRun>;
export type RunName = keyof typeof runs;

export const runNames = Object.keys(runs) as RunName[];

export function flagsOf(name: RunName): string[] {
  const { sparsity, bits, scheduler, flags = [] }: RealRun = runs[name];
  return [
    ...['--sparsity', String(sparsity)],
    ...(scheduler === undefined ? [] : ['--scheduler', ...scheduler]),
    ...(bits === undefined ? [] : ['--bits', String(bits)]),
    ...flags,
  ];
}
