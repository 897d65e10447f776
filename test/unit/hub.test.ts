import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { TamisError } from '../../src/contract/errors.ts';
import { parseEndpoint, type PullProgress, type PullTask } from '../../src/contract/hub.ts';
import { chooseFiles } from '../../src/worker/hub/choose.ts';
import { findToken, tokenFor } from '../../src/worker/hub/endpoint.ts';
import { redirected } from '../../src/worker/hub/http.ts';
import { discardPull, planPull, pull, type PullOptions } from '../../src/worker/hub/pull.ts';
import type { HubFile } from '../../src/worker/hub/repository.ts';
import { sha256, startHub, type Asked, type Fault, type Hub, type HubOptions } from '../fixtures/hub-server.ts';
import { testFolder } from '../fixtures/safetensors.ts';
import { limits } from '../limits.ts';

/** Bytes that repeat nowhere near. */
const bytes = (count: number, seed = 1): Buffer =>
  Buffer.from(Array.from({ length: count }, (_, i) => ((i + seed) * 2654435761) >>> 13));

const weights = bytes(300_000);
const model = {
  'config.json': Buffer.from('{"model_type":"opt"}'),
  'tokenizer.json': Buffer.from('{"version":"1.0"}'),
  'model.safetensors': weights,
};

let folder: ReturnType<typeof testFolder>;
let out: string;
let hub: Hub;
beforeEach(() => {
  folder = testFolder('hub');
  out = join(folder.path, 'model');
});
afterEach(async () => {
  await hub.close();
  folder.remove();
});

interface Pulled extends Partial<PullTask> {
  readonly signal?: AbortSignal;
  readonly told?: PullProgress[];
  readonly onProgress?: (progress: PullProgress) => void;
  /** When a connection counts as stalled, ms. */
  readonly stallMs?: number;
}

function taskOf({
  signal: _signal,
  told: _told,
  onProgress: _onProgress,
  stallMs: _stallMs,
  ...task
}: Pulled): PullTask {
  return { repository: 'owner/model', revision: 'main', endpoint: hub.endpoint, token: null, folder: out, ...task };
}

function optionsOf({
  signal = new AbortController().signal,
  told = [],
  onProgress,
  stallMs = limits.wait,
}: Pulled): PullOptions {
  return {
    signal,
    onProgress: (progress) => {
      told.push(progress);
      onProgress?.(progress);
    },
    patience: { attempts: 3, backoffMs: 5, longestWaitMs: 60_000, stallMs },
  };
}

const fetchModel = async (given: Pulled = {}) => await pull(taskOf(given), optionsOf(given));
const planModel = async (given: Pulled = {}) => await planPull(taskOf(given), optionsOf(given));

/** A hub whose answers to requests for the weights' bytes are these, one after the other, and then right. */
async function startWith(faults: readonly (Fault | null)[], options: Partial<HubOptions> = {}): Promise<void> {
  let at = 0;
  const isWeights = ({ host, path }: Asked): boolean => host === 'cdn' && path.endsWith('/model.safetensors');
  hub = await startHub({
    files: model,
    fault: (asked) => (isWeights(asked) ? (faults[at++] ?? null) : null),
    ...options,
  });
}

const askedWeights = (): Asked[] => hub.asked.filter(({ host }) => host === 'cdn');
const modelFiles = ['config.json', 'model.safetensors', 'tamis-pull.json', 'tokenizer.json'];

function expectModel(): void {
  expect(readdirSync(out).sort()).toEqual(modelFiles);
  for (const [name, data] of Object.entries(model)) expect(readFileSync(join(out, name)).equals(data), name).toBe(true);
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof TamisError)) throw new Error('no error of ours', { cause: error });
  return error.code;
}

test('a model is fetched whole; a second pull checks it and fetches nothing', async () => {
  hub = await startHub({ files: { ...model, 'flax_model.msgpack': bytes(10), 'model.gguf': bytes(10) } });
  expect(await planModel()).toMatchObject({ commit: hub.commit, earlier: null, bytes: 300_037, missingBytes: 300_037 });
  const told: PullProgress[] = [];
  expect(await fetchModel({ told })).toMatchObject({ files: 3, bytes: 300_037, fetchedBytes: 300_037 });
  expectModel();
  expect(told.at(-1)).toMatchObject({ stage: 'download', done: 300_037, total: 300_037 });
  expect(askedWeights()).toHaveLength(1);
  expect(await fetchModel()).toMatchObject({ fetchedBytes: 0 });
  expect(askedWeights()).toHaveLength(1);
  writeFileSync(join(out, 'model.safetensors'), bytes(300_000, 2));
  expect(await fetchModel()).toMatchObject({ fetchedBytes: 300_000 });
  expectModel();
});

