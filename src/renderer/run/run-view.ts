import {
  isPassing,
  stages as allStages,
  withWarning,
  type EventOf,
  type Stage,
  type TimedEvent,
  type Warning,
} from '../../contract/events.ts';
import type { MessageParams } from '../../contract/messages/params.ts';
import { withResult, type MeasuredSoFar } from '../../contract/measured.ts';
import type { Centroid, Choice, LayerResult, Target } from '../../contract/report.ts';

/** `kept`: done by an earlier start of the run. `stopped`: begun, and the run ended before it did. */
export type StageState = 'waiting' | 'running' | 'finished' | 'kept' | 'stopped';

export interface StageView {
  readonly stage: Stage;
  readonly state: StageState;
  /** Spent until the stage last ended, over all starts of the run. */
  readonly seconds: number;
  /** ISO 8601 time from which it has been running; null while it is not. */
  readonly since: string | null;
}

/** A layer as far as the run has come with it; what is not known yet is null. */
export type LayerView = Pick<
  LayerResult,
  'name' | 'block' | 'type' | 'rows' | 'cols' | 'estimate' | 'sensitivity' | 'group' | 'bits' | 'error' | 'iterations'
> & {
  readonly targetSparsity: number | null;
  readonly sparsity: number | null;
};

/** What a run has told so far, put together. */
export interface RunView {
  readonly stages: readonly StageView[];
  readonly progress: EventOf<'progress'> | null;
  /** What it computes on; null before it has told. */
  readonly devices: EventOf<'devices'> | null;
  /** null where its GPU does not tell. */
  readonly gpuUsage: EventOf<'gpu-usage'> | null;
  /** Blocks compressed, and to be compressed; null until the first one is. */
  readonly blocks: { readonly done: number; readonly of: number } | null;
  readonly layers: readonly LayerView[];
  /** Place of each layer in `layers`. */
  readonly places: ReadonlyMap<string, number>;
  readonly centroids: readonly Centroid[];
  /** What the run decided; null before, and where the recipe says it. */
  readonly target: Target | null;
  /** How `auto` chose; null before, and of other schedulers. */
  readonly choice: Choice | null;
  readonly measured: readonly MeasuredSoFar[];
  readonly warnings: readonly Warning[];
  /** Why the last start of the run ended early. */
  readonly failure: { readonly code: string; readonly params: MessageParams } | null;
  readonly finished: boolean;
  /** All events but those that pass, oldest first. */
  readonly log: readonly TimedEvent[];
  /** ISO 8601 time of the last event; null before the first. */
  readonly at: string | null;
}

/** What is told of the moment, and of no more worth when the work has ended. */
const atRest = { progress: null, gpuUsage: null } as const;

export const emptyView: RunView = {
  stages: allStages.map((stage) => ({ stage, state: 'waiting', seconds: 0, since: null })),
  ...atRest,
  devices: null,
  blocks: null,
  layers: [],
  places: new Map(),
  centroids: [],
  target: null,
  choice: null,
  measured: [],
  warnings: [],
  failure: null,
  finished: false,
  log: [],
  at: null,
};

/**
 * The view after further events of the run, oldest first. What they do not touch stays the same object, and events that are in
 * the view already change nothing, so they may come again.
 */
export function applyEvents(view: RunView, events: readonly TimedEvent[]): RunView {
  const further = eventsAfter(view.log.at(-1)?.seq ?? 0, events);
  if (further.length === 0) return view;
  const logged = further.filter(({ event }) => !isPassing(event));
  const log = logged.length === 0 ? view.log : [...view.log, ...logged];
  return { ...further.reduce(applyEvent, view), log };
}

/** The events that come after the logged one of the number `last`: a passing one belongs between its number and the next. */
function eventsAfter(last: number, events: readonly TimedEvent[]): TimedEvent[] {
  let reached = last;
  return events.filter(({ seq, event }) => {
    if (isPassing(event)) return seq === reached;
    const isNew = seq > reached;
    reached = Math.max(reached, seq);
    return isNew;
  });
}

function applyEvent(before: RunView, { at, event }: TimedEvent): RunView {
  const view = { ...before, at };
  switch (event.type) {
    case 'started':
      return { ...view, failure: null, finished: false, ...atRest };
    case 'stage':
      return { ...view, stages: applyStage(before, at, event) };
    case 'progress':
      return { ...view, progress: event };
    case 'devices':
      return { ...view, devices: event, gpuUsage: null };
    case 'gpu-usage':
      return { ...view, gpuUsage: event };
    case 'layers':
      return { ...view, ...announceLayers(before, event.layers) };
    case 'estimate':
      return { ...view, layers: changeLayer(before, event.layer, { estimate: event.estimate }) };
    case 'sensitivity':
      return { ...view, layers: changeLayer(before, event.layer, { sensitivity: event.sensitivity }) };
    case 'target':
      return { ...view, target: event.target };
    case 'choice':
      return { ...view, choice: event.choice };
    case 'schedule':
      return { ...view, centroids: event.centroids, layers: applySchedule(before, event) };
    case 'layer':
      return { ...view, ...finishLayer(before, event.layer) };
    case 'block':
      return { ...view, blocks: { done: Math.max(before.blocks?.done ?? 0, event.block + 1), of: event.blocks } };
    case 'measured':
      return { ...view, measured: withResult(before.measured, event.which, event.result) };
    case 'warning':
      return { ...view, warnings: withWarning(before.warnings, event) };
    case 'finished':
      return { ...view, finished: true, ...atRest };
    case 'failed':
      return {
        ...view,
        failure: { code: event.code, params: event.params },
        stages: stopRunning(before.stages, at),
        ...atRest,
      };
  }
}

