import { z } from 'zod';

/** What a path is chosen for: decides what the native dialog offers and what a dropped file may be. */
export const purposes = [
  'model',
  'texts',
  'texts-folder',
  'tokens',
  'sparsities',
  'recipe',
  'run',
  'runs-folder',
  'models-folder',
  'export',
] as const;
export type Purpose = (typeof purposes)[number];

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