describe('interruptions', () => {
  test('a cut connection is taken up where it ended, with Range and If-Range', async () => {
    await startWith([
      { kind: 'cut', after: 100_000 },
      { kind: 'cut', after: 50_000 },
    ]);
    await fetchModel();
    expectModel();
    const [first, second, third] = askedWeights().map(({ headers }) => headers);
    expect(first?.range).toBeUndefined();
    expect(second?.range).toMatch(/^bytes=[1-9]\d*-$/);
    expect(second?.['if-range']).toBe('"model.safetensors-1"');
    expect(third?.range).toMatch(/^bytes=[1-9]\d*-$/);
  });

  test('many cuts are no reason to give up as long as something comes', async () => {
    await startWith(Array.from({ length: 8 }, () => ({ kind: 'cut', after: 30_000 }) as const));
    await fetchModel();
    expectModel();
  });

  test('a pull that was stopped leaves what the next goes on from', async () => {
    await startWith([{ kind: 'silence', after: 200_000 }]);
    const stop = new AbortController();
    const stopped = fetchModel({ signal: stop.signal, onProgress: ({ done }) => done > 150_000 && stop.abort() });
    expect(await codeOf(stopped)).toBe('cancelled.pull');
    expect(readdirSync(out)).toContain('model.safetensors.partial');
    const { missingBytes } = await planModel();
    expect(missingBytes).toBeLessThan(150_000);
    expect(await fetchModel()).toMatchObject({ fetchedBytes: missingBytes });
    expectModel();
  });

  test('a stalled connection is given up and tried again', async () => {
    await startWith([{ kind: 'silence', after: 100_000 }, { kind: 'trickle' }]);
    const told: PullProgress[] = [];
    await fetchModel({ told, stallMs: 300 });
    expectModel();
    expect(told.some(({ waiting }) => waiting?.reason.code === 'hub.stalled')).toBe(true);
  });

  test('one that stalls for ever ends with a sentence', async () => {
    await startWith(Array.from({ length: 9 }, () => ({ kind: 'silence', after: 0 }) as const));
    expect(await codeOf(fetchModel({ stallMs: 300 }))).toBe('hub.stalled');
  });

  test('nobody there', async () => {
    hub = await startHub({ files: model });
    await hub.close();
    expect(await codeOf(fetchModel())).toBe('hub.no-connection');
  });
});

describe('stale ranges', () => {
  test.each<[string, Fault]>([
    ['200 to a Range', { kind: 'whole' }],
    ['another Content-Range', { kind: 'range', contentRange: 'bytes 5-299999/300000' }],
    ['a Content-Range of another size', { kind: 'range', contentRange: 'bytes 100000-399999/400000' }],
    ['416', { kind: 'status', status: 416 }],
  ])('%s: begun again, and right', async (_, fault) => {
    await startWith([{ kind: 'cut', after: 100_000 }, fault]);
    await fetchModel();
    expectModel();
  });

  test('a changed ETag: begun again, and right', async () => {
    await startWith([{ kind: 'cut', after: 100_000 }], {});
    const stop = new AbortController();
    const told = ({ done }: PullProgress): void => {
      if (done > 50_000) hub.version = '2';
    };
    await fetchModel({ signal: stop.signal, onProgress: told });
    expectModel();
  });

  test('a partial file that was damaged is noticed, thrown away and fetched once more', async () => {
    await startWith([{ kind: 'silence', after: 200_000 }]);
    const stop = new AbortController();
    await codeOf(fetchModel({ signal: stop.signal, onProgress: ({ done }) => done > 150_000 && stop.abort() }));
    const partial = join(out, 'model.safetensors.partial');
    const damaged = readFileSync(partial);
    damaged[1000] = (damaged[1000] ?? 0) ^ 1;
    writeFileSync(partial, damaged);
    await fetchModel();
    expectModel();
  });

  test('a partial file that was cut short or has no note', async () => {
    await startWith([{ kind: 'silence', after: 200_000 }]);
    const stop = new AbortController();
    await codeOf(fetchModel({ signal: stop.signal, onProgress: ({ done }) => done > 150_000 && stop.abort() }));
    truncateSync(join(out, 'model.safetensors.partial'), 1000);
    expect((await planModel()).missingBytes).toBe(299_000);
    writeFileSync(join(out, 'model.safetensors.partial.json'), '{');
    expect((await planModel()).missingBytes).toBe(300_000);
    await fetchModel();
    expectModel();
  });
});

