import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { eventSchema } from '../../src/contract/events.ts';
import { layerNames, writeTinyOpt, writeTokens } from '../fixtures/tiny-opt.ts';
import { bitsOf, killAt, killed, refusal, succeed, tamis, tinyFolder, type Ended, type Tiny } from './helpers.ts';

let tiny: Tiny;
/** A finished run, and one that was killed after its first block. */
let whole: string;
let half: string;
let count = 0;

beforeAll(async () => {
  tiny = tinyFolder('run-directory');
  whole = tiny.file('whole');
  half = tiny.file('half');
  await succeed(compressInto(whole), tiny);
  await killed(compressInto(half), tiny.cache, { moment: 'rename state/block-0000.json', when: 'after' });
});
afterAll(() => {
  tiny.remove();
});

function compressInto(out: string): string[] {
  return ['compress', tiny.model, '--out', out, ...tiny.data, '--scheduler', 'kmeans'];
}

/** A copy of the half-done run, changed in some way, then resumed. */
async function resumed(change: (folder: string) => void): Promise<Ended & { folder: string }> {
  const folder = tiny.file(`resumed-${++count}`);
  cpSync(half, folder, { recursive: true });
  change(folder);
  return { ...(await tamis(['resume', folder], tiny)), folder };
}

/** Changes an input of all runs for the time of one of them. */
async function withChanged<T>(path: string, change: () => void, use: () => Promise<T>): Promise<T> {
  const kept = `${path}.kept`;
  cpSync(path, kept, { recursive: true });
  try {
    change();
    return await use();
  } finally {
    rmSync(path, { recursive: true });
    renameSync(kept, path);
  }
}

function editJson(path: string, change: (value: Record<string, unknown>) => void): void {
  const value = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  change(value);
  writeFileSync(path, JSON.stringify(value));
}

describe('resume', () => {
  test('of an untouched copy ends with the bits of the uninterrupted run', async () => {
    const { code, folder, stderr } = await resumed(() => undefined);
    expect(code, stderr).toBe(0);
    expect(bitsOf(folder)).toEqual(bitsOf(whole));
  });

  test('refuses a changed recipe', async () => {
    const ended = await resumed((folder) => {
      editJson(join(folder, 'recipe.json'), (recipe) => (recipe['percdamp'] = 0.02));
    });
    expect(refusal(ended)).toBe(
      `The recipe of the run in ${ended.folder} has changed since it began. Put recipe.json back as it was, or start a new run.`,
    );
  });

  test.each([
    ['weights', () => writeTinyOpt(tiny.model, { seed: 9 })],
    ['config', () => writeTinyOpt(tiny.model, { config: { dropout: 0.1 } })],
  ])('refuses a changed model: %s', async (_, change) => {
    const ended = await withChanged(tiny.model, change, () => resumed(() => undefined));
    expect(refusal(ended)).toContain(`The model of the run in ${ended.folder} has changed since it began.`);
  });

  test('refuses a run directory of another model', async () => {
    const other = writeTinyOpt(tiny.file('other'), { seed: 4 });
    const ended = await resumed((folder) => {
      editJson(join(folder, 'recipe.json'), (recipe) => (recipe['model'] = other));
    });
    expect(refusal(ended)).toMatch(/^The (recipe|model) of the run in \S+ has changed since it began\./);
  });

  test('refuses changed calibration and evaluation tokens', async () => {
    const [calibration, evaluation] = [tiny.file('calibration.safetensors'), tiny.file('evaluation.safetensors')];
    const one = await withChanged(
      calibration,
      () => writeTokens(calibration, [80, 32], 77),
      () => resumed(() => undefined),
    );
    expect(refusal(one)).toContain(`The calibration data of the run in ${one.folder} has changed since it began.`);
    const other = await withChanged(
      evaluation,
      () => writeTokens(evaluation, [2100], 77),
      () => resumed(() => undefined),
    );
    expect(refusal(other)).toContain(`The evaluation data of the run in ${other.folder} has changed since it began.`);
  });

  test('refuses a changed file of sparsities', async () => {
    const sparsities = tiny.file('sparsities.json');
    const write = (share: number): void => {
      writeFileSync(sparsities, JSON.stringify(Object.fromEntries(layerNames().map((name) => [name, share]))));
    };
    write(0.5);
    const out = tiny.file('by-file');
    await succeed(
      ['compress', tiny.model, '--out', out, ...tiny.data, '--scheduler', 'file', '--sparsities', sparsities],
      tiny,
    );
    write(0.6);
    expect(refusal(await tamis(['resume', out], tiny))).toContain(
      `The file of sparsities of the run in ${out} has changed`,
    );
  });

  test('refuses to go on in another environment', async () => {
    const ended = await resumed((folder) => {
      editJson(join(folder, 'state/fingerprint.json'), (fingerprint) => (fingerprint['engine'] = 'another'));
    });
    expect(refusal(ended)).toMatch(
      /^The run in \S+ was begun by another version of Tamis, on another processor or GPU, with another driver or other threads\./,
    );
  });

  test('refuses damaged state, naming file and field', async () => {
    const cut = await resumed((folder) => {
      truncateSync(join(folder, 'state/schedule.json'), 40);
    });
    expect(refusal(cut)).toContain(`${join(cut.folder, 'state/schedule.json')} is not valid JSON`);
    const field = await resumed((folder) => {
      editJson(join(folder, 'state/block-0000.json'), (step) => (step['value'] = 'gone'));
    });
    expect(refusal(field)).toContain(`${join(field.folder, 'state/block-0000.json')} is damaged at value`);
    const recipe = await resumed((folder) => {
      writeFileSync(join(folder, 'recipe.json'), '{}');
    });
    expect(refusal(recipe)).toContain(`${join(recipe.folder, 'recipe.json')} is damaged at`);
  });

  test('refuses activations that are gone or cut short', async () => {
    const activations = 'state/activations-0001.f32';
    const gone = await resumed((folder) => {
      rmSync(join(folder, activations));
    });
    expect(refusal(gone)).toContain(join(gone.folder, activations));
    const cut = await resumed((folder) => {
      truncateSync(join(folder, activations), 1000);
    });
    expect(refusal(cut)).toContain(`${join(cut.folder, activations)} has 1000 bytes where 327680 are expected.`);
  });

  test('refuses a shard that was changed after its block was finished', async () => {
    const shard = 'model-00002-of-00004.safetensors';
    const gone = await resumed((folder) => {
      rmSync(join(folder, shard));
    });
    expect(refusal(gone)).toContain(join(gone.folder, shard));
  });

  test('mends a torn last line of events.jsonl', async () => {
    const { code, stderr, folder } = await resumed((path) => {
      appendFileSync(join(path, 'events.jsonl'), '{"at":"2026-01-01T00:00:00.000Z","type":"lay');
    });
    expect(code, stderr).toBe(0);
    const lines = readFileSync(join(folder, 'events.jsonl'), 'utf8').trimEnd().split('\n');
    for (const line of lines) {
      const { at, ...event } = JSON.parse(line) as { at: string };
      expect(new Date(at).toISOString()).toBe(at);
      eventSchema.parse(event);
    }
    expect(lines.at(-1)).toContain('"finished"');
  });

  test('refuses events that are damaged in the middle, naming the file', async () => {
    const ended = await resumed((folder) => {
      appendFileSync(join(folder, 'events.jsonl'), 'not an event\n');
    });
    expect(refusal(ended)).toContain(join(ended.folder, 'events.jsonl'));
  });

  test('of a finished run changes nothing of it', async () => {
    const out = tiny.file('again');
    cpSync(whole, out, { recursive: true });
    await succeed(['resume', out], tiny);
    expect(bitsOf(out)).toEqual(bitsOf(whole));
  });
});

