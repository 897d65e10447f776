import { homedir } from 'node:os';
import { join } from 'node:path';

import { readText } from '../../disk/files.ts';
import { TamisError } from '../../contract/errors.ts';
import { hubEndpoint, parseEndpoint, tokenPattern } from '../../contract/hub.ts';

/** An address as a link on the page `base` gives it; null if it is none. */
export function linkOn(base: URL, text: string): URL | null {
  return URL.canParse(text, base.href) ? new URL(text, base) : null;
}

/** Whether what is sent there can be read by nobody on the way. */
export function isPrivate(url: URL): boolean {
  return url.protocol === 'https:' || ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
}

/**
 * The token of whoever works here, as the hub's own programs keep it: HF_TOKEN, else the file that they write at login. Null where
 * there is none. Error: hub.token.
 */
export async function findToken(environment: NodeJS.ProcessEnv): Promise<string | null> {
  const named = environment['HF_TOKEN']?.trim();
  if (named) return checkedToken(named, 'HF_TOKEN');
  const path = environment['HF_TOKEN_PATH'] ?? join(hubFolder(environment), 'token');
  const kept = (await readText(path))?.trim();
  return kept ? checkedToken(kept, path) : null;
}

/** That token, if the hub is the one that those programs talk to: nobody else is told it unasked. */
export async function tokenFor(endpoint: string, environment: NodeJS.ProcessEnv): Promise<string | null> {
  const own = parseEndpoint(environment['HF_ENDPOINT'] || hubEndpoint);
  return parseEndpoint(endpoint).origin === own.origin ? await findToken(environment) : null;
}

function hubFolder(environment: NodeJS.ProcessEnv): string {
  const cache = environment['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return environment['HF_HOME'] ?? join(cache, 'huggingface');
}

function checkedToken(token: string, place: string): string {
  if (!tokenPattern.test(token)) throw new TamisError('hub.token', { place });
  return token;
}