describe('wrong lengths and contents', () => {
  const wrong = { kind: 'body', body: bytes(300_000, 7) } as const;

  test('once: thrown away and fetched again', async () => {
    await startWith([wrong]);
    await fetchModel();
    expectModel();
  });

  test.each<[string, Fault, string]>([
    ['a wrong checksum', wrong, 'hub.checksum'],
    ['too short', { kind: 'body', body: bytes(299_999) }, 'hub.length'],
    ['too long', { kind: 'body', body: bytes(300_001) }, 'hub.length'],
    ['without an end', { kind: 'endless' }, 'hub.length'],
  ])('%s, always: said, and nothing of it stays', async (_, fault, code) => {
    await startWith([fault, fault]);
    expect(await codeOf(fetchModel())).toBe(code);
    expect(readdirSync(out).filter((name) => name.startsWith('model.'))).toEqual([]);
    await fetchModel();
    expectModel();
  });

  test('of a small file: the sum is that of a git blob', async () => {
    hub = await startHub({
      files: model,
      fault: ({ path }) =>
        path.endsWith('/tokenizer.json') ? { kind: 'body', body: Buffer.from('{"version":"2.0"}') } : null,
    });
    expect(await codeOf(fetchModel())).toBe('hub.checksum');
  });
});

describe('refusals', () => {
  test.each<[number, string | null, string]>([
    [401, null, 'hub.no-token'],
    [403, null, 'hub.no-token'],
    [401, 'hf_wrong', 'hub.no-access'],
    [403, 'hf_other', 'hub.no-access'],
    [404, null, 'hub.not-found'],
    [400, null, 'hub.refused'],
  ])('HTTP %i, token %s: %s, at the first attempt', async (status, token, code) => {
    hub = await startHub({ files: model, fault: () => ({ kind: 'status', status }) });
    expect(await codeOf(planModel({ token }))).toBe(code);
    expect(hub.asked).toHaveLength(1);
  });

  test('of the weights alone, as with gated models: what was fetched is kept', async () => {
    hub = await startHub({
      files: model,
      fault: ({ path }) => (path.endsWith('.safetensors') ? { kind: 'status', status: 403 } : null),
    });
    expect(await codeOf(fetchModel())).toBe('hub.no-token');
    expect(existsSync(join(out, 'config.json'))).toBe(true);
  });

  test('403 of another host, whose signed address has run out: a new one is asked for', async () => {
    await startWith([{ kind: 'status', status: 403 }]);
    await fetchModel({ token: 'hf_right' });
    expectModel();
  });

  test('429 is waited for as long as the server says, and that is told', async () => {
    let refused = 0;
    hub = await startHub({
      files: model,
      fault: ({ path }) =>
        path.includes('/tree/') && refused++ < 1
          ? { kind: 'status', status: 429, headers: { 'retry-after': '1' } }
          : null,
    });
    const told: PullProgress[] = [];
    const started = performance.now();
    await fetchModel({ told });
    expectModel();
    expect(performance.now() - started).toBeGreaterThan(990);
    expect(told.filter(({ waiting }) => waiting?.seconds === 1)).toHaveLength(1);
  });

  test('429 for a day is not waited for', async () => {
    hub = await startHub({
      files: model,
      fault: () => ({ kind: 'status', status: 429, headers: { 'retry-after': '86400' } }),
    });
    expect(await codeOf(planModel())).toBe('hub.rate-limited');
  });

  test('500, then right', async () => {
    await startWith([
      { kind: 'status', status: 500 },
      { kind: 'status', status: 503 },
    ]);
    await fetchModel();
    expectModel();
  });

  test('500 for ever', async () => {
    hub = await startHub({ files: model, fault: () => ({ kind: 'status', status: 500 }) });
    expect(await codeOf(planModel())).toBe('hub.server');
    expect(hub.asked).toHaveLength(3);
  });
});

