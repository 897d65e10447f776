import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';

/**
 * A process, told apart from all others that have had or will have its number: `NUMBER.BEGINNING`; null where none of that number runs.
 * On Linux, what has ended and waits for its parent to take notice (a zombie) does not run.
 */
export function identityOf(pid) {
  const beginning = beginningOf(pid);
  return beginning === null ? null : `${pid}.${beginning.replace(/\W/g, '')}`;
}

/** Whether the process of that identity still runs. */
export function isRunning(identity) {
  const pid = numberOf(identity);
  return exists(pid) && identityOf(pid) === identity;
}

/**
 * Whether anything still runs in the process group that the process of that identity leads or led. Windows has no groups: there it is
 * that process alone.
 */
export function groupIsRunning(identity) {
  if (isRunning(identity)) return true;
  const pid = numberOf(identity);
  // A number is not given out again as long as a group has it: if a process has it now, that one leads another group.
  if (process.platform === 'win32' || identityOf(pid) !== null) return false;
  if (process.platform !== 'linux') return exists(-pid);
  // Here and there nobody takes notice of the dead (a container without an init), so that `exists` would find them for ever.
  return readdirSync('/proc').some((name) => /^\d+$/.test(name) && statusOf(name)?.group === pid);
}

/** The number of a process of that identity. */
export function numberOf(identity) {
  return Number(identity.split('.')[0]);
}

/** Ends all of the process group that this process leads, itself included. */
export function endOwnGroup() {
  if (process.platform === 'win32') execFileSync('taskkill', ['/pid', String(process.pid), '/t', '/f']);
  else process.kill(-process.pid, 'SIGKILL');
}

function exists(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** When a process began, in the words of the operating system. */
function beginningOf(pid) {
  if (process.platform === 'linux') return statusOf(pid)?.beginning ?? null;
  const [program, ...args] =
    process.platform === 'win32'
      ? ['powershell', '-NoProfile', '-Command', `(Get-Process -Id ${pid}).StartTime.ToFileTimeUtc()`]
      : ['ps', '-o', 'lstart=', '-p', String(pid)];
  try {
    const env = { ...process.env, LC_ALL: 'C', TZ: 'UTC' };
    return execFileSync(program, args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim() || null;
  } catch {
    return null;
  }
}

/** What Linux tells of a process that runs; null for one that does not. */
function statusOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // After the program's name, which may hold spaces and brackets.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return 'ZXx'.includes(fields[0]) ? null : { group: Number(fields[2]), beginning: fields[19] };
  } catch {
    return null;
  }
}
