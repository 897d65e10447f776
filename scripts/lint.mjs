/** `npm run lint`: everything that is checked without running a test. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

const checks = [
  'tsc',
  'tsc -p src/renderer',
  'tsc -p src/preload',
  'tsc -p test',
  'tsc -p tsconfig.electron33.json',
  'eslint --max-warnings 0 .',
  'i18next-cli lint',
  'prettier --check --log-level warn .',
  'node scripts/lock-check.mjs',
  'node scripts/licences.mjs --check',
  'cargo fmt --manifest-path native/Cargo.toml --check',
  'cargo clippy --manifest-path native/Cargo.toml --release --all-targets --quiet -- -D warnings',
];

/** Runs all the checks, also after one has failed; returns those that failed. */
export function lint() {
  return checks.filter((check) => {
    if (check.includes('electron33') && !existsSync(join(root, 'test/tools/node_modules/electron33'))) {
      console.log(`skipped: ${check} (\`npm test\` installs the types)`);
      return false;
    }
    console.log(`$ ${check}`);
    const [program, ...args] = check.split(' ');
    const options = { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' };
    return spawnSync(program, args, options).status !== 0;
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const failed = lint();
  for (const check of failed) console.error(`failed: ${check}`);
  process.exitCode = failed.length > 0 ? 1 : 0;
}
