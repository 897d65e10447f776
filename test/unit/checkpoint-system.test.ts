import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

import { afterAll, expect, test } from 'vitest';

import * as addon from '#native';

import { fromNative } from '../../src/worker/native.ts';
import { safetensors, testFolder } from '../fixtures/safetensors.ts';

const folder = testFolder('checkpoint-system');
afterAll(folder.remove);

const addonUrl = new URL('../../native/index.js', import.meta.url).href;

/** The arguments with which Node runs `code`, `addon` being the native core, on `args`. */
function program(code: string, args: readonly string[]): string[] {
  return ['--input-type=module', '-e', `import * as addon from '${addonUrl}'; ${code}`, ...args];
}

function acquire(path: string): addon.FileLock {
  try {
    return addon.FileLock.acquire(path);
  } catch (error) {
    throw fromNative(error);
  }
}

test('a lock is held until it is released or its process is killed', async () => {
  const path = join(folder.path, 'run.lock');
  const lock = acquire(path);
  expect(() => acquire(path)).toThrow(expect.objectContaining({ code: 'run.locked', params: { path } }));
  lock.release();
  lock.release();

  const code = 'addon.FileLock.acquire(process.argv[1]); console.log("held"); setInterval(() => {}, 1000);';
  const holder = spawn(process.execPath, program(code, [path]), { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  expect(() => acquire(path)).toThrow(expect.objectContaining({ code: 'run.locked' }));
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  acquire(path).release();
});

const namespace = ['--map-root-user', '--mount'];
const canMount = spawnSync('unshare', [...namespace, 'true']).status === 0;
if (!canMount) console.log('skipped: a full disk (this system allows no mount namespaces)');

test.skipIf(!canMount)('a full disk is refused by name and the partial file removed', () => {
  const values = Buffer.alloc(1 << 20, 1);
  const source = folder.write(
    'source.safetensors',
    safetensors({ a: { dtype: 'U8', shape: [1 << 20], data: values } }),
  );
  const small = join(folder.path, 'small');
  const code = `
    import { mkdirSync, readdirSync } from 'node:fs';
    const [source, folder] = process.argv.slice(1);
    const from = addon.Checkpoint.openFile(source);
    const writer = new addon.ShardWriter(folder + '/x.safetensors', from.tensors());
    const error = await writer.copy('a', from).then(() => writer.finish()).catch((error) => JSON.parse(error.message));
    writer.abandon();
    console.log(JSON.stringify({ error, left: readdirSync(folder) }));`;
  const mount = 'mkdir "$1" && mount -t tmpfs -o size=256k tmpfs "$1" && shift && exec "$@"';
  const command = ['sh', '-c', mount, 'sh', small, process.execPath, ...program(code, [source, small])];
  const { stdout, stderr } = spawnSync('unshare', [...namespace, ...command], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual({
    error: { code: 'file.no-space', params: { path: join(small, 'x.safetensors.partial') } },
    left: [],
  });
});
