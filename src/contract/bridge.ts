import { z } from 'zod';

import { cudaReportSchema } from './cuda.ts';
import { timedEventSchema } from './events.ts';
import { exportFormats, exportOfferSchema, exportResultSchema, exportStages } from './exports.ts';
import { failureSchema, paramsSchema } from './failure.ts';
import {
  attemptRowSchema,
  runPageSchema,
  pointQuerySchema,
  runPointSchema,
  runQuerySchema,
  runRowSchema,
} from './history.ts';
import { gpuSchema } from './gpu.ts';
import { downloadSchema, pullPlanSchema, tokenPlaces, tokenSchema } from './hub.ts';
import { modelSchema, tensorSchema, tensorZerosSchema } from './library.ts';
import { plannedStages, planSchema } from './plan.ts';
import { devices } from './recipe/fields.ts';
import { purposes } from './purposes.ts';
import { recipeInputSchema, recipeSchema } from './recipe.ts';
import { reportSchema } from './report.ts';
import { settingsChangeSchema, settingsSchema } from './settings.ts';
import { storageKinds, storageSchema } from './storage.ts';

const nothing = z.null();
const id = z.string().min(1).max(100);
const ids = z.array(id).min(1).max(10_000);
const path = z.string().min(1).max(4096);

/** Something the person at the window should know and did not ask for: shown until it is closed. */
export const noticeSchema = z.strictObject({
  id: z.string(),
  kind: z.enum(['info', 'warning', 'error']),
  code: failureSchema.shape.code,
  params: paramsSchema,
});
export type Notice = z.infer<typeof noticeSchema>;

export const bootSchema = z.strictObject({
  version: z.string(),
  platform: z.enum(['linux', 'darwin', 'win32']),
  /** The system's language. */
  language: z.enum(['en', 'zh-TW']),
  settings: settingsSchema,
  /** The model and the texts that come with Tamis. */
  demo: z.strictObject({ model: z.string(), calibration: z.string(), evaluation: z.string() }),
  /** Threads of this machine. */
  threads: z.int(),
  notices: z.array(noticeSchema),
  /** Runs that ended without being finished or stopped on purpose: offered for resumption. */
  interrupted: z.array(runRowSchema),
});
export type Boot = z.infer<typeof bootSchema>;

export const deviceReportSchema = z.strictObject({
  device: z.enum(devices),
  /** float32, of products like a block's; null where it does not work. */
  gflops: z.number().nullable(),
  failure: failureSchema.nullable(),
});
export type DeviceReport = z.infer<typeof deviceReportSchema>;

export const adapterReportSchema = z.strictObject({
  ...gpuSchema.shape,
  kind: z.enum(['discrete', 'integrated', 'virtual', 'other', 'software']),
  /** float32, of a product of two matrices; null where it does not work. */
  gflops: z.number().nullable(),
  failure: failureSchema.nullable(),
});
export type AdapterReport = z.infer<typeof adapterReportSchema>;

/** What runs can compute on here: devices of forward passes, and GPUs of Gram matrices, factors and sweeps. */
export const deviceListSchema = z.strictObject({
  devices: z.array(deviceReportSchema),
  adapters: z.array(adapterReportSchema),
});

/** A few blocks run for real, and what the whole recipe needs by that measure. */
export const trialSchema = z.strictObject({
  blocks: z.int(),
  /** Stages of the recipe that the trial left out, as too long for it. */
  untried: z.array(z.enum(plannedStages)),
  /** What the whole recipe will take: each stage's estimate times measured / estimated of the trial. */
  seconds: z.number(),
  /**
   * The trial's own peak: blocks are streamed, so the whole recipe's is the same but for what grows with the windows. That planned of
   * an untried stage, where it is higher.
   */
  peakMemoryBytes: z.number(),
});
export type Trial = z.infer<typeof trialSchema>;

export const progressSchema = z.strictObject({
  done: z.number(),
  total: z.number(),
  remainingSeconds: z.number().nullable(),
});
export type Progress = z.infer<typeof progressSchema>;

/** The pages of the documentation that a button may open in the browser. */
export const links = ['sparsegpt-paper', 'scheduler-paper', 'owl-paper'] as const;

export const versionsSchema = z.record(z.string(), z.string());

