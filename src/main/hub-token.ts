import { rm } from 'node:fs/promises';

import { z } from 'zod';

import { readJson, writeJson } from '../disk/files.ts';
import { fileError } from '../disk/file-errors.ts';
import type { TokenPlace } from '../contract/hub.ts';

/** What the system's keyring encrypts with. */
export interface Keyring {
  /** Whether nobody but this user can decrypt what it encrypts. */
  isSafe(): boolean;
  encrypt(text: string): Buffer;
  decrypt(data: Buffer): string;
}

const keptSchema = z.strictObject({ origin: z.string(), encrypted: z.base64() });
type Kept = z.infer<typeof keptSchema>;

interface Session {
  readonly origin: string;
  readonly token: string;
}

/**
 * The hub's token: encrypted in a file where the system has a keyring, else in memory until the application ends. It belongs to the
 * endpoint that it was set for: a change of the endpoint in the settings takes it to nobody else.
 */
export class HubToken {
  readonly #path: string;
  readonly #keyring: Keyring;
  #kept: Kept | null;
  #session: Session | null = null;

  private constructor(path: string, keyring: Keyring, kept: Kept | null) {
    this.#path = path;
    this.#keyring = keyring;
    this.#kept = kept;
  }

  static async open(path: string, keyring: Keyring): Promise<HubToken> {
    // A damaged file holds no token.
    return new HubToken(path, keyring, await readJson(path, keptSchema).catch(() => null));
  }

  /** Where the token for this endpoint is kept. */
  placeOf({ origin }: URL): TokenPlace {
    if (this.#session?.origin === origin) return 'session';
    return this.#kept?.origin === origin ? 'keyring' : 'none';
  }

  tokenFor({ origin }: URL): string | null {
    if (this.#session?.origin === origin) return this.#session.token;
    if (this.#kept?.origin !== origin) return null;
    try {
      return this.#keyring.decrypt(Buffer.from(this.#kept.encrypted, 'base64'));
    } catch {
      // Another user's, or of a keyring that is gone.
      return null;
    }
  }

  /** Takes the place of the one before, for whichever endpoint that was; null = none. */
  async set(token: string | null, { origin }: URL): Promise<void> {
    this.#session = null;
    this.#kept = null;
    if (token !== null && this.#keyring.isSafe()) {
      const kept = { origin, encrypted: this.#keyring.encrypt(token).toString('base64') };
      await writeJson(this.#path, kept);
      this.#kept = kept;
      return;
    }
    try {
      await rm(this.#path, { force: true });
    } catch (error) {
      throw fileError(error, this.#path);
    }
    if (token !== null) this.#session = { origin, token };
  }
}
