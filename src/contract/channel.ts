import type { PushName, RequestName } from './bridge.ts';
import type { Failure } from './failure.ts';
import type { Purpose } from './purposes.ts';

/** The one channel between page and main process: requests one way, pushes (`Push`) the other. */
export const CHANNEL = 'tamis';
/** Only the preload speaks on it: paths of files that were dropped on the page. */
export const DROP_CHANNEL = 'tamis-drop';

/** A push on the channel. */
export interface Push {
  readonly name: PushName;
  readonly value: unknown;
}

/** What comes back over the bridge. */
export type Answer<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: Failure };

/** What the preload puts into the page as `window.tamis`. Plain data only; both ends check it with the schemas of `bridge.ts`. */
export interface Bridge {
  invoke(name: RequestName, input: unknown): Promise<Answer<unknown>>;
  /** The listener is called until the returned function is. */
  on(name: PushName, listener: (value: unknown) => void): () => void;
  /** Hands dropped files to the main process: only here do files of the page become paths, which recipes may name from then on. */
  drop(purpose: Purpose, files: readonly File[]): Promise<Answer<string[]>>;
}
