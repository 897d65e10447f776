import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { pullResultSchema } from '../../src/contract/hub.ts';
import { startHub, type Fault, type Hub } from '../fixtures/hub-server.ts';
import { testFolder } from '../fixtures/safetensors.ts';
import { writeTinyOpt } from '../fixtures/tiny-opt.ts';
import { refusal, sha256, succeed, tamis, type Ended } from './helpers.ts';

let folder: ReturnType<typeof testFolder>;
let hub: Hub;
/** What the server does when it is asked for the weights. */
let fault: Fault | null;
let out: string;
let model: string;

beforeEach(async () => {
  folder = testFolder('pull');
  model = writeTinyOpt(join(folder.path, 'model'));
  out = join(folder.path, 'out');
  fault = null;
  hub = await startHub({
    files: Object.fromEntries(readdirSync(model).map((name) => [name, readFileSync(join(model, name))])),
    fault: ({ host }) => (host === 'cdn' ? fault : null),
  });
});
afterEach(async () => {
  await hub.close();
  folder.remove();
});

const environment = () => ({ HF_ENDPOINT: hub.endpoint, HF_HOME: folder.path, HF_TOKEN: 'hf_secret' });
const options = () => ({ cache: join(folder.path, 'cache'), env: environment() });
const args = () => ['pull', 'owner/model', '--out', out];
const weights = () => join(out, 'model.safetensors');

/** Pulls while the server falls silent in the middle of the weights, and sends the signal then. */
async function interrupted(signal: NodeJS.Signals): Promise<Ended> {
  const half = Math.floor(statSync(join(model, 'model.safetensors')).size / 2);
  fault = { kind: 'silence', after: half };
  const polls: NodeJS.Timeout[] = [];
  const stop = (): void => {
    for (const poll of polls) clearInterval(poll);
  };
  const ended = await tamis(args(), {
    ...options(),
    onStderr: (_, kill) => {
      if (polls.length > 0) return;
      const look = (): void => {
        if ((statSync(`${weights()}.partial`, { throwIfNoEntry: false })?.size ?? 0) < half) return;
        stop();
        kill(signal);
      };
      polls.push(setInterval(look, 10));
    },
  });
  stop();
  fault = null;
  return ended;
}

/** The same command takes up the rest and nothing else. */
async function expectRest(): Promise<void> {
  const { stdout } = await succeed([...args(), '--json'], options());
  const size = statSync(weights()).size;
  expect(pullResultSchema.parse(JSON.parse(stdout))).toMatchObject({
    folder: out,
    fetchedBytes: size - Math.floor(size / 2),
  });
  expect(sha256(weights())).toBe(sha256(join(model, 'model.safetensors')));
  expect(readdirSync(out).sort()).toEqual(['config.json', 'model.safetensors', 'tamis-pull.json']);
}

test('killed in the middle, the same command goes on', async () => {
  expect(await interrupted('SIGKILL')).toMatchObject({ signal: 'SIGKILL' });
  expect(existsSync(weights())).toBe(false);
  await expectRest();
});

test('Ctrl+C in the middle, likewise; the token is shown to nobody', async () => {
  const { code, stdout, stderr } = await interrupted('SIGINT');
  expect(code).toBe(130);
  expect(stderr).toContain('what was fetched is kept. Go on with: tamis pull owner/model');
  expect(stdout + stderr).not.toContain('hf_secret');
  await expectRest();
  await succeed(['inspect', out], options());
});

test('refusals are one sentence', async () => {
  expect(refusal(await tamis(['pull', 'owner'], options()))).toContain('owner is not the name of a repository');
  expect(refusal(await tamis([...args(), '--endpoint', 'ftp://x'], options()))).toContain('not the address of a hub');
  expect(refusal(await tamis([...args(), '--revision', '../x'], options()))).toContain('../x is not a revision');
  expect(refusal(await tamis(['pull', 'owner/none', '--out', out], options()))).toContain('does not exist');
  expect(existsSync(out)).toBe(false);
});
