import { z } from 'zod';

import { failureSchema } from './failure.ts';

/** What CUDA wants for on this machine, and what can be fetched for it. */
export const cudaReportSchema = z.strictObject({
  /** What is missing, as far as can be seen without a try; the first must be there for the next to count. */
  lacks: z.array(failureSchema),
  /** The version of the onnxruntime whose provider it is. */
  onnxruntime: z.string(),
  /** Where the provider's libraries would be put. */
  folder: z.string(),
});
export type CudaReport = z.infer<typeof cudaReportSchema>;

/**
 * About what a fetch downloads: the Python package of onnxruntime 1.30, with the same libraries, has 235 MiB. The server tells the
 * length of its own package only as it sends it.
 */
export const cudaDownloadMebibytes = 240;

/** The NVIDIA provider is what a fetch brings; all else is the system's. */
export function canFetchCuda({ lacks }: CudaReport): boolean {
  return lacks.some(({ code }) => code === 'cuda.no-provider');
}