describe('the token', () => {
  test('goes to the endpoint and to no other host', async () => {
    hub = await startHub({ files: model });
    await fetchModel({ token: 'hf_secret' });
    expectModel();
    const seen = (host: Asked['host']): unknown[] => [
      ...new Set(hub.asked.filter((asked) => asked.host === host).map(({ headers }) => headers.authorization)),
    ];
    expect(seen('hub')).toEqual(['Bearer hf_secret']);
    expect(seen('cdn')).toEqual([undefined]);
    for (const name of readdirSync(out)) expect(readFileSync(join(out, name)).includes('hf_secret'), name).toBe(false);
  });

  test('is found where the hub’s own programs keep it', async () => {
    hub = await startHub({ files: model });
    const home = join(folder.path, 'home');
    mkdirSync(home);
    writeFileSync(join(home, 'token'), 'hf_kept\n');
    expect(await findToken({ HF_TOKEN: 'hf_named', HF_HOME: home })).toBe('hf_named');
    expect(await findToken({ HF_HOME: home })).toBe('hf_kept');
    expect(await findToken({ HF_TOKEN_PATH: join(home, 'token') })).toBe('hf_kept');
    expect(await findToken({ XDG_CACHE_HOME: home })).toBeNull();
    expect(await codeOf(findToken({ HF_TOKEN: 'two\nlines' }))).toBe('hub.token');
    expect(await tokenFor('https://huggingface.co/', { HF_TOKEN: 'hf_named' })).toBe('hf_named');
    expect(await tokenFor('https://mirror.example', { HF_TOKEN: 'hf_named' })).toBeNull();
    const mirror = { HF_TOKEN: 'hf_named', HF_ENDPOINT: 'https://mirror.example' };
    expect(await tokenFor('https://mirror.example', mirror)).toBe('hf_named');
  });
});

describe('addresses', () => {
  test('of an endpoint', async () => {
    hub = await startHub({ files: model });
    expect(parseEndpoint('https://hf-mirror.example/hub/').href).toBe('https://hf-mirror.example/hub');
    for (const text of [
      '',
      'hub',
      'file:///etc',
      'ftp://a',
      'https://user:secret@hub',
      'https://hub?q',
      'https://hub#x',
    ])
      expect(() => parseEndpoint(text), text).toThrow(/hub\.endpoint/);
  });

  test.each(['file:///etc/passwd', 'ftp://127.0.0.1/x', '//'])('a redirect to %s is not followed', async (to) => {
    hub = await startHub({
      files: model,
      fault: ({ path }) => (path.endsWith('/config.json') ? { kind: 'redirect', to } : null),
    });
    expect(await codeOf(fetchModel())).toBe('hub.redirect');
  });

  test('https leads to https alone, http to both', async () => {
    hub = await startHub({ files: model });
    const [safe, open] = [new URL('https://hub.example/a/b'), new URL('http://hub.example/a')];
    expect(redirected(safe, '../c?d').href).toBe('https://hub.example/c?d');
    expect(redirected(safe, '//cdn.example/x').href).toBe('https://cdn.example/x');
    expect(redirected(open, 'https://cdn.example/').href).toBe('https://cdn.example/');
    expect(redirected(open, '/x').href).toBe('http://hub.example/x');
    expect(() => redirected(safe, 'http://hub.example/x')).toThrow(/hub\.redirect/);
  });

  test('redirects in a circle end', async () => {
    hub = await startHub({ files: model, fault: ({ path }) => ({ kind: 'redirect', to: path }) });
    expect(await codeOf(planModel())).toBe('hub.redirect');
  });
});

