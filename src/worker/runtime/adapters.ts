import type { AdapterReport } from '../../contract/bridge.ts';
import { TamisError } from '../../contract/errors.ts';
import { failureOf } from '../../contract/failure.ts';
import { native, translated } from '../native.ts';
import { openGpu } from './gpu.ts';

/** Every GPU, tried and measured, those first that are preferred. */
export async function listAdapters(): Promise<AdapterReport[]> {
  const reports: AdapterReport[] = [];
  for (const { backend: _backend, ...facts } of await translated(() => native.listAdapters())) {
    reports.push({ ...facts, ...(await tryAdapter(facts.name)) });
  }
  return reports;
}

async function tryAdapter(name: string): Promise<Pick<AdapterReport, 'gflops' | 'failure'>> {
  try {
    await using handle = (await openGpu(name)).handle;
    const rate = await translated(() => handle.productRate());
    return { gflops: rate / 1e9, failure: null };
  } catch (error) {
    if (error instanceof TamisError) return { gflops: null, failure: failureOf(error) };
    throw error;
  }
}
