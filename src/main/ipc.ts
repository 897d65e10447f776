import { ipcMain, type BrowserWindow, type IpcMainInvokeEvent } from 'electron';
import { z } from 'zod';

import { requests, type Pushes, type Output, type PushName, type RequestName } from '../contract/bridge.ts';
import { CHANNEL, DROP_CHANNEL, type Answer, type Push } from '../contract/channel.ts';
import { TamisError } from '../contract/errors.ts';
import { failureOf } from '../contract/failure.ts';
import { purposes } from '../contract/purposes.ts';
import { isOurs } from './guard.ts';

/** What main does for each request of the page. */
export type Handlers = {
  readonly [N in RequestName]: (input: z.output<(typeof requests)[N]['input']>) => Promise<Output<N>> | Output<N>;
};

/** The handlers of the requests whose names begin so. */
export type HandlersOf<P extends string> = Pick<Handlers, Extract<RequestName, `${P}${string}`>>;

const dropSchema = z.tuple([z.enum(purposes), z.array(z.string().min(1).max(4096)).min(1).max(1000)]);

/**
 * Answers the page's requests: from our own frame only, each checked against its schema before and after.
 * A refusal is logged and crosses as its code and params, never as a stack.
 */
export function answerRequests(
  handlers: Handlers,
  drop: (paths: readonly string[]) => string[],
  log: (line: string) => void,
): void {
  const answer = async (event: IpcMainInvokeEvent, name: string, work: () => unknown): Promise<Answer<unknown>> => {
    try {
      if (!isOurs(event.senderFrame)) throw new TamisError('bridge.foreign-frame');
      return { ok: true, value: await work() };
    } catch (error) {
      const failure = failureOf(error);
      log(`${name}: ${failure.code} ${JSON.stringify(failure.params)}`);
      if (failure.code === 'internal' && error instanceof Error) log(error.stack ?? '');
      return { ok: false, failure };
    }
  };
  ipcMain.handle(CHANNEL, (event, name: unknown, input: unknown) =>
    answer(event, String(name), async () => {
      if (!isRequest(name)) throw new TamisError('bridge.unknown-request', { name: String(name).slice(0, 100) });
      return await respond(handlers, name, input);
    }),
  );
  ipcMain.handle(DROP_CHANNEL, (event, ...args: unknown[]) =>
    answer(event, 'drop', () => {
      const parsed = dropSchema.safeParse(args);
      if (!parsed.success)
        throw new TamisError('bridge.invalid', { name: 'drop', reason: z.prettifyError(parsed.error) });
      return drop(parsed.data[1]);
    }),
  );
}

function isRequest(name: unknown): name is RequestName {
  return typeof name === 'string' && Object.hasOwn(requests, name);
}

async function respond<N extends RequestName>(handlers: Handlers, name: N, input: unknown): Promise<Output<N>> {
  const parsed = requests[name].input.safeParse(input);
  if (!parsed.success) throw new TamisError('bridge.invalid', { name, reason: z.prettifyError(parsed.error) });
  const value = await handlers[name](parsed.data as z.output<(typeof requests)[N]['input']>);
  return requests[name].output.parse(value) as Output<N>;
}

/** Tells the page something by itself; a closed window misses nothing that it cannot ask for later. */
export function push<N extends PushName>(window: BrowserWindow | null, name: N, value: z.input<Pushes[N]>): void {
  if (!window || window.isDestroyed()) return;
  const message: Push = { name, value };
  window.webContents.send(CHANNEL, message);
}
