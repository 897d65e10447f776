/**
 * npm run soak: what takes too long for `npm test`.
 *
 *     npm run soak                       both
 *     npm run soak memory [FOLDER]       see memory.mjs
 *     npm run soak kills [ROUNDS SEED]   200 rounds of kill-rounds.ts, which the application must survive
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { openDisplay } from '../../scripts/display.mjs';
import { killRounds } from './kill-rounds.ts';

const [only, ...rest] = process.argv.slice(2);

async function soakKills(rounds = '200', seed = String(Date.now() % 1e6)) {
  const folder = mkdtempSync(join(tmpdir(), 'tamis-kills-'));
  const closeDisplay = await openDisplay();
  console.log(`${rounds} rounds with the seed ${seed} in ${folder}`);
  try {
    const options = { folder, rounds: Number(rounds), seed: Number(seed), log: console.log };
    const { interrupted, finished, deleted, slowestEnd, crashedStarts } = await killRounds(options);
    console.log(
      `No finished run was lost: ${interrupted} runs were interrupted, ${finished} are finished now, ` +
        `${deleted} were deleted. The slowest process ended ${Math.round(slowestEnd)} ms after its application. ` +
        `Starts in which Electron crashed: ${crashedStarts}.`,
    );
    rmSync(folder, { recursive: true });
  } finally {
    closeDisplay();
  }
}

function soakMemory(...args) {
  const script = fileURLToPath(new URL('memory.mjs', import.meta.url));
  return spawnSync(process.execPath, [script, ...args], { stdio: 'inherit' }).status === 0;
}

if (only !== 'memory') await soakKills(...(only === 'kills' ? rest : []));
if (only !== 'kills' && !soakMemory(...(only === 'memory' ? rest : []))) process.exitCode = 1;
