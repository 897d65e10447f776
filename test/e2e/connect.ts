import type { ChildProcess } from 'node:child_process';

import { chromium, type Page } from 'playwright';

import { limits } from '../limits.ts';

/** The first page of an Electron that was started with `--remote-debugging-port=0` and standard error as a pipe. */
export async function firstPageOf(main: ChildProcess): Promise<Page> {
  const browser = await chromium.connectOverCDP(await debuggingAddress(main), { timeout: limits.wait });
  const [context] = browser.contexts();
  context?.setDefaultTimeout(limits.wait);
  const page = context?.pages()[0] ?? (await context?.waitForEvent('page'));
  if (page === undefined) throw new Error('no window opened');
  return page;
}

async function debuggingAddress(main: ChildProcess): Promise<string> {
  return await new Promise((resolve, reject) => {
    let text = '';
    main.stderr?.setEncoding('utf8').on('data', (written: string) => {
      text += written;
      const address = /DevTools listening on (ws:\S+)/.exec(text)?.[1];
      if (address !== undefined) resolve(address);
    });
    main.on('exit', () => reject(new Error(`the application ended:\n${text}`)));
  });
}