function applyStage(view: RunView, at: string, { stage, state, seconds }: EventOf<'stage'>): readonly StageView[] {
  // A stage still running when another begins was cut off by a kill, not long after the last event.
  const settled = state === 'started' ? stopRunning(view.stages, view.at ?? at) : view.stages;
  return settled.map((one) => {
    if (one.stage !== stage) return one;
    if (state === 'started') return { ...one, state: 'running', since: at };
    return { ...one, state, seconds: one.seconds + seconds, since: null };
  });
}

/** The view of a run that goes on no more, whether it could still tell or not: nothing in it is running. */
export function ended(view: RunView): RunView {
  return view.at === null ? view : { ...view, stages: stopRunning(view.stages, view.at), ...atRest };
}

function stopRunning(all: readonly StageView[], at: string): readonly StageView[] {
  return all.map((one) =>
    one.since === null
      ? one
      : { ...one, state: 'stopped', seconds: one.seconds + secondsBetween(one.since, at), since: null },
  );
}

/** The stages without those that the run has gone past: its recipe has no need of them. */
export function stagesOfRun(all: readonly StageView[]): readonly StageView[] {
  const furthest = all.findLastIndex(({ state }) => state !== 'waiting');
  return all.filter(({ state }, i) => i > furthest || state !== 'waiting');
}

/** From one ISO 8601 time to another; 0 if the clock was set back meanwhile. */
function secondsBetween(from: string, to: string): number {
  return Math.max(0, Date.parse(to) - Date.parse(from)) / 1000;
}

type Layers = Pick<RunView, 'layers' | 'places'>;

/** A run that is resumed announces its layers again: what was measured before is kept. */
function announceLayers(view: RunView, announced: EventOf<'layers'>['layers']): Layers {
  const unknown = {
    estimate: null,
    sensitivity: null,
    group: null,
    targetSparsity: null,
    sparsity: null,
    bits: null,
    error: null,
    iterations: null,
  };
  return placed(announced.map((layer) => layerOf(view, layer.name) ?? { ...layer, ...unknown }));
}

function finishLayer(view: RunView, layer: LayerResult): Layers {
  if (!view.places.has(layer.name)) return placed([...view.layers, layer]);
  return { layers: changeLayer(view, layer.name, layer), places: view.places };
}

function placed(layers: readonly LayerView[]): Layers {
  return { layers, places: new Map(layers.map(({ name }, place) => [name, place])) };
}

/** The layer of that name, as far as the run has come with it. */
export function layerOf({ layers, places }: Layers, name: string): LayerView | undefined {
  const place = places.get(name);
  return place === undefined ? undefined : layers[place];
}

/** Logs of older versions do not announce their layers: what is told of one that is not known yet comes again when it is finished. */
function changeLayer({ layers, places }: Layers, name: string, change: Partial<LayerView>): readonly LayerView[] {
  const place = places.get(name);
  const layer = place === undefined ? undefined : layers[place];
  if (place === undefined || layer === undefined) return layers;
  return layers.with(place, { ...layer, ...change });
}

function applySchedule(
  { layers }: Layers,
  { sparsities, groups, estimates, sensitivities }: EventOf<'schedule'>,
): LayerView[] {
  return layers.map((layer) => ({
    ...layer,
    targetSparsity: sparsities[layer.name] ?? layer.targetSparsity,
    group: groups[layer.name] ?? layer.group,
    estimate: estimates[layer.name] ?? layer.estimate,
    sensitivity: sensitivities[layer.name] ?? layer.sensitivity,
  }));
}

/** Seconds the run has worked, over all its starts, at the moment `now` (milliseconds since 1970). */
export function elapsedSeconds(stages: RunView['stages'], now: number): number {
  return stages.reduce((sum, stage) => sum + stageSeconds(stage, now), 0);
}

/** Seconds spent in a stage, over all starts of the run, at the moment `now` (milliseconds since 1970). */
export function stageSeconds({ seconds, since }: StageView, now: number): number {
  return since === null ? seconds : seconds + Math.max(0, now - Date.parse(since)) / 1000;
}
