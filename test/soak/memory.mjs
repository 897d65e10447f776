/**
 * An OPT of 1.3B shapes (random weights) through `plan` and the first two blocks of `compress`, with the
 * anonymous memory of the process sampled from outside. Fails above 4 GiB. Needs Linux and about 6 GB of disk.
 *
 *     npm run soak memory [FOLDER]     FOLDER keeps the model for the next time
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const limit = 4 * 2 ** 30;
const sequences = 16;
const seqlen = 512;
const vocab = 50272;

const root = fileURLToPath(new URL('../..', import.meta.url));
const tamis = join(root, 'bin/tamis.mjs');
const folder = process.argv[2] ?? mkdtempSync(join(tmpdir(), 'tamis-soak-'));
mkdirSync(folder, { recursive: true });
const model = join(folder, 'opt-1.3b-shapes');
const out = join(folder, 'out');
const tokens = join(folder, 'tokens.safetensors');

function run(...args) {
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

/** A safetensors file with seeded random token ids, int64 [sequences, seqlen]. */
function writeTokens() {
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

if (!existsSync(model)) run(join(root, 'scripts/make-model.mjs'), model, '--shape', 'opt-1.3b');
writeTokens();
rmSync(out, { recursive: true, force: true });

const recipe = [
  '--calibration-tokens',
  tokens,
  '--sequences',
  String(sequences),
  '--calibration-seqlen',
  String(seqlen),
  '--blocks',
  '2',
];
run(tamis, 'plan', model, ...recipe);
const child = spawn(process.execPath, [tamis, 'compress', model, '--out', out, ...recipe], { stdio: 'inherit' });
let peak = 0;
const timer = setInterval(() => {
  peak = Math.max(peak, anonymousBytes(child.pid));
}, 20);
child.on('exit', (code) => {
  clearInterval(timer);
  const told = existsSync(join(out, 'report.json'))
    ? JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')).peakMemoryBytes
    : NaN;
  if (process.argv[2] === undefined) rmSync(folder, { recursive: true, force: true });
  else rmSync(out, { recursive: true, force: true });
  console.log(
    `Peak anonymous memory: ${(peak / 2 ** 30).toFixed(2)} GiB from outside, ${(told / 2 ** 30).toFixed(2)} GiB in the report; limit ${limit / 2 ** 30} GiB`,
  );
  process.exit(code !== 0 ? (code ?? 1) : peak > limit ? 1 : 0);
});
