import { z } from 'zod';

import { deviceListSchema, progressSchema, trialSchema } from './bridge.ts';
import { cudaReportSchema } from './cuda.ts';
import { timedEventSchema } from './events.ts';
import { exportFormats, exportOfferSchema, exportResultSchema, exportStages } from './exports.ts';
import { failureSchema } from './failure.ts';
import { pullPlanSchema, pullResultSchema, pullTaskSchema, pullUpdateSchema } from './hub.ts';
import { modelHeadSchema, tensorSchema, tensorZerosSchema } from './library.ts';
import { planSchema } from './plan.ts';
import { recipeSchema } from './recipe.ts';

const path = z.string().min(1);

/** What a process of the engine is started for: the first message it gets. */
export const jobSchema = z.discriminatedUnion('kind', [
  /** A run: its events, then its end. `resume` where the folder holds a run that was begun. */
  z.strictObject({ kind: z.literal('compress'), recipe: recipeSchema, out: path }),
  z.strictObject({ kind: z.literal('resume'), out: path }),
  /** Answers questions until it is ended. */
  z.strictObject({ kind: z.literal('serve') }),
]);
export type Job = z.infer<typeof jobSchema>;

/** What the engine can be asked besides running: question, answer, and the updates on the way. */
export const questions = {
  head: { input: z.strictObject({ path }), output: modelHeadSchema, update: z.never() },
  tensors: { input: z.strictObject({ path }), output: z.array(tensorSchema), update: z.never() },
  zeros: { input: z.strictObject({ path }), output: z.null(), update: z.array(tensorZerosSchema) },
  plan: { input: z.strictObject({ recipe: recipeSchema, out: path }), output: planSchema, update: z.never() },
  devices: { input: z.strictObject({ threads: z.int() }), output: deviceListSchema, update: z.never() },
  /** Names, those first that are preferred. */
  gpus: { input: z.null(), output: z.array(z.string()), update: z.never() },
  /** `folder`: where a fetch would put the provider. */
  cuda: { input: z.strictObject({ folder: path }), output: cudaReportSchema, update: z.never() },
  /** Tells the bytes downloaded so far. */
  'fetch-cuda': { input: z.strictObject({ folder: path }), output: z.null(), update: z.number() },
  /** Compresses the first blocks of the recipe in `folder`, which main makes and removes. */
  try: { input: z.strictObject({ recipe: recipeSchema, folder: path }), output: trialSchema, update: progressSchema },
  /** What the finished run in the folder `run` can be exported to. */
  'export-offers': { input: z.strictObject({ run: path }), output: z.array(exportOfferSchema), update: z.never() },
  export: {
    input: z.strictObject({ run: path, format: z.enum(exportFormats), out: path, check: z.boolean() }),
    output: exportResultSchema,
    update: z.strictObject({ stage: z.enum(exportStages), progress: progressSchema }),
  },
  /** What a pull will fetch. */
  'pull-plan': { input: pullTaskSchema, output: pullPlanSchema, update: z.never() },
  pull: { input: pullTaskSchema, output: pullResultSchema, update: pullUpdateSchema },
  /** Takes back what an unfinished pull has left. */
  'pull-discard': { input: z.strictObject({ folder: path }), output: z.null(), update: z.never() },
  versions: { input: z.null(), output: z.record(z.string(), z.string()), update: z.never() },
} as const;
export type Questions = typeof questions;
export type QuestionName = keyof Questions;
export type Question<N extends QuestionName> = z.output<Questions[N]['input']>;
export type Reply<N extends QuestionName> = z.output<Questions[N]['output']>;
export type Update<N extends QuestionName> = z.output<Questions[N]['update']>;

/** Main to engine, after the job. */
export const orderSchema = z.discriminatedUnion('kind', [
  /** A run stops at the next safe point. */
  z.strictObject({ kind: z.literal('stop') }),
  z.strictObject({
    kind: z.literal('ask'),
    id: z.int(),
    name: z.enum(Object.keys(questions) as [QuestionName, ...QuestionName[]]),
    input: z.unknown(),
  }),
  z.strictObject({ kind: z.literal('forget'), id: z.int() }),
]);
export type Order = z.infer<typeof orderSchema>;

/** Engine to main. */
export const wordSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('events'), events: z.array(timedEventSchema) }),
  /** The run's last word: null = it is finished. */
  z.strictObject({ kind: z.literal('end'), failure: failureSchema.nullable() }),
  z.strictObject({ kind: z.literal('update'), id: z.int(), value: z.unknown() }),
  z.strictObject({ kind: z.literal('reply'), id: z.int(), value: z.unknown() }),
  z.strictObject({ kind: z.literal('refusal'), id: z.int(), failure: failureSchema }),
]);
export type Word = z.infer<typeof wordSchema>;
