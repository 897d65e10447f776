/**
 * `npm test`: the checks of `npm run lint` and then the Rust tests, beside the TypeScript tests, which leave processors idle; closes
 * with how long each part took and with the counts of all tests.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { hostTarget } from './host-target.mjs';
import { lint } from './lint.mjs';
import { softwareGpu } from './software-gpu.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const shell = process.platform === 'win32';

/** Runs `cargo test`, shows its output when it has ended and adds up the result lines of its test programs. */
async function rustTests() {
  const command = `test --manifest-path native/Cargo.toml --release --tests --quiet --target ${hostTarget()}`;
  const env = { ...process.env, ...(await softwareGpu()) };
  const child = spawn('cargo', command.split(' '), { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
  const [status] = await once(child, 'close');
  console.log(`$ cargo ${command}\n${output.trimEnd()}`);
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const [, passed, failed, ignored] of output.matchAll(/(\d+) passed; (\d+) failed; (\d+) ignored/g)) {
    counts.passed += Number(passed);
    counts.failed += Number(failed);
    counts.skipped += Number(ignored);
  }
  return { failed: status !== 0, counts };
}

/** Runs Vitest; `test-reporter.mjs` hands over its counts, and how long each project took. */
async function typescriptTests() {
  const folder = mkdtempSync(join(tmpdir(), 'tamis-test-'));
  try {
    const file = join(folder, 'counts.json');
    const env = { ...process.env, TAMIS_TEST_COUNTS: file };
    const [status] = await once(spawn('vitest', ['run'], { cwd: root, stdio: 'inherit', env, shell }), 'close');
    const told = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null;
    const { counts, seconds } = told ?? { counts: { passed: 0, failed: 1, skipped: 0 }, seconds: {} };
    return { failed: status !== 0, counts, seconds };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What some work comes to, and how long it takes: { result, seconds }. */
async function timed(work) {
  const began = performance.now();
  const result = await work();
  return { result, seconds: (performance.now() - began) / 1000 };
}

const all = await timed(() =>
  Promise.all([(async () => [await timed(lint), await timed(rustTests)])(), typescriptTests()]),
);
const [[{ result: failedChecks, seconds: lintSeconds }, { result: rust, seconds: rustSeconds }], typescript] =
  all.result;
const parts = { lint: lintSeconds, Rust: rustSeconds, ...typescript.seconds };

for (const check of failedChecks) console.error(`failed: ${check}`);
if (rust.failed) console.error('failed: the Rust tests');
if (typescript.failed) console.error('failed: the TypeScript tests');
const times = Object.entries(parts).map(([part, seconds]) => `${part} ${Math.round(seconds)} s`);
console.log(`${Math.round(all.seconds)} s after the set-up: ${times.join(', ')}`);
const sum = (key) => rust.counts[key] + typescript.counts[key];
console.log(`${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped`);
process.exitCode = failedChecks.length > 0 || rust.failed || typescript.failed ? 1 : 0;