describe('what the hub lists', () => {
  test.each(['../outside', '/etc/passwd', 'a/../../b', 'C:\\x', 'a\u0000b', 'a//b', '.', ''])(
    'a file called %j: nothing is fetched',
    async (path) => {
      hub = await startHub({ files: model, lie: (entries) => entries.push({ ...entries[0], path }) && undefined });
      expect(await codeOf(fetchModel())).toBe('hub.path');
      expect(existsSync(out)).toBe(false);
    },
  );

  test.each<[string, (entries: Record<string, unknown>[]) => unknown]>([
    ['no list', () => ({ error: 'x' })],
    ['sums that are none', (entries) => entries.map((entry) => ({ ...entry, oid: '../..' }))],
    ['sizes below zero', (entries) => entries.map((entry) => ({ ...entry, size: -1 }))],
  ])('%s', async (_, lie) => {
    hub = await startHub({ files: model, lie });
    expect(await codeOf(planModel())).toBe('hub.listing');
  });

  test('huge JSON is not read to its end', async () => {
    hub = await startHub({ files: model, fault: ({ path }) => (path.includes('/tree/') ? { kind: 'endless' } : null) });
    expect(await codeOf(planModel())).toBe('hub.listing');
  });

  test('a list without an end is not read to it', async () => {
    hub = await startHub({
      files: model,
      fault: ({ path }) => (path.includes('/tree/') ? { kind: 'more', next: `${hub.endpoint}${path}` } : null),
    });
    expect(await codeOf(planModel())).toBe('hub.listing');
    expect(hub.asked).toHaveLength(50);
  });

  test('an answer that is no JSON', async () => {
    hub = await startHub({ files: model, fault: () => ({ kind: 'body', body: Buffer.from('<html>') }) });
    expect(await codeOf(planModel())).toBe('hub.listing');
  });
});

describe('the folder', () => {
  test('a newer commit: changed files are fetched anew, those it has not are removed', async () => {
    hub = await startHub({ files: { ...model, 'merges.txt': Buffer.from('a b') } });
    await fetchModel();
    const before = hub.commit;
    hub.commit = 'b'.repeat(40);
    const { 'tokenizer.json': _old, ...others } = model;
    hub.files = { ...others, 'tokenizer.json': Buffer.from('{"version":"9"}') };
    expect(await planModel()).toMatchObject({ earlier: before, commit: hub.commit });
    expect(await fetchModel()).toMatchObject({ commit: hub.commit, fetchedBytes: 15 });
    expect(readdirSync(out).sort()).toEqual(modelFiles);
    expect(readFileSync(join(out, 'tokenizer.json'), 'utf8')).toBe('{"version":"9"}');
  });

  test('a resume at a newer commit leaves a partial file whose content has changed', async () => {
    await startWith([{ kind: 'silence', after: 200_000 }]);
    const stop = new AbortController();
    await codeOf(fetchModel({ signal: stop.signal, onProgress: ({ done }) => done > 150_000 && stop.abort() }));
    hub.commit = 'b'.repeat(40);
    const changed = bytes(280_000, 3);
    hub.files = { ...model, 'model.safetensors': changed };
    expect((await planModel()).missingBytes).toBe(280_000);
    await fetchModel();
    expect(sha256(readFileSync(join(out, 'model.safetensors')))).toBe(sha256(changed));
  });

  test('of something else is left alone', async () => {
    hub = await startHub({ files: model });
    mkdirSync(out);
    writeFileSync(join(out, 'mine.txt'), 'mine');
    expect(await codeOf(fetchModel())).toBe('hub.folder');
    expect(readdirSync(out)).toEqual(['mine.txt']);
  });

  test('of another repository is left alone', async () => {
    hub = await startHub({ files: model });
    await fetchModel();
    expect(await codeOf(fetchModel({ repository: 'other/model' }))).toBe('hub.other-repository');
  });

  test('two pulls at once', async () => {
    await startWith([{ kind: 'silence', after: 200_000 }]);
    let second = Promise.resolve('');
    let isSecond = false;
    const stop = new AbortController();
    const first = fetchModel({
      signal: stop.signal,
      onProgress: ({ stage }) => {
        if (stage !== 'download' || isSecond) return;
        isSecond = true;
        second = codeOf(fetchModel()).finally(() => stop.abort());
      },
    });
    expect(await codeOf(first)).toBe('cancelled.pull');
    expect(await second).toBe('run.locked');
  });

  test.each([
    ['{"model_type":"unheard-of"}', 'config.unknown-family'],
    ['{"model_type":"opt","quantization_config":{}}', 'config.quantized'],
    ['[1]', 'file.wrong-shape'],
    ['{', 'file.not-json'],
  ])('a model with the config %s is refused before anything is fetched', async (config, code) => {
    hub = await startHub({ files: { ...model, 'config.json': Buffer.from(config) } });
    expect(await codeOf(planModel())).toBe(code);
    expect(await codeOf(fetchModel())).toBe(code);
    expect(existsSync(out)).toBe(false);
  });

  test('what a cancelled pull has left is taken back; a whole model stays', async () => {
    await startWith([{ kind: 'silence', after: 200_000 }]);
    const stop = new AbortController();
    await codeOf(fetchModel({ signal: stop.signal, onProgress: ({ done }) => done > 150_000 && stop.abort() }));
    await discardPull(out);
    expect(existsSync(out)).toBe(false);
    await fetchModel();
    await discardPull(out);
    expectModel();
  });

  test.skipIf(process.platform !== 'linux')('a full disk', async () => {
    await startWith([{ kind: 'silence', after: 200_000 }]);
    const stop = new AbortController();
    await codeOf(fetchModel({ signal: stop.signal, onProgress: ({ done }) => done > 150_000 && stop.abort() }));
    rmSync(join(out, 'model.safetensors.partial'));
    symlinkSync('/dev/full', join(out, 'model.safetensors.partial'));
    expect(await codeOf(fetchModel())).toBe('file.no-space');
  });

  test('too little room', async () => {
    hub = await startHub({
      files: model,
      lie: (entries) =>
        entries.map((entry) =>
          entry['path'] === 'model.safetensors' ? { ...entry, size: 2 ** 52, lfs: undefined } : entry,
        ),
    });
    expect(await codeOf(fetchModel())).toBe('hub.no-space');
    expect(existsSync(out)).toBe(false);
  });
});

