import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { afterEach, beforeEach, expect, test } from 'vitest';

const run = promisify(execFile);
const scripts = new URL('../../scripts/', import.meta.url);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tamis-set-up-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function runScript(...lines: string[]) {
  return run(process.execPath, ['--input-type=module', '-e', lines.join('\n')]);
}

/** Writes `in` and, 50 ms later, `out` to the file `log` while it holds the lock. */
function holdLock() {
  return runScript(
    `import { appendFileSync } from 'node:fs';`,
    `import { withLock } from '${new URL('lock.mjs', scripts).href}';`,
    `await withLock(${JSON.stringify(join(folder, 'lock'))}, async () => {`,
    `  appendFileSync(${JSON.stringify(join(folder, 'log'))}, 'in ');`,
    `  await new Promise((done) => setTimeout(done, 50));`,
    `  appendFileSync(${JSON.stringify(join(folder, 'log'))}, 'out ');`,
    `});`,
  );
}

test('processes hold the set-up lock one after the other and leave nothing behind', async () => {
  await Promise.all([holdLock(), holdLock(), holdLock(), holdLock()]);
  expect(readFileSync(join(folder, 'log'), 'utf8')).toBe('in out in out in out in out ');
  expect(readdirSync(folder)).toEqual(['log']);
});

test('the lock of a process that was killed is taken over by one of those that wait', async () => {
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  mkdirSync(join(folder, 'lock'));
  writeFileSync(join(folder, 'lock', 'pid'), String(pid));
  await Promise.all([holdLock(), holdLock(), holdLock()]);
  expect(readFileSync(join(folder, 'log'), 'utf8')).toBe('in out in out in out ');
  expect(readdirSync(folder)).toEqual(['log']);
});

test.skipIf(process.platform === 'win32').each([
  ['process.exit(7)', 7, null],
  ['process.kill(process.pid, "SIGTERM"); setTimeout(() => {}, 10000)', null, 'SIGTERM'],
])('a forwarded program ends its parent as it ended: %s', (program, status, signal) => {
  const script = `import { forward } from '${new URL('forward.mjs', scripts).href}';
    forward(process.execPath, ['-e', ${JSON.stringify(program)}], {});`;
  const result = spawnSync(process.execPath, ['--input-type=module', '-e', script]);
  expect(result).toMatchObject({ status, signal });
});

test('a copy of an addon for an older Node-API differs in the version that it declares, and in nothing else', async () => {
  const addon = fileURLToPath(new URL('../../node_modules/better-sqlite3/prebuilds/linux-x64.node', import.meta.url));
  const copy = join(folder, 'copy.node');
  await runScript(
    `import { copyAsExperimental } from '${new URL('node-api.mjs', scripts).href}';`,
    `copyAsExperimental(${JSON.stringify(addon)}, ${JSON.stringify(copy)});`,
  );
  const [before, after] = [readFileSync(addon), readFileSync(copy)];
  const changed = [...before.keys()].filter((at) => before[at] !== after[at]);
  expect(after).toHaveLength(before.length);
  expect(changed).toEqual([0, 1, 2, 3].map((byte) => (changed[0] ?? NaN) + byte));
  expect(before.readUInt32LE(changed[0])).toBe(10);
  expect(after.readUInt32LE(changed[0])).toBe(0x7fffffff);
  await expect(
    runScript(
      `import { copyAsExperimental } from '${new URL('node-api.mjs', scripts).href}';`,
      `copyAsExperimental(process.execPath, ${JSON.stringify(copy)});`,
    ),
  ).rejects.toThrow('does not export');
});
