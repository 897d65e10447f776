import { z } from 'zod';

import { choice, type Fields } from './field.ts';
import { methodKinds, methods } from './methods.ts';
import { targets } from './targets.ts';

export const devices = ['auto', 'cpu', 'cuda', 'webgpu', 'dml'] as const;

/** Text files (.txt, .jsonl, .parquet), folders of them, or a .safetensors file with an int64 tensor `tokens`. */
export const corpusSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('texts'), paths: z.array(z.string().min(1)).min(1) }),
  z.strictObject({ kind: z.literal('tokens'), path: z.string().min(1) }),
]);

export const datasetSchema = z.strictObject({ name: z.string().min(1), corpus: corpusSchema });

export const bitWidths = [2, 3, 4, 8] as const;
export const groupSizes = [32, 64, 128] as const;
const targetKinds = ['auto', ...targets] as const;
const ranges = ['minmax', 'mse'] as const;
export const bitsSchema = z.literal(bitWidths);

export const pruningFields = {
  method: choice(methodKinds, {
    schema: z.enum(methodKinds).default('sparsegpt'),
    name: (value) => methods[value].name,
    label: 'field.method',
    flag: '--method <method>',
    help: 'how weights are pruned: admm takes longer than sparsegpt, and loses less',
  }),
  /** Damping: this share of the mean of the Hessian's diagonal is added to the diagonal. */
  percdamp: {
    control: 'amount',
    schema: z.number().positive().max(1).default(0.01),
    step: 0.01,
    reported: true,
    label: 'field.damping',
    hint: 'new.damping-text',
    flag: '--percdamp <share>',
    help: "damping: share of the mean of the Hessian's diagonal",
  },
  /** What layers are to give (docs/method.md, section 12); `auto`: the dense model's outputs where that clearly does better in its trial. */
  layerTargets: choice(targetKinds, {
    schema: z.enum(targetKinds).default('auto'),
    name: (value, t) => t(`new.layer-targets.${value}`),
    label: 'field.targets',
    hint: 'new.layer-targets-text',
    flag: '--targets <kind>',
    help: "what layers are to give: their own outputs (layer), or the dense model's (dense), which takes longer; auto: dense where the auto scheduler's trial is clearly for it",
  }),
  /** How far dense targets go: α of docs/method.md, section 12. */
  denseShare: {
    control: 'amount',
    schema: z.number().positive().max(1).default(0.5),
    step: 0.1,
    label: 'field.dense-share',
    hint: 'new.dense-share-text',
    flag: '--dense-share <share>',
    help: "how far dense targets go from the layers' own outputs to the dense model's: 1 is all the way",
  },
} as const satisfies Fields;

/** How the weights that are kept are quantized (docs/method.md, section 4). */
export const quantizationFields = {
  bits: choice(bitWidths, {
    schema: bitsSchema,
    name: (value, t) => t('new.bits-of', { bits: value }),
    label: 'new.bits',
    flag: '--bits <n>',
    help: 'quantize the weights that are kept to 2, 3, 4 or 8 bits',
    helpDefault: 'not',
  }),
  /** Columns of a row that share a scale; null = the whole row, per channel. */
  groupSize: choice([...groupSizes, null], {
    schema: z.literal(groupSizes).nullable().default(128),
    name: (columns, t) => (columns === null ? t('new.group-channel') : t('new.group-of', { columns })),
    none: 'channel',
    label: 'new.group-size',
    hint: 'new.group-text',
    flag: '--group-size <n>',
    help: 'columns of a row that share a scale: 32, 64, 128, or channel for the whole row',
  }),
  /** No zero point is stored: it is 2^(bits - 1). */
  symmetric: {
    control: 'switch',
    schema: z.boolean().default(false),
    label: 'new.symmetric',
    hint: 'new.symmetric-text',
    flag: '--symmetric',
    help: 'quantize around zero, without stored zero points',
  },
  /** Columns in the order of descending Hessian diagonal. */
  actOrder: {
    control: 'switch',
    schema: z.boolean().default(false),
    label: 'new.act-order',
    hint: 'new.act-order-text',
    flag: '--act-order',
    help: 'compress columns in the order of their activity on the calibration data',
  },
  /** Scales of all groups from the dense weights, before the sweep; with `actOrder` groups stay neighbours in a row. */
  staticGroups: {
    control: 'switch',
    schema: z.boolean().default(false),
    label: 'new.static-groups',
    hint: 'new.static-groups-text',
    flag: '--static-groups',
    help: 'take all scales from the dense weights, before any is changed',
  },
  /** `mse`: of 80 shrunk ranges the one with the least error, in place of the whole range. */
  range: choice(ranges, {
    schema: z.enum(ranges).default('minmax'),
    name: (value, t) => t(`new.code-range.${value}`),
    label: 'new.code-range',
    hint: 'new.code-range-text',
    flag: '--quantization-range <kind>',
    help: 'range of a scale: whole, or least error',
  }),
  /**
   * Layers treated otherwise: a pattern over layer names in which `*` stands for any characters, and their bits; null = not
   * quantized. Of several patterns that match, the last one counts. The embeddings and the head are never quantized.
   */
  exceptions: {
    control: 'own',
    schema: z.array(z.strictObject({ layers: z.string().min(1), bits: bitsSchema.nullable() })).default([]),
    label: 'new.exceptions',
    hint: 'new.exceptions-text',
  },
} as const satisfies Fields;

