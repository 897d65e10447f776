import { TamisError } from '../../contract/errors.ts';
import { native, translated } from '../native.ts';

/** A GPU that Gram matrices, factors and sweeps can be computed on. */
export interface AdapterReport {
  readonly name: string;
  readonly driver: string;
  readonly kind: 'discrete' | 'integrated' | 'virtual' | 'other' | 'software';
  /** Bytes of the largest matrix that it takes. */
  readonly largestMatrix: number;
  /** float32, of a product of two matrices; null where it does not work. */
  readonly gflops: number | null;
  /** Why it does not work; null where it does. */
  readonly failure: TamisError | null;
}

/** Every GPU, tried and measured, those first that are preferred. */
export async function listAdapters(): Promise<AdapterReport[]> {
  const reports: AdapterReport[] = [];
  for (const { name, driver, kind, largestMatrix } of await translated(() => native.listAdapters())) {
    reports.push({ name, driver, kind, largestMatrix, ...(await tryAdapter(name)) });
  }
  return reports;
}

async function tryAdapter(name: string): Promise<Pick<AdapterReport, 'gflops' | 'failure'>> {
  try {
    const gpu = await translated(() => native.openGpu(name));
    await translated(() => gpu.selfTest());
    return { gflops: (await translated(() => gpu.productRate())) / 1e9, failure: null };
  } catch (error) {
    if (error instanceof TamisError) return { gflops: null, failure: error };
    throw error;
  }
}
