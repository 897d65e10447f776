import { TamisError } from '../../contract/errors.ts';
import { errorOf } from '../../contract/failure.ts';
import {
  questions,
  type Question,
  type QuestionName,
  type Reply,
  type Update,
  type Word,
} from '../../contract/engine.ts';
import { EngineProcess, type Launch } from './process.ts';

/** An idle server costs memory: it is ended after so long. */
const IDLE_MS = 60_000;

interface Open {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly tell: (value: unknown) => void;
}

export interface Asking<N extends QuestionName> {
  readonly signal?: AbortSignal;
  readonly tell?: (value: Update<N>) => void;
}

/** Asks the engine what is no run. One process answers all, started at the first question and ended when it idles. */
export class Service {
  readonly #purpose: string;
  readonly #launch: Launch;
  readonly #open = new Map<number, Open>();
  #process: EngineProcess | null = null;
  #asked = 0;
  #idle: NodeJS.Timeout | null = null;

  /** `purpose`: as the log names the process. */
  constructor(purpose: string, launch: Launch) {
    this.#purpose = purpose;
    this.#launch = launch;
  }

  /** Starts the process, so that the first question need not wait for it. */
  warm(): void {
    this.#process ??= new EngineProcess({ kind: 'serve' }, this.#purpose, this.#launch, {
      onWord: (word) => this.#take(word),
      onEnd: () => this.#lose(),
    });
    this.#rest();
  }

  async ask<N extends QuestionName>(name: N, input: Question<N>, asking: Asking<N> = {}): Promise<Reply<N>> {
    const { signal, tell } = asking;
    if (signal?.aborted) throw new TamisError('cancelled.no-run');
    this.warm();
    const id = ++this.#asked;
    const forget = (): void => this.#process?.order({ kind: 'forget', id });
    signal?.addEventListener('abort', forget, { once: true });
    try {
      const reply = await new Promise<unknown>((resolve, reject) => {
        this.#open.set(id, {
          resolve,
          reject,
          tell: (value) => tell?.(questions[name].update.parse(value) as Update<N>),
        });
        this.#process?.order({ kind: 'ask', id, name, input });
      });
      return questions[name].output.parse(reply) as Reply<N>;
    } catch (error) {
      throw signal?.aborted ? new TamisError('cancelled.no-run') : error;
    } finally {
      signal?.removeEventListener('abort', forget);
      this.#open.delete(id);
      this.#rest();
    }
  }

  close(): void {
    this.#process?.kill();
  }

  #take(word: Word): void {
    if (word.kind === 'events' || word.kind === 'end') return;
    const open = this.#open.get(word.id);
    if (word.kind === 'update') open?.tell(word.value);
    if (word.kind === 'reply') open?.resolve(word.value);
    if (word.kind === 'refusal') open?.reject(errorOf(word.failure));
  }

  #lose(): void {
    this.#process = null;
    for (const { reject } of this.#open.values()) reject(new TamisError('engine.lost'));
  }

  #rest(): void {
    if (this.#idle) clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      if (this.#open.size === 0) this.close();
    }, IDLE_MS).unref();
  }
}

/** Asks one question in a process of its own: for what is heavy, or could take the process down with it. */
export async function askAlone<N extends QuestionName>(
  launch: Launch,
  name: N,
  input: Question<N>,
  asking: Asking<N> = {},
): Promise<Reply<N>> {
  const service = new Service(name, launch);
  try {
    return await service.ask(name, input, asking);
  } finally {
    service.close();
  }
}
