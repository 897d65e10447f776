import { z } from 'zod';

import type { Stage } from '../../contract/events.ts';
import type { RunDirectory } from './directory.ts';
import type { Fingerprint } from './fingerprint.ts';
import type { Inputs } from './inputs.ts';
import { Clock } from '../machine/clock.ts';
import { PeakMemory } from '../machine/memory.ts';
import { timed, type Told } from './told.ts';
import type { Progress } from './progress.ts';

/** One execution of a recipe: everything its stages need. */
export interface Run extends Inputs, Told {
  readonly directory: RunDirectory;
  readonly fingerprint: Fingerprint;
}

/** A run with a piece of its work under way, whose seconds are added up by kind and whose progress is told. */
export interface Work extends Run {
  readonly clock: Clock;
  readonly progress: Progress;
}

export const costSchema = z.strictObject({
  /** Seconds by kind of work. */
  seconds: z.record(z.string(), z.number()),
  peakMemoryBytes: z.int(),
});
export type Cost = z.infer<typeof costSchema>;

/** A finished step as it lies in `state/`: its value and what it cost. */
export interface Step<T> {
  readonly value: T;
  readonly cost: Cost;
}

/** The step of a stage that a run has no need of. */
export function nothingToDo<T>(value: T): Step<T> {
  return { value, cost: { seconds: {}, peakMemoryBytes: 0 } };
}

type Compute<T> = (clock: Clock) => Promise<T>;

/** Does a step, unless an earlier start of this run finished it, and records it as finished. */
export async function step<T>(run: Run, name: string, schema: z.ZodType<T>, compute: Compute<T>): Promise<Step<T>> {
  return (await keptStep(run, name, schema)) ?? (await newStep(run, name, compute));
}

/** A step that is a whole stage: announced, timed, and told as `kept` where an earlier start finished it. */
export async function stage<T>(
  run: Run,
  name: Stage,
  schema: z.ZodType<T>,
  compute: () => T | Promise<T>,
): Promise<Step<T>> {
  const kept = await keptStep(run, name, schema);
  if (kept === null) return await newStep(run, name, (clock) => timed(run.emit, name, () => clock.time(name, compute)));
  run.emit({ type: 'stage', stage: name, state: 'kept', seconds: 0 });
  return kept;
}

async function keptStep<T>({ directory }: Run, name: string, schema: z.ZodType<T>): Promise<Step<T> | null> {
  return await directory.readStep(name, z.strictObject({ value: schema, cost: costSchema }));
}

/** Where a device is lost on the way the step begins anew without it: all before it is finished. */
async function newStep<T>(run: Run, name: string, compute: Compute<T>): Promise<Step<T>> {
  for (;;) {
    try {
      return await attempt(run, name, compute);
    } catch (error) {
      if (!(await goesOn(run, name, error))) throw error;
    }
  }
}

/** Whether what was lost could be given up; the run's folder keeps what, so that all further steps of it go the same way. */
async function goesOn({ devices, directory, emit }: Run, step: string, error: unknown): Promise<boolean> {
  const lost = devices.giveUp(error);
  if (lost === null) return false;
  await directory.writeStep('given-up', devices.givenUp);
  emit({ type: 'warning', code: 'device.given-up', params: { ...lost, step } });
  emit(devices.event);
  return true;
}

async function attempt<T>({ directory }: Run, name: string, compute: Compute<T>): Promise<Step<T>> {
  using memory = new PeakMemory();
  const clock = new Clock();
  const value = await compute(clock);
  const done = { value, cost: { seconds: clock.seconds, peakMemoryBytes: memory.stop() } };
  await directory.writeStep(name, done);
  return done;
}
