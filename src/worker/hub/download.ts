import { TamisError } from '../../contract/errors.ts';
import { get, type Answer } from './http.ts';
import { Partial } from './partial.ts';
import type { HubFile, Network } from './repository.ts';
import { Hiccup, persist } from './retry.ts';

export interface Download {
  readonly network: Network;
  readonly url: URL;
  readonly file: HubFile;
  readonly folder: string;
  /** Bytes that came, or were lost again where they are negative. */
  readonly onBytes: (bytes: number) => void;
}

/**
 * Fetches a file into `folder`, going on from what an earlier attempt has left, and gives it its name only when it is the hub's to the
 * bit. What is wrong in length or content is thrown away and fetched once more. Errors: hub.*, file.*.
 */
export async function download(task: Download): Promise<void> {
  try {
    await downloadOnce(task);
  } catch (error) {
    if (!isWrong(error)) throw error;
    await downloadOnce(task);
  }
}

function isWrong(error: unknown): boolean {
  return error instanceof TamisError && (error.code === 'hub.checksum' || error.code === 'hub.length');
}

async function downloadOnce(task: Download): Promise<void> {
  const { network, file, folder, onBytes } = task;
  const partial = await Partial.open(folder, file, network.connection.signal);
  try {
    await persist(async (progressed) => {
      if (partial.at < file.bytes) await receive(task, partial, progressed);
    }, network.patience);
  } catch (error) {
    if (!isWrong(error)) {
      await partial.close();
      throw error;
    }
    onBytes(-partial.at);
    await partial.remove();
    throw error;
  }
  if (partial.isRight()) {
    await partial.finish();
    return;
  }
  onBytes(-partial.at);
  await partial.remove();
  throw new TamisError('hub.checksum', { path: file.path, host: task.url.host });
}

/** The bytes that are missing. A cut connection is a `Hiccup`: what came before it stays. */
async function receive(
  { network, url, file, onBytes }: Download,
  partial: Partial,
  progressed: () => void,
): Promise<void> {
  const answer = await get(network.connection, url, rangeOf(partial));
  try {
    if (!continues(answer, partial, file)) {
      onBytes(-partial.at);
      await partial.empty();
      // It is another part of the file than was asked for: the next attempt asks for all of it.
      if (answer.status !== 200) throw new Hiccup(new TamisError('hub.range', { path: file.path, host: url.host }));
    }
    checkLength(answer, partial, file);
    if (partial.at === 0) await partial.note(strongTag(answer));
    for await (const chunk of answer.body) {
      await partial.write(chunk);
      onBytes(chunk.length);
      progressed();
    }
  } finally {
    answer.close();
  }
  if (partial.at < file.bytes) throw new Hiccup(new TamisError('hub.cut', { path: file.path, host: url.host }));
}

function rangeOf({ at, etag }: Partial): Record<string, string> {
  if (at === 0) return {};
  return { range: `bytes=${at}-`, ...(etag !== null && { 'if-range': etag }) };
}

/** Whether an answer's body goes on where the partial file ends. */
function continues(answer: Answer, { at, etag }: Partial, { bytes }: HubFile): boolean {
  if (answer.status === 200) return at === 0;
  if (answer.status !== 206 || at === 0) return false;
  const tag = strongTag(answer);
  const isSame = etag === null || tag === null || tag === etag;
  return isSame && answer.headers.get('content-range') === `bytes ${at}-${bytes - 1}/${bytes}`;
}

/** Error: hub.length where the answer announces another length than the hub's list of files. */
function checkLength({ headers }: Answer, { at }: Partial, { path, bytes }: HubFile): void {
  // The length of a compressed body says nothing about the file.
  const announced = headers.has('content-encoding') ? null : headers.get('content-length');
  if (announced !== null && Number(announced) !== bytes - at)
    throw new TamisError('hub.length', { path, bytes: at + Number(announced), expected: bytes });
}

/** An ETag that stands for these very bytes. */
function strongTag({ headers }: Answer): string | null {
  const tag = headers.get('etag');
  return tag?.startsWith('"') ? tag : null;
}
