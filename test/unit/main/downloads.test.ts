import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { TamisError } from '../../../src/contract/errors.ts';
import type { PullProgress, PullResult } from '../../../src/contract/hub.ts';
import { HubToken, type Keyring } from '../../../src/main/hub-token.ts';
import { Downloads, type DownloadsContext } from '../../../src/main/library/downloads.ts';
import { testFolder } from '../../fixtures/safetensors.ts';
import { patience } from '../../limits.ts';

let folder: ReturnType<typeof testFolder>;
beforeEach(() => {
  folder = testFolder('downloads');
});
afterEach(() => folder.remove());

const result: PullResult = { folder: '/models/a--b', commit: 'c', files: 2, bytes: 100, fetchedBytes: 60 };
const plan = { commit: 'c', earlier: 'b', files: [], bytes: 100, missingBytes: 60, freeBytes: 1000 };
const task = { repository: 'a/b', revision: 'main', endpoint: 'https://hub.example/', folder: '/models/a--b' };
const progressAt = (done: number): PullProgress => ({
  stage: 'download',
  done,
  total: 100,
  bytesPerSecond: 10,
  remainingSeconds: 4,
  waiting: null,
});

describe('downloads', () => {
  /** A pull that the test ends; when it is stopped, it ends by itself. */
  let pulls: { task: unknown; end: (outcome: PullResult | Error) => void }[];
  let finished: string[];
  let discarded: string[];

  beforeEach(() => {
    pulls = [];
    finished = [];
    discarded = [];
  });

  const open = async (): Promise<Downloads> => {
    const pull: DownloadsContext['pull'] = async (asked, { signal, tell }) => {
      tell({ kind: 'plan', plan });
      tell({ kind: 'progress', progress: progressAt(70) });
      return await new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(new TamisError('cancelled.no-run')));
        pulls.push({ task: asked, end: (outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome)) });
      });
    };
    return await Downloads.open({
      path: join(folder.path, 'downloads.json'),
      pull,
      discard: (path) => Promise.resolve(void discarded.push(path)),
      tokenFor: (endpoint) => `token of ${endpoint}`,
      changed: () => undefined,
      progressed: () => undefined,
      finished: ({ repository }) => Promise.resolve(void finished.push(repository)),
    });
  };

  test('one that ends well leaves the list and is told of', async () => {
    const downloads = await open();
    await downloads.start(task);
    expect(pulls.map((pull) => pull.task)).toEqual([{ ...task, token: 'token of https://hub.example/' }]);
    expect(downloads.list()).toMatchObject([
      {
        repository: 'a/b',
        state: { kind: 'going-on', progress: progressAt(70) },
        moved: { earlier: 'b', commit: 'c' },
      },
    ]);
    await expect(downloads.start(task)).rejects.toMatchObject({ code: 'hub.going-on' });
    pulls[0]?.end(result);
    await vi.waitFor(() => expect(downloads.list()).toEqual([]), patience);
    expect(finished).toEqual(['a/b']);
    expect((await open()).list()).toEqual([]);
  });

  test('one that is paused, or was going on when the application ended, is listed as paused at the next start', async () => {
    const downloads = await open();
    const { id } = await downloads.start(task);
    await downloads.pause(id);
    const paused = [{ id, repository: 'a/b', state: { kind: 'paused' }, done: 70, total: 100 }];
    expect(downloads.list()).toMatchObject(paused);
    downloads.resume(id);
    expect(downloads.list()).toMatchObject([{ state: { kind: 'going-on' } }]);
    await downloads.close();
    const next = await open();
    expect(next.list()).toMatchObject(paused);
    expect(readFileSync(join(folder.path, 'downloads.json'), 'utf8')).not.toContain('token');
    next.resume(id);
    pulls.at(-1)?.end(result);
    await vi.waitFor(() => expect(next.list()).toEqual([]), patience);
  });

  test('one that fails stays with its reason, and can be tried again', async () => {
    const downloads = await open();
    const { id } = await downloads.start(task);
    pulls[0]?.end(new TamisError('hub.no-config', { repository: 'a/b' }));
    await vi.waitFor(
      () => expect(downloads.list()).toMatchObject([{ state: { kind: 'failed', failure: { code: 'hub.no-config' } } }]),
      patience,
    );
    downloads.resume(id);
    expect(downloads.list()).toMatchObject([{ state: { kind: 'going-on' } }]);
    await downloads.close();
  });

  test('one that is cancelled takes its files with it', async () => {
    const downloads = await open();
    const { id } = await downloads.start(task);
    await downloads.cancel(id);
    expect(discarded).toEqual(['/models/a--b']);
    expect(downloads.list()).toEqual([]);
    await expect(downloads.cancel(id)).rejects.toMatchObject({ code: 'hub.no-pull' });
  });

  test('a damaged list is an empty one', async () => {
    writeFileSync(join(folder.path, 'downloads.json'), '[{"id":1}]');
    expect((await open()).list()).toEqual([]);
  });
});

describe('the token', () => {
  const hub = new URL('https://hub.example/');
  const mirror = new URL('https://mirror.example/');
  const reversed = (text: string): string => Buffer.from(text).reverse().toString();
  const keyring: Keyring = {
    isSafe: () => true,
    encrypt: (text) => Buffer.from(reversed(text)),
    decrypt: (data) => reversed(data.toString()),
  };
  const open = async (by: Keyring): Promise<HubToken> => await HubToken.open(join(folder.path, 'hub-token.json'), by);

  test('with a keyring it is kept, encrypted, for its own endpoint alone', async () => {
    await (await open(keyring)).set('hf_secret', hub);
    expect(readFileSync(join(folder.path, 'hub-token.json'), 'utf8')).not.toContain('hf_secret');
    const next = await open(keyring);
    expect([next.placeOf(hub), next.tokenFor(hub)]).toEqual(['keyring', 'hf_secret']);
    expect([next.placeOf(mirror), next.tokenFor(mirror)]).toEqual(['none', null]);
    await next.set('hf_other', mirror);
    expect([next.tokenFor(hub), next.tokenFor(mirror)]).toEqual([null, 'hf_other']);
    await next.set(null, mirror);
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test('without one it is kept until the end, and one that was encrypted before is gone', async () => {
    await (await open(keyring)).set('hf_old', hub);
    const token = await open({ ...keyring, isSafe: () => false });
    await token.set('hf_secret', hub);
    expect([token.placeOf(hub), token.tokenFor(hub)]).toEqual(['session', 'hf_secret']);
    expect(readdirSync(folder.path)).toEqual([]);
    expect((await open(keyring)).placeOf(hub)).toBe('none');
  });

  test('what cannot be decrypted is none', async () => {
    await (await open(keyring)).set('hf_secret', hub);
    const fails = (): never => {
      throw new Error('no key');
    };
    expect((await open({ ...keyring, decrypt: fails })).tokenFor(hub)).toBeNull();
  });
});
