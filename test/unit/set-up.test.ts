import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { patience } from '../limits.ts';

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

test.each([
  ['that was killed', () => `${String(spawnSync(process.execPath, ['-e', '']).pid)}.1`],
  ['whose number another process has now', () => `${String(process.pid)}.1`],
])('the lock of a process %s is taken over by one of those that wait', async (_, owner) => {
  mkdirSync(join(folder, 'lock'));
  writeFileSync(join(folder, 'lock', owner()), '');
  writeFileSync(join(folder, 'lock', `${owner()},${owner()}`), '');
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

/** What an npm of the tests has noted at its start: its own identity, that of what it started, and of those that ran beside it. */
interface Npm {
  npm: string;
  ward: string;
  started: string;
  beside: string[];
}

describe.skipIf(process.platform === 'win32')('a set-up with an npm of the tests', () => {
  const npms = (): Npm[] =>
    existsSync(join(folder, 'npms'))
      ? readFileSync(join(folder, 'npms'), 'utf8')
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as Npm)
      : [];
  const isWhole = (): boolean => existsSync(join(folder, 'app/node_modules/.whole'));

  beforeEach(() => {
    cpSync(scripts, join(folder, 'scripts'), { recursive: true });
    for (const name of ['app', 'bin']) mkdirSync(join(folder, name));
    writeFileSync(join(folder, 'app/package-lock.json'), '{}');
    const npm = `#!${process.execPath}
      import { spawn } from 'node:child_process';
      import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
      import { identityOf, isRunning } from '${new URL('processes.mjs', scripts).href}';
      if (process.argv[2] === '--version') process.exit();
      const [folder, app] = [${JSON.stringify(folder)}, ${JSON.stringify(join(folder, 'app'))}];
      const before = existsSync(folder + '/npms') ? readFileSync(folder + '/npms', 'utf8').trim().split('\\n') : [];
      const beside = before.map((line) => JSON.parse(line)).flatMap(({ npm, started }) => [npm, started]);
      const started = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
      mkdirSync(app + '/node_modules', { recursive: true });
      writeFileSync(app + '/node_modules/.package-lock.json', '{}');
      appendFileSync(folder + '/npms', JSON.stringify({
        npm: identityOf(process.pid),
        ward: identityOf(process.ppid),
        started: identityOf(started.pid),
        beside: beside.filter(isRunning),
      }) + '\\n');
      const watch = setInterval(() => {
        const fails = existsSync(folder + '/npm-fails');
        if (!fails && !existsSync(folder + '/npm-ends')) return;
        clearInterval(watch);
        process.stderr.write('the last words of npm');
        started.kill('SIGKILL');
        started.on('exit', () => process.exit(fails ? 1 : 0));
      }, 20);`;
    // Without an ending it would be CommonJS.
    writeFileSync(join(folder, 'bin/package.json'), '{ "type": "module" }');
    writeFileSync(join(folder, 'bin/npm'), npm, { mode: 0o755 });
  });

  /** Lets npm fail or succeed, those that run and those that will. */
  function npm(does: 'fails' | 'ends'): void {
    writeFileSync(join(folder, `npm-${does}`), '');
  }

  function setUp(run = `await bootstrap([npmStep('app', 'Installing …')]).catch(exitWith);`): {
    child: ChildProcess;
    errors: () => string;
    end: Promise<unknown[]>;
  } {
    const own = (name: string): string => JSON.stringify(join(folder, 'scripts', name));
    const lines = [
      `import { bootstrap, npmStep } from ${own('bootstrap.mjs')};`,
      `import { withLock } from ${own('lock.mjs')};`,
      `import { exitWith, setUpLock } from ${own('products.mjs')};`,
      `import { supervised } from ${own('supervised.mjs')};`,
      run,
    ];
    const child = spawn(process.execPath, ['--input-type=module', '-e', lines.join('\n')], {
      env: { ...process.env, PATH: `${join(folder, 'bin')}:${process.env.PATH ?? ''}` },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
    return { child, errors: () => errors, end: once(child, 'close') };
  }

  async function installed(): Promise<void> {
    const { end, errors } = setUp();
    expect(await end, errors()).toEqual([0, null]);
    expect(isWhole()).toBe(true);
  }

  test('installs once, and again where the lock file is another or node_modules has no stamp of ours', async () => {
    npm('ends');
    await installed();
    await installed();
    expect(npms()).toHaveLength(1);
    rmSync(join(folder, 'app/node_modules/.whole'));
    await installed();
    expect(npms()).toHaveLength(2);
    writeFileSync(join(folder, 'app/package-lock.json'), '{ "name": "another" }');
    await installed();
    expect(npms()).toHaveLength(3);
  });

  test('fails as npm fails, in its words and a sentence, and installs at the next start', async () => {
    npm('fails');
    const { end, errors } = setUp();
    expect(await end).toEqual([1, null]);
    expect(errors()).toMatch(/^the last words of npm\nnpm could not install the dependencies .*\n$/m);
    expect(isWhole()).toBe(false);
    rmSync(join(folder, 'npm-fails'));
    npm('ends');
    await installed();
    expect(readdirSync(folder).filter((name) => name.startsWith('.bootstrap-lock'))).toEqual([]);
  });

  test.each(['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'that %s ends takes npm with it, and what npm has started',
    async (signal) => {
      const { child, end } = setUp();
      await vi.waitFor(() => expect(npms()).toHaveLength(1), patience);
      child.kill(signal);
      expect(await end).toEqual([null, signal]);
      const [{ npm: first, started } = { npm: '', started: '' }] = npms();
      await vi.waitFor(async () => expect(await runningOf([first, started])).toEqual([]), patience);
      expect(isWhole()).toBe(false);
      npm('ends');
      await installed();
      expect(npms().map(({ beside }) => beside)).toEqual([[], []]);
    },
  );

  test('waits for an npm that outlived all who could end it, then installs once more', async () => {
    const { child, end } = setUp();
    await vi.waitFor(() => expect(npms()).toHaveLength(1), patience);
    const [{ ward } = { ward: '' }] = npms();
    // Stopped first, so that it does not end npm when its parent dies.
    for (const signal of ['SIGSTOP', 'SIGKILL'] as const) process.kill(Number(ward.split('.')[0]), signal);
    child.kill('SIGKILL');
    child.stderr?.destroy();
    await end;
    const next = setUp();
    await vi.waitFor(() => expect(next.errors()).toContain('Waiting for another set-up of this checkout'), patience);
    expect(npms()).toHaveLength(1);
    npm('ends');
    expect(await next.end, next.errors()).toEqual([0, null]);
    expect(npms().map(({ beside }) => beside)).toEqual([[], []]);
    expect(isWhole()).toBe(true);
  });

  test('leaves a program that must not be ended halfway to its end, and the lock with it', async () => {
    const program = `
      const { appendFileSync, existsSync } = await import('node:fs');
      appendFileSync(${JSON.stringify(join(folder, 'log'))}, 'in ');
      setInterval(() => {
        if (!existsSync(${JSON.stringify(join(folder, 'go-on'))})) return;
        console.error('x'.repeat(1e6));
        appendFileSync(${JSON.stringify(join(folder, 'log'))}, 'out ');
        process.exit();
      }, 20);`;
    const run = `await withLock(setUpLock, () => supervised(process.execPath, ['-e', ${JSON.stringify(program)}], { toTheEnd: true }));`;
    const { child, end } = setUp(run);
    await vi.waitFor(() => expect(readFileSync(join(folder, 'log'), 'utf8')).toBe('in '), patience);
    child.kill('SIGKILL');
    await end;
    const next = setUp(run);
    await vi.waitFor(() => expect(next.errors()).toContain('Waiting for another set-up of this checkout'), patience);
    writeFileSync(join(folder, 'go-on'), '');
    expect(await next.end).toEqual([0, null]);
    expect(readFileSync(join(folder, 'log'), 'utf8')).toBe('in out in out ');
  });
});

/** Those of the processes that still run. */
async function runningOf(identities: readonly string[]): Promise<string[]> {
  const { stdout } = await runScript(
    `import { isRunning } from '${new URL('processes.mjs', scripts).href}';`,
    `console.log(JSON.stringify(${JSON.stringify(identities)}.filter(isRunning)));`,
  );
  return JSON.parse(stdout) as string[];
}
