import { TamisError } from '../../contract/errors.ts';
import { isPrivate, linkOn } from './endpoint.ts';
import { Hiccup } from './retry.ts';

export interface Connection {
  readonly endpoint: URL;
  /** Sent to the endpoint and to nobody else; null = none. */
  readonly token: string | null;
  /** So long may pass with next to nothing received. */
  readonly stallMs: number;
  readonly signal: AbortSignal;
}

/** Less than this in `stallMs` is next to nothing. */
const LEAST_BYTES = 1024;
const MOST_REDIRECTS = 5;

/** What the server answered with; whoever is done before the end of the body calls `close`. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Throws a `Hiccup` where the body is cut off or stalls. */
  readonly body: AsyncIterable<Uint8Array>;
  readonly close: () => void;
}

/**
 * Asks for `url`, following redirects: to http and https alone, never from https to http, and with the token only where the address is
 * the endpoint's. Answers that are no content are thrown: as a `Hiccup` where another attempt may help, else as `hub.*`.
 */
export async function get(
  connection: Connection,
  url: URL,
  headers: Readonly<Record<string, string>>,
): Promise<Answer> {
  let at = url;
  for (let hops = 0; hops <= MOST_REDIRECTS; hops++) {
    const answer = await getOnce(connection, at, headers);
    const to = answer.headers.get('location');
    if (answer.status < 300 || answer.status >= 400 || to === null) return answer;
    answer.close();
    at = redirected(at, to);
  }
  throw new TamisError('hub.redirect', { host: url.host, to: at.host });
}

/** Where a redirect leads. Error: hub.redirect where that is not followed. */
export function redirected(from: URL, location: string): URL {
  const to = linkOn(from, location);
  const allowed = to?.protocol === 'https:' || (to?.protocol === 'http:' && from.protocol === 'http:');
  if (!to || !allowed) throw new TamisError('hub.redirect', { host: from.host, to: to?.origin ?? location });
  return to;
}

async function getOnce(connection: Connection, url: URL, headers: Readonly<Record<string, string>>): Promise<Answer> {
  const { endpoint, token, stallMs, signal } = connection;
  const isEndpoint = url.origin === endpoint.origin;
  const authorization = token !== null && isEndpoint && isPrivate(url) ? { authorization: `Bearer ${token}` } : {};
  const stall = new Stall(stallMs, signal);
  const failed = (error: unknown): unknown => failureOf(error, { host: url.host, stall, signal });
  try {
    const response = await fetch(url, {
      // Lengths and ranges are of the file as it is.
      headers: { 'accept-encoding': 'identity', ...headers, ...authorization },
      redirect: 'manual',
      signal: stall.signal,
    });
    if (response.status >= 400 && response.status !== 416) throw refusalOf(response, url, connection);
    const close = (): void => stall.end();
    return { status: response.status, headers: response.headers, body: read(response, stall, failed), close };
  } catch (error) {
    stall.end();
    throw failed(error);
  }
}

async function* read(
  response: Response,
  stall: Stall,
  failed: (error: unknown) => unknown,
): AsyncGenerator<Uint8Array, void> {
  try {
    for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      stall.received(chunk.length);
      yield chunk;
    }
  } catch (error) {
    throw failed(error);
  } finally {
    stall.end();
  }
}

/** Ends a request that receives next to nothing for too long, or that nobody waits for any more. */
class Stall {
  readonly signal: AbortSignal;
  readonly ms: number;
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout;
  #bytes = 0;
  hasStalled = false;

  constructor(ms: number, signal: AbortSignal) {
    this.ms = ms;
    this.signal = AbortSignal.any([signal, this.#abort.signal]);
    this.#timer = this.#start();
  }

  received(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < LEAST_BYTES) return;
    this.#bytes = 0;
    clearTimeout(this.#timer);
    this.#timer = this.#start();
  }

  /** Closes the connection, unless the body has been read to its end. */
  end(): void {
    clearTimeout(this.#timer);
    this.#abort.abort();
  }

  #start(): NodeJS.Timeout {
    return setTimeout(() => {
      this.hasStalled = true;
      this.#abort.abort();
    }, this.ms);
  }
}

interface Failing {
  readonly host: string;
  readonly stall: Stall;
  readonly signal: AbortSignal;
}

/** What fetch threw, as what it means. */
function failureOf(error: unknown, { host, stall, signal }: Failing): unknown {
  if (error instanceof TamisError || error instanceof Hiccup || signal.aborted) return error;
  if (stall.hasStalled) return new Hiccup(new TamisError('hub.stalled', { host, seconds: stall.ms / 1000 }));
  if (!(error instanceof TypeError)) return error;
  const { cause } = error;
  const reason = cause instanceof Error ? cause.message : error.message;
  return new Hiccup(new TamisError('hub.no-connection', { host, reason }));
}

function refusalOf({ status, headers }: Response, url: URL, { token, endpoint }: Connection): TamisError | Hiccup {
  const { host } = url;
  if (status === 429) return new Hiccup(new TamisError('hub.rate-limited', { host }), retryAfterMs(headers));
  if (status >= 500 || status === 408)
    return new Hiccup(new TamisError('hub.server', { host, status }), retryAfterMs(headers));
  if (status === 404) return new TamisError('hub.not-found', { url: `${url.origin}${url.pathname}` });
  if (status !== 401 && status !== 403) return new TamisError('hub.refused', { host, status });
  // Addresses of other hosts are signed for a while; the next attempt gets a new one.
  if (url.origin !== endpoint.origin) return new Hiccup(new TamisError('hub.refused', { host, status }));
  if (token !== null && !isPrivate(endpoint)) return new TamisError('hub.insecure', { host });
  return new TamisError(token === null ? 'hub.no-token' : 'hub.no-access', { host });
}

/** Retry-After, which is in seconds or a date; null where there is none. */
function retryAfterMs(headers: Headers): number | null {
  const text = headers.get('retry-after');
  if (text === null) return null;
  const ms = /^\d+$/.test(text) ? 1000 * Number(text) : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? null : Math.max(0, ms);
}
