import { z } from 'zod';

import { endpointSchema } from './hub.ts';
import { devices } from './recipe/fields.ts';

export const languages = ['system', 'en', 'zh-TW'] as const;
export const themes = ['system', 'light', 'dark'] as const;

const fields = {
  language: z.enum(languages),
  theme: z.enum(themes),
  /** Threads of new runs; null = all of the machine's. */
  threads: z.int().min(1).max(1024).nullable(),
  /** Bytes, of new runs; null = 60 % of what is free when a run starts. */
  memory: z.int().positive().nullable(),
  /** The device of new runs. */
  device: z.enum(devices),
  /** The GPU of new runs: auto, none or a name. */
  gpu: z.string().min(1),
  /** Folder that new runs are written to; null = `runs` in the application's own data folder. */
  runsFolder: z.string().min(1).nullable(),
  /** Folder that models are fetched into; null = `models` in the application's own data folder. */
  modelsFolder: z.string().min(1).nullable(),
  /** Address of the hub or its mirror; null = HF_ENDPOINT, or the hub's own. */
  hubEndpoint: endpointSchema.nullable(),
};

export const settingsSchema = z.strictObject({
  language: fields.language.default('system'),
  theme: fields.theme.default('system'),
  threads: fields.threads.default(null),
  memory: fields.memory.default(null),
  device: fields.device.default('auto'),
  gpu: fields.gpu.default('auto'),
  runsFolder: fields.runsFolder.default(null),
  modelsFolder: fields.modelsFolder.default(null),
  hubEndpoint: fields.hubEndpoint.default(null),
});
export type Settings = z.infer<typeof settingsSchema>;

/** What the page may set, each for itself. Folders are chosen in native dialogs alone. */
export const settingsChangeSchema = z
  .strictObject({
    language: fields.language,
    theme: fields.theme,
    threads: fields.threads,
    memory: fields.memory,
    device: fields.device,
    gpu: fields.gpu,
    hubEndpoint: fields.hubEndpoint,
  })
  .partial();
