/**
 * Two blocks of a LLaMA-13B's shapes (random weights, F16) through `plan` and `compress`, 70 % and 4 bits, with 16 sequences of 512
 * tokens: inside 8 GiB of anonymous memory, which the system holds it to (prlimit --data) and which is sampled from outside, and
 * within 15 % of what `plan` says. Needs Linux and about 5 GB of disk.
 *
 *     npm run soak memory [FOLDER]     FOLDER keeps the model for the next time
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const limit = 8 * 2 ** 30;
const tolerance = 0.15;
const shape = 'llama-13b';
const blocks = 2;
const sequences = 16;
const seqlen = 512;

const root = fileURLToPath(new URL('../..', import.meta.url));
const tamis = join(root, 'bin/tamis.mjs');
const folder = process.argv[2] ?? mkdtempSync(join(tmpdir(), 'tamis-soak-'));
mkdirSync(folder, { recursive: true });
const model = join(folder, `${shape}-${blocks}-blocks`);
const out = join(folder, 'out');
const tokens = join(folder, 'tokens.safetensors');

const node = (...args) =>
  execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

/** A safetensors file with seeded random token ids, int64 [sequences, seqlen]. */
function writeTokens() {
  const vocab = JSON.parse(readFileSync(join(model, 'config.json'), 'utf8')).vocab_size;
  const count = sequences * seqlen;
  const header = Buffer.from(
    JSON.stringify({ tokens: { dtype: 'I64', shape: [sequences, seqlen], data_offsets: [0, count * 8] } }),
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  let state = 1;
  const ids = BigInt64Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return BigInt(4 + (state % (vocab - 4)));
  });
  writeFileSync(tokens, Buffer.concat([length, header, Buffer.from(ids.buffer)]));
}

function anonymousBytes(pid) {
  try {
    return 1024 * Number(/^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

if (!existsSync(model))
  console.log(
    node(join(root, 'scripts/make-model.mjs'), model, '--shape', shape, '--layers', String(blocks)).trimEnd(),
  );
writeTokens();
rmSync(out, { recursive: true, force: true });

const recipe = [
  ...['--calibration-tokens', tokens, '--sequences', String(sequences), '--calibration-seqlen', String(seqlen)],
  ...['--sparsity', '0.7', '--scheduler', 'uniform', '--bits', '4', '--memory', `${limit}B`],
];
const plan = JSON.parse(node(tamis, 'plan', model, ...recipe, '--json'));
const started = performance.now();
const compress = [process.execPath, tamis, 'compress', model, '--out', out, ...recipe];
const child = spawn('prlimit', [`--data=${limit}`, ...compress], { stdio: ['ignore', 'ignore', 'inherit'] });
let peak = 0;
const timer = setInterval(() => {
  peak = Math.max(peak, anonymousBytes(child.pid));
}, 20);
child.on('exit', (code) => {
  clearInterval(timer);
  const seconds = (performance.now() - started) / 1000;
  const report = join(out, 'report.json');
  const told = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')).peakMemoryBytes : NaN;
  if (process.argv[2] === undefined) rmSync(folder, { recursive: true, force: true });
  else rmSync(out, { recursive: true, force: true });
  const planned = plan.memory.peakBytes;
  const gibibytes = (bytes) => `${(bytes / 2 ** 30).toFixed(2)} GiB`;
  console.log(
    `Peak anonymous memory: ${gibibytes(peak)} from outside, ${gibibytes(told)} in the report, ${gibibytes(planned)} planned ` +
      `(${(planned / told).toFixed(2)} of it, in ${plan.memory.stage}); limit ${gibibytes(limit)}. ${Math.round(seconds)} s, ${Math.round(plan.seconds)} s planned.`,
  );
  const isRight = Math.abs(planned / told - 1) <= tolerance;
  process.exit(code !== 0 ? (code ?? 1) : peak <= limit && isRight ? 0 : 1);
});
