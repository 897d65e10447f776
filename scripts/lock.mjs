import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Runs `work` while no other process does under the same lock folder; waits its turn. A lock whose owner is dead is taken over.
 * The folder is made beside its place and renamed into it, so that whoever sees a lock can also read who owns it.
 */
export async function withLock(folder, work) {
  const mine = `${folder}-${process.pid}`;
  rmSync(mine, { recursive: true, force: true });
  mkdirSync(mine);
  writeFileSync(join(mine, 'pid'), String(process.pid));
  let told = false;
  while (!moved(mine, folder)) {
    const owner = ownerOf(folder);
    if (owner !== null && !isAlive(owner)) {
      removeLockOf(owner, folder);
      continue;
    }
    if (!told) console.error(`Waiting for another set-up of this checkout to end (process ${owner ?? 'unknown'}) …`);
    told = true;
    await sleep(200);
  }
  try {
    return await work();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A folder cannot be renamed onto one that is not empty: the one rename that succeeds has the lock. */
function moved(from, to) {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST', 'EPERM', 'EACCES'].includes(error.code)) return false;
    throw error;
  }
}

/** Moved aside first, and back if another process had taken it over meanwhile. */
function removeLockOf(owner, folder) {
  const aside = `${folder}-dead-${process.pid}`;
  if (!moved(folder, aside)) return;
  if (ownerOf(aside) === owner || !moved(aside, folder)) rmSync(aside, { recursive: true, force: true });
}

function ownerOf(folder) {
  try {
    return Number(readFileSync(join(folder, 'pid'), 'utf8'));
  } catch {
    return null;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