/** Everything the page may ask of the main process: what goes in and what comes back. A refusal is a `Failure`. */
export const requests = {
  'app.boot': { input: nothing, output: bootSchema },
  'app.versions': { input: nothing, output: versionsSchema },
  'app.copy': { input: z.strictObject({ text: z.string().max(5_000_000) }), output: nothing },
  'app.open-link': { input: z.strictObject({ link: z.enum(links) }), output: nothing },
  'app.close-notice': { input: z.strictObject({ id }), output: nothing },

  /** Asks where in a native dialog and writes there; null if the dialog was cancelled. `base64` for pictures. */
  'files.save': {
    input: z.strictObject({
      name: z.string().regex(/^[^\\/\0]{1,200}$/),
      content: z.string().max(50_000_000),
      encoding: z.enum(['utf8', 'base64']),
    }),
    output: path.nullable(),
  },
  /** Asks for files or folders in a native dialog; from then on they may stand in recipes. Empty if it was cancelled. */
  'files.choose': { input: z.strictObject({ purpose: z.enum(purposes) }), output: z.array(path) },

  'settings.set': { input: settingsChangeSchema, output: settingsSchema },
  'devices.gpus': { input: nothing, output: z.array(z.string()) },
  'devices.list': { input: nothing, output: deviceListSchema },
  'devices.cuda': { input: nothing, output: cudaReportSchema },
  /** Fetches onnxruntime's CUDA provider, which the page has asked about; false if it was cancelled. */
  'devices.fetch-cuda': { input: nothing, output: z.boolean() },
  'devices.cancel-fetch-cuda': { input: nothing, output: nothing },
  'storage.list': { input: nothing, output: z.array(storageSchema) },
  'storage.reveal': { input: z.strictObject({ kind: z.enum(storageKinds) }), output: nothing },
  /** Asks for the new place in a native dialog and moves the runs there; false if it was cancelled. */
  'storage.move-runs': { input: nothing, output: z.boolean() },
  'storage.clear-cache': { input: nothing, output: nothing },

  'library.list': { input: nothing, output: z.array(modelSchema) },
  /** Adds folders that `files.choose` or `files.dropped` gave; a folder that is no model is kept as refused, with the reason. */
  'library.add': { input: z.strictObject({ paths: z.array(path).min(1).max(1000) }), output: z.array(modelSchema) },
  /** Takes it off the list; its files stay. */
  'library.remove': { input: z.strictObject({ id }), output: nothing },
  /** Asks where the folder is now; null if it was cancelled. */
  'library.locate': { input: z.strictObject({ id }), output: modelSchema.nullable() },
  'library.reveal': { input: z.strictObject({ id }), output: nothing },
  'library.tensors': { input: z.strictObject({ id }), output: z.array(tensorSchema) },
  /** Reads all weights and counts the zeros of each tensor; tells them by `library.zeros` on the way. */
  'library.count-zeros': { input: z.strictObject({ id }), output: nothing },

  /** A later call takes the place of one that is still being answered, which ends as `cancelled.no-run`. */
  'downloads.plan': {
    input: z.strictObject({ repository: z.string().max(200), revision: z.string().max(200) }),
    output: z.strictObject({ folder: path, plan: pullPlanSchema }),
  },
  'downloads.cancel-plan': { input: nothing, output: nothing },
  'downloads.start': {
    input: z.strictObject({ repository: z.string().max(200), revision: z.string().max(200) }),
    output: downloadSchema,
  },
  'downloads.list': { input: nothing, output: z.array(downloadSchema) },
  /** Stops it; `downloads.resume` goes on from there, also after the application was closed. */
  'downloads.pause': { input: z.strictObject({ id }), output: nothing },
  'downloads.resume': { input: z.strictObject({ id }), output: nothing },
  /** Stops it and deletes what it has fetched. */
  'downloads.cancel': { input: z.strictObject({ id }), output: nothing },
  /** Asks for the folder that models are fetched into; false if it was cancelled. */
  'downloads.choose-folder': { input: nothing, output: z.boolean() },
  /** The folder that models are fetched into. */
  'downloads.folder': { input: nothing, output: path },

  'hub.token': { input: nothing, output: z.enum(tokenPlaces) },
  /** Sets the token for the endpoint as it is set now; null removes it. It is never given back. */
  'hub.set-token': { input: z.strictObject({ token: tokenSchema.nullable() }), output: z.enum(tokenPlaces) },

  /** Asks for a recipe's file; null if it was cancelled. */
  'recipes.load': { input: nothing, output: recipeInputSchema.nullable() },

  /** A later call takes the place of one that is still being answered, which ends as `cancelled.no-run`. */
  'plans.make': { input: z.strictObject({ recipe: recipeInputSchema }), output: planSchema },
  /** Compresses the first two blocks for real, in a folder that is removed afterwards; progress by `plans.progress`. */
  'plans.try': { input: z.strictObject({ recipe: recipeInputSchema }), output: trialSchema },
  'plans.cancel-try': { input: nothing, output: nothing },

  'runs.start': {
    input: z.strictObject({ name: z.string().max(200), recipes: z.array(recipeInputSchema).min(1).max(100) }),
    output: ids,
  },
  'runs.list': { input: runQuerySchema, output: runPageSchema },
  /** Finished runs among those that match, newest first, at most 2,000. */
  'runs.points': { input: pointQuerySchema, output: z.array(runPointSchema) },
  'runs.get': {
    input: z.strictObject({ id }),
    output: z.strictObject({
      row: runRowSchema,
      recipe: recipeSchema,
      report: reportSchema.nullable(),
      /** At the run's goal, oldest first; none without one. */
      attempts: z.array(attemptRowSchema),
    }),
  },
  /** All that the run has told so far, in order; `run.events` goes on from there, and may tell the last of it again. */
  'runs.events': { input: z.strictObject({ id }), output: z.array(timedEventSchema) },
  'runs.reports': { input: z.strictObject({ ids: z.array(id).min(1).max(20) }), output: z.array(reportSchema) },
  /** Stops at the next safe point; `runs.resume` goes on to the same bits. */
  'runs.pause': { input: z.strictObject({ id }), output: nothing },
  'runs.cancel': { input: z.strictObject({ id }), output: nothing },
  'runs.resume': { input: z.strictObject({ id }), output: nothing },
  'runs.update': {
    input: z.strictObject({
      id,
      name: z.string().min(1).max(200),
      notes: z.string().max(10_000),
      tags: z.array(z.string().min(1).max(50)).max(50),
    }),
    output: runRowSchema,
  },
  /** Bytes of the runs' folders, which deleting them frees. */
  'runs.size': { input: z.strictObject({ ids }), output: z.int() },
  'runs.delete': { input: z.strictObject({ ids }), output: nothing },
  /** Asks for a folder made by the command line and lists it; null if it was cancelled. */
  'runs.import': { input: nothing, output: runRowSchema.nullable() },
  'runs.reveal': { input: z.strictObject({ id }), output: nothing },
  /** Opens report.html in the browser. */
  'runs.open-report': { input: z.strictObject({ id }), output: nothing },
  /** Versions, recipe, the last events and the end of the log, as text to paste. */
  'runs.diagnostics': { input: z.strictObject({ id }), output: z.string() },

  'exports.offers': { input: z.strictObject({ id }), output: z.array(exportOfferSchema) },
  /** Left on the file system of a folder that `files.choose` gave. */
  'exports.free-bytes': { input: z.strictObject({ folder: path }), output: z.int() },
  /**
   * Writes a new folder into one that `files.choose` gave; answers once it is complete. Progress by `exports.progress`.
   * `check`: measures the written files on the run's evaluation data.
   */
  'exports.start': {
    input: z.strictObject({ id, format: z.enum(exportFormats), folder: path, check: z.boolean() }),
    output: exportResultSchema,
  },
  /** Shows the folder that the run was last exported to in that format. */
  'exports.reveal': { input: z.strictObject({ id, format: z.enum(exportFormats) }), output: nothing },
  'exports.cancel': { input: z.strictObject({ id }), output: nothing },
} as const;

