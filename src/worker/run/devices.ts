import { z } from 'zod';

import { TamisError } from '../../contract/errors.ts';
import type { RunEvent } from '../../contract/events.ts';
import type { OpenGpu } from '../runtime/gpu.ts';
import type { SessionOptions } from '../runtime/session.ts';

/** What a run has given up for the CPU. */
export const givenUpSchema = z.strictObject({ device: z.boolean(), gpu: z.boolean() });
export type GivenUp = z.infer<typeof givenUpSchema>;
export const nothingGivenUp: GivenUp = { device: false, gpu: false };

/** What ends everything on a GPU. */
const gpuLosses = ['gpu.lost', 'gpu.out-of-memory', 'gpu.failed'];

interface Opened {
  readonly session: SessionOptions;
  readonly gpu: OpenGpu | null;
  /** The taps whose matrices have room in the GPU's memory. */
  readonly tapsOnGpu: ReadonlySet<string>;
}

/**
 * What a run computes on: forward passes on a device, Gram matrices, factors and sweeps on a GPU, or on the CPU. A device or GPU that
 * is lost is given up for the CPU, if the recipe allows that.
 */
export class Devices implements AsyncDisposable {
  readonly #opened: Opened;
  readonly #mayFallBack: boolean;
  #givenUp: GivenUp;

  constructor(opened: Opened, mayFallBack: boolean, givenUp: GivenUp) {
    this.#opened = opened;
    this.#mayFallBack = mayFallBack;
    this.#givenUp = givenUp;
  }

  get session(): SessionOptions {
    const { session } = this.#opened;
    return this.#givenUp.device ? { ...session, device: 'cpu' } : session;
  }

  /** null where the CPU does its work. */
  get gpu(): OpenGpu | null {
    return this.#givenUp.gpu ? null : this.#opened.gpu;
  }

  /** The taps whose matrices have room in the GPU's memory; those of the others are the CPU's. */
  get tapsOnGpu(): ReadonlySet<string> {
    return this.#opened.tapsOnGpu;
  }

  /** The session as it was before anything was given up. */
  get begunSession(): SessionOptions {
    return this.#opened.session;
  }

  get givenUp(): GivenUp {
    return this.#givenUp;
  }

  /** Gives up what an error says was lost, and says what and why; null where it says nothing of the kind, or the recipe does not allow it. */
  giveUp(error: unknown): { device: string; reason: string } | null {
    if (!(error instanceof TamisError) || !this.#mayFallBack) return null;
    const { gpu, session } = this;
    const reason = String(error.params['reason'] ?? error.code);
    if (gpuLosses.includes(error.code) && gpu !== null) {
      this.#givenUp = { ...this.#givenUp, gpu: true };
      return { device: gpu.name, reason };
    }
    if (error.code === 'device.failed' && error.params['device'] === session.device && session.device !== 'cpu') {
      this.#givenUp = { ...this.#givenUp, device: true };
      return { device: session.device, reason };
    }
    return null;
  }

  /** The event in which a run tells of them. */
  get event(): RunEvent {
    const { gpu } = this;
    const told = gpu && { name: gpu.name, driver: gpu.driver, memoryBytes: gpu.memoryBytes };
    return { type: 'devices', device: this.session.device, gpu: told };
  }

  /** Frees the GPU's memory. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.gpu?.handle.close();
  }
}
