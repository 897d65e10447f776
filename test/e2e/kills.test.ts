import { expect } from 'vitest';

import { killRounds } from '../soak/kill-rounds.ts';
import { findElectron } from '../../scripts/electron.mjs';
import { test } from './application.ts';

test('ten times killed, worker or application: no finished run is lost, the database is whole, no process stays', async ({
  folder,
  skip,
}) => {
  if ((await findElectron()) === null) skip('no Electron is installed for this system');
  const told: string[] = [];
  const log = (line: string): number => told.push(line);
  const tally = await killRounds({ folder, rounds: 10, seed: 1, log }).catch((error: unknown) => {
    console.error(told.join('\n'));
    throw error;
  });
  // Kills that came too late for everything would show nothing.
  expect(tally.interrupted).toBeGreaterThanOrEqual(3);
  expect(tally.finished + tally.deleted).toBeGreaterThanOrEqual(1);
  expect(tally.slowestEnd).toBeLessThan(5000);
  expect(tally.crashedStarts).toBeLessThanOrEqual(1);
});