export type Requests = typeof requests;
export type RequestName = keyof Requests;
export type Input<N extends RequestName> = z.input<Requests[N]['input']>;
export type Output<N extends RequestName> = z.output<Requests[N]['output']>;

/** Everything the main process tells the page by itself. */
export const pushes = {
  /** At most ten a second for a run. */
  'run.events': z.strictObject({ id, events: z.array(timedEventSchema) }),
  'run.changed': z.strictObject({ row: runRowSchema }),
  /** Runs were added or removed. */
  'runs.changed': nothing,
  'library.changed': nothing,
  'library.zeros': z.strictObject({ id, zeros: z.array(tensorZerosSchema) }),
  /** Downloads were added, changed their state or have ended. */
  'downloads.changed': nothing,
  /** At most ten a second for a download. */
  'downloads.progress': downloadSchema,
  'downloads.finished': z.strictObject({ repository: z.string(), files: z.int(), bytes: z.int() }),
  'settings.changed': settingsSchema,
  'plans.progress': progressSchema,
  /** How far `devices.fetch-cuda` is, twice a second. */
  'devices.cuda-progress': z.strictObject({ bytes: z.number() }),
  /** How far `storage.move-runs` is. */
  'storage.progress': progressSchema,
  /** How far an export is; the stage `write` counts bytes. */
  'exports.progress': z.strictObject({ id, stage: z.enum(exportStages), progress: progressSchema }),
  notice: noticeSchema,
  /** An address of the page: `/runs/3f…`. */
  navigate: z.strictObject({ to: z.string().startsWith('/') }),
  /** The menu or a shortcut asks for a command of the page. */
  command: z.strictObject({ name: z.enum(['spotlight', 'new-run', 'add-model', 'import-run', 'settings']) }),
} as const;

export type Pushes = typeof pushes;
export type PushName = keyof Pushes;
export type Push<N extends PushName> = z.output<Pushes[N]>;
