import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createRequire } from 'node:module';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { engineEnvironment } from '../../src/main/engine/environment.ts';
import { cudaLacks, cudaPlace, type CudaPlace } from '../../src/worker/runtime/cuda.ts';
import { fetchCuda } from '../../src/worker/runtime/fetch-cuda.ts';
import { testFolder } from '../fixtures/safetensors.ts';

const shared = 'libonnxruntime_providers_shared.so';
const provider = 'libonnxruntime_providers_cuda.so';
const addon = join(
  dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json')),
  'bin/napi-v6/linux/x64/onnxruntime_binding.node',
);

let folder: ReturnType<typeof testFolder>;
beforeEach(() => {
  folder = testFolder('cuda');
});
afterEach(() => folder.remove());

describe.runIf(process.platform === 'linux')('what CUDA lacks', () => {
  const place = (): CudaPlace => ({
    platform: 'linux/x64',
    runtime: join(folder.path, 'runtime'),
    driver: join(folder.path, 'version'),
  });
  const lacks = async (at: Partial<CudaPlace> = {}): Promise<unknown[]> =>
    (await cudaLacks({ ...place(), ...at })).map(({ code, params }) => [code, params]);
  const driver = (version: string, kind = 'NVIDIA UNIX x86_64 Kernel Module'): void => {
    const lines = [
      `NVRM version: ${kind}  ${version}  Thu Oct 29 21:36:28 UTC 2026`,
      'GCC version:  gcc 12.2.0 (Debian)',
    ];
    folder.write('version', lines.join('\n'));
  };
  /** The provider as a library of ours that is linked to `library` in the place of onnxruntime. */
  const linkedTo = (library: string): void => {
    const from = Buffer.from('libonnxruntime.so.1\0');
    const bytes = readFileSync(addon);
    const to = Buffer.alloc(from.length);
    to.write(library);
    for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at + 1)) to.copy(bytes, at);
    folder.write(`runtime/${provider}`, bytes);
    folder.write(`runtime/${shared}`, '');
  };

  test('another system', async () => {
    expect(await lacks({ platform: 'darwin/arm64' })).toEqual([['cuda.platform', { platform: 'darwin/arm64' }]]);
  });

  test('no driver and no provider', async () => {
    const { runtime: path, driver: version } = place();
    expect(await lacks()).toEqual([
      ['cuda.no-driver', { path: version }],
      ['cuda.no-provider', { files: `${shared}, ${provider}`, path }],
    ]);
  });

  test('one of the two libraries of the provider', async () => {
    driver('570.86.15', 'NVIDIA UNIX Open Kernel Module for x86_64');
    folder.write(`runtime/${shared}`, '');
    expect(await lacks()).toEqual([['cuda.no-provider', { files: provider, path: place().runtime }]]);
  });

  test.each(['525.60.12', '470.256.02', '525.60'])('the driver %s is too old for any CUDA', async (version) => {
    driver(version);
    expect((await lacks())[0]).toEqual(['cuda.old-driver', { version, oldest: '525.60.13', cuda: '12' }]);
  });

  test('the driver must be as new as the CUDA that the provider was built for', async () => {
    driver('570.86.15');
    linkedTo('libcudart.so.13');
    expect(await lacks()).toEqual([
      ['cuda.old-driver', { version: '570.86.15', oldest: '580.65.06', cuda: '13' }],
      ['cuda.no-libraries', { libraries: 'libcudart.so.13', cuda: '13' }],
    ]);
    driver('580.65.06');
    expect(await lacks()).toEqual([['cuda.no-libraries', { libraries: 'libcudart.so.13', cuda: '13' }]]);
  });

  test('nothing, where all that the provider is linked to is found', async () => {
    driver('525.60.13');
    linkedTo('libm.so.6');
    expect(await lacks()).toEqual([]);
  });

  test('the libraries are looked for beside the onnxruntime that is loaded', () => {
    expect(existsSync(join(cudaPlace().runtime, 'onnxruntime_binding.node'))).toBe(true);
  });
});

