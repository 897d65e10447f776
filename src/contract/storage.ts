import { z } from 'zod';

/** The application's own folders. */
export const storageKinds = ['runs', 'models', 'database', 'cache', 'logs'] as const;
export type StorageKind = (typeof storageKinds)[number];

export const storageSchema = z.strictObject({
  kind: z.enum(storageKinds),
  path: z.string(),
  bytes: z.int(),
  /** Left on its file system. */
  freeBytes: z.int(),
});
export type Storage = z.infer<typeof storageSchema>;