describe('which files', () => {
  const file = (path: string): HubFile => ({ path, bytes: 1, sum: { kind: 'git-sha1', hex: '0'.repeat(40) } });
  const choose = async (names: readonly string[], index = '{"weight_map":{}}'): Promise<string[]> =>
    (await chooseFiles({ name: 'owner/model', commit: '', files: names.map(file) }, () => Promise.resolve(index))).map(
      ({ path }) => path,
    );

  beforeEach(async () => {
    hub = await startHub({ files: model });
  });

  test('what the model needs, config first and weights last, one set of them', async () => {
    const unwanted = [
      'pytorch_model.bin',
      'tf_model.h5',
      'flax_model.msgpack',
      'model.gguf',
      'modeling_x.py',
      'train.log',
    ];
    const wanted = ['tokenizer.model', 'LICENSE', 'README.md', 'chat_template.jinja', 'merges.txt', 'vocab.json'];
    const chosen = await choose(['model.safetensors', ...unwanted, ...wanted, 'config.json']);
    expect(chosen).toEqual(['config.json', ...wanted, 'model.safetensors']);
  });

  test('shards are those that the index names', async () => {
    const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
    const index = JSON.stringify({ metadata: {}, weight_map: { b: shards[1], a: shards[0], c: shards[1] } });
    const names = ['config.json', 'model.safetensors.index.json', ...shards, 'consolidated.safetensors'];
    expect(await choose(names, index)).toEqual(['config.json', 'model.safetensors.index.json', ...shards]);
  });

  test('.bin where there are no safetensors', async () => {
    expect(await choose(['config.json', 'pytorch_model.bin'])).toEqual(['config.json', 'pytorch_model.bin']);
  });

  test.each<[readonly string[], string, string]>([
    [['model.safetensors'], '', 'hub.no-config'],
    [['config.json', 'model.gguf'], '', 'hub.no-weights'],
    [['config.json', 'model.safetensors.index.json'], '{"weight_map":{"a":"gone.safetensors"}}', 'hub.shard'],
    [['config.json', 'model.safetensors.index.json'], '{"weight_map":{"a":"../../x"}}', 'hub.shard'],
    [['config.json', 'model.safetensors.index.json'], 'no JSON', 'file.not-json'],
    [['config.json', 'model.safetensors.index.json'], '{"weight_map":[]}', 'file.wrong-shape'],
  ])('%j, index %j: %s', async (names, index, code) => {
    expect(await codeOf(choose(names, index))).toBe(code);
  });
});