describe('two processes', () => {
  test('the second one is refused while the first one works', async () => {
    const out = tiny.file('locked');
    let second: Promise<Ended> | null = null as Promise<Ended> | null;
    const first = await tamis(compressInto(out), {
      ...tiny,
      ...killAt({ moment: 'rename state/block-0000.json', when: 'stop' }),
      onStderr: (stderr, kill) => {
        if (second === null && stderr.includes('stopped by the test')) {
          second = tamis(['resume', out], tiny).finally(() => {
            kill('SIGKILL');
          });
        }
      },
    });
    expect(first.signal).toBe('SIGKILL');
    expect(refusal(await (second ?? Promise.reject(new Error('there was no second process'))))).toBe(
      `${out} is in use by another Tamis process. Wait for it to end, or stop it.`,
    );
    await succeed(['resume', out], tiny);
    expect(bitsOf(out)).toEqual(bitsOf(whole));
  });
});

describe('a disk without space', () => {
  const mount = (folder: string, size: string): boolean => {
    mkdirSync(folder);
    return spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder]).status === 0;
  };

  test.for(['60k', '200k', '360k', '500k'])(
    '%s are left: names the file, and goes on when there is space',
    async (size, { skip }) => {
      const folder = tiny.file(`disk-${size}`);
      if (!mount(folder, size)) skip('no tmpfs can be mounted here: it needs root');
      try {
        const out = join(folder, 'out');
        const ended = await tamis(compressInto(out), tiny);
        expect(refusal(ended)).toMatch(
          /^There is no space left for \S+\/out\S*\. Free some space; a run that was begun goes on with: tamis resume DIR$/,
        );
        expect(readdirSync(out)).not.toContain('report.json');
        expect(spawnSync('mount', ['-o', 'remount,size=20m', folder]).status).toBe(0);
        await succeed(['resume', out], tiny);
        expect(bitsOf(out)).toEqual(bitsOf(whole));
      } finally {
        spawnSync('umount', [folder]);
      }
    },
  );
});
