import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { env } from 'node:process';

import { _electron, type ConsoleMessage, type ElectronApplication, type Page } from 'playwright';

import { findElectron } from '../../scripts/electron.mjs';
import { stage } from '../../scripts/stage.mjs';
import { limits } from '../limits.ts';

export interface Running {
  readonly app: ElectronApplication;
  /** The main process. */
  readonly process: ChildProcess;
  /** The first window's. */
  readonly page: Page;
  /** What the page has got wrong so far: errors on its console (violations of the CSP among them) and exceptions. */
  readonly problems: readonly string[];
  /** What the main process has written so far. */
  readonly output: () => string;
  /** Quits, if it still runs. @throws where the page had problems, or where it does not end */
  close(): Promise<void>;
}

export interface LaunchOptions {
  /** Holds all that the application keeps: its `--user-data-dir` and the engine's cache. */
  readonly folder: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
}

export interface Command {
  readonly executable: string;
  readonly args: string[];
  readonly env: Record<string, string>;
}

/** How the application is started from the stage; as root, `--no-sandbox` is needed too, which Playwright adds by itself. */
export async function commandOf({ folder, environment = {}, args = [] }: LaunchOptions): Promise<Command> {
  const electron = await findElectron();
  if (electron === null) throw new Error('No Electron is installed for this system.');
  const staged = await stage(electron);
  return {
    executable: staged.executable,
    args: [...staged.args, `--user-data-dir=${join(folder, 'user-data')}`, '--lang=en-US', ...args],
    env: { ...ownEnvironment(), TAMIS_CACHE: join(folder, 'cache'), ...environment },
  };
}

/** Starts the application from the stage as a person would, and waits for its window. */
export async function launch(options: LaunchOptions): Promise<Running> {
  const { executable, args, env } = await commandOf(options);
  const app = await _electron.launch({ executablePath: executable, args, env, timeout: limits.wait });
  app.context().setDefaultTimeout(limits.wait);
  const process = app.process();
  const output = collectOutput(process);
  const page = await app.firstWindow({ timeout: limits.wait });
  const problems = await collectProblems(page);
  return { app, process, page, problems, output, close: () => close(app, process, problems) };
}

function ownEnvironment(): Record<string, string> {
  const entries = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(entries);
}

function collectOutput({ stdout, stderr }: ChildProcess): () => string {
  let text = '';
  for (const stream of [stdout, stderr]) {
    stream?.setEncoding('utf8').on('data', (written: string) => (text += written));
  }
  return () => text;
}

async function collectProblems(page: Page): Promise<string[]> {
  const problems: string[] = [];
  const add = (message: ConsoleMessage): void => {
    if (message.type() === 'error') problems.push(message.text());
  };
  page.on('console', add);
  page.on('pageerror', (error) => problems.push(error.stack ?? error.message));
  page.on('crash', () => problems.push('The page crashed.'));
  // The console may be opened after the page, so that it has missed an event: it is told of those to come.
  await page.addInitScript(reportViolations);
  await page.evaluate(reportViolations);
  for (const message of await page.consoleMessages({ filter: 'all' })) add(message);
  problems.push(...(await page.pageErrors()).map((error) => error.message));
  return problems;
}

function reportViolations(): void {
  document.addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) => {
    console.error(`The page's security policy refused ${effectiveDirective}: ${blockedURI}`);
  });
}

async function close(app: ElectronApplication, process: ChildProcess, problems: readonly string[]): Promise<void> {
  if (process.exitCode === null && process.signalCode === null) {
    const ended = once(process, 'exit');
    const slow = setTimeout(() => process.kill('SIGKILL'), limits.wait);
    await app.close();
    const [, signal] = (await ended) as [number | null, NodeJS.Signals | null];
    clearTimeout(slow);
    if (signal === 'SIGKILL') throw new Error('The application did not end.');
  }
  if (problems.length > 0) throw new Error(`The page had problems:\n${problems.join('\n')}`);
}
