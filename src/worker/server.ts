import {
  questions,
  type Order,
  type Question,
  type QuestionName,
  type Reply,
  type Update,
  type Word,
} from '../contract/engine.ts';
import { failureOf } from '../contract/failure.ts';
import type { PullTask } from '../contract/hub.ts';

type Answering<N extends QuestionName> = (
  question: Question<N>,
  told: { signal: AbortSignal; tell: (value: Update<N>) => void },
) => Promise<Reply<N>>;

/** What each question is answered by; a module is loaded when it is first needed, so that light questions start fast. */
const answers: { readonly [N in QuestionName]: Answering<N> } = {
  head: async ({ path }) => {
    const { readHead } = await import('./model/head.ts');
    return await readHead(path);
  },
  tensors: async ({ path }) => {
    const { readTensors } = await import('./model/head.ts');
    return await readTensors(path);
  },
  zeros: async ({ path }, { signal, tell }) => {
    const { countZeros } = await import('./model/inspect.ts');
    for await (const { name, zeros } of countZeros(path, signal)) tell([{ name, zeros }]);
    return null;
  },
  plan: async ({ recipe, out }, { signal }) => {
    const { plan } = await import('./plan/plan.ts');
    return await plan(recipe, { out, signal });
  },
  devices: async ({ threads }) => {
    const { listDevices } = await import('./runtime/devices.ts');
    const { listAdapters } = await import('./runtime/adapters.ts');
    const reports = await listDevices(threads);
    const devices = reports.map(({ failure, ...report }) => ({ ...report, failure: failure && failureOf(failure) }));
    return { devices, adapters: await listAdapters() };
  },
  gpus: async () => {
    const { gpuNames } = await import('./runtime/gpu.ts');
    return await gpuNames();
  },
  cuda: async ({ folder }) => {
    const { cudaLacks } = await import('./runtime/cuda.ts');
    const { engineVersions } = await import('./machine/versions.ts');
    return { lacks: (await cudaLacks()).map(failureOf), onnxruntime: engineVersions().onnxruntime, folder };
  },
  'fetch-cuda': async ({ folder }, { signal, tell }) => {
    const { cudaPlace } = await import('./runtime/cuda.ts');
    const { fetchCuda } = await import('./runtime/fetch-cuda.ts');
    await fetchCuda(folder, { signal, onProgress: tell, runtime: cudaPlace().runtime });
    return null;
  },
  try: async ({ recipe, folder }, { signal, tell }) => {
    const { tryRecipe } = await import('./trial.ts');
    return await tryRecipe(recipe, folder, { signal, onProgress: tell });
  },
  'export-offers': async ({ run }) => {
    const { exportOffers } = await import('./export/exports.ts');
    return await exportOffers(run);
  },
  export: async (wanted, { signal, tell }) => {
    const { exportRun } = await import('./export/exports.ts');
    return await exportRun({ ...wanted, signal, onProgress: (stage, progress) => tell({ stage, progress }) });
  },
  'pull-plan': async (task, { signal }) => {
    const { planPull } = await import('./hub/pull.ts');
    return await planPull(await withToken(task), { signal });
  },
  pull: async (task, { signal, tell }) => {
    const { pull } = await import('./hub/pull.ts');
    return await pull(await withToken(task), {
      signal,
      onPlan: (plan) => tell({ kind: 'plan', plan }),
      onProgress: (progress) => tell({ kind: 'progress', progress }),
    });
  },
  'pull-discard': async ({ folder }) => {
    const { discardPull } = await import('./hub/pull.ts');
    await discardPull(folder);
    return null;
  },
  versions: async () => {
    const { engineVersions } = await import('./machine/versions.ts');
    return engineVersions();
  },
};

/** With the token that the hub's own programs keep, where the application has none of its own. */
async function withToken(task: PullTask): Promise<PullTask> {
  const { tokenFor } = await import('./hub/endpoint.ts');
  return { ...task, token: task.token ?? (await tokenFor(task.endpoint, process.env)) };
}

/** Answers main's questions, each under a number of its own; a forgotten one ends as cancelled. */
export class Server {
  readonly #say: (word: Word) => void;
  readonly #open = new Map<number, AbortController>();

  constructor(say: (word: Word) => void) {
    this.#say = say;
  }

  take(order: Order): void {
    if (order.kind === 'forget') this.#open.get(order.id)?.abort();
    if (order.kind === 'ask') void this.#answer(order.id, order.name, order.input);
  }

  async #answer(id: number, name: QuestionName, input: unknown): Promise<void> {
    const abort = new AbortController();
    this.#open.set(id, abort);
    try {
      const tell = (value: unknown): void => this.#say({ kind: 'update', id, value });
      const value = await answer(name, input, { signal: abort.signal, tell });
      this.#say({ kind: 'reply', id, value });
    } catch (error) {
      this.#say({ kind: 'refusal', id, failure: failureOf(error) });
    } finally {
      this.#open.delete(id);
    }
  }
}

async function answer<N extends QuestionName>(
  name: N,
  input: unknown,
  telling: { signal: AbortSignal; tell: (value: Update<N>) => void },
): Promise<Reply<N>> {
  return await answers[name](questions[name].input.parse(input) as Question<N>, telling);
}
