import { z } from 'zod';

import { gpuSchema, gpuUsageSchema } from './gpu.ts';
import { datasetResultSchema } from './measured.ts';
import { centroidSchema, choiceSchema, layerResultSchema, targetSchema } from './report.ts';

export const stages = [
  'fingerprint',
  'calibration',
  'evaluate-dense',
  'estimate',
  'choose',
  'schedule',
  'compress',
  'evaluate-compressed',
  'report',
] as const;
export const stageSchema = z.enum(stages);
export type Stage = z.infer<typeof stageSchema>;

const params = z.record(z.string(), z.union([z.string(), z.number()]));

const newestSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('started'), fingerprint: z.string(), resumed: z.boolean() }),
  z.strictObject({
    type: z.literal('stage'),
    stage: stageSchema,
    state: z.enum(['started', 'finished', 'kept']),
    seconds: z.number(),
  }),
  z.strictObject({
    type: z.literal('progress'),
    stage: stageSchema,
    done: z.number(),
    total: z.number(),
    block: z.int().nullable(),
    tokensPerSecond: z.number().nullable(),
    remainingSeconds: z.number().nullable(),
    memoryBytes: z.int(),
  }),
  /** What the run computes on: forward passes on the device; Gram matrices, factors and sweeps on the GPU, where there is one. Told once at every start, and where one of them is given up. */
  z.strictObject({ type: z.literal('devices'), device: z.string(), gpu: gpuSchema.nullable() }),
  /** Once a second or less often, where the run's GPU tells. Not in `events.jsonl`, as progress is not. */
  z.strictObject({ type: z.literal('gpu-usage'), ...gpuUsageSchema.shape }),
  /** The layers to be compressed, in order; told once at every start. */
  z.strictObject({
    type: z.literal('layers'),
    layers: z.array(layerResultSchema.pick({ name: true, block: true, type: true, rows: true, cols: true })),
  }),
  z.strictObject({ type: z.literal('estimate'), layer: z.string(), estimate: z.number() }),
  z.strictObject({ type: z.literal('sensitivity'), layer: z.string(), sensitivity: z.number() }),
  z.strictObject({ type: z.literal('target'), target: targetSchema }),
  z.strictObject({ type: z.literal('choice'), choice: choiceSchema }),
  z.strictObject({
    type: z.literal('schedule'),
    sparsities: z.record(z.string(), z.number()),
    groups: z.record(z.string(), z.int()),
    centroids: z.array(centroidSchema),
    /** Estimated pruning loss by layer, where the scheduler measured it. */
    estimates: z.record(z.string(), z.number()),
    /** Measured sensitivity by layer, where the scheduler goes by it. */
    sensitivities: z.record(z.string(), z.number()).default({}),
  }),
  z.strictObject({ type: z.literal('layer'), layer: layerResultSchema }),
  z.strictObject({ type: z.literal('block'), block: z.int(), blocks: z.int(), seconds: z.number() }),
  z.strictObject({ type: z.literal('measured'), which: z.enum(['dense', 'compressed']), result: datasetResultSchema }),
  z.strictObject({ type: z.literal('warning'), code: z.string(), params }),
  z.strictObject({ type: z.literal('finished'), seconds: z.number() }),
  z.strictObject({ type: z.literal('failed'), code: z.string(), params }),
]);

/** What a run tells while it goes: one JSON object a line in `events.jsonl`, the same to the CLI and to the window. */
export const eventSchema = z.preprocess((event) => {
  // As the first version called it.
  const first = z.looseObject({ type: z.literal('perplexity') }).safeParse(event);
  return first.success ? { ...first.data, type: 'measured' } : event;
}, newestSchema);
export type RunEvent = z.infer<typeof eventSchema>;
export type EventOf<T extends RunEvent['type']> = Extract<RunEvent, { type: T }>;
export type Warning = Pick<EventOf<'warning'>, 'code' | 'params'>;

/** The warnings with one more; the same array where one of the same code and parameters is among them. */
export function withWarning(known: readonly Warning[], { code, params }: Warning): readonly Warning[] {
  return known.some((one) => one.code === code && isSame(one.params, params)) ? known : [...known, { code, params }];
}

function isSame(one: Warning['params'], other: Warning['params']): boolean {
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name]);
}

/** Events of these types are worth nothing once the next of their kind has come: they are shown, not logged. */
const passing = ['progress', 'gpu-usage'] as const;
export type PassingEvent = Extract<RunEvent, { type: (typeof passing)[number] }>;
export type LoggedEvent = Exclude<RunEvent, PassingEvent>;

export function isPassing(event: RunEvent): event is PassingEvent {
  return passing.some((type) => type === event.type);
}
/**
 * An event with its number and the ISO 8601 time it was told at. A line of `events.jsonl` is the event itself with `at` in front.
 * The number of a logged event is that of its line, from 1 over all starts of the run; a passing one has the number of the last
 * logged event before it, 0 where there is none.
 */
export const timedEventSchema = z.strictObject({
  seq: z.int().nonnegative(),
  at: z.string(),
  event: eventSchema,
});
export type TimedEvent = z.infer<typeof timedEventSchema>;
export type EventMark = Omit<TimedEvent, 'event'>;

/** Without the passing ones that a later one of their kind has taken the place of. */
export function withoutPassed(events: readonly TimedEvent[]): TimedEvent[] {
  const newest = new Map(events.map((timed) => [timed.event.type, timed]));
  return events.filter((timed) => !isPassing(timed.event) || newest.get(timed.event.type) === timed);
}
