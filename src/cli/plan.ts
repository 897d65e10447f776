import { Command } from 'commander';

import { errorOf } from '../contract/failure.ts';
import { bytes, duration, significant, whole } from '../contract/format.ts';
import type { ErrorCode } from '../contract/messages/en.ts';
import { message } from '../contract/messages/index.ts';
import type { GpuPlan, Holder, Plan } from '../contract/plan.ts';
import { plan } from '../worker/plan/plan.ts';
import { act, locale, print, printJson } from './act.ts';
import { addRecipeOptions, recipeFrom, type RecipeFlags } from './recipe-options.ts';
import { table } from './table.ts';

interface Flags extends RecipeFlags {
  out?: string;
  json?: true;
}

const holders: Readonly<Record<Holder, string>> = {
  process: 'the process itself',
  text: 'texts being tokenized',
  tokens: 'token ids',
  'block-weights': "a block's weights",
  'block-run': "a block's forward pass",
  grams: 'Hessians',
  factors: 'factors of Hessians',
  layer: 'the layer being pruned',
  staged: 'what is on its way to the GPU and back',
  vocabulary: "the vocabulary's matrix",
  logits: 'logits',
  garbage: 'arrays that wait for the garbage collector',
};

export function planCommand(): Command {
  const command = new Command('plan')
    .description(
      'Say what a recipe will need, before it starts: operations, time on this machine, memory, disk, resulting size.',
    )
    .argument('[model]', 'folder of the checkpoint (config.json and the weights); may come from the recipe')
    .option('--out <dir>', 'where compress would write: its free space is compared with what is needed')
    .option('--json', 'print the plan as JSON');
  return addRecipeOptions(command).action(async (model: string | undefined, flags: Flags) => {
    await act(async ({ signal }) => {
      const planned = await plan(recipeFrom(model, flags), { out: flags.out, signal });
      if (flags.json) printJson(planned);
      else print(describePlan(planned));
      if (planned.refusal) throw errorOf(planned.refusal);
    });
  });
}

function describePlan(planned: Plan): string {
  const { stages, seconds, operations, memory } = planned;
  const rows = stages.map((stage) => {
    const count = Object.values(stage.operations).reduce((a, b) => a + b, 0);
    return [stage.stage, count === 0 ? '–' : teraflop(count), duration(stage.seconds), bytes(stage.peakMemoryBytes)];
  });
  rows.push(['all', teraflop(operations), duration(seconds), bytes(memory.peakBytes)]);
  const lines = [
    describeModel(planned),
    '',
    table(['Stage', 'TFLOP', 'time', 'memory'], rows),
    '',
    ...describeNeeds(planned),
  ];
  return [
    ...lines,
    ...planned.warnings.map(({ code, params }) => `\nWarning: ${message(code as ErrorCode, params, locale())}`),
  ].join('\n');
}

function describeModel({ model, device, threads, calibration, evaluation }: Plan): string {
  const blocks =
    model.blocksCompressed < model.blocks
      ? `${model.blocksCompressed} of ${model.blocks} blocks`
      : `${model.blocks} blocks`;
  const windows = evaluation.map(
    (set) => `${set.dataset}: ${set.estimated ? 'about ' : ''}${set.windows} windows of ${set.seqlen} tokens`,
  );
  return [
    `${model.family}, ${whole(model.parameters)} parameters in ${model.dtype}, ${blocks}, on ${device} with ${threads} threads`,
    `Calibration: ${calibration ? `${calibration.sequences} sequences of ${calibration.seqlen} tokens` : 'none'}`,
    `Evaluation: ${windows.length === 0 ? 'none' : windows.join('; ')}`,
  ].join('\n');
}

function describeNeeds({ gpu, memory, disk, size, search }: Plan): string[] {
  const free = disk.freeBytes === null ? '' : `; ${bytes(disk.freeBytes)} free`;
  const archive = disk.archiveBytes === 0 ? '' : `, ${bytes(disk.archiveBytes)} for its packed archive after them`;
  return [
    `Memory: ${bytes(memory.peakBytes)} in ${memory.stage}, the most of it (${bytes(memory.largestBytes)}) for ${holders[memory.largest]}; the budget is ${bytes(memory.budgetBytes)}, ${bytes(memory.freeBytes)} are free`,
    ...(gpu === null ? [] : [describeGpu(gpu)]),
    `Disk:   ${bytes(disk.outputBytes)} for the model and ${bytes(disk.activationBytes)} for activations meanwhile${archive}, at most ${bytes(disk.totalBytes)} at once${free}`,
    `Size:   ${bytes(size.denseBytes)} as dense files, as before; packed, with a bit mask in place of the zeros, ${bytes(size.nonZeroBytes)}`,
    ...(search === null
      ? []
      : [
          `Search: at most ${search.attempts} attempts one after another, together at most ${duration(search.seconds)} and ${bytes(search.diskBytes)} of disk, since every attempt's folder stays; all above is of one attempt`,
        ]),
    'Times are from a short measurement of this machine. What an earlier run of the same model and data left (perplexities, estimates, sensitivities, trials) is not measured again.',
  ];
}

function describeGpu({ name, driver, memoryBytes, neededBytes, layersOnCpu, gemmRate, transferRate }: GpuPlan): string {
  const has = memoryBytes === null ? '' : ` of its ${bytes(memoryBytes)}`;
  const left =
    layersOnCpu.length === 0
      ? ''
      : `; too large for it, or in a pattern that it does not know, and so left to the CPU: ${layersOnCpu.join(', ')}`;
  const rates = `${significant(gemmRate / 1e9, 3)} GFLOP/s, ${significant(transferRate / 1e9, 3)} GB/s there and back`;
  return `GPU:    ${bytes(neededBytes)}${has} on ${name} (${driver}; ${rates})${left}`;
}

function teraflop(operations: number): string {
  const tera = operations / 1e12;
  return tera.toFixed(tera < 10 ? 3 : 1);
}
