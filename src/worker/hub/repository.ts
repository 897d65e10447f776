import { listFiles, modelInfo } from '@huggingface/hub';
import { z } from 'zod';

import { TamisError } from '../../contract/errors.ts';
import { get, type Connection } from './http.ts';
import { persist, type Patience } from './retry.ts';

/** What a file's bytes must come to: LFS files have a SHA-256, others git's own SHA-1 of a blob. */
export interface Sum {
  readonly kind: 'sha256' | 'git-sha1';
  readonly hex: string;
}

export interface HubFile {
  readonly path: string;
  readonly bytes: number;
  readonly sum: Sum;
}

/** A repository as it is at one commit. */
export interface Repository {
  readonly name: string;
  readonly commit: string;
  /** Those outside of any folder. */
  readonly files: readonly HubFile[];
}

export interface Network {
  readonly connection: Connection;
  readonly patience: Patience;
}

/** An answer of the hub that is no file's content may have so many bytes. */
const LARGEST_ANSWER = 32 * 2 ** 20;
/** A list of files may have so many pages, with 1,000 files on each. */
const MOST_PAGES = 50;

const commitSchema = z.string().regex(/^[0-9a-f]{40}$/);
const entrySchema = z.object({
  type: z.string(),
  path: z.string(),
  size: z.int().min(0),
  oid: z.string().regex(/^[0-9a-f]{40}$/),
  lfs: z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size: z.int().min(0) }).optional(),
});

/** Finds the commit that a revision stands for now, and the files of it. Errors: hub.*. */
export async function openRepository(network: Network, name: string, revision: string): Promise<Repository> {
  const { endpoint } = network.connection;
  const at = { hubUrl: endpoint.href.replace(/\/$/, ''), fetch: fetchAnswer(network) };
  try {
    const { sha } = await modelInfo({ name, revision, additionalFields: ['sha'], ...at });
    const commit = commitSchema.parse(sha);
    const files: HubFile[] = [];
    for await (const entry of listFiles({ repo: { type: 'model', name }, revision: commit, ...at })) {
      files.push(...fileOf(entrySchema.parse(entry)));
    }
    return { name, commit, files };
  } catch (error) {
    throw isUnderstood(error)
      ? error
      : new TamisError('hub.listing', { host: endpoint.host, reason: firstLine(error) });
  }
}

function fileOf({ type, path, size, oid, lfs }: z.output<typeof entrySchema>): HubFile[] {
  if (isOdd(path)) throw new TamisError('hub.path', { path: JSON.stringify(path) });
  if (type !== 'file') return [];
  return [{ path, bytes: size, sum: lfs ? { kind: 'sha256', hex: lfs.oid } : { kind: 'git-sha1', hex: oid } }];
}

/** Whether a path leads out of its folder somewhere, or could be taken for one that does. */
function isOdd(path: string): boolean {
  // eslint-disable-next-line no-control-regex -- exactly those
  return /[\\:\x00-\x1f\x7f]/.test(path) || path.split('/').some((part) => ['', '.', '..'].includes(part));
}

/** Whether an error is one of our own, or that of a request which was ended. */
function isUnderstood(error: unknown): boolean {
  return error instanceof TamisError || (error instanceof Error && error.name === 'AbortError');
}

function firstLine(error: unknown): string {
  if (error instanceof z.ZodError) return z.prettifyError(error).split('\n')[0] ?? '';
  return error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
}

/** What @huggingface/hub asks with: our own rules of tokens, redirects, waiting and size in the place of `fetch`. */
function fetchAnswer({ connection, patience }: Network): typeof fetch {
  let asked = 0;
  return async (input) => {
    const url = new URL(input instanceof Request ? input.url : input);
    asked += 1;
    if (asked > MOST_PAGES) throw new TamisError('hub.listing', { host: url.host, reason: `> ${MOST_PAGES} pages` });
    return await persist(async () => {
      const { status, headers, body } = await get(connection, url, { accept: 'application/json' });
      const content = await bounded(body, url);
      return new Response(content, { status, headers });
    }, patience);
  };
}

/** A body in memory. Error: hub.listing where it is too large. */
export async function bounded(body: AsyncIterable<Uint8Array>, { host }: URL): Promise<Buffer<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > LARGEST_ANSWER) throw new TamisError('hub.listing', { host, reason: `> ${LARGEST_ANSWER} bytes` });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
