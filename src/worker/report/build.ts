import { stat } from 'node:fs/promises';
import { cpus, release, type } from 'node:os';
import { basename } from 'node:path';

import { withWarning, type Warning } from '../../contract/events.ts';
import { withResult, type DatasetResult, type Measured, type MeasuredSoFar } from '../../contract/measured.ts';
import type { Choice, LayerResult, Report, Target } from '../../contract/report.ts';
import type { BlockStep } from '../compress/blocks.ts';
import type { Statistics } from '../compress/estimate.ts';
import type { Schedule } from '../compress/schedule-layers.ts';
import { weightBytes } from '../model/files.ts';
import { openModel } from '../model/open.ts';
import { fingerprintId } from '../run/fingerprint.ts';
import type { Cost, Run, Step } from '../run/run.ts';
import { engineVersions } from '../machine/versions.ts';

/** What the stages left. */
export interface Results {
  readonly dense: Step<DatasetResult[]>;
  readonly statistics: Step<Statistics> | null;
  readonly target: Target | null;
  readonly choice: Step<Choice> | null;
  readonly schedule: Step<Schedule>;
  readonly blocks: readonly BlockStep[];
  readonly compressed: Step<DatasetResult[]>;
  /** Bytes of the packed archive; null where nobody wants to know. */
  readonly packed: Step<number> | null;
}

/** The report of a run whose stages are all finished. */
export async function buildReport(run: Run, results: Results): Promise<Report> {
  const { recipe, model, directory, fingerprint } = run;
  const layers = results.blocks.flatMap((block) => block.value);
  const costs = [
    results.dense,
    results.statistics,
    results.choice,
    results.schedule,
    ...results.blocks,
    results.compressed,
    results.packed,
  ].flatMap((step) => (step ? [step.cost] : []));
  const versions = engineVersions();
  return {
    version: 2,
    tamis: versions.tamis,
    startedAt: (await stat(directory.file('recipe.json'))).birthtime.toISOString(),
    finishedAt: new Date().toISOString(),
    recipe,
    fingerprint: fingerprintId(fingerprint),
    model: {
      name: basename(model.folder),
      family: model.family.family,
      parameters: [...model.tensors.values()].reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
      dtype: model.dtype,
      blocks: model.family.blocks,
      blocksCompressed: run.blocks,
      bytes: await weightBytes(model),
      bytesCompressed: await weightBytes(await openModel(directory.path)),
    },
    packedBytes: results.packed?.value ?? null,
    measured: pair(results.dense.value, results.compressed.value),
    sparsity: {
      target: weighted(layers, (layer) => layer.targetSparsity),
      actual: weighted(layers, (layer) => layer.sparsity),
    },
    estimate: results.schedule.value.estimate,
    centroids: results.schedule.value.centroids,
    target: results.target,
    choice: results.choice?.value ?? null,
    layers,
    seconds: addSeconds(costs),
    peakMemoryBytes: Math.max(...costs.map((cost) => cost.peakMemoryBytes)),
    warnings: warningsOf(run),
    environment: {
      platform: `${type()} ${release()} ${process.arch}`,
      cpu: cpus()[0]?.model ?? '',
      threads: run.devices.session.threads,
      kernels: versions.kernels,
      device: run.devices.session.device,
      gpu: fingerprint.gpu?.name ?? null,
      gpuDriver: fingerprint.gpu?.driver ?? null,
      node: process.versions.node,
      onnxruntime: versions.onnxruntime,
    },
  };
}

function pair(dense: readonly DatasetResult[], compressed: readonly DatasetResult[]): Measured[] {
  const known = dense.reduce<readonly MeasuredSoFar[]>((all, result) => withResult(all, 'dense', result), []);
  const both = compressed.reduce((all, result) => withResult(all, 'compressed', result), known);
  return both.flatMap(({ dense: before, compressed: after, ...entry }) => {
    // An earlier version, which began the run, may have measured the dense model by fewer.
    if (before === null) return [];
    if (after === null) throw new Error(`no compressed ${entry.measure} of ${entry.dataset}`);
    return [{ ...entry, dense: before, compressed: after }];
  });
}

/** Mean over all pruned weights. */
function weighted(layers: readonly LayerResult[], of: (layer: LayerResult) => number): number {
  const size = layers.reduce((sum, { rows, cols }) => sum + rows * cols, 0);
  return layers.reduce((sum, layer) => sum + layer.rows * layer.cols * of(layer), 0) / size;
}

function addSeconds(costs: readonly Cost[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const { seconds } of costs)
    for (const [kind, value] of Object.entries(seconds)) total[kind] = (total[kind] ?? 0) + value;
  return total;
}

/** Each warning once, however often the run was started. */
function warningsOf({ directory }: Run): Report['warnings'] {
  const warnings = directory.events().filter((event) => event.type === 'warning');
  return [...warnings.reduce<readonly Warning[]>(withWarning, [])];
}
