import { z } from 'zod';

/** A GPU that Gram matrices, factors and sweeps are computed on. */
export const gpuSchema = z.strictObject({
  name: z.string(),
  driver: z.string(),
  /** Bytes of the GPU's own memory; null where the platform does not tell. */
  memoryBytes: z.number().nullable(),
});
export type Gpu = z.infer<typeof gpuSchema>;

/** What of it is in use by all programs; null each where the platform does not tell. */
export const gpuUsageSchema = z.strictObject({
  memoryBytes: z.number().nullable(),
  /** 0 to 1. */
  utilization: z.number().nullable(),
});
export type GpuUsage = z.infer<typeof gpuUsageSchema>;
