import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { groupIsRunning, identityOf, isRunning, numberOf } from './processes.mjs';

/** The lock that this process holds: { folder, owner }. */
let held = null;

/**
 * Runs `work` while no other process does under the same lock folder; waits its turn. A lock whose owner is dead is taken over, once
 * what shares it (`shareLock`) has ended too.
 *
 * The folder holds a file `OWNER`, and a file `OWNER,LEADER` for each process group that shares the lock, both identities of
 * processes. It is made beside its place and renamed into it, so that it is never seen empty; to take it over is to rename the dead
 * owner's file, which one process alone can do, and nobody who has read of an owner of before.
 */
export async function withLock(folder, work) {
  const owner = identityOf(process.pid);
  const mine = `${folder}-${process.pid}`;
  rmSync(mine, { recursive: true, force: true });
  mkdirSync(mine);
  writeFileSync(join(mine, owner), '');
  let told = false;
  while (!moved(mine, folder)) {
    const before = namesIn(folder).find((name) => !name.includes(','));
    const busy = before === undefined ? undefined : busyWith(folder, before);
    if (before !== undefined && busy === undefined) {
      if (!moved(join(folder, before), join(folder, owner))) continue;
      for (const name of sharersOf(folder, before)) rmSync(join(folder, name), { force: true });
      rmSync(mine, { recursive: true });
      break;
    }
    const whose = busy === undefined ? 'unknown' : numberOf(busy);
    if (!told) console.error(`Waiting for another set-up of this checkout to end (process ${whose}) …`);
    told = true;
    await sleep(200);
  }
  held = { folder, owner };
  try {
    return await work();
  } finally {
    held = null;
    // In one step: removed file by file, the emptied folder could be another's before it is gone. Windows refuses while somebody reads.
    while (namesIn(folder).includes(owner) && !moved(folder, mine)) await sleep(10);
    rmSync(mine, { recursive: true, force: true });
  }
}

/** Has the lock that this process holds stay taken, even if this process dies, until all of the group that a process leads has ended. */
export function shareLock(leader) {
  const identity = identityOf(leader);
  if (held !== null && identity !== null) writeFileSync(join(held.folder, `${held.owner},${identity}`), '');
}

/** Who keeps the lock: its owner, or else a group that shares it; undefined where all are gone. */
function busyWith(folder, owner) {
  if (isRunning(owner)) return owner;
  // Read now: a dead owner shares its lock with nobody new.
  return sharersOf(folder, owner)
    .map((name) => name.split(',')[1])
    .find(groupIsRunning);
}

function sharersOf(folder, owner) {
  return namesIn(folder).filter((name) => name.startsWith(`${owner},`));
}

function namesIn(folder) {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}

/** A folder cannot be renamed onto one that is not empty: the one rename that succeeds has the lock. */
function moved(from, to) {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (['ENOENT', 'ENOTEMPTY', 'EEXIST', 'EPERM', 'EACCES'].includes(error.code)) return false;
    throw error;
  }
}
