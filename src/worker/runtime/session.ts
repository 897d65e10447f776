import { env, InferenceSession, type Tensor } from 'onnxruntime-node';

import { TamisError } from '../../contract/errors.ts';
import type { Device } from '../../contract/recipe.ts';
import type { GraphFile } from '../graph/builder.ts';
import { native } from '../native.ts';

/** A device that a session runs on: `auto` has been decided by then. */
export type RunDevice = Exclude<Device, 'auto'>;

export interface SessionOptions {
  readonly device: RunDevice;
  readonly threads: number;
}

// What goes wrong is thrown, and told in the reader's language.
env.logLevel = 'fatal';

/**
 * What onnxruntime's threads do after a run: spin for a while, so that the next one starts at once, or stop, so that other work
 * (the Gram products) has the cores.
 */
export type AfterRun = 'spin' | 'stop';

/** A graph made ready to run on one device. What opening and closing it leaves with the C library's allocator goes back to the system. */
export class Session implements AsyncDisposable {
  readonly #session: InferenceSession;
  readonly #device: RunDevice;

  private constructor(session: InferenceSession, device: RunDevice) {
    this.#session = session;
    this.#device = device;
  }

  /** Error `device.failed`, which names the device, where it does not run every node of the graph. */
  static async open(
    graph: GraphFile,
    { device, threads }: SessionOptions,
    afterRun: AfterRun = 'spin',
  ): Promise<Session> {
    // TF32 would round products to 10 bits; cuBLAS reads this when the first session starts.
    if (device === 'cuda') process.env['NVIDIA_TF32_OVERRIDE'] = '0';
    const session = await named(device, () =>
      InferenceSession.create(graph.bytes, {
        executionProviders: [device],
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        executionMode: 'sequential',
        graphOptimizationLevel: 'all',
        // Without the arena each intermediate tensor is allocated anew, which Electron's allocator has the system zero each time.
        enableCpuMemArena: true,
        enableMemPattern: false,
        logSeverityLevel: 4,
        extra: {
          session: {
            model_external_initializers_file_folder_path: graph.folder,
            ...(afterRun === 'stop' && { force_spinning_stop: '1' }),
            ...(device === 'cpu' ? {} : { disable_cpu_ep_fallback: '1' }),
          },
        },
      }),
    );
    native.releaseFreedMemory();
    return new Session(session, device);
  }

  /** Runs the graph; results are written into the tensors of `outputs`. */
  async run(inputs: Readonly<Record<string, Tensor>>, outputs: Readonly<Record<string, Tensor>>): Promise<void> {
    const results = await named(this.#device, () => this.#session.run(inputs, outputs));
    for (const [name, { data }] of Object.entries(results)) freeCopy(data, outputs[name]?.data);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session.release();
    native.releaseFreedMemory();
  }
}

/** onnxruntime-node hands out a copy of a result that it was given an array for; left to the collector, copies pile up. */
function freeCopy(copy: Tensor['data'], own: Tensor['data'] | undefined): void {
  if (!ArrayBuffer.isView(copy) || !ArrayBuffer.isView(own) || copy.buffer === own.buffer) return;
  if (copy.buffer instanceof ArrayBuffer) copy.buffer.transfer(0);
}

async function named<T>(device: RunDevice, task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (error) {
    throw new TamisError('device.failed', { device, reason: reasonOf(error) }, { cause: error });
  }
}

/** What onnxruntime says, without the place in its source. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/^\S+:\d+ .* was false\. /s, '').trim();
}
