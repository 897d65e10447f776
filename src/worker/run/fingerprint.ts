import { createHash } from 'node:crypto';
import { join } from 'node:path';

import { z } from 'zod';

import { TamisError } from '../../contract/errors.ts';
import { gpuSchema } from '../../contract/gpu.ts';
import { recipeSchema, type Recipe } from '../../contract/recipe.ts';
import { weightBytes, weightFiles } from '../model/files.ts';
import type { Model } from '../model/open.ts';
import { controlled } from '../native.ts';
import type { Devices } from './devices.ts';
import type { Inputs } from './inputs.ts';
import { Progress } from './progress.ts';
import type { Told } from './told.ts';
import { engineVersions } from '../machine/versions.ts';
import { hashFile, hashText, hashTokens } from '../machine/files.ts';

const gpuIdentitySchema = gpuSchema.pick({ name: true, driver: true });

/** What a run's bits depend on. A run goes on only where all of it is as it was. */
export const fingerprintSchema = z.strictObject({
  recipe: z.string(),
  /** The scheduler's file; null without one. */
  sparsities: z.string().nullable(),
  /** config.json and every weight file, whole. */
  model: z.string(),
  /** Token ids of the calibration sequences; null without calibration. */
  calibration: z.string().nullable(),
  /** Token ids of the sequences held back from the calibration; null where nothing is measured on any. */
  heldBack: z.string().nullable().default(null),
  /** Token ids of each evaluated dataset. */
  evaluation: z.record(z.string(), z.string()),
  /** Versions, kernels of this processor, device and threads. */
  engine: z.string(),
  /** null where the CPU does all its work. */
  gpu: gpuIdentitySchema.nullable().default(null),
});
export type Fingerprint = z.infer<typeof fingerprintSchema>;

/** Reads all of the model once: its hash, and that every weight is finite. `kept`: the fingerprint of a run that is resumed. */
export async function takeFingerprint(
  inputs: Inputs,
  kept: Fingerprint | null,
  { signal, emit }: Told,
): Promise<Fingerprint> {
  const { recipe, model, calibration, datasets, devices, sparsities } = inputs;
  const progress = new Progress('fingerprint', 2 * (await weightBytes(model)), emit);
  const hash = await modelHash(model, signal, (bytes) => {
    progress.add(bytes);
  });
  for (const { name, bytes, file } of model.tensors.values()) {
    const { firstNotFinite } = await controlled(signal, (control) => model.checkpoint.scan(name, control));
    if (firstNotFinite >= 0) throw new TamisError('checkpoint.not-finite', { path: file, name, index: firstNotFinite });
    progress.add(bytes);
  }
  // A GPU that was given up may be gone.
  const gpu = devices.givenUp.gpu ? (kept?.gpu ?? null) : identityOf(devices.gpu);
  return {
    recipe: recipeHash(recipe),
    sparsities: sparsities === null ? null : hashText(JSON.stringify(sparsities)),
    model: hash,
    calibration: calibration ? hashTokens(calibration.tokens) : null,
    heldBack: calibration && calibration.heldBack.length > 0 ? hashTokens(calibration.heldBack) : null,
    evaluation: Object.fromEntries(datasets.map(({ name, tokens }) => [name, hashTokens(tokens)])),
    engine: hashText(JSON.stringify([devices.begunSession, engineVersions()])),
    gpu,
  };
}

function identityOf(gpu: Devices['gpu']): Fingerprint['gpu'] {
  return gpu && { name: gpu.name, driver: gpu.driver };
}

/** SHA-256 over config.json and the weight files. */
export async function modelHash(model: Model, signal: AbortSignal, onBytes: (bytes: number) => void): Promise<string> {
  const hash = createHash('sha256');
  for (const file of [join(model.folder, 'config.json'), ...weightFiles(model)])
    hash.update(await hashFile(file, signal, onBytes));
  return hash.digest('hex');
}

/** The hash takes the recipe's fields in the schema's order, whatever order they were written in, without the memory that the run may hold, which changes no bits. */
export function recipeHash(recipe: Recipe): string {
  const { memory: _memory, ...hashed } = recipeSchema.parse(recipe);
  return hashText(JSON.stringify(hashed));
}

/** One short string for the whole. */
export function fingerprintId(fingerprint: Fingerprint): string {
  return hashText(JSON.stringify(fingerprint)).slice(0, 16);
}

/** Refuses to go on with a run of which something has changed, by name. */
export function assertSame(was: Fingerprint, is: Fingerprint, path: string): void {
  for (const part of ['recipe', 'sparsities', 'model', 'calibration', 'engine'] as const) {
    if (was[part] !== is[part]) throw new TamisError(`run.changed-${part}`, { path });
  }
  if (was.gpu?.name !== is.gpu?.name || was.gpu?.driver !== is.gpu?.driver)
    throw new TamisError('run.changed-engine', { path });
  if (was.heldBack !== is.heldBack) throw new TamisError('run.changed-calibration', { path });
  if (JSON.stringify(was.evaluation) !== JSON.stringify(is.evaluation))
    throw new TamisError('run.changed-evaluation', { path });
}
