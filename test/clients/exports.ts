import { fileURLToPath } from 'node:url';

import type { ExportFormat } from '../../src/contract/exports.ts';
import { demoModel } from '../fixtures/demo-model.ts';

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** The bundled command line. */
export const cli = at('dist/cli/index.js');
/** What `train_model.py` made. */
const llama = at('build/clients/llama');
const bloom = at('build/clients/bloom');
const gpt2 = at('build/clients/gpt2');

/** Families of which `random_model.py` makes a model, anew each time. */
export const randomFamilies = ['mistral', 'qwen3', 'gemma2', 'gemma3'] as const;

/** Everything that the tests make, anew each time. */
export const work = at('build/clients/work');

export function random(family: (typeof randomFamilies)[number]): string {
  return `${work}/models/${family}`;
}

interface Run {
  readonly model: string;
  readonly flags: readonly string[];
  readonly formats: readonly ExportFormat[];
}

const uniform = ['--scheduler', 'uniform'];
const grouped = ['--group-size', '128'];
const symmetric = [...grouped, '--symmetric'];
const gptqs = ['gptq', 'gptq_v2'] as const;

/** The runs that are exported; between them, every layout that each format has. */
export const runs = {
  'opt, 70 %, 4 bits': {
    model: demoModel,
    flags: [...uniform, '--sparsity', '0.7', '--bits', '4', ...symmetric],
    formats: ['dense', ...gptqs, 'compressed-tensors', 'onnx'],
  },
  'opt, 4 bits with zero points': {
    model: demoModel,
    flags: ['--sparsity', '0', '--bits', '4', ...grouped],
    formats: ['gptq_v2', 'compressed-tensors', 'onnx'],
  },
  'opt, 50 %, 4 bits a channel': {
    model: demoModel,
    flags: [...uniform, '--sparsity', '0.5', '--bits', '4', '--group-size', 'channel'],
    formats: ['gptq_v2', 'compressed-tensors', 'onnx'],
  },
  'opt, 8 bits in groups of 32': {
    model: demoModel,
    flags: ['--sparsity', '0', '--bits', '8', '--group-size', '32'],
    formats: ['gptq_v2', 'compressed-tensors', 'onnx'],
  },
  'opt, 3 bits': {
    model: demoModel,
    flags: ['--sparsity', '0', '--bits', '3', ...symmetric],
    formats: [...gptqs, 'onnx'],
  },
  'opt, 2 bits with zero points': {
    model: demoModel,
    flags: ['--sparsity', '0', '--bits', '2', '--group-size', '32'],
    formats: ['gptq_v2', 'onnx'],
  },
  'opt, act-order': {
    model: demoModel,
    flags: ['--sparsity', '0', '--bits', '4', ...symmetric, '--act-order'],
    formats: ['gptq'],
  },
  'opt, act-order in static groups': {
    model: demoModel,
    flags: [...uniform, '--sparsity', '0.5', '--bits', '4', ...symmetric, '--act-order', '--static-groups'],
    formats: ['gptq', 'compressed-tensors', 'onnx'],
  },
  'llama, 50 %, 4 bits': {
    model: llama,
    flags: [...uniform, '--sparsity', '0.5', '--bits', '4', ...symmetric],
    formats: ['dense', 'gptq', 'compressed-tensors', 'onnx', 'gguf'],
  },
  'llama, 4 bits with zero points': {
    model: llama,
    flags: ['--sparsity', '0', '--bits', '4', ...grouped],
    formats: ['compressed-tensors', 'onnx', 'gguf'],
  },
  'llama, 50 %, 8 bits': {
    model: llama,
    flags: [...uniform, '--sparsity', '0.5', '--bits', '8', ...symmetric],
    formats: ['gptq', 'compressed-tensors', 'onnx', 'gguf'],
  },
  'mistral, 4 bits': {
    model: random('mistral'),
    flags: ['--sparsity', '0', '--bits', '4', ...symmetric],
    formats: ['onnx'],
  },
  'qwen3, 50 %, 4 bits': {
    model: random('qwen3'),
    flags: [...uniform, '--sparsity', '0.5', '--bits', '4', ...symmetric],
    formats: ['dense', 'gptq', 'compressed-tensors', 'onnx'],
  },
  'gemma2, 4 bits': {
    model: random('gemma2'),
    flags: ['--sparsity', '0', '--bits', '4', ...symmetric],
    formats: ['onnx'],
  },
  'gemma3, 50 %, 4 bits': {
    model: random('gemma3'),
    flags: [...uniform, '--sparsity', '0.5', '--bits', '4', ...symmetric],
    formats: ['dense', 'gptq', 'compressed-tensors', 'onnx'],
  },
  'bloom, 50 %, 4 bits': {
    model: bloom,
    flags: [...uniform, '--sparsity', '0.5', '--bits', '4', ...symmetric],
    formats: ['dense', 'gptq', 'compressed-tensors', 'onnx', 'gguf'],
  },
  'gpt2, 50 %, 4 bits': {
    model: gpt2,
    flags: [...uniform, '--sparsity', '0.5', '--bits', '4', ...symmetric],
    formats: ['dense', 'gptq', 'gptq_v2', 'onnx'],
  },
} as const satisfies Record<string, Run>;
export type RunName = keyof typeof runs;

/** Token ids of the demo's evaluation texts, which none of the models has ever seen: for `tamis eval`, and for the clients. */
export const tokensFile = at('build/clients/work/tokens.safetensors');
export const sampleFile = at('build/clients/work/sample.json');

export const sample = { seqlen: 256, windows: 40, prompt: 16, generate: 32 } as const;

export function runFolder(run: RunName): string {
  return `${work}/runs/${slug(run)}`;
}

export function exportFolder(run: RunName, format: ExportFormat): string {
  return `${work}/exports/${slug(run)}-${format}`;
}

/** The runs that are exported in a format. */
export function runsAs(format: ExportFormat): RunName[] {
  return runNames.filter((name) => (runs[name].formats as readonly ExportFormat[]).includes(format));
}

export const runNames = Object.keys(runs) as RunName[];

function slug(name: string): string {
  return name.replaceAll(/[^\w-]+/g, '-').replaceAll(/-+/g, '-');
}
