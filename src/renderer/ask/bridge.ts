import {
  pushes,
  requests,
  type Input,
  type Output,
  type Push,
  type PushName,
  type RequestName,
} from '../../contract/bridge.ts';
import type { Answer, Bridge } from '../../contract/channel.ts';
import { errorOf, failureSchema } from '../../contract/failure.ts';
import type { Purpose } from '../../contract/purposes.ts';

declare global {
  interface Window {
    readonly tamis: Bridge;
  }
}

/** Asks the main process. A refusal is thrown as `TamisError`. */
export async function ask<N extends RequestName>(name: N, input: Input<N>): Promise<Output<N>> {
  return requests[name].output.parse(valueOf(await window.tamis.invoke(name, input))) as Output<N>;
}

/** Hears what the main process tells by itself, until the returned function is called. */
export function listen<N extends PushName>(name: N, hear: (push: Push<N>) => void): () => void {
  return window.tamis.on(name, (value) => hear(pushes[name].parse(value) as Push<N>));
}

/** The paths of files that were dropped on the page. */
export async function dropped(purpose: Purpose, files: readonly File[]): Promise<string[]> {
  return valueOf(await window.tamis.drop(purpose, files));
}

function valueOf<T>(answer: Answer<T>): T {
  if (!answer.ok) throw errorOf(failureSchema.parse(answer.failure));
  return answer.value;
}