export const calibrationFields = {
  corpus: { control: 'own', schema: corpusSchema.nullable().default(null), label: 'new.calibration-data' },
  sequences: {
    control: 'amount',
    schema: z.int().min(1).max(1_000_000).default(128),
    label: 'new.sequences',
    flag: '--sequences <n>',
    help: 'calibration sequences',
  },
  /** Tokens a sequence; null = 2048, or the model's limit if smaller. */
  seqlen: {
    control: 'amount',
    schema: z.int().min(2).nullable().default(null),
    unset: 'text.seqlen-default',
    label: 'new.calibration-seqlen',
    flag: '--calibration-seqlen <n>',
    help: 'tokens of a calibration sequence',
    helpDefault: "2048, or the model's limit",
  },
} as const satisfies Fields;

export const evaluationFields = {
  datasets: { control: 'own', schema: z.array(datasetSchema).default([]), label: 'new.datasets' },
  /** At most so many windows of each dataset; null = all. */
  windows: {
    control: 'amount',
    schema: z.int().min(1).nullable().default(null),
    unset: 'new.all',
    label: 'new.windows',
    flag: '--windows <n>',
    help: 'evaluate on at most so many windows of each dataset',
    helpDefault: 'all',
  },
  seqlen: {
    control: 'amount',
    schema: z.int().min(2).nullable().default(null),
    unset: 'text.seqlen-default',
    label: 'new.evaluation-seqlen',
    flag: '--seqlen <n>',
    help: 'tokens of an evaluation window',
    helpDefault: "2048, or the model's limit",
  },
} as const satisfies Fields;

/** Where a recipe runs, and how much of it. */
export const machineFields = {
  /** The device of forward passes. */
  device: choice(devices, {
    schema: z.enum(devices).default('auto'),
    name: (value, t) => t(`device.${value}`),
    reported: true,
    label: 'field.device',
    hint: 'new.device-text',
    flag: '--device <device>',
    help: 'where forward passes run',
  }),
  /** The GPU of Gram matrices, factors and sweeps: `auto`, `none`, or the name of a GPU as `tamis devices` lists it. */
  gpu: {
    control: 'text',
    schema: z.string().min(1).default('auto'),
    reported: true,
    label: 'field.gpu',
    hint: 'new.gpu-text',
    flag: '--gpu <name>',
    help: 'GPU for Hessians, factors and sweeps: auto, none, or a name that tamis devices lists',
  },
  /** Whether the CPU takes over from the last finished block on where a device or GPU is lost in the run, which changes the last bits of results. */
  cpuFallback: {
    control: 'switch',
    schema: z.boolean().default(true),
    label: 'new.cpu-fallback',
    hint: 'new.cpu-fallback-text',
    flag: '--no-cpu-fallback',
    help: 'end with an error where a device or GPU is lost, in place of going on on the CPU',
  },
  /** Threads of the CPU; null = all of them. */
  threads: {
    control: 'amount',
    schema: z.int().min(1).max(1024).nullable().default(null),
    unset: 'new.all-threads',
    label: 'field.threads',
    flag: '--threads <n>',
    help: 'threads of the CPU',
    helpDefault: 'all',
  },
  /** Bytes of anonymous memory that the run may hold; null = 60 % of what is free when it starts. No result depends on it. */
  memory: {
    control: 'amount',
    schema: z.int().positive().nullable().default(null),
    unit: 'gibibytes',
    unset: 'new.free-memory',
    label: 'field.memory-budget',
    flag: '--memory <size>',
    help: 'memory that the run may hold, e.g. 16GiB: what does not fit is refused',
    helpDefault: '60 % of what is free',
  },
  /** The seed of the calibration's windows and of K-means. */
  seed: {
    control: 'amount',
    schema: z.int().min(0).max(0x7fffffff).default(0),
    reported: true,
    label: 'field.seed',
    flag: '--seed <n>',
    help: "of the calibration's windows and of K-means",
  },
  /** Compress the first so many blocks only, to try a recipe; null = all. */
  blocks: {
    control: 'amount',
    schema: z.int().min(1).nullable().default(null),
    unset: 'new.all',
    label: 'field.blocks',
    hint: 'new.blocks-text',
    flag: '--blocks <n>',
    help: 'compress the first so many blocks only, to try a recipe',
  },
} as const satisfies Fields;