describe('a fetch of the provider', () => {
  const runtime = (): string => join(folder.path, 'runtime');
  const target = (): string => join(folder.path, 'data/onnxruntime');
  /** A script in the place of onnxruntime-node's; `out` is where that one writes. */
  const installer = (body: string): string =>
    folder.write(
      'install.cjs',
      `const fs = require('node:fs'), path = require('node:path');
      const out = path.join(__dirname, '../bin/napi-v6/linux/x64');
      fs.mkdirSync(out, { recursive: true });
      const write = (name, text) => fs.writeFileSync(path.join(out, name), text);
      ${body}`,
    );
  const fetchWith = async (
    body: string,
    { into = target(), signal = new AbortController().signal, onProgress = (_bytes: number): void => undefined } = {},
  ): Promise<void> => await fetchCuda(into, { signal, onProgress, runtime: runtime(), installer: installer(body) });

  beforeEach(() => {
    folder.write('runtime/libonnxruntime.so.1', 'runtime');
  });

  const writesAll = `write('${shared}', 'shared'); write('${provider}', process.env.ONNXRUNTIME_NODE_INSTALL);`;

  test('puts it beside a copy of the runtime, and leaves nothing else', async () => {
    await fetchWith(writesAll);
    expect(readdirSync(target()).sort()).toEqual(['libonnxruntime.so.1', provider, shared]);
    expect(readFileSync(join(target(), 'libonnxruntime.so.1'), 'utf8')).toBe('runtime');
    // What onnxruntime-node's script takes for: what is not in the package, whatever it finds.
    expect(readFileSync(join(target(), provider), 'utf8')).toBe('true');
  });

  test('or beside the runtime itself', async () => {
    await fetchWith(writesAll, { into: runtime() });
    expect(readdirSync(runtime()).sort()).toEqual(['libonnxruntime.so.1', provider, shared]);
  });

  test('tells how much of the package is there', async () => {
    const seen = new Set<number>();
    const slow = `fs.writeFileSync(path.join(require('node:os').tmpdir(), 'a.nupkg'), 'x'.repeat(1234));
      const told = setInterval(() => {
        if (!fs.existsSync(${JSON.stringify(join(folder.path, 'told'))})) return;
        clearInterval(told);
        ${writesAll}
      }, 20);`;
    const onProgress = (bytes: number): void => {
      seen.add(bytes);
      folder.write('told', '');
    };
    await fetchWith(slow, { onProgress });
    expect([...seen]).toContain(1234);
  });

  test.each([
    ['that throws', `throw new Error('no such package')`, 'no such package'],
    ['whose promise is refused', `void Promise.reject(new Error('HTTP 503'))`, 'HTTP 503'],
    ['that exits with an error', `process.exit(3)`, 'exit code 3'],
    ['that ends as if all were well', ``, `the install script ended without ${provider}`],
  ])('a script %s changes nothing', async (_, end, reason) => {
    mkdirSync(target(), { recursive: true });
    writeFileSync(join(target(), shared), 'from before');
    await expect(fetchWith(`write('${shared}', 'half'); ${end}`)).rejects.toMatchObject({
      code: 'cuda.fetch-failed',
      params: { reason },
    });
    expect(readdirSync(target())).toEqual([shared]);
    expect(readFileSync(join(target(), shared), 'utf8')).toBe('from before');
  });

  test('one that is stopped leaves nothing', async () => {
    const abort = new AbortController();
    const hangs = `${writesAll} fs.writeFileSync(path.join(require('node:os').tmpdir(), 'a.nupkg'), 'x');
      setInterval(() => undefined, 1000);`;
    const stopped = fetchWith(hangs, { signal: abort.signal, onProgress: () => abort.abort() });
    await expect(stopped).rejects.toMatchObject({ code: 'cancelled.no-run' });
    expect(readdirSync(target())).toEqual([]);
  });

  test('removes what a killed one has left', async () => {
    const left = join(target(), 'cuda.partial/bin/napi-v6/linux/x64');
    mkdirSync(left, { recursive: true });
    copyFileSync(join(runtime(), 'libonnxruntime.so.1'), join(left, provider));
    await expect(fetchWith(`write('${shared}', '')`)).rejects.toMatchObject({ code: 'cuda.fetch-failed' });
    expect(readdirSync(target())).toEqual([]);
  });

  test.runIf(process.platform === 'linux')('a folder that cannot be written is named', async () => {
    await expect(fetchWith(writesAll, { into: '/proc/cuda' })).rejects.toMatchObject({
      code: 'file.not-writable',
      params: { path: '/proc/cuda' },
    });
  });
});

test('processes of the engine load the onnxruntime that has the provider, once it is there', () => {
  const places = { cache: '/cache', onnxruntime: join(folder.path, 'onnxruntime') };
  const without = engineEnvironment(places);
  expect(without).toEqual({ ...process.env, TAMIS_CACHE: '/cache' });
  folder.write(`onnxruntime/${provider}`, '');
  const [first, ...others] = (engineEnvironment(places)['LD_LIBRARY_PATH'] ?? '').split(':');
  expect(first).toBe(places.onnxruntime);
  expect(others.join(':')).toBe(process.env['LD_LIBRARY_PATH'] ?? '');
});
