/** `npm run lint`: everything that is checked without running a test. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Those that take long first. */
const checks = [
  'cargo clippy --manifest-path native/Cargo.toml --release --all-targets --quiet -- -D warnings',
  'eslint --max-warnings 0 .',
  'tsc',
  'tsc -p src/renderer',
  'tsc -p src/preload',
  'tsc -p test',
  'tsc -p tsconfig.electron33.json',
  'i18next-cli lint',
  'prettier --check --log-level warn .',
  'node scripts/structure.mjs',
  'node scripts/lock-check.mjs',
  'node scripts/licences.mjs --check',
  'cargo fmt --manifest-path native/Cargo.toml --check',
];

/** Runs all the checks, two at a time, also after one has failed; returns those that failed. */
export async function lint() {
  const waiting = checks.filter((check) => !isSkipped(check));
  const failed = [];
  const worker = async () => {
    for (let check = waiting.shift(); check; check = waiting.shift()) if (!(await passes(check))) failed.push(check);
  };
  await Promise.all([worker(), worker()]);
  return failed;
}

function isSkipped(check) {
  const skip = check.includes('electron33') && !existsSync(join(root, 'test/tools/node_modules/electron33'));
  if (skip) console.log(`skipped: ${check} (\`npm test\` installs the types)`);
  return skip;
}

/** Shows a check's output when it has ended, so that two do not mix. */
async function passes(check) {
  const [program, ...args] = check.split(' ');
  const child = spawn(program, args, { cwd: root, shell: process.platform === 'win32' });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
  const status = await new Promise((resolve) => child.on('close', resolve).on('error', () => resolve(1)));
  console.log(`$ ${check}${output.trim() === '' ? '' : `\n${output.trimEnd()}`}`);
  return status === 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const failed = await lint();
  for (const check of failed) console.error(`failed: ${check}`);
  process.exitCode = failed.length > 0 ? 1 : 0;
}
